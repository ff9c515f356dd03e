"""Video files: decoding, times, inspection, writing."""
