"""What notebooks show of runs and data."""
