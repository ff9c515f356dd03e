"""One clip, from a file to a batch."""
