"""Public data sets, one file a family, and the drawn world; ``data.catalog`` lists them by name."""
