"""One clip: its video, its skeletons, and one drawn on the other."""

from workbench.extras import check

check(__name__)
