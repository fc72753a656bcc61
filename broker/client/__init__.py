"""For pipelines: the ID token that a job holds, and the service token that it buys."""
