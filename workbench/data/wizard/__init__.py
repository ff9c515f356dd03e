"""A manifest from a folder of videos."""
