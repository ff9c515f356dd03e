"""What panels offer: every clip by action, person and view, and the actions that exercises compare."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from workbench.show.player import Player
from workbench.types import Clip
from workbench.views import boards


def test_a_system_without_a_non_local_block_looks_nowhere():
    clip = Clip(np.zeros((4, 8, 8, 3), np.uint8), np.arange(4), 8.0)
    sample = SimpleNamespace(clip=clip, pixels=None, truth=None)
    maps = {"feature_map": np.zeros((3, 2, 2, 2), np.float32)}
    assert "no non-local block" in boards.looking(sample, maps, "a clip").to_json()
    shown = boards.looking(sample, maps | {"affinity": np.full((8, 8), 1 / 8, np.float32)}, "a clip")
    assert isinstance(shown, Player) and "Click on the picture" in shown.to_html()


def dataset(**columns: list) -> SimpleNamespace:
    classes = ["put_on_glasses", "take_off_glasses", "wave", "sit_down", "stand_up"]
    ids = ["a", "b", "c", "d", "e"]
    return SimpleNamespace(
        ids=ids, labels=np.array([1, 0, 0, 2, 3]), classes=classes, table=pd.DataFrame({"id": ids, **columns})
    )


def test_the_menu_has_every_clip_sorted_by_action():
    clips = dataset(subject=[4, 4, 7, 4, 7], view=[1, 1, 2, 3, 1])
    assert boards.menu(clips) == [
        ("put on glasses · person 4 · view 1 · b", "b"),
        ("put on glasses · person 7 · view 2 · c", "c"),
        ("sit down · person 7 · view 1 · e", "e"),
        ("take off glasses · person 4 · view 1 · a", "a"),
        ("wave · person 4 · view 3 · d", "d"),
    ]
    assert boards.menu(dataset())[0] == ("put on glasses · b", "b")


def test_shortcuts_go_to_the_pair_by_the_same_person_in_the_same_view():
    clips = dataset(subject=[4, 4, 7, 4, 7], view=[1, 1, 2, 3, 1])
    # Nobody stands up in these clips, so that sit down has no button.
    assert boards.shortcuts(clips, 2) == {"put on glasses": ("clip", "c"), "take off glasses": ("clip", "a")}
    assert boards.shortcuts(clips, 3) == {"put on glasses": ("clip", "b"), "take off glasses": ("clip", "a")}
    assert boards.shortcuts(dataset(), 3)["put on glasses"] == ("clip", "b")
