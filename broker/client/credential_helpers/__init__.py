"""What tools say to their credential helpers, and what these may answer; pure."""
