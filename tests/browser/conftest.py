"""One Chromium for a module of browser tests, and a small clip whose every number is known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.browser.cdp import Browser
from tests.browser.stage import start
from workbench.show.player import Player
from workbench.types import Clip, Pose, Skeleton, Truth

ARTIFACTS = Path(__file__).parents[1] / "artifacts"
FRAMES, SIDE = 16, 96


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser) -> Browser:
    """A quiet browser of the usual size; chromium that cannot be found or started fails the test, it never skips it."""
    chromium.open("about:blank")
    chromium.resize(1200, 900)
    chromium.call("Emulation.setEmulatedMedia", features=[])
    chromium.errors.clear()
    chromium.requests.clear()
    return chromium


@pytest.fixture
def artifacts() -> Path:
    """Where screenshots are kept for a person to look at."""
    ARTIFACTS.mkdir(exist_ok=True)
    return ARTIFACTS


@pytest.fixture
def clip() -> Clip:
    """Frame i is one grey, 10 + 12 i; every third frame of a 24 fps video, so eight frames a second."""
    grey = np.arange(FRAMES, dtype=np.uint8) * 12 + 10
    frames = np.broadcast_to(grey[:, None, None, None], (FRAMES, SIDE, SIDE, 3)).copy()
    return Clip(frames, np.arange(FRAMES) * 3, 24.0, source="videos/clip <1>.mp4")


@pytest.fixture
def pose(clip: Clip) -> Pose:
    """A person who stands still in the lower left; nobody in frame 3."""
    skeleton = Skeleton.named("kinect_v2")
    places = np.random.default_rng(0).uniform(10, 40, (skeleton.count, 2)) + (0, 48)
    joints = np.broadcast_to(places.astype(np.float32), (1, FRAMES, skeleton.count, 2)).copy()
    joints[:, 3] = np.nan
    return Pose(joints, skeleton, "image", clip.frame_numbers)


@pytest.fixture
def truth(clip: Clip) -> Truth:
    """A box in the upper right during frames 4 to 7."""
    box = np.tile(np.array([60, 10, 80, 30], np.float32), (FRAMES, 1))
    mask = np.zeros((FRAMES, SIDE, SIDE), bool)
    return Truth(np.zeros(25, bool), mask, box, (12, 24), clip.frame_numbers)


@pytest.fixture
def heat() -> np.ndarray:
    """[4, 6, 6]: at step 1 the cell in row 2, column 4 has weight 1; all others have none."""
    cells = np.zeros((4, 6, 6), np.float32)
    cells[1, 2, 4] = 1
    return cells


@pytest.fixture
def shown(browser: Browser, tmp_path: Path, clip: Clip, pose: Pose, truth: Truth, heat: np.ndarray) -> Browser:
    """A page with one player that has everything."""
    maps = {"attention": heat, "Grad-CAM": heat[::-1], "difference": heat - 0.2}
    temporal = {"temporal": [0.1, 0.6, 0.2, 0.1], "Grad-CAM over time": [1, 0, 0, 0]}
    start(browser, tmp_path / "page.html", Player(clip, pose, maps, temporal, truth, "drink", "A caption."))
    return browser
