"""What may become of service accounts and their secrets: pure planning, by the rows and a caller.

`broker.registry` reads the rows, asks here, and has the store make the change.
"""
