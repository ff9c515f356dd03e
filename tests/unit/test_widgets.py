"""Panels: which control a field gets, what happens when it moves, and what happens when drawing fails."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import ipywidgets
import plotly.graph_objects as go
import pytest
from pydantic import BaseModel, Field, model_validator

from workbench.show import session, widgets
from workbench.show.figures.pictures import PLOTLY
from workbench.show.widgets import panel


class Config(BaseModel):
    run: str = "a"
    mode: Literal["one", "two"] = "one"
    smooth: bool = True
    count: int = Field(4, ge=2, lt=11, description="how many")
    share: float = Field(0.5, gt=0, le=1)
    seed: int = 0
    folder: Path = Path("runs")
    seeds: list[int] = [1, 2]
    kinds: list[Literal["x", "y", "z"]] = ["x"]
    limit: float | None = None


class Drawing:
    """Draws a figure titled with the configuration and remembers each one it was asked for."""

    def __init__(self) -> None:
        self.seen: list[Config] = []

    def __call__(self, config: Config) -> go.Figure:
        self.seen.append(config)
        return go.Figure(layout={"title": {"text": f"{config.mode} {config.count}"}})


def shown(made: widgets.Panel) -> dict:
    """The MIME bundle in the picture's place."""
    return made._picture.children[0].outputs[0]["data"]


def test_each_field_gets_its_control():
    controls = panel(Config(), Drawing(), choices={"run": ["a", "b"]}).controls
    kinds = {name: type(control) for name, control in controls.items()}
    assert kinds == {
        "run": ipywidgets.Dropdown,
        "mode": ipywidgets.Dropdown,
        "smooth": ipywidgets.Checkbox,
        "count": ipywidgets.IntSlider,
        "share": ipywidgets.FloatSlider,
        "seed": ipywidgets.IntText,
        "folder": ipywidgets.Text,
        "seeds": ipywidgets.Text,
        "kinds": ipywidgets.SelectMultiple,
        "limit": ipywidgets.Text,
    }
    assert (controls["count"].min, controls["count"].max, controls["count"].tooltip) == (2, 10, "how many")
    assert (controls["share"].min, controls["share"].max) == (0.01, 1)
    assert [value for _, value in controls["mode"].options] == ["one", "two"]


def test_moving_a_control_draws_with_the_typed_value():
    drawing = Drawing()
    made = panel(Config(), drawing)
    for name, value, typed in (
        ("count", 7, 7),
        ("mode", "two", "two"),
        ("smooth", False, False),
        ("share", 0.25, 0.25),
        ("folder", "other", Path("other")),
        ("seeds", "[3, 4]", [3, 4]),
        ("kinds", ("y", "z"), ["y", "z"]),
        ("limit", "2.5", 2.5),
    ):
        made.controls[name].value = value
        assert getattr(drawing.seen[-1], name) == typed and made.error is None
    assert len(drawing.seen) == 9 and made.config == drawing.seen[-1]
    assert shown(made)[PLOTLY]["layout"]["title"]["text"] == "two 7"


def test_a_failure_is_one_sentence_and_the_last_picture_stays():
    def draw(config: Config) -> go.Figure:
        if config.count == 5:
            raise ValueError("five <b>fails</b>\nTraceback")
        return Drawing()(config)

    made = panel(Config(), draw)
    before = shown(made)
    made.controls["count"].value = 5
    assert shown(made) is before and made.config.count == 4
    assert "five &lt;b&gt;fails&lt;/b&gt;" in made._message.value and "Traceback" not in made._message.value
    made.controls["count"].value = 6
    assert made._message.value == "" and shown(made)[PLOTLY]["layout"]["title"]["text"] == "one 6"


def test_a_value_the_model_refuses_is_told():
    class Coupled(BaseModel):
        low: int = Field(1, ge=0, le=9)
        high: int = Field(5, ge=0, le=9)

        @model_validator(mode="after")
        def ordered(self):
            if self.low >= self.high:
                raise ValueError("low must be below high")
            return self

    made = panel(Coupled(), lambda config: go.Figure())
    made.controls["low"].value = 7
    assert "low must be below high" in made._message.value and made.config.low == 1
    made = panel(Config(), Drawing())
    made.controls["seeds"].value = '["x"]'
    assert "seeds.0: Input should be a valid integer" in made._message.value


def test_exercise_visits_every_value_and_puts_all_back():
    drawing = Drawing()
    made = panel(Config(), drawing, choices={"run": ["a", "b"]})
    report = made.exercise()
    visited = {name: [line.value for line in report if line.control == name] for name in made.controls}
    assert visited == {
        "run": ["a", "b"],
        "mode": ["one", "two"],
        "smooth": [False, True],
        "count": [2, 6, 10],
        "share": [0.01, 0.505, 1.0],
        "seed": [0],
        "folder": ["runs"],
        "seeds": ["[1, 2]"],
        "kinds": [("x",), ("y",), ("z",), ("x", "y", "z")],
        "limit": ["null"],
    }
    assert all(line.ok for line in report) and len(drawing.seen) == 1 + len(report) + 1
    assert made.config == Config()


def test_exercise_names_the_control_and_the_value_that_failed():
    def draw(config: Config) -> go.Figure:
        return go.Figure() if config.count < 10 else [][0]

    made = panel(Config(), draw)
    with pytest.raises(RuntimeError, match="control 'count' set to 10: list index out of range"):
        made.exercise()
    assert made.controls["count"].value == 4


def test_drawing_nothing_is_an_error():
    with pytest.raises(RuntimeError, match="draw returned nothing"):
        panel(Config(), lambda config: None).exercise()


def test_a_widget_is_shown_itself_and_the_replaced_one_is_closed():
    made = panel(Config(), lambda config: ipywidgets.HTML(str(config.count)), fields=["count"])
    first = made._picture.children[0]
    made.controls["count"].value = 8
    assert made._picture.children[0].value == "8" and first.comm is None
    same = ipywidgets.HTML("kept")
    made = panel(Config(), lambda config: same, fields=["count"])
    made.controls["count"].value = 8
    assert made._picture.children == (same,) and same.comm is not None


def test_headless_a_panel_is_its_picture(monkeypatch):
    made = panel(Config(), Drawing())
    assert set(made._repr_mimebundle_()[0]) == {PLOTLY, "text/plain"}
    monkeypatch.setattr(widgets, "attended", lambda: True)
    live = made._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in (live[0] if isinstance(live, tuple) else live)


def test_headless_a_panel_without_picture_is_an_error():
    def draw(config: Config) -> go.Figure:
        raise ValueError("no data")

    with pytest.raises(RuntimeError, match="no data"):
        panel(Config(), draw)._repr_mimebundle_()


@pytest.mark.parametrize("arguments", [{"choices": {"wrong": [1]}}, {"fields": ["wrong"]}])
def test_an_unknown_field_is_named(arguments):
    with pytest.raises(ValueError, match="Config has no field wrong; it has: run, mode, smooth"):
        panel(Config(), Drawing(), **arguments)


@pytest.mark.parametrize(
    ("parent", "answer"), [({"allow_stdin": True}, True), ({"allow_stdin": False}, False), ({"comm_id": "x"}, True)]
)
def test_a_front_end_is_known_by_its_request(monkeypatch, parent, answer):
    class Kernel:
        def get_parent(self) -> dict:
            return {"content": parent}

    shell = type("Shell", (), {"kernel": Kernel()})()
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    assert session.attended() is answer


def test_plain_python_is_not_attended():
    assert session.attended() is False


def test_a_long_menu_is_searched_and_buttons_set_it():
    drawing = Drawing()
    choices = {"run": [(f"wave · person {n} · {n:03}", f"{n:03}") for n in range(40)]}
    made = panel(Config(run="007"), drawing, choices, ["run"], shortcuts={"the last one": ("run", "039")})
    search = made.controls["run"]
    assert isinstance(search, widgets.Search) and search.ensure_option and len(search.options) == 40
    assert search.value == "wave · person 7 · 007" and drawing.seen[-1].run == "007"
    search.value = "wave · person 3 · 003"
    assert drawing.seen[-1].run == "003"
    made.shortcuts[0].click()
    assert search.value == "wave · person 39 · 039" and drawing.seen[-1].run == "039"
    assert [line.value for line in made.exercise()] == [search.options[0], search.options[20], search.options[-1]]
    assert made.config.run == "039"


def test_a_short_menu_says_other_words_than_its_values():
    made = panel(Config(run="b"), Drawing(), {"run": [("the first", "a"), ("the second", "b")]}, ["run"])
    assert made.controls["run"].options == (("the first", "a"), ("the second", "b"))
    assert made.controls["run"].value == "b"


class OneClip(BaseModel):
    clip: str | None = None


def test_a_menu_of_named_clips_does_not_offer_none():
    named = (("run · a", "a"), ("sit · b", "b"))
    shown = panel(OneClip(clip="a"), lambda config: ipywidgets.HTML(config.clip), {"clip": named}, ["clip"])
    assert shown.controls["clip"].options == named
    assert [one.value for one in shown.exercise()] == ["a", "b"]
