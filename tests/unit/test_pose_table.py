"""How to draw the pose, as a table: the rows of PERF-Net's table 2, their speed, and the figures beside the paper's."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from workbench import shipped
from workbench.media import rendering
from workbench.media.files import timing
from workbench.show.figures import pose as figures
from workbench.study.notebooks import PoseRendering, execution
from workbench.study.sweep import sweep
from workbench.study.tables import table_file
from workbench.types import Pose, Skeleton
from workbench.views import renderings

BOOKS = Path(__file__).parents[2] / "notebooks"
TABLE = table_file.read_table(BOOKS / "ablations/perfnet_table2.yaml")


def rows() -> dict[str, dict]:
    """The options of the rows that the paper has."""
    options = {row.id: dict(row.parameters["options"]) for row in TABLE.rows if row.published}
    assert {one.pop("backbone") for one in options.values()} == {"i3d"}
    return options


def test_the_table_has_the_papers_rows():
    """Seven renderings, all different, whose ids say what they are; each is one that can be drawn."""
    found = rows()
    assert len({tuple(sorted(options.items())) for options in found.values()}) == 7
    frames = np.full((2, 64, 64, 3), 90, np.uint8)
    joints = np.random.default_rng(0).uniform(10, 50, (1, 2, 17, 2)).astype(np.float32)
    body = Pose(joints, Skeleton.named("coco_17"), "image", np.arange(2))
    drawn = {name: rendering.draw(frames, body, **options) for name, options in found.items()}
    assert len({picture.tobytes() for picture in drawn.values()}) == 7
    for name, options in found.items():
        words = name.split("_")
        assert words[:3] == [options["background"], options["marker"], options["colors"]]
        assert options["ratio_aware"] == (words[-1] == "ratio")


def test_the_papers_best_row_is_the_default_of_the_stream():
    from workbench.systems.perfnet.perf_stream import StreamOptions

    best = max((row for row in TABLE.rows if row.published), key=lambda row: row.published["top1"])
    assert best.published == {"top1": 79.3, "top5": 94.3}
    chosen = rows()[best.id]
    assert chosen == {name: getattr(StreamOptions(), name) for name in chosen}


def test_speed_is_frames_by_processor_time():
    def busy(seconds: float) -> np.ndarray:
        assert cv2.getNumThreads() == 1
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass
        return np.zeros((10, 4, 4, 3), np.uint8)

    def idle() -> np.ndarray:
        time.sleep(0.05)
        return busy(0.02)

    threads = cv2.getNumThreads()
    rates = timing.frames_per_second({"slow": lambda: busy(0.04), "fast": lambda: busy(0.02), "idle": idle}, rounds=2)
    assert rates["slow"] == pytest.approx(250, rel=0.2) and rates["fast"] == pytest.approx(500, rel=0.2)
    assert rates["idle"] == pytest.approx(500, rel=0.3)
    assert cv2.getNumThreads() == threads


def test_the_configuration_tells_sweep_what_to_run():
    asked = PoseRendering(root="r", train=True, epochs=None, limit=None, seeds=3, preset="tiny").training()
    assert asked == {
        "rows": None,
        "seeds": 3,
        "dataset": "auto",
        "root": "r",
        "protocol": None,
        "preset": "tiny",
        "runs": "runs",
        "limit": None,
        "cache": "auto",
    }
    assert PoseRendering().training()["rows"] == [] and PoseRendering(epochs=3).training()["epochs"] == 3
    assert PoseRendering(limit=5, epochs=1).effort == "here: 5 clips a split, epochs: 1, seeds: 1"


def test_without_training_nothing_is_measured():
    path = BOOKS / "ablations/perfnet_table2.yaml"
    assert sweep.sweep(path, **PoseRendering().training()).empty


def test_the_table_file_is_found_from_the_notebooks_own_folder(monkeypatch):
    monkeypatch.chdir(BOOKS)
    config = execution.located(PoseRendering())
    assert Path(config.table).is_file()


# Figures

PRINTED = {"bars": {"top-1": 70.0, "top-5": 90.0}, "dots": {"top-1": 60.5, "top-5": 80.0}}
STUDIED = pd.DataFrame([{"label": "bars", "title": "top-1", "value": 41.0, "low": 35.0, "high": 50.0}])
MEASURED = pd.DataFrame(
    {"system": ["bars", "dots", "bars"], "seed": [0, 0, 1], "top-1": [40.0, 25.0, 44.0], "top-5": [np.nan] * 3}
)


def test_beside_paper_shows_printed_numbers_and_means_over_seeds():
    top1 = {label: row["top-1"] for label, row in PRINTED.items()}
    figure = figures.beside_paper(top1, "Kinetics", MEASURED, "here", chance=0.25, studied=STUDIED)
    paper, study, here, seeds = figure.data
    assert list(paper.x) == [70, 60.5] and list(paper.y) == list(here.y) == ["bars", "dots"]
    assert list(here.x) == [42, 25] and here.text == ("42.0", "25.0")
    assert list(seeds.x) == [40, 25, 44] and list(seeds.y) == ["bars", "dots", "bars"]
    assert figure.layout.shapes[0].x0 == 25
    titles = [note.text for note in figure.layout.annotations]
    assert titles[:3] == ["Kinetics", "the study<br>95 % interval", "here"]
    assert list(study.x)[0] == 41 and np.isnan(study.x[1])  # of the dots it has measured nothing
    assert (study.error_x.array[0], study.error_x.arrayminus[0]) == (9, 6)


def test_beside_paper_says_that_nothing_was_trained():
    figure = figures.beside_paper({"bars": 70.0}, "Kinetics", pd.DataFrame(), "here", chance=0.25)
    assert len(figure.data) == 1
    assert {"not trained here", "not measured"} <= {note.text for note in figure.layout.annotations}


def test_numbers_beside_are_a_table():
    cells = figures.numbers_beside(PRINTED, "paper", MEASURED, "here", STUDIED).data[0]
    assert [name.strip("<b>/") for name in cells.header.values] == [
        "rendering", "top-1, paper", "top-5, paper", "top-1, study", "top-5, study", "top-1, here", "top-5, here",
    ]  # fmt: skip
    assert [list(column) for column in cells.cells.values] == [
        ["bars", "dots"], ["70.0", "60.5"], ["90.0", "80.0"], ["41.0 [35.0, 50.0]", "–"], ["–", "–"],
        ["42.0 ± 2.8", "25.0"], ["–", "–"],
    ]  # fmt: skip
    empty = figures.numbers_beside(PRINTED, "paper", pd.DataFrame(), "here").data[0]
    assert all(list(column) == ["–", "–"] for column in empty.cells.values[3:])


def test_the_study_of_the_table_is_shipped_with_intervals_and_its_minutes():
    """The numbers of the committed study are those that the page of results prints."""
    facts = shipped.study("notebooks/ablations/perfnet_table2.yaml")
    printed = (BOOKS.parent / "docs/results_version_1.md").read_text()
    for line in facts["numbers"]:
        assert line["low"] < line["value"] < line["high"]
        shown = f"{line['value']:.1f} [{line['low']:.1f}, {line['high']:.1f}]"
        assert any(line["label"] in row and shown in row for row in printed.splitlines()), line
    assert "21 runs in 1.3 hours, 3.7 minutes each" in renderings.minutes(facts)
    assert shipped.study("no_such.yaml") == {} and "not measured" in renderings.minutes({})


def test_speeds_are_bars_with_the_aim():
    figure = figures.speeds({"a": 1200.0, "b<i>": 400.4}, (224, 224), aim=500)
    assert list(figure.data[0].x) == [1200, 400.4] and list(figure.data[0].y) == ["a", "b&lt;i&gt;"]
    assert figure.data[0].text == ("1200", "400") and figure.layout.shapes[0].x0 == 500
