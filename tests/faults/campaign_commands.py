"""What the campaign runs: commands as small as they can be, and what each of them has made when it has ended well."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd

from safefiles import checksums
from synthadl import world
from tests.detection_fixtures import fake_synthadl_u
from tests.fixtures import fake_synthadl
from workbench import commands

SMALL = {"actions": ["wave"], "subjects": 4, "repetitions": 1, "setups": 3, "resolution": (64, 48)}
CUT = ("preset.base=tiny", "preset.batch_size=3", "preset.clip=[8,32,32]", "preset.output_stride=[4,16,16]",
       "preset.width=0.125", "preset.poses=8")  # fmt: skip
PRESET = {"base": "tiny", "batch_size": 3, "clip": [8, 32, 32], "output_stride": [4, 16, 16], "width": 0.125}
SNIPPETS = ("preset.sampling=strided", "preset.stride=2")
LIGHT = """import pandas as pd
from IPython.display import HTML, display
table = pd.read_parquet(f"{root}/index.parquet")[["id", "label"]]
display(HTML(table.to_html()))"""
#: What people have in folders, and what looks like files of ours.
MINE = (".env", ".gitignore", ".weights.draft-00000000-1-00000000.npz", ".rows.draft-notes.npy", "index.json.bak",
        "x.damaged-1.txt", "a.failed.ipynb", ".note.part", "checksums.json")  # fmt: skip

Results = dict[str, str]


@dataclass
class Command:
    """``run`` in a folder of its own, whose results are told by ``results``: name -> digest.

    folders: where it writes; unread: what it writes anew each time, as a report; keeps: what is there stays, whatever
    it is. start: the command whose finished folder it begins in. store: with MLflow's store.
    """

    name: str
    run: Callable[[Path], int]
    results: Callable[[Path], Results]
    folders: tuple[str, ...]
    unread: tuple[str, ...] = ()
    keeps: bool = False
    start: str = ""
    store: bool = False


def all_commands(data: Path, untrimmed: Path) -> list[Command]:
    """On the small worlds ``data`` and ``untrimmed`` (see ``inputs``)."""
    runs, lstm = ("runs",), ("pose_lstm", data)
    detector = ("detector", untrimmed, "snippets={pose: latest:agcn}", "options.streams=[pose]", *SNIPPETS)
    shards = lambda place: prepare(place, data, "--shards", place / "shards")  # noqa: E731
    report = lambda place: sweep(table, place, "--report", place / "report" / "report.md")  # noqa: E731
    told = {"unread": ("report",), "start": "sweep"}
    table, page = data.parent / "table.yaml", ("gallery/index.html",)
    return [
        Command("train", lambda place: train(place, *lstm), trained, runs),
        Command("store", lambda place: train(place, *lstm), trained, runs, store=True),
        Command("encoder", lambda place: train(place, "agcn", data, *SNIPPETS), trained, runs),
        Command("detector", lambda place: train(place, *detector), trained, runs, start="encoder"),
        Command("prepare", lambda place: prepare(place, data), cached, ("cache",)),
        Command("shards", shards, packed, ("shards",)),
        Command("synth", lambda place: synth(place, 1), drawn, ("world",)),
        Command("synth2", lambda place: synth(place, 2), drawn, ("world",)),
        Command("sweep", lambda place: sweep(table, place), swept, runs),
        Command("sweep2", lambda place: sweep(table, place, "--workers", 2), swept, runs, store=True),
        Command("report", report, reported, ("report", "runs"), **told),
        Command("gallery", lambda place: gallery(place, data), shown, ("gallery",), page),
        Command("new", lambda place: main("new", place / "mine"), laid_out, ("mine",), keeps=True),
    ]  # fmt: skip


def inputs(folder: Path) -> tuple[Path, Path]:
    """The worlds and the files that the commands read."""
    whole = folder / "input" / "00_data_flow.ipynb"
    if whole.is_file():
        return folder / "input" / "world", folder / "input" / "untrimmed"
    small = {"actions": 2, "subjects": 4, "views": 1}
    data = fake_synthadl(folder / "input" / "world", frames=10, size=(48, 64), **small)
    untrimmed = fake_synthadl_u(folder / "input" / "untrimmed", frames=40, **small)
    rows = [{"id": f"h{n}", "label": f"{n} wide", "parameters": {"options": {"hidden": n}}} for n in (4, 8)]
    base = {"system": "pose_lstm", "root": str(data), "preset": PRESET, "epochs": 1}
    about = {"title": "Two rows", "base": base, "columns": [{"metric": "top1", "label": "Top-1"}], "rows": rows}
    (folder / "input" / "table.yaml").write_text(json.dumps(about))
    cells = [
        nbformat.v4.new_code_cell('root = "x"', metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(LIGHT),
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), whole)
    for path in (folder / "input").rglob("*"):
        os.utime(path, (1e9, 1e9))
    return data, untrimmed


def main(*words: object) -> int:
    return commands.main([str(word) for word in words])


def train(place: Path, system: str, data: Path, *more: str) -> int:
    told = ("init={}", "epochs=2", "checkpoint_steps=1", *CUT, *more)
    return main("train", system, "--root", data, "--runs", place / "runs", "--set", *told)


def prepare(place: Path, data: Path, *more: object) -> int:
    return main("prepare", data, "--system", "vpn", "--cache", place / "cache", *more, "--set", *CUT)


def synth(place: Path, workers: int) -> int:
    return _told(lambda: world.generate(place / "world", SMALL, seed=3, workers=workers))


def sweep(table: Path, place: Path, *more: object) -> int:
    return main("sweep", table, "--seeds", 1, "--runs", place / "runs", *more)


def _told(made: Callable[[], object]) -> int:
    """As commands do."""
    from workbench import boundary

    def command() -> int:
        failed = made()
        if isinstance(failed, list) and failed and isinstance(failed[0], dict) and "error" in failed[0]:
            print(*(record["error"] for record in failed), sep="\n", file=sys.stderr)
            return 1
        return 0

    return boundary.run(command)


def gallery(place: Path, data: Path) -> int:
    """Of one light notebook, under the name of one of ours."""
    if not (place / "notebooks").exists():
        (place / "notebooks").symlink_to(data.parent)
    where = ("--root", data, "--runs", place / "runs", "--out", place / "gallery")
    return main("gallery", *where, "--notebooks", "00_data_flow")


def trained(place: Path) -> Results:
    found = {}
    for folder in sorted(path.parent for path in (place / "runs").glob("*/config.json")):
        for name in ("weights.safetensors", "metrics.json", "config.json"):
            found[f"{folder.name}/{name}"] = sha((folder / name).read_bytes())
        history = pd.read_csv(folder / "history.csv")
        found[f"{folder.name}/history"] = sha(history.drop(columns="seconds").to_csv().encode())
        for path in sorted(folder.glob("*_test.npz")):
            with np.load(path) as arrays:
                found[f"{folder.name}/{path.name}"] = sha(b"".join(arrays[name].tobytes() for name in arrays.files))
    return found


def cached(place: Path) -> Results:
    found = {path.parent.name: sha(path.read_bytes()) for path in (place / "cache").glob("*/rows.npy")}
    for path in (place / "cache").glob("*/index.json"):
        index = json.loads(path.read_text())
        found[f"{path.parent.name}/index"] = sha(json.dumps([index["counts"], index["bad"], index["sums"]]).encode())
    return found


def packed(place: Path) -> Results:
    return {path.name: sha(path.read_bytes()) for path in (place / "shards").glob("shard*") if ours(path)}


def drawn(place: Path) -> Results:
    files = [path for path in (place / "world").rglob("*") if path.is_file() and ours(path)]
    return {path.name: sha(path.read_bytes()) for path in files if path.name != checksums.NAME}


def swept(place: Path) -> Results:
    found = trained(place)
    for path in (place / "runs" / "cells").glob("*.json"):
        if ours(path) and path.name != checksums.NAME:
            record = json.loads(path.read_text())
            told = [record[name] for name in ("key", "status", "numbers", "code", "source")]
            found[path.name] = sha(json.dumps(told).encode())
            nbformat.read(path.with_suffix(".ipynb"), as_version=4)
    return found


def reported(place: Path) -> Results:
    table = pd.read_csv(place / "report" / "study" / "table.csv")
    facts = json.loads((place / "report" / "study" / "table.json").read_text())
    found = swept(place) | {"table": sha(table[["row", "column", "seed", "value", "cell"]].to_csv().encode())}
    found["facts"] = sha(json.dumps([facts["title"], facts["rows"], facts["claims"]]).encode())
    return found | {"report": str("wide" in (place / "report" / "report.md").read_text())}


def shown(place: Path) -> Results:
    page = (place / "gallery" / "index.html").read_text()
    cells = nbformat.read(place / "gallery" / "notebooks" / "00_data_flow.ipynb", as_version=4).cells
    outputs = [output.get("data", {}).get("text/html") for cell in cells for output in cell.get("outputs", [])]
    return {"page": sha(re.sub(r"[0-9a-f]{8,}", "", page).encode()), "outputs": sha(json.dumps(outputs).encode())}


def laid_out(place: Path) -> Results:
    files = [path for path in (place / "mine").rglob("*") if path.is_file() and ours(path)]
    return {path.name: sha(path.read_bytes()) for path in files}


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def ours(path: Path) -> bool:
    """Whether a command made the file, and would make it again."""
    made = path.name not in MINE and ".damaged-" not in path.name and ".failed." not in path.name
    return made and not path.name.startswith(".") and path.name != "lock"
