"""The HTTP surface: requests in, answers out; nothing is decided here. Starlette only here."""
