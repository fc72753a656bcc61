"""The chain of audit events over time: signed heads, and how long events are kept."""
