"""The figures of a broker: counted in memory that its processes share, and written as text."""
