"""A configuration is resolved once: what it comes to, how it is written, and who asks it from ``fit`` on."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest

import workbench
from workbench.data import ClipSpec
from workbench.study import fit
from workbench.study.config.experiment import resolve
from workbench.study.config.kinds import CLIPS, VIDEOS
from workbench.study.config.preset_fields import Cut, Preset, preset_numbers
from workbench.study.config.train_config import TrainConfig, parse
from workbench.study.features.batches import ClipBatches, SnippetBatches, batches_of
from workbench.systems import build, names
from workbench.systems.common.base import Stage

PRESET = {"base": "tiny", "clip": [8, 32, 32], "width": 0.125, "poses": 8, "output_stride": [4, 8, 8], "batch_size": 4}


def test_what_a_configuration_comes_to():
    made = resolve(parse({"system": "agcn", "preset": PRESET, "seed": 3, "pose_quality": "low"}), ["a", "b"], "coco_17")
    assert (made.seed, made.batch_size, made.kind, made.system) == (3, 4, CLIPS, "agcn")
    assert (made.setting.num_classes, made.setting.skeleton.name, made.setting.width) == (2, "coco_17", 0.125)
    # An option of the system wins over the preset, as how poses are normalised does here.
    shape = {"frames": 8, "size": (32, 32), "poses": 8, "phases": 2, "normalize": "agcn", "persons": 2}
    assert made.clip == ClipSpec(**shape, pose_quality="low")
    assert made.build().setting.num_classes == 2
    with pytest.raises(AttributeError):
        made.seed = 4


def test_the_middle_window_is_what_is_kept():
    paper = resolve(TrainConfig(system="vpn", preset="paper"))
    assert (paper.clip.windows, paper.clip.test_area) == ("all", "whole")
    assert (paper.one_window.windows, paper.one_window.test_area) == (1, "centre")


def test_every_system_learns_from_clips_or_from_videos():
    for name in names():
        kind = VIDEOS if name in ("detector", "augmented_rgb") else CLIPS
        made = resolve(TrainConfig(system=name, preset=PRESET))
        assert made.kind is kind is pickle.loads(pickle.dumps(made)).kind
        assert type(batches_of(made)) is (SnippetBatches if kind is VIDEOS else ClipBatches)
    methods = {name for name in dir(CLIPS) if not name.startswith("_")}
    assert methods == {name for name in dir(VIDEOS) if not name.startswith("_")}
    assert (CLIPS.chance(4), VIDEOS.chance(4)) == (0.25, None)


def test_a_system_says_what_it_wants_of_the_loader():
    sizes = {"clip": (8, 32, 32), "width": 0.125, "output_stride": (4, 8, 8), "poses": 8}
    distilled = build("vpn_f", 3, **sizes)
    assert distilled.wants(training=True) == {"video", "pose", "label"}
    assert distilled.wants(training=False) == {"video", "label"}
    assert distilled.wants(True, Stage("pose", needs=frozenset({"pose", "label"}))) == {"pose", "label"}
    student = build("augmented_rgb", 3, features={"rgb": 8, "flow": 8}, **sizes)
    assert (student.wants(training=True), student.wants(training=False)) == ({"rgb", "flow"}, {"rgb"})


def test_a_preset_nests_how_clips_are_cut_and_is_written_flat():
    numbers = preset_numbers({**PRESET, "crop": "frame"}, CLIPS)
    assert isinstance(numbers.cut, Cut) and numbers.cut.crop == "frame" and numbers.cut.clip == (8, 32, 32)
    written = numbers.model_dump(mode="json")
    assert "cut" not in written and (written["crop"], written["clip"]) == ("frame", [8, 32, 32])
    assert Preset(**written) == numbers and set(written) == set(Preset.names())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"crop": "fram"}, "Preset: crop should be 'person', 'track', 'frame' or 'centre', got 'fram'"),
        ({"stride": "2"}, "Preset: stride should be a valid integer, got '2'"),
        ({"windows": "few"}, "Preset: windows should be a valid integer or 'all', got 'few'"),
        ({"clip": [8, 32]}, r"Preset: clip lacks an item, got \[8, 32\]"),
        ({"posse": 8}, "Preset has no parameter 'posse'; valid names: clip, poses, .*did you mean 'poses'"),
        ({"cut": {"crop": "frame"}}, "Preset has no parameter 'cut'; valid names: clip, poses"),
    ],
)
def test_what_is_wrong_in_a_preset_is_said_as_it_is_written(changes, words):
    with pytest.raises(ValueError, match=words):
        TrainConfig(system="rgb", preset={**PRESET, **changes})


def test_a_run_goes_by_the_name_that_it_always_had():
    """The identity of a configuration from before presets nested anything."""
    told = TrainConfig(system="vpn", preset=PRESET).resolved("cs", 8)
    kept = {"base", "clip", "width", "output_stride", "batch_size", "epochs", "optimizer", "schedule", "clip_grad",
            "validate_every", "options", "poses", "sampling", "stride", "phases", "windows", "crop", "track_size",
            "margin", "border", "test_area", "normalize", "persons"}  # fmt: skip
    assert set(told.identity()["preset"]) == kept
    assert parse(told.model_dump(mode="json")).identity() == told.identity() == resolve(told).identity
    assert "window" not in told.identity() and "window" in TrainConfig(system="detector").identity()


def test_few_ask_a_configuration_and_seldom_twice(world, tmp_path, monkeypatch):
    """From ``fit`` on: the files whose code asks a configuration for a value, in order. A stay is a row of questions
    by one file; a return, a stay in a file that had been left."""
    home, stays = str(Path(workbench.__file__).parent), []
    asked, plain = {*TrainConfig.model_fields, "kind", "numbers", "identity", "resolved"}, TrainConfig.__getattribute__

    def ask(config: TrainConfig, name: str) -> object:
        frame = sys._getframe(1)
        while name in asked and frame is not None and not frame.f_code.co_filename.startswith(home):
            frame = frame.f_back
        if name in asked and frame is not None and stays[-1:] != [frame.f_code.co_filename]:
            stays.append(frame.f_code.co_filename)
        return plain(config, name)

    where = {"root": str(world), "runs": str(tmp_path), "cache": None, "progress": False}
    config = TrainConfig(system="pose_lstm", preset=PRESET, epochs=1, **where)
    monkeypatch.setattr(TrainConfig, "__getattribute__", ask)
    fit(config)
    files = set(stays)
    assert len(files) <= 8 and len(stays) - len(files) <= 10, [Path(file).name for file in stays]
