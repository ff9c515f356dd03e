"""Kinetics-600: layout, lists and protocols are in kinetics.py."""

from __future__ import annotations

from pathlib import Path

from workbench.data.catalog import Dataset
from workbench.data.sources import kinetics


def open(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is the folder with lists and clips, data/kinetics600 where it is None."""
    return kinetics.open_with("kinetics600", root, protocol, split)
