"""A stand-in for SynthADL-U on disk: the clips of ``fake_synthadl``, with two actions each, of which one is drawn."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from tests.fixtures import fake_synthadl


def fake_synthadl_u(root: Path, actions: int = 3, subjects: int = 4, views: int = 2, frames: int = 100) -> Path:
    """Videos of about ``frames`` frames at 25 fps under ``root``; the last subject is test, the one before validation.
    Action a goes on in the middle half, action a + 1 from half of the video to its end."""
    fake_synthadl(root, actions=actions, subjects=subjects, views=views, frames=frames)
    table = pd.read_parquet(root / "index.parquet")
    rows = []
    for row in table.itertuples():
        action, seconds = int(row.id[1:3]), row.frames / row.fps
        rows.append((row.id, action, seconds / 4, 3 * seconds / 4))
        rows.append((row.id, (action + 1) % actions, seconds / 2, seconds))
    pd.DataFrame(rows, columns=["id", "label", "start", "end"]).to_parquet(root / "intervals.parquet")
    settings = {"actions": [f"action {i}" for i in range(actions)], "pose_quality": "high"}
    (root / "world.json").write_text(json.dumps({"size": "tiny", "seed": 0, "version": 1, "settings": settings}))
    return root
