"""The contents of a store, moved to another one and verified there."""
