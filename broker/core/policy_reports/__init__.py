"""What a month of decisions says of the policies themselves: what is unused, too wide or ends.

Pure functions over events and policies. Only what is on record is told: a value that nobody knows
is never taken for one that nobody had.
"""
