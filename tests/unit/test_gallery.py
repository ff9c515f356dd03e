"""The gallery's reading of notebooks: titles, captions, figures, tables, and what it refuses."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from workbench.show import gallery
from workbench.show.figures import common
from workbench.show.player import Player
from workbench.show.widgets import bundle
from workbench.types import Clip

V4 = nbformat.v4
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n not a real picture").decode()


def output(**data: object) -> nbformat.NotebookNode:
    return V4.new_output("display_data", data={key.replace("__", "/"): value for key, value in data.items()})


def cell(*outputs: nbformat.NotebookNode, count: int | None = 1) -> nbformat.NotebookNode:
    return V4.new_code_cell("1", outputs=list(outputs), execution_count=count)


def notebook(path: Path, *cells: nbformat.NotebookNode) -> Path:
    nbformat.write(V4.new_notebook(cells=list(cells)), path)
    return path


def figure(text: str) -> nbformat.NotebookNode:
    return V4.new_output(
        "display_data", data=bundle(go.Figure(go.Bar(y=[1, 2]), {"title": text, "width": 700, "height": 300}))[0]
    )


@pytest.fixture
def story(tmp_path):
    player = Player(Clip(np.zeros((2, 8, 8, 3), np.uint8), np.arange(2), 25.0), title="clip")
    return notebook(
        tmp_path / "one.ipynb",
        V4.new_markdown_cell("# Attention & *you*\n\nWhat **it** looks at.\n\nSecond."),
        V4.new_markdown_cell(
            "## A figure\n\nIts [caption](https://a.org) <script>alert(1)</script>with $A_{st}$ and $\\alpha^2$."
        ),
        cell(figure("</script><b>x"), V4.new_output("stream", name="stdout", text="noise")),
        cell(V4.new_output("display_data", data=player._repr_mimebundle_()[0])),
        cell(
            output(image__png=PIXEL),
            output(text__html="<style>td {}</style><table><tr><td onclick='x'>&lt;i&gt;</td></tr></table>"),
        ),
        cell(output(text__plain="only text")),
    )


def pages(folder: Path) -> str:
    """The text of every page in a folder."""
    return "".join(path.read_text() for path in sorted(folder.glob("*.html")))


def test_a_notebook_becomes_a_section(story):
    found = gallery.section(story, 3)
    assert (found.page, found.title) == ("3-one.html", "Attention & you")
    assert found.lead.split("\n")[0] == "<p>What <strong>it</strong> looks at.</p>" and "<p>Second.</p>" in found.lead
    assert [item.kind for item in found.items] == ["text", "plot", "player", "image", "table"]
    text, plot, player, image, table = found.items
    assert {item.title for item in found.items} == {"A figure"} and plot.height == 300
    assert text.body.startswith("<h2>A figure</h2>") and "¶" not in text.body
    assert "<script" not in text.body and '<a href="https://a.org">caption</a>' in text.body
    assert "<msub><mi>A</mi>" in text.body and "<msup><mi>&#x003B1;</mi><mn>2</mn></msup>" in text.body
    assert "<" not in plot.body
    restored = json.loads(plot.body)
    assert "width" not in restored["layout"] and restored["layout"]["title"]["text"] == "</script><b>x"
    assert "module" not in player.body and "data-player" in player.body
    assert image.body == f"data:image/png;base64,{PIXEL}"
    assert "onclick" not in table.body and "&lt;i&gt;" in table.body


def test_text_is_shown_whole_where_a_figure_follows_it_and_controls_and_blanks_are_not(tmp_path):
    def picture(**data) -> nbformat.NotebookNode:
        return cell(output(image__png=PIXEL, **data))

    live = picture()
    live.metadata["tags"] = ["live"]
    missing = V4.new_output("display_data", data=bundle(common.blank("No map", "this run has none"))[0])
    path = notebook(
        tmp_path / "n.ipynb",
        V4.new_markdown_cell("# T\n\nLead."),
        V4.new_markdown_cell("## Parameters"),
        cell(V4.new_output("stream", name="stdout", text="noise")),
        V4.new_markdown_cell("## Seen\n\nFirst.\n\n$$ a_b = c $$\n\nSecond."),
        V4.new_markdown_cell("More."),
        picture(),
        V4.new_markdown_cell("## Try it\n\nMove the control."),
        live,
        cell(output(text__markdown="It is **idle** <script>x</script>", text__plain="<Markdown object>")),
        V4.new_markdown_cell("## Blank\n\nOf a map."),
        cell(missing),
    )
    found = gallery.section(path, 1)
    assert [item.kind for item in found.items] == ["text", "text", "image", "text"]
    first, second, _, said = found.items
    assert "<strong>idle</strong>" in said.body and "script" not in said.body
    assert found.live == ["Try it"]
    assert "First." in first.body and "Second." in first.body and 'display="block"' in first.body
    assert second.body.strip() == "<p>More.</p>"


def test_each_notebook_has_a_page_and_the_first_page_leads_to_them(story, tmp_path):
    first = gallery.build([story, story], None, tmp_path / "out" / "index.html")
    assert sorted(file.name for file in (tmp_path / "out").glob("*.html")) == ["1-one.html", "2-one.html", "index.html"]
    text = first.read_text()
    assert 'href="1-one.html"' in text and 'href="2-one.html"' in text
    assert "plotly.js v" not in text and 'type="module"' not in text  # nothing on it needs either
    page = (tmp_path / "out" / "1-one.html").read_text()
    assert page.count('type="module"') == 1 and page.count("plotly.js v") == 1 and 'href="index.html"' in page


def test_a_page_without_plots_carries_no_plotly(tmp_path):
    path = notebook(tmp_path / "n.ipynb", V4.new_markdown_cell("# T"), cell(output(image__png=PIXEL)))
    gallery.build([path], None, tmp_path / "g.html")
    assert len(pages(tmp_path)) < 30_000


def test_names_are_escaped_and_a_missing_title_is_the_file_name(tmp_path):
    results = pd.DataFrame({"system": ["<script>alert(1)</script>"], "top1_mean": [0.5], "top1_std": [0.0123]})
    path = notebook(tmp_path / "no <title>.ipynb", cell(output(text__plain="x")))
    gallery.build([path], results, tmp_path / "g.html", title="<i>", description="<u>", note="<s>")
    page = pages(tmp_path)
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)" in page
    page = page.replace("<title>&lt;i&gt;", "").replace("<title>no &lt;title&gt; · &lt;i&gt;", "")
    assert not re.search("<(i|u|s|title)>(?!&lt;)", page) and "no &lt;title&gt;" in page
    assert "This notebook drew no figure." in page


def test_what_is_left_out_is_named_with_what_it_waits_for(tmp_path):
    path = notebook(tmp_path / "a.ipynb", cell(output(text__plain="x")))
    left_out = {"07_<b>.ipynb": "no <script>run</script>; made by `python -m workbench train`"}
    page = gallery.build([path], None, tmp_path / "g.html", left_out=left_out).read_text()
    assert "07_&lt;b&gt;.ipynb" in page and "<code>python -m workbench train</code>" in page
    assert "<script>run" not in page and 'href="#left-out"' in page
    assert "left-out" not in gallery.build([path], None, tmp_path / "g.html").read_text()


def test_the_table_joins_mean_and_spread():
    frame = pd.DataFrame(
        {
            "system": ["rgb", "vpn"],
            "top1_mean": [62.14, np.nan],
            "top1_std": [1.06, 2.0],
            "inside": [None, 0.41234],
            "seeds": [3, 3],
        }
    )
    table = gallery.table(frame)
    assert table["head"] == ["system", "top1", "inside", "seeds"]
    assert table["rows"][0] == [("rgb", ""), ("62.1", "1.1"), ("", ""), ("3", "")]
    assert table["rows"][1] == [("vpn", ""), ("", ""), ("0.412", ""), ("3", "")]
    grouped = pd.DataFrame({"system": ["a", "a"], "top1": [0.5, 0.7]}).groupby("system").agg(["mean", "std"])
    assert gallery.table(grouped) == {"head": ["system", "top1"], "rows": [[("a", ""), ("0.600", "0.141")]]}
    assert gallery.table(pd.DataFrame({"x": [1.0], "x_spread": [0.25]}))["rows"] == [[("1.000", "0.250")]]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("$x < y$", "<mi>x</mi><mo>&#x0003C;</mo><mi>y</mi>"),
        ("$\\Lambda_{t_p} \\odot F$", "<msub><mi>&#x0039B;</mi><mrow><msub><mi>t</mi><mi>p</mi></msub></mrow></msub>"),
        ("$$\\frac{\\sum A f}{\\sum A}$$", "<mfrac>"),
        ("costs 5$ or 6", "costs 5$ or 6"),
        ("$\\frac{$", "<code>\\frac{</code>"),
    ],
)
def test_formulas_are_mathml(text, shown):
    assert shown in gallery.markdown(text)


@pytest.mark.parametrize(
    "tex", ["\\href{javascript:hacked()}{x}", "\\text{<img src=x onerror=hacked()>}", "\\text{&lt;b&gt;}"]
)
def test_a_formula_is_no_way_in(tex):
    made = gallery.markdown(f"$ {tex} $")
    assert not live(made) and "<img" not in made and "<b>" not in made


def test_what_was_not_run_is_refused(tmp_path):
    path = notebook(tmp_path / "n.ipynb", cell(count=None))
    with pytest.raises(ValueError, match="n.ipynb was not executed"):
        gallery.build([path], None, tmp_path / "g.html")


def test_what_ended_in_an_error_is_refused_and_the_old_page_stays(tmp_path):
    (tmp_path / "g.html").write_text("old")
    error = V4.new_output("error", ename="ValueError", evalue="no run\nmore", traceback=[])
    path = notebook(tmp_path / "n.ipynb", cell(error))
    with pytest.raises(ValueError, match="n.ipynb ended in an error: ValueError: no run$"):
        gallery.build([path], None, tmp_path / "g.html")
    assert (tmp_path / "g.html").read_text() == "old"


@pytest.mark.parametrize("content", ["", "{}", "not json", '{"nbformat": 4, "cells": 1}'])
def test_what_is_no_notebook_is_refused(tmp_path, content):
    path = tmp_path / "n.ipynb"
    path.write_text(content)
    with pytest.raises(ValueError, match="n.ipynb is not a Jupyter notebook"):
        gallery.build([path], None, tmp_path / "g.html")


def test_a_missing_notebook_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone.ipynb does not exist"):
        gallery.build([tmp_path / "gone.ipynb"], None, tmp_path / "g.html")


HOSTILE = "<img src=x onerror=hacked()>"


def live(page: str) -> list[tuple]:
    """Tags with a handler, an address of code or a frame."""
    found = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag, attributes):
            code = [name for name, value in attributes if name.startswith("on") or "javascript:" in str(value)]
            if code or tag in ("iframe", "object", "embed", "svg"):
                found.append((tag, attributes))

    Tags().feed(page)
    return found


def hostile_player() -> str:
    """A player of the workbench into which somebody has written markup."""
    made = Player(Clip(np.zeros((2, 8, 8, 3), np.uint8), np.arange(2), 25.0), title=HOSTILE).to_html()
    made = made.replace('class="wb-player"', 'class="wb-player" onclick="hacked()"')
    return made.replace("<figure>", f"<script>hacked()</script>{HOSTILE}<iframe src='https://a.org'></iframe><figure>")


@pytest.mark.parametrize(
    "html",
    [
        f"<div data-player>{HOSTILE}<script>hacked()</script></div>",
        f'<div data-player><script type="application/json">{{"scene": 1}}</script>{HOSTILE}</div>',
        '<div data-player><script type="application/json">not json</script><script>hacked()</script></div>',
        f"<table><tr><td onclick=hacked()>{HOSTILE}</td></tr></table><script>hacked()</script>",
        f"<table><tr><td><a href='javascript:hacked()'>x</a></td></tr></table><svg onload=hacked()>{HOSTILE}",
        f"<b>{HOSTILE}</b>",
    ],
)
def test_markup_of_a_foreign_cell_never_gets_onto_the_page(tmp_path, html):
    path = notebook(tmp_path / "n.ipynb", cell(output(text__html=html), output(application__javascript="hacked()")))
    gallery.build([path], None, tmp_path / "g.html")
    assert not live(pages(tmp_path)) and "hacked()</script" not in pages(tmp_path)


def test_a_player_is_made_again_from_its_data_alone(tmp_path):
    path = notebook(tmp_path / "n.ipynb", cell(output(text__html=hostile_player())))
    (item,) = gallery.section(path, 1).items
    assert item.kind == "player" and "onclick" not in item.body and "<iframe" not in item.body
    assert item.body.count("<script") == 1 and "<img src=x" not in item.body
    assert "&lt;img src=x onerror=hacked()&gt;" in item.body  # its title, as text


def test_class_names_are_text_wherever_the_page_shows_them(tmp_path):
    names = go.Figure(go.Bar(x=[HOSTILE], y=[1], name=HOSTILE), {"title": HOSTILE})
    shown = Player(Clip(np.zeros((1, 8, 8, 3), np.uint8), np.arange(1), 25.0, source=HOSTILE), title=HOSTILE)
    path = notebook(
        tmp_path / f"{HOSTILE.replace('/', '')}.ipynb",
        V4.new_markdown_cell(f"# {HOSTILE}\n\n{HOSTILE}"),
        V4.new_markdown_cell(f"## {HOSTILE}\n\n`{HOSTILE}` $x_{{{HOSTILE}}}$ [a](javascript:hacked())"),
        cell(V4.new_output("display_data", data=bundle(names)[0])),
        cell(V4.new_output("display_data", data=shown._repr_mimebundle_()[0])),
        cell(output(text__html=pd.DataFrame({HOSTILE: [HOSTILE]}).to_html())),
    )
    results = pd.DataFrame({"system": [HOSTILE], HOSTILE: [HOSTILE], "top1_mean": [0.5], "top1_std": [HOSTILE]})
    left_out = {HOSTILE: HOSTILE}
    gallery.build([path], results, tmp_path / "g.html", HOSTILE, HOSTILE, HOSTILE, left_out)
    page = pages(tmp_path)
    assert not live(page)
    assert page.count("&lt;img src=x onerror=hacked()&gt;") >= 10


@pytest.mark.parametrize("figure", [{"layout": 3}, {"layout": {"height": "tall"}}, {"layout": {"height": [1]}}])
def test_a_plot_that_is_none_names_its_notebook(tmp_path, figure):
    data = {"application/vnd.plotly.v1+json": {"data": [], **figure}}
    path = notebook(tmp_path / "n.ipynb", cell(V4.new_output("display_data", data=data)))
    with pytest.raises(ValueError, match="n.ipynb holds a plot whose layout can't be read"):
        gallery.build([path], None, tmp_path / "g.html")


def test_the_page_may_ask_the_network_for_nothing(story, tmp_path):
    gallery.build([story], None, tmp_path / "g.html")
    for page in tmp_path.glob("*.html"):
        assert "Content-Security-Policy\" content=\"default-src 'none'; img-src data: blob:;" in page.read_text()
