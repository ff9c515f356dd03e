"""One clip: its video, its skeletons, and one drawn on the other."""
