"""What a teacher makes of a notebook: slides, and a lab that is filled in."""

from __future__ import annotations

from pathlib import Path

from workbench.commands.parameters import File


def slides(notebook: Path, /, *, out: File = None) -> None:
    """Make slides of a notebook whose cells have slide types: one page that works offline.

    Args:
        notebook: a notebook, such as notebooks/labs/1_pose_attention.ipynb; an executed one brings its figures along
        out: page to write (default: NOTEBOOK.slides.html in the current folder)
    """
    from workbench.show import slides as pages

    print(f"open {pages.build(notebook, out or Path(f'{notebook.stem}.slides.html'))} in a browser")


def solve(lab: Path, /, *, out: File = None) -> None:
    """Fill in a lab: a copy with the worked solutions and the expected answers.

    Args:
        lab: a lab as it comes, with the folder solutions/ beside it
        out: notebook to write (default: LAB.solved.ipynb beside it)
    """
    from workbench.lessons.solving import solve as fill_in

    print(f"written: {fill_in(lab, out or lab.with_name(f'{lab.stem}.solved.ipynb'))}")
