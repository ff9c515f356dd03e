"""What is shown: drawn poses, the gallery, and the demo that makes all of it from nothing."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.commands.parameters import CACHE, PAGES, RUNS, TINY, Data, Notebooks, Pages, Runs, Text, Whole, Words

READY_MADE = "notebooks/ablations/ready_made.yaml"
FIRST_TABLE, DEMO_ROWS = "notebooks/ablations/synthadl_tiny.yaml", ("pose_lstm", "rgb", "vpn")


def render(
    files: Sequence[Path], /, *,
    data: str = "auto", root: Text = str(TINY), clip: str = "0", variants: Sequence[str] = ("frame", "black"),
    thickness: float = 1.0, palette: Words = None, height: Whole = 360, seconds: tuple[float, float] | None = None,
) -> None:  # fmt: skip
    """Draw the poses of a clip in several ways, side by side and in motion, and save them.

    Args:
        files: the files to write: .mp4, .gif, .png (the middle frame) or .html (plays offline in a browser)
        data: name of the data set, such as ntu60; auto detects it from --root
        root: folder or manifest of the data, such as one that `prepare --poses` made
        clip: id or position of the clip
        variants: video, or words joined by hyphens, such as black-dot-coarse-uniform-x2-#ff8800
        thickness: how many times as thick as the paper's
        palette: colours such as #ff8800, in turn for the parts of the body
        height: height of each picture in pixels
        seconds: start and end of what is shown (default: all)
    """
    from workbench.data import open_dataset
    from workbench.media import films
    from workbench.show.player import SUFFIXES
    from workbench.views import renderings

    clips = open_dataset(data, root, None, "all")
    i = int(clip) if clip.isdecimal() and clip not in clips.ids else clips.index(clip)
    ways = renderings.named(variants, thickness=thickness, palette=palette or ())
    reel = renderings.Reel(clips, i, ways, height, seconds)
    for file in files:
        films.check(file, SUFFIXES)
    for file in files:
        print(f"written: {reel.save(file)}")


def gallery(*, root: Data = TINY, out: Pages = PAGES, notebooks: Notebooks = None, runs: Runs = RUNS) -> int:
    """Execute the notebooks and write the offline gallery page."""
    from workbench.study.notebooks import execute_all

    shared = {"root": str(root), "runs": str(runs)}
    executed, left_out, faulty = execute_all(out / "notebooks", shared, names=notebooks)
    for name, why in left_out.items():
        print(f"{name} is left out: {why}")
    print(f"open {_first_page(root, out, runs, executed, left_out)} in a browser")
    if faulty:
        print(f"workbench: errors in notebooks, not in data or runs: {', '.join(faulty)}", file=sys.stderr)
    return 1 if faulty else 0


def demo(*, root: Data = TINY, out: Pages = PAGES, notebooks: Notebooks = None, runs: Runs = RUNS) -> int:
    """Generate the world, measure the networks that come with the workbench, train three of its systems, execute the
    notebooks, write the gallery page."""
    from synthadl import world
    from workbench import study

    world.generate(root)
    where: dict[str, Any] = {"preset": "tiny", "root": str(root), "runs": str(runs), "cache": CACHE}
    study.sweep(READY_MADE, engine="processes", **where)
    if not (out / "index.html").exists():
        print(f"open {_first_page(root, out, runs)}: networks that come with the workbench. Now three are trained")
    study.sweep(FIRST_TABLE, 1, DEMO_ROWS, engine="processes", **where)
    return gallery(root=root, out=out, notebooks=notebooks, runs=runs)


def _first_page(
    root: Path, out: Path, runs: Path, executed: Sequence[Path] = (), left_out: Mapping[str, str] | None = None
) -> Path:
    """Writes the page that leads to the ``executed`` notebooks: an exhibit and the results of the ``runs``."""
    from workbench.show import gallery as page
    from workbench.study.runs import run_table
    from workbench.views import exhibit

    results, note = run_table.summary(runs, root)
    first = exhibit.of_best(runs, root)
    return page.build(executed, results, out / "index.html", left_out=left_out, note=note, exhibit=first)
