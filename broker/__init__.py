"""A workload-identity federation broker: CI job tokens in, short-lived service tokens out."""

__version__ = "0.1.0"
