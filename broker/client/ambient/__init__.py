"""The identity that the surroundings give a job, one module for each platform."""
