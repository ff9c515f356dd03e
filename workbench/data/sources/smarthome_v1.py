"""Toyota Smarthome with the poses of version 1.1, ``<stem>.json``; all else is as in smarthome.py."""

from __future__ import annotations

from pathlib import Path

from workbench.data.catalog import Dataset
from workbench.data.sources import smarthome


def open(root: str | Path | None, protocol: str | None, split: str) -> Dataset:
    """See ``open_dataset``; ``root`` is a folder with videos, poses or both, data/smarthome_v1 where it is None."""
    return smarthome.open_version("smarthome_v1", "", root, protocol, split)
