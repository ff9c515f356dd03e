"""The commands that docs/data.md gives for sets with poses and for untrimmed ones run as they are written, on drawn
copies of the sets' layouts; shortened in epochs and sizes only."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from tests import official
from tests.fixtures import REST
from tests.videos import encode, numbered
from workbench.commands import main
from workbench.data.files import facts
from workbench.media import skeletons
from workbench.types import Pose, Skeleton

TEXT = (Path(__file__).parents[2] / "docs" / "data.md").read_text()
LINES = {re.search(r"--data (\w+)", line)[1]: line for line in re.findall(r"`(train \w+ --data [^`]+)`", TEXT)}
SHORT = ["preset=tiny", "preset.clip=[8,32,32]", "epochs=1", "evaluate=[]", "cache=null"]
FRAMES = 12


def body(schema: str, frames: int = FRAMES) -> np.ndarray:
    """float32 [T,V,3]: somebody three metres away who walks to the right, metres."""
    walk = np.arange(frames)[:, None, None] * [0.01, 0, 0]
    world = REST * [1, 1, -1] + [0, -1, 3] + walk
    pose = Pose(world[None].astype(np.float32), Skeleton.named("kinect_v2"), "camera", np.arange(frames))
    return skeletons.convert(pose, schema).joints[0]


def pixels(joints: np.ndarray) -> np.ndarray:
    """float [T,V,2]: these joints in a picture of 96 x 64."""
    return joints[..., :2] * [15, -15] + [48, 32]


def film(path: Path, frames: int = FRAMES, height: int = 64, width: int = 96) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    encode(path, numbered(frames, height, width), codec="mpeg4")


def ntu60(root: Path) -> None:
    joints = body("kinect_v2")
    rows = np.zeros((FRAMES, 25, 12))
    rows[..., :3], rows[..., 5:7], rows[..., 11] = joints, pixels(joints), 2
    (root / "nturgb+d_skeletons").mkdir()
    for subject, action in ((1, 1), (2, 2), (3, 1), (6, 2)):
        stem = f"S001C002P{subject:03d}R001A{action:03d}"
        film(root / f"nturgb+d_rgb/{stem}_rgb.avi")
        (root / f"nturgb+d_skeletons/{stem}.skeleton").write_text(official.ntu_text([[("7", row)] for row in rows]))


def smarthome(root: Path) -> None:
    joints = body("lcrnet_13")
    content = official.smarthome_json(pixels(joints)[None], joints[None])
    for label, person in (("Walk", 3), ("Cook.Cut", 4), ("Walk", 19), ("Walk", 2), ("Cook.Cut", 10)):
        stem = f"{label}_p{person:02d}_r00_v01_c03"
        film(root / f"mp4/{stem}.mp4")
        official.write_json(root / f"json/{stem}_pose3d.json", content)


def nw_ucla(root: Path) -> None:
    joints = body("kinect_v1")
    for view, action in ((1, 1), (2, 2), (3, 1), (3, 2)):
        folder = root / f"multiview_action/view_{view}/a{action:02d}_s01_e00"
        folder.mkdir(parents=True)
        for number, row in enumerate(joints, 1):
            (folder / f"frame_{number}_tc_{number}_skeletons.txt").write_text(official.ucla_frame([row]))


def cad60(root: Path) -> None:
    for row in facts.columns("cad60_sequences.csv"):
        if row["activity"] in ("brushing teeth", "drinking water"):
            (root / row["folder"]).mkdir(exist_ok=True)
            text = official.cad_text(body("cad_15") * 1000, np.ones((FRAMES, 15)))
            (root / row["folder"] / f"{row['id']}.txt").write_text(text, newline="")


def cad120(root: Path) -> None:
    rows = facts.columns("cad120_sequences.csv")
    for number, row in enumerate(rows[:4] + rows[40:44] + rows[-4:]):
        folder = root / f"Subject{row['subject']}_annotations/{('making_cereal', 'stacking_objects')[number % 2]}"
        folder.mkdir(parents=True, exist_ok=True)
        text = official.cad_text(body("cad_15") * 1000, np.ones((FRAMES, 15)))
        (folder / f"{row['id']}.txt").write_text(text, newline="")


def msrdaily(root: Path) -> None:
    joints = body("kinect_v1")
    text = official.msr_text([row[None] for row in joints], [row[None] / [96, 64] for row in pixels(joints)])
    for action, subject in ((1, 1), (2, 1), (1, 2), (2, 2), (1, 3), (2, 3)):
        stem = f"a{action:02d}_s{subject:02d}_e01"
        film(root / f"{stem}_rgb.avi", height=480, width=640)
        (root / f"{stem}_skeleton.txt").write_text(text)


def pku_mmd(root: Path) -> None:
    joints = np.stack([body("kinect_v2", 64), np.zeros((64, 25, 3))], axis=1)
    for name in ("0002-L", "0003-M", "0291-L", "0292-M"):
        for folder in ("Train_Label_PKU_final", "PKU_Skeleton_Renew"):
            (root / folder).mkdir(exist_ok=True)
        film(root / f"RGB_VIDEO/{name}.avi", 64)
        (root / f"PKU_Skeleton_Renew/{name}.txt").write_text(official.pku_text(joints))
        (root / f"Train_Label_PKU_final/{name}.txt").write_text("1,5,30,2\n2,30,60,2\n")


def tsu(root: Path) -> None:
    joints = body("lcrnet_13", 64)
    for name in ("P03T01C03", "P04T01C03", "P02T01C02", "P10T01C03"):
        film(root / f"Videos_mp4/{name}.mp4", 64)
        (root / f"Annotation/{name[:3]}").mkdir(parents=True, exist_ok=True)
        rows = "event,start_frame,end_frame\nWalk,5,30\nEnter,30,60\n"
        (root / f"Annotation/{name[:3]}/{name}.csv").write_text(rows)
        content = official.smarthome_json(pixels(joints)[None], joints[None])
        official.write_json(root / f"Skeletons/results_{name}_lcrnet+v3d.json", content)


def charades(root: Path) -> None:
    header = "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length\n"
    for part, names in (("train", ("AAAAA", "BBBBB")), ("test", ("CCCCC", "DDDDD"))):
        rows = "".join(f"{name},S1,Kitchen,6,7,Yes,,,,c092 0.2 1.2;c001 1 2,2.56\n" for name in names)
        (root / f"Charades_v1_{part}.csv").write_text(header + rows)
        for name in names:
            film(root / f"Charades_v1_480/{name}.mp4", 64)


def thumos14(root: Path) -> None:
    for part, long in (("val", "validation"), ("test", "test")):
        names = [f"video_{long}_{number:07d}" for number in (1, 2)]
        for label in ("Billiards", "Diving"):
            lines = "".join(f"{name} 0.2 1.2\n" for name in names)
            (root / f"{label}_{part}.txt").write_text(lines)
        for name in names:
            film(root / f"{long}/{name}.mp4", 64)


def multithumos(root: Path) -> None:
    thumos14(root)
    for path in root.glob("*_*.txt"):
        path.unlink()
    (root / "annotations").mkdir()
    names = [f"video_{part}_{number:07d}" for part in ("validation", "test") for number in (1, 2)]
    for label in ("BaseballPitch", "NoHuman"):
        (root / f"annotations/{label}.txt").write_text("".join(f"{name} 0.2 1.2\n" for name in names))


SETS = [ntu60, smarthome, nw_ucla, cad60, cad120, msrdaily, pku_mmd, tsu, charades, thumos14, multithumos]


def command(name: str) -> list[str]:
    """What docs/data.md says for ``name``; a row of several sets shows one of them."""
    line = LINES.get(name) or LINES[{"charades": "thumos14", "multithumos": "thumos14"}[name]]
    return shlex.split(re.sub(r"--data \w+", f"--data {name}", line))


@pytest.fixture()
def drawn(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "records"))
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "ROOT"
    root.mkdir()
    return root


@pytest.mark.parametrize("make", SETS, ids=lambda make: make.__name__)
def test_the_line_of_a_set_runs_as_written(drawn, make):
    make(drawn)
    given = command(make.__name__)
    # Detectors read what a network of the width that comes with the workbench sees.
    narrow = [] if given[1] == "detector" else ["preset.width=0.125"]
    assert main([*given, *([] if "--set" in given else ["--set"]), *SHORT, *narrow]) == 0
    assert list(Path("runs").glob(f"{given[1]}-*/weights.safetensors"))


@pytest.mark.parametrize("make", SETS, ids=lambda make: make.__name__)
def test_the_doctor_looks_at_a_set_first(drawn, make, capsys):
    make(drawn)
    assert main(["doctor", f"{make.__name__}:ROOT"]) in (0, 1)
    said = capsys.readouterr().out
    assert re.search(r"(\d+) of \1 clips examined", said)
    read = next(line for line in said.splitlines() if line.startswith("pose files"))
    assert "error" not in read and "warning" not in read
