"""What a policy set would have made of the decisions on record: denied, permitted, or otherwise.

Pure functions over events and policies. What is not on record is never guessed: a decision that
hangs on it is undecidable, and says on what. Spent tokens, limits and blocks have no say here.
"""
