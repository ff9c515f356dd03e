"""What several test modules start from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fixtures import fake_synthadl
from workbench.data import Dataset, open_dataset

#: Headless notebooks of the tests make no pictures of their figures, which takes Chrome seconds each.
os.environ.setdefault("WORKBENCH_PICTURES", "0")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SynthADL of 16 short clips, 8 of them in the training split."""
    return fake_synthadl(tmp_path_factory.mktemp("world"), actions=2, subjects=4, views=2, frames=20)


@pytest.fixture
def data(world: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Its training split; what is found out about its videos stays in this session's folder."""
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "records"))
    return open_dataset("synthadl", world, split="train")


def pytest_itemcollected(item: pytest.Item) -> None:
    """What a module makes once for its tests is made in one process: they stay together (see --dist loadgroup)."""
    fixtures = item._fixtureinfo.name2fixturedefs.values() if isinstance(item, pytest.Function) else ()
    dear = any(fixture[-1].scope == "module" for fixture in fixtures)
    if dear and item.get_closest_marker("xdist_group") is None:
        item.add_marker(pytest.mark.xdist_group(item.path.stem))
