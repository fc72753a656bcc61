"""Who can do what, and why: every grant of a policy set, for whoever has to answer for them."""
