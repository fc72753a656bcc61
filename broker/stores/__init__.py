"""Where the broker's state lives, behind the ports."""
