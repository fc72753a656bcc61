"""The registry of service accounts: rows are read, a change is planned, and made as a whole."""
