"""Executed notebooks as pages, and a page that leads to them: each is one file, offline, quick to open."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import bleach
import jinja2
import latex2mathml.converter
import nbformat
from markupsafe import Markup
from nbconvert.filters.markdown_mistune import markdown2html_mistune
from plotly.offline import get_plotlyjs

import workbench
from safefiles import checksums
from safefiles.reading import reason
from workbench.show.figures.pictures import PLOTLY
from workbench.show.player import Player, made_again, page_script

if TYPE_CHECKING:
    import pandas as pd

#: The mark of a figure that only says what is missing.
BLANK = "blank"
WORDS = {"p", "a", "em", "strong", "b", "i", "code", "pre", "ul", "ol", "li", "br", "sub", "sup", "blockquote"}
HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
TABLES = {"table", "thead", "tbody", "tr", "th", "td", "caption"}
#: Which pages don't need.
NAMESPACE = "http://www.w3.org/1998/Math/MathML"
#: What formulas may be made of.
MATH = {"math", "mrow", "mi", "mn", "mo", "ms", "mtext", "mspace", "mstyle", "mfrac", "msqrt", "mroot", "msub", "msup"}
MATH |= {"msubsup", "munder", "mover", "munderover", "mtable", "mtr", "mtd", "mpadded", "mphantom", "mfenced"}
SPREAD = ("_std", "_sd", "_spread")


@dataclass(frozen=True)
class Item:
    """One thing to look at. kind is text, plot, player, image or table; body is trusted HTML (of a plot: JSON); title
    is the heading above it in the notebook, as text."""

    kind: str
    body: str
    title: str = ""
    height: int = 450


@dataclass(frozen=True)
class Exhibit:
    """What a page opens with: a clip in motion, and text on it, a sentence each."""

    player: Player
    title: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """One notebook: the name of its page, its title, its first cell below the title (HTML), what it shows, and the
    headings of what only a running kernel shows."""

    page: str
    title: str
    lead: str
    items: list[Item] = field(default_factory=list)
    live: list[str] = field(default_factory=list)


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
    """Writes the page ``out`` and, beside it, one page for each of the EXECUTED notebooks, atomically; returns ``out``.

    results: the measured table; a column with a companion ending in _std, _sd or _spread is shown as mean ± spread.
    note says in a sentence what the table measures; left_out names notebooks that are not shown and what they wait for;
    ``out`` opens with the exhibit. Text is shown where a figure follows it. What moves on a page is made here, of the
    data in plots and players; nothing that a notebook says is taken as markup, but for its tables and words, of which
    only harmless tags stay. Left out are outputs that only a running kernel can draw, cells tagged "live" (controls;
    the headings above them are listed) and blanks. FileNotFoundError for a missing notebook; ValueError for one that
    was not executed or that ended in an error.
    """
    out, sections = Path(out), [section(Path(path), number) for number, path in enumerate(notebooks, 1)]
    for part in sections:
        kinds = {item.kind for item in part.items}
        page = render("gallery.html", kinds, title=title, sections=sections, home=out.name, section=part)
        checksums.write(out.parent / part.page, page)
    page = render(
        "gallery.html",
        {"player"} if exhibit else set(),
        title=title,
        sections=sections,
        description=description,
        note=note,
        table=None if results is None else table(results),
        left_out={name: markdown(missing) for name, missing in (left_out or {}).items()},
        exhibit=exhibit,
        playing=Markup(exhibit.player.to_html(script=False)) if exhibit else "",
    )
    checksums.write(out, page)
    return out


def render(template: str, kinds: set[str], **context: Any) -> bytes:
    """The page of a template of this folder, with the scripts that items of these ``kinds`` need."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True)
    player = page_script() if "player" in kinds else ""
    plotly = get_plotlyjs().replace("</script", "<\\/script") if "plot" in kinds else ""
    page = environment.get_template(template)
    return page.render(**context, player=Markup(player), plotly=Markup(plotly)).encode()


def section(path: Path, number: int) -> Section:
    """What one executed notebook shows."""
    title, lead, items, live = "", Markup(), [], []
    waiting: list[str] = []  # text, until a figure follows it
    for cell in read(path).cells:
        if cell.cell_type == "markdown" and not title and heading(cell.source):
            title, lead = heading(cell.source), markdown(cell.source.partition("\n")[2])
        elif cell.cell_type == "markdown":
            waiting.append(cell.source)
        elif cell.cell_type == "code":
            controls = "live" in cell.metadata.get("tags", [])
            live += [name for text in waiting if controls and (name := heading(text))]
            shown = [] if controls else outputs(cell, path)
            items += [Item("text", markdown(text), heading(text)) for text in waiting if shown]
            name = next((item.title for item in reversed(items) if item.kind == "text"), "")
            items += [replace(item, title=name) for item in shown]
            waiting = []
    slug = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")
    return Section(f"{number}-{slug}.html", title or path.stem, lead, items, live)


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


def outputs(cell: nbformat.NotebookNode, path: Path) -> list[Item]:
    """Everything in a cell that can be seen without a kernel, without titles."""
    shown: list[Item] = []
    for output in cell.outputs:
        if output.output_type == "error":
            raise ValueError(
                f"{path} ended in an error: {output.ename}: {output.evalue.splitlines()[0] if output.evalue else ''}"
            )
        data = output.get("data", {})
        page = text_of(data, "text/html")
        player = made_again(page) if "data-player" in page else None
        if isinstance(data.get(PLOTLY), dict):
            shown += [] if blank(data[PLOTLY]) else [plot(data[PLOTLY], path)]
        elif player is not None:
            shown.append(Item("player", Markup(player)))
        elif "text/markdown" in data:
            shown.append(Item("text", markdown(text_of(data, "text/markdown"))))
        elif picture := next((kind for kind in ("image/png", "image/jpeg") if kind in data), None):
            encoded = re.sub(r"[^A-Za-z0-9+/=]", "", text_of(data, picture))
            shown.append(Item("image", f"data:{picture};base64,{encoded}"))
        elif "<table" in page:
            shown.append(Item("table", clean(page)))
    return shown


def text_of(data: Mapping, kind: str) -> str:
    """What an output says in this kind of text, which notebooks may keep line by line."""
    lines = data.get(kind, "")
    return "".join(map(str, lines)) if isinstance(lines, list) else str(lines)


def plot(figure: dict, path: Path) -> Item:
    """The figure as JSON that may stand inside a script element; its width is left to the page. ValueError naming the
    notebook ``path`` where it is none."""
    layout = figure.get("layout", {})
    height = layout.get("height") if isinstance(layout, dict) else None
    if not isinstance(layout, dict) or not isinstance(height, int | float | None):
        raise ValueError(f"{path} holds a plot whose layout can't be read")
    layout = {key: value for key, value in layout.items() if key != "width"} | {"autosize": True}
    text = json.dumps({**{key: figure[key] for key in ("data", "frames") if key in figure}, "layout": layout})
    return Item("plot", Markup(text.replace("<", "\\u003c")), height=int(height or Item.height))


def blank(figure: dict) -> bool:
    """Whether the figure only says what is missing (``figures.common.blank``)."""
    layout = figure.get("layout")
    return isinstance(layout, dict) and layout.get("meta") == BLANK


def heading(source: str) -> str:
    """The first heading of a Markdown cell as text, or nothing."""
    line = re.search(r"^#{1,6}[ \t]+(.+?)[ \t]*#*$", source, flags=re.MULTILINE)
    return re.sub(r"[*_`]", "", line[1]) if line else ""


def markdown(text: str) -> Markup:
    """HTML of Markdown with formulas as MathML; what could run a script is taken out."""
    page = re.sub(r'<a class="anchor-link".*?</a>', "", markdown2html_mistune(text), flags=re.DOTALL) if text else ""

    def formula(dollars: re.Match) -> str:
        return mathml(html.unescape(dollars[1] or dollars[2]), block=bool(dollars[1]))

    return Markup(re.sub(r"\$\$(.+?)\$\$|\$([^$<\n]+)\$", formula, clean(page), flags=re.DOTALL))


def mathml(tex: str, block: bool = False) -> str:
    """A formula of TeX as MathML, within a line or on a line of its own; its TeX where it can't be read."""
    tex = tex.strip()
    try:
        spelled = tex.replace("<", r"\lt ").replace(">", r"\gt ")
        formula = latex2mathml.converter.convert(spelled, display="block" if block else "inline")
        nodes = [*ElementTree.fromstring(formula).iter()]
    except Exception:  # whatever a formula of somebody else's leads its reader to
        nodes = [ElementTree.Element("unread")]
    tags = {node.tag.rpartition("}")[2] for node in nodes}
    links = {name for node in nodes for name in node.attrib if name.startswith("on") or "href" in name or "src" in name}
    return f"<code>{html.escape(tex)}</code>" if tags - MATH or links else formula.replace(f' xmlns="{NAMESPACE}"', "")


def clean(text: str) -> Markup:
    """HTML with nothing in it but text, tables and links to the web."""
    without = re.sub(r"<(style|script)\b.*?</\1\s*>", "", text, flags=re.DOTALL | re.IGNORECASE)

    def allowed(tag: str, name: str, value: str) -> bool:
        return (tag == "a" and name == "href" and value.startswith(("https://", "http://"))) or (
            tag in ("th", "td") and name in ("colspan", "rowspan")
        )

    return Markup(bleach.clean(without, tags=WORDS | TABLES | HEADINGS, attributes=allowed, strip=True))


def table(results: pd.DataFrame) -> dict:
    """Header and rows as text; each cell is (value, spread or "")."""
    import pandas as pd

    frame = results if isinstance(results.index, pd.RangeIndex) else results.reset_index()
    frame = frame.set_axis(
        ["_".join(filter(None, map(str, name))) if isinstance(name, tuple) else str(name) for name in frame.columns],
        axis=1,
    )
    names = [(column, column.removesuffix("_mean") + ending) for column in frame.columns for ending in SPREAD[::-1]]
    spreads = {column: spread for column, spread in names if spread in frame.columns}
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
    return "" if value != value else f"{value:.{digits_of(float(value)) if digits is None else digits}f}"


def digits_of(value: float) -> int:
    """Decimals with which a value is printed."""
    return 1 if abs(value) >= 10 else 3
