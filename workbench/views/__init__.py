"""What notebooks show of runs and data."""

from workbench.extras import check

check(__name__)
