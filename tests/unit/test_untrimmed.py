"""Untrimmed data sets: intervals, what they say of a moment, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.untrimmed_fixtures import CLASSES, FakeReader, fake_untrimmed
from workbench.data import Untrimmed, open_dataset, open_untrimmed


def made(rows: list[tuple], frames: int = 50, fps: float = 10.0) -> Untrimmed:
    """One video "a" of ``frames``, and "b" without intervals; rows are (video, label, start, end, ambiguous)."""
    facts = {"subject": 1, "camera": 1, "frames": frames, "fps": fps, "duration": frames / fps}
    table = pd.DataFrame([{"id": name, "video": f"/{name}.mp4", **facts} for name in "ab"])
    intervals = pd.DataFrame(rows, columns=["video", "label", "start", "end", "ambiguous"])
    return Untrimmed("made", CLASSES, None, table, intervals, FakeReader(), "all", "all")


def test_a_frame_has_the_labels_of_the_intervals_around_it():
    data = made([("a", 0, 0.5, 1.0, False), ("a", 2, 0.8, 2.0, False), ("a", 2, 1.5, 3.0, False)])
    labels = data.labels(0)
    assert labels.dtype == bool and labels.shape == (50, 3)
    assert np.flatnonzero(labels[:, 0]).tolist() == [5, 6, 7, 8, 9]
    assert np.flatnonzero(labels[:, 2]).tolist() == list(range(8, 30))
    assert not labels[:, 1].any() and not data.labels(1).any()


def test_an_interval_starts_at_its_start_and_is_over_at_its_end():
    data = made([("a", 1, 1.0, 2.0, False)])
    assert data.labels(0, np.array([0.999, 1.0, 1.999, 2.0, 99.0]))[:, 1].tolist() == [False, True, True, False, False]


def test_ambiguous_and_empty_intervals_are_no_positives():
    data = made([("a", -1, 0.0, 5.0, True), ("a", 0, 1.0, 2.0, True), ("a", 1, 3.0, 3.0, False)])
    assert not data.labels(0).any()
    assert data.named()["label"].tolist() == ["ambiguous", "walk", "wave"]
    assert len(data.annotated(0)) == 3 and len(data.annotated(1)) == 0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("c", 0, 0.0, 1.0, False), "of 'c', label 0, names a video that is not in the table"),
        (("a", 3, 0.0, 1.0, False), "label 3, has no label from 0 to 2"),
        (("a", -1, 0.0, 1.0, False), "label -1, has no label from 0 to 2"),
        (("a", 1, 2.0, 1.0, False), "the interval 2.0 to 1.0 of 'a', label 1, does not end after it starts"),
        (("a", 1, float("nan"), 1.0, False), "does not end after it starts"),
    ],
)
def test_bad_intervals_are_one_sentence(row, message):
    with pytest.raises(ValueError, match=message):
        made([("a", 1, 0.0, 1.0, False), row])


def test_missing_columns_and_repeated_ids_are_named():
    data = made([])
    with pytest.raises(ValueError, match="the table of made lacks the column\\(s\\) fps"):
        replace(data, table=data.table.drop(columns="fps"))
    with pytest.raises(ValueError, match="made has the id 'a' twice"):
        replace(data, table=pd.concat([data.table, data.table.iloc[:1]]))


def test_a_subset_keeps_its_own_intervals(tmp_path):
    data = fake_untrimmed(tmp_path)
    part = data.subset([2, 0])
    assert part.ids == ["v2", "v0"] and set(part.intervals["video"]) == {"v2", "v0"}
    assert np.array_equal(part.labels(1), data.labels(0))
    assert part.index("v0") == 1 and data.fingerprint() != part.fingerprint()
    with pytest.raises(ValueError, match="has no video 'v1'"):
        part.index("v1")


def test_a_video_is_found_however_its_accents_are_encoded_unless_two_are_alike(tmp_path):
    composed, apart = "caf\u00e9", "cafe\u0301"
    data = fake_untrimmed(tmp_path)
    table, intervals = data.table.copy(), data.intervals.copy()
    table["id"] = table["id"].replace("v0", apart)
    intervals["video"] = intervals["video"].replace("v0", apart)
    named = replace(data, table=table, intervals=intervals)
    assert named.index(composed) == named.index(apart) == 0
    table = table.assign(id=table["id"].replace("v1", composed))
    both = replace(named, table=table, intervals=intervals.replace({"video": {"v1": composed}}))
    assert (both.index(apart), both.index(composed)) == (0, 1)


def test_the_fingerprint_follows_intervals_and_files(tmp_path):
    data = fake_untrimmed(tmp_path)
    before = data.fingerprint()
    moved = replace(data, intervals=data.intervals.assign(end=data.intervals["end"] + 0.1))
    assert moved.fingerprint() != before and data.fingerprint() == before
    with open(data.videos[0], "ab") as file:
        file.write(b"more")
    assert data.fingerprint() != before


def test_opening_is_clear_about_what_is_wrong(tmp_path):
    with pytest.raises(ValueError, match="unknown untrimmed data set 'thumos'; known: synthadl_u, .*thumos14"):
        open_untrimmed("thumos")
    with pytest.raises(ValueError, match="unknown split 'dev'"):
        open_untrimmed("synthadl_u", split="dev")
    with pytest.raises(ValueError, match="no protocol 'loso'; known: cs, cv, setup"):
        open_untrimmed("synthadl_u", tmp_path, "loso")
    with pytest.raises(FileNotFoundError, match="index.parquet is missing.*--world untrimmed"):
        open_untrimmed("synthadl_u", tmp_path)
    with pytest.raises(ValueError, match="'synthadl_u' has untrimmed videos, no clips: open it with open_untrimmed"):
        open_dataset("synthadl_u")


def test_a_manifest_with_intervals_is_untrimmed_too(tmp_path):
    known = fake_untrimmed(tmp_path)
    table, broken = tmp_path / "mine.csv", tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    lines = [f'{name},{name}.mp4,train,"0.2 0.7 walk; 0.5 1.0 wave"' for name in known.ids]
    table.write_text("\n".join(["id,video,split,intervals", *lines, "bad,broken.mp4,train,0.0 1.0 walk"]))
    data = open_untrimmed("manifest", table, split="train")
    assert data.ids == known.ids and np.array_equal(data.lengths, known.lengths)
    assert data.classes == ["walk", "wave"] and not data.intervals["ambiguous"].any()
    assert data.annotated(0)[["label", "start", "end"]].values.tolist() == [[0, 0.2, 0.7], [1, 0.5, 1.0]]
    table.write_text("id,video,split,label\na,v0.mp4,train,walk\n")
    with pytest.raises(ValueError, match="the clips of 'manifest' have one label each"):
        open_untrimmed("manifest", table, split="train")
