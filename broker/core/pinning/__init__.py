"""Which immutable ids stand behind the names in policies, by what a broker has on record.

Pure functions over events and policies. An id is proposed beside a name and never in its place: one
more condition admits nobody. What is not plain from the record is not proposed, and says why.
"""
