"""Traces of requests, for a collector of OpenTelemetry; nothing here is imported unless wanted."""
