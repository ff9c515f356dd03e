"""Executed notebooks as one page: self-contained, offline, quick to open."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING

import bleach
import jinja2
import nbformat
from markupsafe import Markup
from nbconvert.filters.markdown_mistune import markdown2html_mistune

import workbench
from safefiles import checksums
from safefiles.reading import reason
from workbench.show.player import Player, made_again, page_script

if TYPE_CHECKING:
    import pandas as pd

PLOTLY = "application/vnd.plotly.v1+json"
WORDS = {"p", "a", "em", "strong", "b", "i", "code", "pre", "ul", "ol", "li", "br", "sub", "sup", "blockquote"}
TABLES = {"table", "thead", "tbody", "tr", "th", "td", "caption"}
SPREAD = ("_std", "_sd", "_spread")


@dataclass(frozen=True)
class Item:
    """One thing to look at. kind is plot, player, image or table; body is trusted HTML (of a plot: JSON); title and
    caption come from the words above it in the notebook."""

    kind: str
    body: str
    title: str = ""
    caption: str = ""
    height: int = 450


@dataclass(frozen=True)
class Exhibit:
    """What a page opens with: a clip in motion, and text on it, a sentence each."""

    player: Player
    title: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """One notebook: its title, its first paragraph (HTML) and what it shows."""

    anchor: str
    title: str
    lead: str
    items: list[Item] = field(default_factory=list)


def build(
    notebooks: Sequence[str | Path],
    results: pd.DataFrame | None,
    out: str | Path,
    title: str = "Workbench",
    description: str = workbench.__doc__,
    note: str = "",
    left_out: Mapping[str, str] | None = None,
    exhibit: Exhibit | None = None,
) -> Path:
    """Writes the page for EXECUTED notebooks, atomically; returns its path.

    results: the measured table; a column with a companion ending in _std, _sd or _spread is shown as mean ± spread.
    note says in a sentence what the table measures; left_out names notebooks that are not shown and what they wait for;
    the page opens with the exhibit.
    Each figure takes its heading and caption from the Markdown above its cell. What moves on the page is made here, of
    the data in plots and players; nothing that a notebook says is taken as markup, but for its tables and words, of
    which only harmless tags stay. Outputs that only a running kernel can draw are left out. FileNotFoundError for a
    missing notebook; ValueError for one that was not executed or that ended in an error.
    """
    sections = [section(Path(path), number) for number, path in enumerate(notebooks, 1)]
    kinds = {item.kind for part in sections for item in part.items}
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True)
    text = environment.get_template("gallery.html").render(
        title=title,
        description=description,
        note=note,
        table=None if results is None else table(results),
        sections=sections,
        left_out={name: markdown(missing) for name, missing in (left_out or {}).items()},
        exhibit=exhibit,
        playing=Markup(exhibit.player.to_html(script=False)) if exhibit else "",
        player=Markup(page_script()) if exhibit or "player" in kinds else "",
        plotly=Markup(plotly_source()) if "plot" in kinds else "",
    )
    checksums.write(out, text.encode())
    return Path(out)


def section(path: Path, number: int) -> Section:
    """What one executed notebook shows."""
    notebook = read(path)
    title, lead, items, words = "", "", [], ("", "")
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading, paragraph = opening(cell.source)
            if not title and heading:
                title, lead = heading, markdown(paragraph)
            elif heading or paragraph:
                words = (heading, markdown(paragraph))
        elif cell.cell_type == "code":
            for found in outputs(cell, path):
                items.append(Item(*found[:2], *words, *found[2:]))
                words = ("", "")
    title = title or path.stem
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    return Section(f"{number}-{slug}", title, lead, items)


def read(path: Path) -> nbformat.NotebookNode:
    """The notebook; an error unless it was run to its end."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # a damaged file may lead its reader anywhere
        raise ValueError(f"{path} is not a Jupyter notebook ({reason(error)})") from None
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    if cells and not any(cell.execution_count for cell in cells):
        raise ValueError(f"{path} was not executed; the gallery shows the output of notebooks, so run it first")
    return notebook


def outputs(cell: nbformat.NotebookNode, path: Path) -> list[tuple]:
    """(kind, body) or (kind, body, height) of everything in a cell that can be seen without a kernel."""
    found = []
    for output in cell.outputs:
        if output.output_type == "error":
            raise ValueError(
                f"{path} ended in an error: {output.ename}: {output.evalue.splitlines()[0] if output.evalue else ''}"
            )
        data = output.get("data", {})
        words = text_of(data, "text/html")
        player = made_again(words) if "data-player" in words else None
        if isinstance(data.get(PLOTLY), dict):
            found.append(plot(data[PLOTLY], path))
        elif player is not None:
            found.append(("player", Markup(player)))
        elif picture := next((kind for kind in ("image/png", "image/jpeg") if kind in data), None):
            letters = re.sub(r"[^A-Za-z0-9+/=]", "", text_of(data, picture))
            found.append(("image", f"data:{picture};base64,{letters}"))
        elif "<table" in words:
            found.append(("table", clean(words)))
    return found


def text_of(data: Mapping, kind: str) -> str:
    """What an output says in this kind of text, which notebooks may keep line by line."""
    said = data.get(kind, "")
    return "".join(map(str, said)) if isinstance(said, list) else str(said)


def plot(figure: dict, path: Path) -> tuple[str, Markup, int]:
    """The figure as JSON that may stand inside a script element; its width is left to the page. ValueError naming the
    notebook ``path`` where it is none."""
    layout = figure.get("layout", {})
    height = layout.get("height") if isinstance(layout, dict) else None
    if not isinstance(layout, dict) or not isinstance(height, int | float | None):
        raise ValueError(f"{path} holds a plot whose layout can't be read")
    layout = {key: value for key, value in layout.items() if key != "width"} | {"autosize": True}
    text = json.dumps({**{key: figure[key] for key in ("data", "frames") if key in figure}, "layout": layout})
    return "plot", Markup(text.replace("<", "\\u003c")), int(height or Item.height)


def opening(source: str) -> tuple[str, str]:
    """The last heading of a Markdown cell as text, and the first paragraph below it."""
    parts = re.split(r"^#{1,6}[ \t]+(.+?)[ \t]*#*$", source, flags=re.MULTILINE)
    heading = re.sub(r"[*_`]", "", parts[-2]) if len(parts) > 1 else ""
    return heading, next((block.strip() for block in re.split(r"\n\s*\n", parts[-1]) if block.strip()), "")


def markdown(text: str) -> Markup:
    """HTML of Markdown with formulas; what could run a script is taken out."""
    return Markup(re.sub(r"\${1,2}([^$<]+)\${1,2}", formula, clean(markdown2html_mistune(text)))) if text else Markup()


def formula(found: re.Match) -> str:
    """A short formula as HTML (Greek letters, sub- and superscripts): the page holds no TeX."""
    text = re.sub(r"\\([A-Za-z]+) ?", lambda name: symbol(name[1]), found[1].strip())
    for mark, tag in (("_", "sub"), ("^", "sup")):
        text = re.sub(
            re.escape(mark) + r"(?:\{([^{}]*)\}|(\w))",
            lambda part, tag=tag: f"<{tag}>{part[1] or part[2]}</{tag}>",
            text,
        )
    return f"<i>{text.replace('{', '').replace('}', '')}</i>"


def symbol(name: str) -> str:
    """The character for a TeX name: alpha is α, times is ×; a name without one stays a word."""
    kind = "SMALL" if name.islower() else "CAPITAL"
    try:
        return unicodedata.lookup(f"GREEK {kind} LETTER {name.upper().replace('LAMBDA', 'LAMDA')}")
    except KeyError:
        if name.startswith(("math", "text", "left", "right", "operatorname")):  # how a letter looks, not what it is
            return ""
        return {
            "times": "×",
            "cdot": "·",
            "sum": "∑",
            "odot": "⊙",
            "in": "∈",
            "to": "→",
            "approx": "≈",
            "le": "≤",
            "ge": "≥",
            "lVert": "‖",
            "rVert": "‖",
            "quad": "\u2003",
        }.get(name, name)


def clean(text: str) -> Markup:
    """HTML with nothing in it but text, tables and links to the web."""
    without = re.sub(r"<(style|script)\b.*?</\1\s*>", "", text, flags=re.DOTALL | re.IGNORECASE)

    def allowed(tag: str, name: str, value: str) -> bool:
        return (tag == "a" and name == "href" and value.startswith(("https://", "http://"))) or (
            tag in ("th", "td") and name in ("colspan", "rowspan")
        )

    return Markup(bleach.clean(without, tags=WORDS | TABLES, attributes=allowed, strip=True))


def table(results: pd.DataFrame) -> dict:
    """Header and rows as text; each cell is (value, spread or "")."""
    import pandas as pd

    frame = results if isinstance(results.index, pd.RangeIndex) else results.reset_index()
    frame = frame.set_axis(
        ["_".join(filter(None, map(str, name))) if isinstance(name, tuple) else str(name) for name in frame.columns],
        axis=1,
    )
    spreads = {}
    for column in frame.columns:
        base = column.removesuffix("_mean")
        partner = next((base + ending for ending in SPREAD if base + ending in frame.columns), None)
        if partner:
            spreads[column] = partner
    shown = [column for column in frame.columns if column not in spreads.values()]

    def cell(row: dict, column: str) -> tuple[str, str]:
        value, spread = row[column], row.get(spreads.get(column), "")
        return number(value), number(spread, digits_of(value)) if spread != "" and value == value else ""

    rows = [[cell(row, column) for column in shown] for row in frame.to_dict("records")]
    return {"head": [column.removesuffix("_mean").replace("_", " ") for column in shown], "rows": rows}


def number(value: object, digits: int | None = None) -> str:
    """A number as it is read in a table; nothing where there is none."""
    if value is None:
        return ""
    if not isinstance(value, Real) or isinstance(value, Integral):
        return str(value)
    return "" if value != value else f"{value:.{digits_of(value) if digits is None else digits}f}"


def digits_of(value: float) -> int:
    """Decimals with which a value is printed."""
    return 1 if abs(value) >= 10 else 3


def plotly_source() -> str:
    """plotly.js, once for the whole page."""
    from plotly.offline import get_plotlyjs

    return get_plotlyjs().replace("</script", "<\\/script")
