"""How fast the player draws in Chromium, how soon a dragged joint is answered, and what ten players hold in memory.

    python bench/player.py [--side 224] [--frames 64]

The clip, a smoothed 8 x 7 x 7 overlay, the skeleton and the truth box are drawn at 224 x 224 clip pixels. Chromium runs
headless without a graphics card, so these are the numbers of a machine that has none.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.browser.cdp import Browser  # noqa: E402
from workbench import metrics  # noqa: E402
from workbench.explain.interventions import Cover  # noqa: E402
from workbench.explain.what_if import WhatIf  # noqa: E402
from workbench.show.explorer import Explorer  # noqa: E402
from workbench.show.player import Player, page, page_script  # noqa: E402
from workbench.study.config.presets import PRESETS  # noqa: E402
from workbench.systems import build  # noqa: E402
from workbench.types import Batch, Clip, Pose, Skeleton, Truth  # noqa: E402

DRAWN = """(scene => {
    const { player } = document.querySelector('.wb-player'), start = performance.now();
    player.show(scene);
    return performance.now() - start;
})(%s)"""

AS_FAST_AS_IT_CAN = """new Promise(done => {
    const { player } = document.querySelector('.wb-player'), draws = [], gaps = [];
    let last = null;
    const step = now => {
        if (last !== null) gaps.push(now - last);
        last = now;
        const start = performance.now();
        player.seek((player.state.frame + 1) % player.count);
        draws.push(performance.now() - start);
        draws.length < 240 ? requestAnimationFrame(step) : done([draws, gaps]);
    };
    requestAnimationFrame(step);
})"""
PLAYING = """new Promise(done => {
    const root = document.querySelector('.wb-player'), shown = [];
    root.addEventListener('frame', event => {
        shown.push([event.detail, performance.now()]);
        if (shown.length === 151) { done(shown); root.player.pause(); }
    });
    root.player.play();
})"""


def sample(frames: int, side: int) -> Player:
    """A clip that moves, with everything that can be drawn over it."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (frames, side // 8, side // 8, 3), dtype=np.uint8)
    clip = Clip(coarse.repeat(8, 1).repeat(8, 2), np.arange(frames), 30.0, source="bench.mp4")
    joints = rng.uniform(0, side, (1, frames, 25, 2)).astype(np.float32)
    box = np.tile(np.array([0.2, 0.2, 0.5, 0.5], np.float32) * side, (frames, 1))
    mask = np.zeros((frames, side, side), bool)
    truth = Truth(np.zeros(25, bool), mask, box, (frames // 4, frames // 2), clip.frame_numbers)
    pose = Pose(joints, Skeleton.named("kinect_v2"), "image", clip.frame_numbers)
    return Player(clip, pose, {"attention": rng.random((8, 7, 7))}, {"temporal": rng.random(8)}, truth, "bench")


def measure_answers(browser: Browser, path: Path) -> None:
    """Fifty drags of a hand: from the edit, over the network's answer and the new scene, to the picture in the browser.

    An untrained VPN of the tiny preset; the message that a notebook's server would carry is handed over directly.
    """
    asked = question()
    explorer = Explorer({"vpn": asked})
    path.write_text(page(explorer.player.to_html(), "answers"))
    browser.open(path)
    browser.wait("document.querySelector('.wb-player').player?.bitmaps.length")
    whole, network, drawn, rng = [], [], [], np.random.default_rng(0)
    for _ in range(50):
        x, y = rng.uniform(10, 80, 2)
        edit = {"kind": "joint", "person": 0, "joint": 11, "frame": 8, "x": x, "y": y, "done": False}
        start = time.perf_counter()
        explorer.hear(edit)
        scene = json.dumps(explorer.player._scene)
        asking = 1000 * (time.perf_counter() - start)
        drawn.append(browser.run(DRAWN % scene))
        network.append(explorer.answers["vpn"].milliseconds)
        whole.append(asking + drawn[-1])
    report("what if: the network's answer", np.array(network))
    report("what if: showing it (JavaScript)", np.array(drawn))
    report("what if: from the drag to the picture", np.array(whole))
    covered = [asked.ask([Cover((k, 10, k + 30, 50))]).milliseconds for k in range(12)]
    report("what if: a covered region (backbone again)", np.array(covered))


def question() -> WhatIf:
    """A session about a clip of noise in the tiny preset."""
    torch.manual_seed(0)
    size = PRESETS["tiny"]
    frames, height, width = size["clip"]
    skeleton = Skeleton.named("kinect_v2")
    system = build("vpn", 30, **{name: size[name] for name in ("clip", "width", "output_stride", "poses")}).eval()
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (frames, height, width, 3), dtype=np.uint8)
    clip = Clip(pictures, np.arange(frames), 30.0, source="bench.mp4")
    points = rng.uniform(10, width - 10, (1, frames, 25, 2)).astype(np.float32)
    video = torch.from_numpy(np.ascontiguousarray(pictures.transpose(3, 0, 1, 2)))[None]
    batch = Batch(video=video, pose=torch.randn(1, 1, size["poses"], 25, 3), ids=["bench"])
    mask = np.zeros((frames, height, width), bool)
    mask[4:12, 20:40, 20:40] = True
    truth = Truth(np.zeros(25, bool), mask, np.full((frames, 4), 30, np.float32), (4, 12), clip.frame_numbers)
    sample = SimpleNamespace(
        clip=clip, batch=batch, pixels=Pose(points, skeleton, "image", clip.frame_numbers), truth=truth,
        pose_numbers=None,
    )  # fmt: skip
    return WhatIf(system, sample, skeleton, [f"action {i}" for i in range(30)], metrics.attention.grade)


def memory(browser: Browser) -> float:
    """MiB that all processes of this browser hold (proportional set size where pages are shared)."""
    owner, total = f"--user-data-dir={browser.profile}".encode(), 0
    parents = {int(path.name): path for path in Path("/proc").iterdir() if path.name.isdigit()}
    family = {browser.process.pid} | {pid for pid, path in parents.items() if owner in read(path / "cmdline")}
    for pid in family:
        lines = read(Path(f"/proc/{pid}/smaps_rollup")).splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith(b"Pss:"))
    return total / 1024


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # the process has ended, or is somebody else's
        return b""


def report(name: str, milliseconds: np.ndarray) -> None:
    median, worst = np.percentile(milliseconds, [50, 95])
    print(f"{name:<42} median {median:6.2f} ms   p95 {worst:6.2f} ms   {1000 / median:5.0f} per second")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--frames", type=int, default=64)
    options = parser.parse_args()
    player = sample(options.frames, options.side)
    print(f"one player as HTML: {len(player.to_html()) / 2**20:.2f} MiB for {options.frames} frames of {options.side}")
    with tempfile.TemporaryDirectory() as folder, Browser(1200, 900) as browser:
        path = Path(folder, "page.html")
        path.write_text(page(player.to_html(), "bench"))
        browser.open(path)
        browser.wait("document.querySelector('.wb-player').player?.bitmaps.length")
        draws, gaps = map(np.array, browser.run(AS_FAST_AS_IT_CAN))
        report("drawing one frame (JavaScript)", draws)
        report("between animation frames, each one drawn", gaps)
        shown = np.array(browser.run(PLAYING))[:151]
        report("between frames when playing at 30 a second", np.diff(shown[:, 1]))
        skipped = int((np.diff(shown[:, 0]) % options.frames - 1).sum())
        print(f"{'frames skipped while playing 150':<42} {skipped}")
        measure_answers(browser, path)
        path.write_text(page("", "empty"))
        browser.open(path)
        empty = memory(browser)
        path.write_text(page(player.to_html(script=False) * 10 + page_script(), "ten"))
        browser.open(path)
        browser.wait("!document.querySelector('[data-player]')")
        every = "[...document.querySelectorAll('.wb-player')].map(root => root.player)"
        browser.run(f"Promise.all({every}.map(player => player.load())).then(() => true)")
        full = memory(browser)
        browser.run(f"{every}.forEach(player => player.destroy())")
        browser.call("HeapProfiler.collectGarbage")
        print(f"ten players: {full - empty:.0f} MiB more than an empty page; closed: {memory(browser) - empty:.0f} MiB")


if __name__ == "__main__":
    main()
