"""The rules of the broker as pure functions: no I/O, no clock, no environment, no logging.

`now` (seconds since the epoch), keys and random identifiers are arguments everywhere.
"""
