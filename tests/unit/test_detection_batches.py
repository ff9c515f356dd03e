"""Batches for detectors: padding, masks, windows, order, and going on in the middle of an epoch."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch

from tests.untrimmed_fixtures import CLASSES, FakeReader
from workbench.data import DetectionBatches, Snippets, SnippetSpec, Untrimmed
from workbench.types import Batch

COUNTS = [3, 9, 4, 1, 6, 5, 12]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Videos of COUNTS snippets at 16 frames a second; feature (video, snippet); the class video % 3 in snippet 1."""
    root = tmp_path_factory.mktemp("features")
    facts = {"video": "", "subject": 0, "camera": 0, "fps": 16.0}
    table = pd.DataFrame(
        [{"id": f"v{i}", "frames": 16 * count, "duration": float(count), **facts} for i, count in enumerate(COUNTS)]
    )
    rows = [(f"v{i}", i % 3, 1.0, 2.0, False) for i in range(len(COUNTS))]
    intervals = pd.DataFrame(rows, columns=["video", "label", "start", "end", "ambiguous"])
    data = Untrimmed("made", CLASSES, None, table, intervals, FakeReader(), "all", "all")
    for i, count in enumerate(COUNTS):
        np.save(root / f"{i}.npy", np.stack([np.full(count, i), np.arange(count)], 1).astype(np.float16))
        np.save(root / f"{i}f.npy", np.full((count, 3), i, np.float16))
    rgb = Snippets.of(data, SnippetSpec(), [root / f"{i}.npy" for i in range(len(COUNTS))])
    flow = Snippets.of(data, SnippetSpec(), [root / f"{i}f.npy" for i in range(len(COUNTS))])
    return data, {"rgb": rgb, "flow": flow}


def shown(batches) -> list[tuple[int, list[int]]]:
    """(video, its snippets) of every sequence, in order."""
    rows = []
    for batch in batches:
        for values, mask in zip(batch.features["rgb"], batch.mask, strict=True):
            rows.append((int(values[0, 0]), values[mask][:, 1].int().tolist()))
    return rows


def test_whole_videos_come_in_order_and_are_padded(made):
    data, features = made
    first, second = DetectionBatches(data, features, batch_size=4)
    assert first.ids == ["v0", "v1", "v2", "v3"] and second.ids == ["v4", "v5", "v6"]
    assert first.features["rgb"].shape == (4, 9, 2) and first.features["flow"].shape == (4, 9, 3)
    assert first.mask.dtype == torch.bool and first.mask.sum(1).tolist() == COUNTS[:4]
    assert first.label.dtype == torch.float32 and first.label.shape == (4, 9, 3)
    assert len(first) == 4
    for row, count in enumerate(COUNTS[:4]):
        assert not first.features["flow"][row, count:].any() and not first.label[row, count:].any()
        assert first.frame_numbers[row].tolist() == [16 * n for n in range(count)] + [-1] * (9 - count)
        assert torch.equal(first.label[row].nonzero(), torch.tensor([[1, row % 3]] if count > 1 else []).reshape(-1, 2))


def test_positives_are_counted_over_all_videos(made):
    data, features = made
    assert DetectionBatches(data, features).positives.tolist() == [2, 2, 2]


def test_an_epoch_is_drawn_from_seed_and_number(made):
    data, features = made
    one, same, other = (DetectionBatches(data, features, 2, seed, train=True) for seed in (1, 1, 2))
    first = shown(one)
    assert first == shown(same) and first != shown(other)
    one.set_epoch(1)
    assert shown(one) != first
    one.set_epoch(0)
    assert shown(one) == first
    assert len(one) == 3 and len(first) == 6
    assert all(snippets == list(range(COUNTS[video])) for video, snippets in first)


def test_windows_of_long_videos_are_of_the_length_and_reach_everywhere(made):
    data, features = made
    batches = DetectionBatches(data, features, 1, train=True, length=4)
    seen: dict[int, set[int]] = {}
    for epoch in range(25):
        batches.set_epoch(epoch)
        rows = shown(batches)
        assert Counter(video for video, _ in rows) == {0: 1, 1: 3, 2: 1, 3: 1, 4: 2, 5: 2, 6: 3}
        for video, snippets in rows:
            assert snippets == list(range(snippets[0], snippets[0] + min(4, COUNTS[video])))
            seen.setdefault(video, set()).update(snippets)
    assert all(seen[video] == set(range(count)) for video, count in enumerate(COUNTS))
    whole = DetectionBatches(data, features, 4, length=4)
    assert shown(whole) == [(i, list(range(count))) for i, count in enumerate(COUNTS)]


def test_a_training_batch_holds_sequences_of_like_length(made):
    data, features = made
    batches = [
        sorted(len(snippets) for _, snippets in shown([b])) for b in DetectionBatches(data, features, 2, train=True)
    ]
    ordered = sorted(batches)
    assert all(before[-1] <= after[0] for before, after in zip(ordered[:-1], ordered[1:], strict=True))


def test_an_interrupted_epoch_goes_on(made):
    data, features = made
    batches = DetectionBatches(data, features, 2, train=True)
    whole = shown(batches)
    rest = iter(batches)
    begun = shown([next(rest)])
    again = DetectionBatches(data, features, 2, train=True)
    again.load_state_dict(batches.state_dict())
    assert begun + shown(again) == whole
    assert shown(again) == whole


def test_processes_share_an_epoch(made):
    data, features = made
    parts = [DetectionBatches(data, features, 1, train=True, shard=(rank, 2)) for rank in range(2)]
    assert [len(part) for part in parts] == [3, 3]
    mine, others = (shown(part) for part in parts)
    assert len(mine) == len(others) == 3 and not {v for v, _ in mine} & {v for v, _ in others}
    tests = [DetectionBatches(data, features, 2, shard=(rank, 2)) for rank in range(2)]
    assert sorted(video for part in tests for video, _ in shown(part)) == list(range(7))


def test_videos_without_features_are_left_out(made):
    data, features = made
    rgb = features["rgb"]
    partial = Snippets(rgb.ids, rgb.lengths, rgb.edges, rgb.spec, rgb.parts, {1: "torn"})
    with pytest.warns(UserWarning, match="skipped video v1: torn"):
        batches = DetectionBatches(data, {"rgb": partial, "flow": features["flow"]}, 8)
    assert batches.skipped == [("v1", "torn")]
    assert [video for video, _ in shown(batches)] == [0, 2, 3, 4, 5, 6]
    assert batches.positives.tolist() == [2, 1, 2]


def test_a_batch_moves_as_a_whole(made):
    data, features = made
    batch = next(iter(DetectionBatches(data, features)))
    moved = batch.to("cpu")
    assert torch.equal(moved.mask, batch.mask) and torch.equal(moved.label, batch.label)
    assert len(Batch(features={"rgb": torch.zeros(3, 2, 1)})) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size and length must be at least 1"),
        ({"length": 0}, "batch_size and length must be at least 1"),
        ({"shard": (2, 2)}, "shard \\(rank, world\\)"),
        ({"shard": (0, 9), "train": True}, "has 7 sequences for 9 processes"),
    ],
)
def test_bad_settings_are_one_sentence(made, options, message):
    data, features = made
    with pytest.raises(ValueError, match=message):
        DetectionBatches(data, features, **options)


def test_features_of_other_videos_or_snippets_are_refused(made):
    data, features = made
    with pytest.raises(ValueError, match="at least one kind"):
        DetectionBatches(data, {})
    with pytest.raises(ValueError, match="not those of the videos of made"):
        DetectionBatches(data.subset([1, 0]), features)
    other = Snippets.of(data, SnippetSpec(16, 8), features["rgb"].parts[0])
    with pytest.raises(ValueError, match="features of different snippets can't be read together"):
        DetectionBatches(data, {"rgb": features["rgb"], "flow": other})
