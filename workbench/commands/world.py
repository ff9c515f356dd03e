"""The world that comes with the workbench, and its notebooks in a folder of one's own."""

from __future__ import annotations

from pathlib import Path

from workbench.commands.parameters import Flag, Pairs, Whole, Workers


def synth(
    root: Path, /, *,
    size: str = "tiny", world: str = "adl", seed: Whole = 0, workers: Workers = None, pairs: Pairs = (),
) -> None:  # fmt: skip
    """Generate the synthetic world SynthADL.

    Args:
        root: folder to write to
        size: tiny, small or paper; the world pretrain also has look
        world: adl, pretrain (SynthADL-P) or untrimmed (SynthADL-U: videos of 60 to 180 s)
        seed: seed of the world
        pairs: settings of the world, such as imposters=0 or pose_quality=low
    """
    from synthadl.world import generate
    from workbench.study.config.pairs import parse_pairs

    videos = generate(root, size, world, seed, workers, parse_pairs(pairs))
    print(f"{root} contains the complete world: {len(videos)} videos")


def new(folder: Path, /, *, labs: Flag = False, solutions: Flag = False, reset: Flag = False) -> None:
    """Copy the notebooks, the labs and the papers' tables to a folder.

    Args:
        folder: parent of the new folder notebooks/; existing files stay unchanged
        labs: copy the labs only
        solutions: also copy the worked solutions of the labs
        reset: put fresh copies in the place of changed labs; a changed lab is kept beside, as NAME.mine-1.ipynb
    """
    from workbench import shipped

    kept = shipped.reset_labs(folder) if reset else {}
    for lab, changed in kept.items():
        print(f"{lab} is as it came; what was there is kept in {changed.name}")
    files = shipped.lay_out(folder, labs or reset, solutions)
    if reset:
        print(f"{folder}/notebooks/labs: {len(kept)} labs reset")
    else:
        print(f"{folder}/notebooks: {len(files)} new files; existing files are unchanged")
