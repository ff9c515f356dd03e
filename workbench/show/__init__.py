"""Figures, widgets, the player and the gallery: arrays in, pictures out."""

from workbench.extras import check

check(__name__)

from workbench.show.player import Player

__all__ = ["Player"]
