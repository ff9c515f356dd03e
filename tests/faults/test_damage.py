"""A slice of the campaign (``damage``) that damages what commands read, one file at a time."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tests.faults.damage import DAMAGES, attempt, campaign, damaged
from tests.faults.damage_site import Site, command


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Site:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_CACHE", "")  # the site has its own, which goes with it
        patch.setitem(sys.modules, "mlflow", None)
        yield Site(tmp_path_factory.mktemp("damage") / "site")


def test_whatever_is_damaged_a_command_says_so(site):
    slow = ("init", "profile", "train", "prepare", "shard", "resume")
    quick = [case for case in site.cases() if not case.name.startswith(slow)]
    assert campaign(site, quick, range(36), seed=5) == []


@pytest.mark.parametrize("damage", ["cut", "pipe", "bomb", "objects"])
def test_training_says_so_too(site, damage):
    (case,) = [case for case in site.cases() if case.name == "train"]
    for path in case.files[:2]:
        assert attempt(case, path, damage, site, 1) == []


def test_the_campaign_notices_what_is_passed_over(site, monkeypatch):
    """A command that takes no notice of a damaged file, and one that falls over it."""
    (case,) = [case for case in site.cases() if case.name == "score"]
    assert "nothing said" in attempt(type(case)("blind", case.files, lambda: 0), case.files[0], "noise", site, 1)[0]
    (said,) = attempt(type(case)("fragile", case.files, lambda: 1 // 0), case.files[0], "noise", site, 1)
    assert "ZeroDivisionError" in said
    (said,) = attempt(type(case)("mute", case.files, lambda: 1), case.files[0], "noise", site, 1)
    assert "does not name truth.json" in said


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_put_back(site, damage):
    path = site.footage / "clips.csv"
    before = path.read_bytes(), path.stat().st_mtime_ns
    with damaged(site, path, damage, np.random.default_rng(0)):
        assert not path.is_file() or path.read_bytes() != before[0]
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_an_undamaged_place_is_good(site):
    assert command("doctor", site.footage / "clips.csv")() == 0
