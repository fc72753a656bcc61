"""`/api/v1`: what operators and their tools ask of the broker, by token and scope."""
