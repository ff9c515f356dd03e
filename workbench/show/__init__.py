"""Figures, widgets, the player and the gallery: arrays in, pictures out."""

from workbench.extras import check

check(__name__)
