"""Makes the pictures of the README from what `make demo` left behind: `make pictures`.

world.jpg: frames of SynthADL, one row an action. exhibit.gif: what the gallery opens with. attention.png: the attention
over the same clip beside the truth, standing still.
accuracy_time.png: every system's accuracy against its time, where `make study` has left results behind.
doctor.jpg: a clip as the doctor shows it, and the same with its joints read in the wrong order and its pixels moved.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image, ImageSequence

from workbench import data
from workbench.data import open_dataset
from workbench.data.doctor.portraits import portrait
from workbench.media import films, video
from workbench.show.figures import attention, costs
from workbench.study.report import markdown
from workbench.study.runs.run_folder import Run
from workbench.study.sweep import sweep
from workbench.study.sweep.results import Results
from workbench.study.tables import table_file
from workbench.views import exhibit, median_clip

HERE = Path(__file__).parent
ROOT = HERE.parent
SHOWN = (
    "drink_from_cup",
    "read_book",
    "put_on_shoe",
    "pour_water",
    "flick_hair",
    "jump_up",
    "cut_bread",
    "make_coffee",
)
FRAMES = 5
SYSTEMS = ROOT / "notebooks/ablations/systems.yaml"
# MediaPipe finds 56 poses a second on one core; the tiny preset reads 16 a clip.
POSE_MS = 1000 * 16 / 56


#: What the picture of accuracy against time leaves out: variants, and what works on tracks, whose making isn't timed.
LEFT_OUT = (
    "I3D, where the others start",
    "AGCN, bones",
    "VPN-F as printed",
    "VPN-A as printed",
    "VPN++ as printed",
    "Dense trajectories",
    "Two-level fusion",
)


def world() -> np.ndarray:
    """uint8 [H,W,3] RGB: five frames each of eight actions, two actions side by side."""
    clips = open_dataset("synthadl", root=ROOT / "data/synthadl/tiny", protocol="cs", split="test")
    rows = [row_of(clips, name, turn) for turn, name in enumerate(SHOWN)]
    gap = np.full((rows[0].shape[0], 12, 3), 255, np.uint8)
    return np.concatenate([np.concatenate([a, gap, b], 1) for a, b in zip(rows[::2], rows[1::2], strict=True)])


def row_of(clips: data.Dataset, name: str, turn: int) -> np.ndarray:
    of_class = np.flatnonzero(clips.labels == clips.classes.index(name))
    # The views from the front and the sides: the monitoring cameras are for later.
    near = [int(i) for i in of_class if clips.table.iloc[i]["view"] in (1, 2, 3)]
    i = near[turn % len(near)]
    truth = clips.truth(i)
    start, end = truth.interval
    numbers = np.linspace(start, end - 1, FRAMES).round().astype(int)
    frames = video.read(clips.videos[i], numbers).frames
    strip = np.concatenate(list(frames), axis=1)
    label = np.full((22, strip.shape[1], 3), 255, np.uint8)
    words = name.replace("_", " ")
    cv2.putText(label, words, (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (30, 30, 40), 1, cv2.LINE_AA)
    return np.concatenate([label, strip])


def swept() -> Results:
    """Every system at the preset study, as far as it was trained."""
    return sweep.read([SYSTEMS], where={"root": str(ROOT / "data/synthadl/tiny"), "runs": str(ROOT / "runs")})[0]


def attended(run: Run) -> object:
    """The figure of notebook 04 for the run's median clip, which the gallery opens with, too."""
    chosen = median_clip.median_clip(run)
    assert chosen is not None, f"{run.id} classifies no clip correctly"
    sample = data.sample(chosen.clips, chosen.i, run.spec)
    place = run.predictions("test").ids.index(chosen.clips.ids[chosen.i])
    return attention.coupled(sample.clip, {"attention": run.maps("test")["attention"][place]}, sample.truth)


def light(film: Path) -> None:
    """Writes a GIF again with every second frame, at three quarters of its size: a page loads it first."""
    with Image.open(film) as gif:
        seconds = gif.info["duration"] / 1000
        size = tuple(3 * side // 4 for side in gif.size)
        frames = [np.asarray(frame.convert("RGB").resize(size)) for frame in list(ImageSequence.all_frames(gif))[::2]]
    films.write(film, frames, 0.5 / seconds)


def tradeoff() -> object | None:
    """The figure of accuracy against time, of the systems that have been swept; None before."""
    results = swept()
    measured = markdown.spread(results.frame()).dropna(subset="top-1")
    measured = measured[~measured["system"].isin(LEFT_OUT)]
    if measured.empty:
        return None
    prices = markdown.costs(table_file.configs(SYSTEMS), ROOT / "runs")

    def reads(needs: str) -> str:
        fields = set(needs.split("+"))
        if fields & {"flow", "rendered", "trajectories"}:
            return "flow or drawn poses"
        if not fields & {"pose", "parts"}:
            return "video alone"
        return "poses alone" if fields == {"pose"} else "video and poses"

    rows = [
        {
            "system": row["system"],
            "accuracy": row["top-1"],
            "accuracy_sd": row["top-1_sd"],
            "reads": reads(prices[row["system"]]["reads"]),
            "network_ms": prices[row["system"]]["latency_ms"] + prices[row["system"]]["inputs_ms"],
            "pose_ms": POSE_MS * bool({"pose", "parts", "rendered"} & set(prices[row["system"]]["reads"].split("+"))),
        }
        for row in measured.to_dict("records")
    ]
    return costs.against_time(pd.DataFrame(rows), "16 poses a clip by MediaPipe at 56 a second")


class Misread:
    """A reader whose 3D joints were stored by axis and are read by joint, and whose pixels are 40 too far right."""

    def __init__(self, reader: object) -> None:
        self.reader = reader

    def __getattr__(self, name: str) -> object:
        return getattr(self.reader, name)

    def pose(self, row: object) -> object:
        found = self.reader.pose(row)
        return found.with_joints(np.swapaxes(found.joints, 2, 3).reshape(found.joints.shape))

    def pixels(self, row: object) -> object:
        found = self.reader.pixels(row)
        return found.with_joints(found.joints + np.float32([40, 0]))


def examined() -> np.ndarray:
    """uint8 [H,W,3] RGB: the doctor's picture of a clip that is read rightly, above that of the same clip misread."""
    clips = open_dataset("synthadl", root=ROOT / "data/synthadl/tiny", protocol="cs", split="test")
    i = int(np.flatnonzero((clips.labels == clips.classes.index("drink_from_cup")) & (clips.table["view"] == 2))[0])
    good = portrait(clips, i)
    return np.concatenate(
        [good, np.full((10, *good.shape[1:]), 255, np.uint8), portrait(replace(clips, reader=Misread(clips.reader)), i)]
    )


def main() -> None:
    folder = HERE / "pictures"
    folder.mkdir(exist_ok=True)
    cv2.imwrite(str(folder / "world.jpg"), cv2.cvtColor(world(), cv2.COLOR_RGB2BGR))
    cv2.imwrite(str(folder / "doctor.jpg"), cv2.cvtColor(examined(), cv2.COLOR_RGB2BGR))
    run = exhibit.best_run(ROOT / "runs", ROOT / "data/synthadl/tiny")
    assert run is not None, "make demo leaves a run behind"
    shown = exhibit.of_run(run)
    assert shown is not None, f"{run.id} classifies no clip correctly"
    light(shown.player.save(folder / "exhibit.gif"))
    attended(run).write_image(folder / "attention.png", width=1200, height=420, scale=1)
    if (figure := tradeoff()) is not None:
        figure.write_image(folder / "accuracy_time.png", width=1200, height=620, scale=1)
    print(f"wrote the pictures to {folder}")


if __name__ == "__main__":
    main()
