"""Policy reload: files read in a process of their own, put in force all at once or not at all."""
