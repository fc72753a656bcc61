"""Several processes of one broker: a supervisor that starts them, and lines between them."""
