"""Slides of a notebook: one page that works offline, from the slide types that JupyterLab's property inspector sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from markupsafe import Markup
from nbconvert.filters.highlight import Highlight2HTML

from safefiles import drafts
from safefiles.reading import reading
from workbench.show import gallery

#: What a cell's metadata may say: "-" goes on with the slide, and a fragment is shown at the next key.
TYPES = ("slide", "subslide", "fragment", "skip", "notes", "-")
#: The tag of a cell whose code isn't shown.
HIDDEN = "remove-input"


@dataclass(frozen=True)
class Part:
    """A cell on a slide: its text (HTML) and what it shows; kind is its slide type."""

    kind: str
    text: Markup
    items: list[gallery.Item] = field(default_factory=list)


def build(notebook: str | Path, out: str | Path) -> Path:
    """Writes the slides of ``notebook`` to the page ``out``, atomically; returns its path.

    The page needs nothing from elsewhere. What an executed notebook shows is on it. ValueError for a file that is no
    notebook, that ended in an error, or of which no cell begins a slide; FileNotFoundError where there is none.
    """
    notebook = Path(notebook)
    with reading(notebook, "a Jupyter notebook"):
        book = nbformat.read(notebook, as_version=4)
        nbformat.validate(book)
    slides = _slides(book, notebook)
    kinds = {item.kind for slide in slides for part in slide for item in part.items}
    headings = (gallery.heading(cell.source) for cell in book.cells if cell.cell_type == "markdown")
    drafts.write(out, gallery.render("slides.html", kinds, title=next(headings, notebook.stem), slides=slides))
    return Path(out)


def _slides(book: nbformat.NotebookNode, path: Path) -> list[list[Part]]:
    slides: list[list[Part]] = []
    for number, cell in enumerate(book.cells):
        kind = cell.metadata.get("slideshow", {}).get("slide_type", "-") or "-"
        if kind not in TYPES:
            raise ValueError(f"{path}: cell {number} has the slide type {kind!r}; it is one of {', '.join(TYPES)}")
        begins = kind in ("slide", "subslide")
        if kind == "skip" or not (begins or slides):
            continue
        if begins:
            slides.append([])
        slides[-1].append(_part(cell, kind, path))
    if not slides:
        raise ValueError(
            f"{path} has no slides: set the slide type of the cells that begin one to 'slide', in JupyterLab's "
            "property inspector (the gear wheels at the right)"
        )
    return slides


def _part(cell: nbformat.NotebookNode, kind: str, path: Path) -> Part:
    kind = kind if kind in ("fragment", "notes") else "part"
    if cell.cell_type == "markdown":
        return Part(kind, gallery.markdown(cell.source))
    if cell.cell_type != "code":
        return Part(kind, Markup())
    hidden = HIDDEN in cell.metadata.get("tags", ()) or cell.metadata.get("jupyter", {}).get("source_hidden")
    code = Markup() if hidden else Markup(Highlight2HTML()(cell.source, language="python"))
    return Part(kind, code, gallery.outputs(cell, path))
