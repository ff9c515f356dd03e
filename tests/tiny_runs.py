"""Worlds and trained runs as small as they can be, for tests of whole notebooks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.detection_fixtures import fake_synthadl_u
from tests.fixtures import fake_synthadl
from workbench.study import files, fit

PRESET = {"base": "tiny", "clip": [8, 32, 32], "width": 0.125, "poses": 8, "output_stride": [4, 8, 8], "batch_size": 8}


class Place:
    """A folder with a run store, a world and, where asked for, a world of untrimmed videos."""

    def __init__(self, root: Path, world: str = "world", untrimmed: str = "untrimmed") -> None:
        self.root, self.runs = root, root / "runs"
        self.world, self.untrimmed = root / world, root / untrimmed

    def asked(self, system: str) -> dict:
        """What ``fit`` and ``sweep`` are told of a run on the world."""
        return {"system": system, "root": str(self.world), "runs": str(self.runs), "preset": PRESET}

    def basics(self) -> None:
        """Four actions; an rgb and a vpn run, each trained for an epoch a stage."""
        fake_synthadl(self.world, actions=4, subjects=3, views=2, frames=16)
        for system in ("rgb", "vpn"):
            fit(self.asked(system) | {"epochs": 1, "progress": False})

    def detectors(self) -> None:
        """Untrimmed videos, encoders of snippets, a detector on RGB features, and a student that a pose teacher
        helped."""
        fake_synthadl_u(self.untrimmed, actions=2, subjects=4, views=1, frames=100)
        once = {"epochs": 1, "progress": False, "evaluate": []}
        once["preset"] = PRESET | {"sampling": "strided", "stride": 2}
        fit(self.asked("agcn") | once)
        fit(self.asked("perf_stream") | once | {"options": {"stream": "rgb", "backbone": "i3d"}})
        quick = {"runs": str(self.runs), "preset": PRESET, "epochs": 2, "progress": False}
        videos = {"root": str(self.untrimmed), "cache": str(self.root / "kept"), **quick}
        snippets = {"rgb": "latest:perf_stream", "pose": "latest:agcn"}
        fit({"system": "detector", **videos, "snippets": {"rgb": snippets["rgb"]}})
        taught = {"snippets": snippets, "options": {"teachers": ["pose"]}}
        fit({"system": "augmented_rgb", **videos, **taught})

    def students(self) -> None:
        """Two runs of vpn_a: the teacher counts for nothing, and for much."""
        quick = {"epochs": 1, "progress": False, "evaluate": ["test"]}
        for beta in (0.0, 50.0):
            fit(self.asked("vpn_a") | quick | {"options": {"beta": beta}})

    def scatter(self) -> None:
        """Runs as short as these give one answer to every clip: noise on the stored scores gives confusions to see."""
        rng = np.random.default_rng(6)  # gains, losses, and two clips in one cell
        for path in sorted(self.runs.glob("[rv][gp][bn]*-*/predictions_test.npz")):
            with np.load(path) as stored:
                arrays = dict(stored)
            arrays["logits"] = arrays["logits"] + rng.normal(0, 1, arrays["logits"].shape).astype(np.float32)
            files.write_arrays(path, arrays)

    def table(self) -> Path:
        """A table file of two trained rows and a cited one."""
        path = self.root / "two_systems.yaml"
        rows = [
            {"id": system, "label": f"<b>{system}</b>", "published": [value]}
            | {"parameters": {"system": system, "epochs": 1}}
            for system, value in (("rgb", 50.0), ("vpn", 60.5))
        ]
        rows.append({"id": "cited", "label": "cited", "published": [70.0], "absent": "somebody else's number"})
        claim = {"id": "x1", "text": "VPN is better.", "better": "vpn", "worse": "rgb", "margin": [10.5]}
        columns = [{"id": "cs", "label": "NTU CS", "metric": "top1"}]
        about = {"title": "Two systems", "paper": "A paper", "base": {"preset": PRESET}, "columns": columns}
        path.write_text(json.dumps({**about, "rows": rows, "claims": [claim]}))
        return path
