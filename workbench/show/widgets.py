"""Controls from a typed configuration: change one, and the figure is drawn again."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

import ipywidgets
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from workbench.show import saving
from workbench.show.figures import pictures
from workbench.show.session import Live, attended

STYLE = {"description_width": "110px"}
NONE = ""  # stands for None in a menu
#: A menu with more entries than this is one to type into: it lists those that hold what was typed.
MOST = 24
GRID = {
    "display": "grid",
    "grid_template_columns": "repeat(auto-fill, minmax(300px, 1fr))",
    "grid_gap": "4px 20px",
    "max_width": "1000px",
}


class Search(ipywidgets.Combobox):
    """A long menu that is searched by typing. ``value_of``: label -> value."""

    def __init__(self, labelled: Sequence[tuple[str, Any]], value: Any, appearance: dict) -> None:
        self.value_of = dict(labelled)
        options = {"options": list(self.value_of), "ensure_option": True, "continuous_update": False}
        super().__init__(value=self.label_of(value), placeholder="type to search", **options, **appearance)

    def label_of(self, value: Any) -> str:
        """What the menu says of a value."""
        return next(label for label, labelled in self.value_of.items() if labelled == value)


class Checked(NamedTuple):
    """One line of the report of ``Panel.exercise``."""

    control: str
    value: Any
    ok: bool


class Stage(Live, ipywidgets.VBox):
    """Where a panel shows its picture."""


class Panel(Live, ipywidgets.VBox):
    """Controls for a pydantic model, and the picture that ``draw(config)`` returns: a plotly Figure, a Player, any
    widget or anything a notebook can display.

    bool becomes a checkbox; Literal or a field named in ``choices`` a menu (of a list field several may be chosen); a
    number with both bounds a slider; other numbers and text a box; anything else a box that takes JSON. ``fields``
    limits the controls to some. A choice is a value or a pair (what the menu says, value); a long menu is searched by
    typing. shortcuts: what a button says -> (field, value that it sets). A widget that ``draw`` returned is closed when
    the next one takes its place, which frees its memory in the browser. ValueError where choices or fields name what
    the model lacks.

    ``config`` is the configuration in view, ``drawn`` what was last drawn from it, ``controls`` field name -> widget,
    ``error`` what went wrong at the last change, or None.
    """

    def __init__(
        self,
        config: BaseModel,
        draw: Callable[[Any], Any],
        choices: Mapping[str, Sequence] | None = None,
        fields: Sequence[str] | None = None,
        shortcuts: Mapping[str, tuple[str, Any]] | None = None,
    ) -> None:
        names = list(type(config).model_fields)
        if unknown := sorted({*(choices or {}), *(fields or [])} - set(names)):
            raise ValueError(f"{type(config).__name__} has no field {', '.join(unknown)}; it has: {', '.join(names)}")
        self.config, self.draw, self.drawn = config, draw, None
        self.error: Exception | None = None
        self.controls, self._read = {}, {}
        for name in fields or names:
            info, value, options = type(config).model_fields[name], getattr(config, name), (choices or {}).get(name)
            self.controls[name], self._read[name] = control(name, info, value, options)
        self._message = ipywidgets.HTML()
        self._picture = Stage()
        controls = ipywidgets.Box(list(self.controls.values()), layout=ipywidgets.Layout(**GRID, padding="4px 0 8px"))
        self.shortcuts = [self._shortcut(label, *target) for label, target in (shortcuts or {}).items()]
        buttons = ipywidgets.Box(self.shortcuts, layout=ipywidgets.Layout(flex_flow="row wrap"))
        super().__init__([controls, buttons, self._message, self._picture, saving.control(lambda: self.drawn)])
        self.add_class("wb-panel")
        for widget in self.controls.values():
            widget.observe(self._changed, "value")
        self._changed()

    def _shortcut(self, label: str, name: str, value: Any) -> ipywidgets.Button:
        """A button that sets the control called ``name``."""
        button = ipywidgets.Button(description=label, tooltip=f"{name}: {value}", layout={"width": "auto"})
        widget = self.controls[name]
        shown = widget.label_of(value) if isinstance(widget, Search) else value
        button.on_click(lambda _: setattr(widget, "value", shown))
        return button

    def exercise(self) -> list[Checked]:
        """Sets each control in turn to each of its values (a slider: lowest, middle, highest) and draws.

        Returns one line per drawing. RuntimeError on the first that fails, naming the control and the value.
        """
        report = []
        for name, widget in self.controls.items():
            start = widget.value
            for value in values(widget):
                self._put(widget, value)
                self._changed()
                if self.error is not None:
                    failed = self.error
                    self._put(widget, start)
                    raise RuntimeError(f"control {name!r} set to {value!r}: {sentence(failed)}") from failed
                report.append(Checked(name, value, True))
            self._put(widget, start)
        self._changed()
        return report

    def _put(self, widget: ipywidgets.Widget, value: Any) -> None:
        """Sets a control without the drawing that follows by itself."""
        widget.unobserve(self._changed, "value")
        widget.value = value
        widget.observe(self._changed, "value")

    def _changed(self, _: Any = None) -> None:
        """Draws what the controls say; what fails is told in one sentence and leaves the last picture in place."""
        try:
            changes = {name: self._read[name](widget.value) for name, widget in self.controls.items()}
            config = type(self.config).model_validate({**self.config.model_dump(), **changes})
            drawn = self.draw(config)
            shown = view(drawn)
        except Exception as error:  # whatever a drawing raises must reach the reader, not end the panel
            self.error, self._message.value = error, alert(error)
            return
        self.config, self.drawn, self.error, self._message.value = config, drawn, None, ""
        last, self._picture.children = self._picture.children, (shown,)
        for widget in last:
            if widget is not shown:
                widget.close()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The panel where somebody can use it; the picture alone in a notebook that runs headless."""
        if attended():
            return super()._repr_mimebundle_(**kwargs)
        if self.error is not None:
            raise RuntimeError(sentence(self.error)) from self.error
        return bundle(self.drawn)


#: As notebooks call it.
panel = Panel


def control(
    name: str, info: FieldInfo, value: Any, choices: Sequence | None
) -> tuple[ipywidgets.Widget, Callable[[Any], Any]]:
    """The widget for one field, and what turns the widget's value into the field's."""
    appearance = {
        "description": info.title or name.replace("_", " "),
        "tooltip": info.description or "",
        "style": STYLE,
        "layout": ipywidgets.Layout(width="auto"),
    }
    kind, optional = without_none(info.annotation)
    several = get_origin(kind) in (list, tuple, set, frozenset)
    literal = get_args(kind)[0] if several and get_args(kind) else kind
    if choices is None and get_origin(literal) is Literal:
        choices = get_args(literal)
    if choices is not None:
        return menu(list(choices), value, several, optional, appearance)
    if not optional and kind is bool:
        return ipywidgets.Checkbox(value=value, **appearance), bool
    if not optional and kind in (int, float):
        return number(kind, info, value, appearance), kind
    if not optional and kind in (str, Path):
        return ipywidgets.Text(value=str(value), continuous_update=False, **appearance), str
    text = json.dumps(TypeAdapter(Any if info.annotation is None else info.annotation).dump_python(value, mode="json"))
    return ipywidgets.Text(value=text, continuous_update=False, **appearance), json.loads


def menu(
    options: list, value: Any, several: bool, optional: bool, appearance: dict
) -> tuple[ipywidgets.Widget, Callable[[Any], Any]]:
    """A menu of the options and the present value; of a list field several may be chosen. Options that are pairs of
    label and value are all that there are: none is no choice among them."""
    optional = optional and not any(isinstance(option, tuple) for option in options)
    present = list(value or []) if several else [value]
    labels = {option[1]: option[0] for option in options if isinstance(option, tuple)}
    options = [option[1] if isinstance(option, tuple) else option for option in options]
    options = list(dict.fromkeys([*([None] if optional and not several else []), *options, *present]))
    # A menu takes the value None for "nothing is chosen" and shows a blank: here it is a choice like any other.
    labelled = [("none", NONE) if option is None else (labels.get(option, str(option)), option) for option in options]
    if len(labelled) > MOST and not several:
        search = Search(labelled, NONE if value is None else value, appearance)
        return search, lambda text: chosen(search.value_of[text])
    if several:
        return ipywidgets.SelectMultiple(
            options=labelled, value=tuple(present), rows=min(6, len(labelled)), **appearance
        ), list
    return ipywidgets.Dropdown(options=labelled, value=NONE if value is None else value, **appearance), chosen


def number(kind: type, info: FieldInfo, value: float, appearance: dict) -> ipywidgets.Widget:
    """A slider between the field's bounds, or a box where a side is open."""
    low, high = bounds(kind, info)
    settings = {"value": value, "continuous_update": False, **appearance}
    if low is None or high is None:
        return ipywidgets.IntText(**settings) if kind is int else ipywidgets.FloatText(**settings)
    if kind is int:
        return ipywidgets.IntSlider(min=low, max=high, **settings)
    return ipywidgets.FloatSlider(min=low, max=high, step=(high - low) / 100, readout_format=".3g", **settings)


def bounds(kind: type, info: FieldInfo) -> tuple[float | None, float | None]:
    """The lowest and highest value of a field; an open bound moves inwards by one, or by a hundredth of the range."""
    limits = {
        name: getattr(rule, name)
        for rule in info.metadata
        for name in ("ge", "gt", "le", "lt")
        if getattr(rule, name, None) is not None
    }
    low, high = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))
    if low is None or high is None:
        return None, None
    inwards = 1 if kind is int else (high - low) / 100
    return low + inwards * ("gt" in limits), high - inwards * ("lt" in limits)


def values(widget: ipywidgets.Widget) -> list:
    """What ``exercise`` sets a control to."""
    if isinstance(widget, ipywidgets.Checkbox):
        return [False, True]
    if isinstance(widget, ipywidgets.Dropdown):
        return [value for _, value in widget.options]
    if isinstance(widget, Search):
        first, *_, last = widget.options
        return [first, widget.options[len(widget.options) // 2], last]
    if isinstance(widget, ipywidgets.SelectMultiple):
        every = tuple(value for _, value in widget.options)
        return [*[(value,) for value in every], every]
    if isinstance(widget, (ipywidgets.IntSlider, ipywidgets.FloatSlider)):
        middle = type(widget.value)((widget.min + widget.max) / 2)
        return list(dict.fromkeys([widget.min, middle, widget.max]))
    return [widget.value]


def view(drawn: Any) -> ipywidgets.Widget:
    """What stands in the panel for a drawing: itself if it is a widget, otherwise an output that displays it."""
    if isinstance(drawn, ipywidgets.Widget):
        return drawn
    data, metadata = bundle(drawn)
    return ipywidgets.Output(outputs=({"output_type": "display_data", "data": data, "metadata": metadata},))


def bundle(drawn: Any) -> tuple[dict, dict]:
    """The MIME bundle of a drawing; a plotly figure as its JSON, which every front end and the gallery can draw."""
    if drawn is None:
        raise ValueError("draw returned nothing; it must return the figure or widget to show")
    if hasattr(drawn, "to_plotly_json"):
        return pictures.bundle(drawn), {}
    if hasattr(drawn, "_repr_mimebundle_"):
        mimes = drawn._repr_mimebundle_()
        return mimes if isinstance(mimes, tuple) else (mimes, {})
    from IPython.core.formatters import DisplayFormatter

    return DisplayFormatter().format(drawn)


def sentence(error: BaseException) -> str:
    """One line for the reader: what an error says, without the traceback."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or error.title}: {first['msg']}"
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__


def alert(error: BaseException) -> str:
    """HTML of what an error says."""
    return f'<span role="alert" style="color:#a61b1b;font-weight:600">{html.escape(sentence(error))}</span>'


def without_none(annotation: Any) -> tuple[Any, bool]:
    """The annotation without ``| None``, and whether it had that."""
    if get_origin(annotation) in (Union, UnionType) and NoneType in get_args(annotation):
        rest = [part for part in get_args(annotation) if part is not NoneType]
        return (rest[0] if len(rest) == 1 else annotation), True
    return annotation, False


def chosen(value: Any) -> Any:
    """The value of a menu, None for its entry ``NONE``."""
    return None if value == NONE else value
