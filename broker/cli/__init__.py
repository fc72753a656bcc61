"""The command line: one module per command group, each importing what it needs when it runs."""
