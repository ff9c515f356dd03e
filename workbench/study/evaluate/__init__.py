"""A finished run on one split: predictions, metrics, and what its mechanism does."""
