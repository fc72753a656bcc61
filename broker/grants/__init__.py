"""One file per grant: the story of an exchange, step by step."""
