"""The site: `make docs` builds it offline into docs/_build; a broken link or a docstring that can't be read fails."""

from __future__ import annotations

import inspect
import re
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

from workbench import __version__  # noqa: E402

project, author, release = "Video-pose workbench", "the workbench's authors", __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "study", "pictures"]
html_theme = "pydata_sphinx_theme"
html_title = project
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
html_show_sourcelink = False
# The first picture, in motion, and standing still for those who prefer that.
html_static_path = ["pictures/exhibit.gif", "pictures/attention.png"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
# Notebooks are executed by `make demo`, with its runs; here they are shown.
nb_execution_mode = "off"
# Players and figures bring their scripts along; other kinds of output have a picture beside them.
suppress_warnings = ["mystnb.unknown_mime_type", "myst.header"]
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
# Where a formula comes from: the paper, with equation or section.
napoleon_custom_sections = ["Source"]
napoleon_numpy_docstring = False
linkcheck_ignore = [r"https?://.*"]

TUTORIALS = HERE / "tutorials"
SECTIONS = ("Args:", "Returns:", "Raises:", "Source:")


def lay_notebooks(app) -> None:
    """Copies the notebooks to docs/tutorials: executed ones where `make demo` has left them, else those without
    outputs. The list of the folder is made from their titles."""
    TUTORIALS.mkdir(exist_ok=True)
    names = []
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        executed = ROOT / "gallery/notebooks" / notebook.name
        shutil.copyfile(executed if executed.is_file() else notebook, TUTORIALS / notebook.name)
        names.append(notebook.stem)
    lines = ["# Tutorials", "", "```{toctree}", ":maxdepth: 1", "", *names, "```", ""]
    (TUTORIALS / "index.md").write_text("\n".join(lines))


def as_paragraphs(app, what, name, obj, options, lines: list[str]) -> None:
    """Docstrings are plain text: paragraphs stay, indented tables and lists are shown as they are typed. Sections are
    napoleon's, which comes after."""
    text = inspect.cleandoc("\n".join(lines))
    blocks = []
    for block in re.split(r"\n\s*\n", text):
        rows = block.split("\n")
        if rows[0] in SECTIONS:
            if rows[0] == "Returns:":  # of an empty type: napoleon takes what stands before a colon for it
                rows[1] = f"    : {rows[1].strip()}"
            blocks.append(_escaped("\n".join(rows), r"([*|]|_(?!\w))"))
        elif len(rows) > 1 and any(row.startswith((" ", "- ")) for row in rows[1:]):
            blocks.append("::\n\n" + "\n".join(f"    {row}" for row in rows))
        else:
            blocks.append(re.sub(r"(?<!`)([*|_])(?=\w|\W)", r"\\\1", block) if "``" not in block else _escaped(block))
    lines[:] = "\n\n".join(blocks).split("\n") if text else []


def _escaped(block: str, special: str = r"([*|_])") -> str:
    """Stars, bars and underscores outside of literals mean themselves."""
    parts = re.split(r"(``[^`]*``)", block)
    return "".join(part if part.startswith("``") else re.sub(special, r"\\\1", part) for part in parts)


def from_elsewhere(app, what, name, obj, skip, options) -> bool | None:
    """What a module takes from other packages isn't documented there."""
    module = getattr(obj, "__module__", "") or "workbench"
    return None if module.startswith(("workbench", "synthadl", "safefiles")) else True


def setup(app) -> None:
    app.connect("autodoc-skip-member", from_elsewhere)
    app.connect("builder-inited", lay_notebooks)
    app.connect("autodoc-process-docstring", as_paragraphs, priority=400)
