"""The table of systems by name, which the package fills and systems of systems look their members up in."""

from __future__ import annotations

from workbench.systems.common.base import System

SYSTEMS: dict[str, type[System]] = {}
