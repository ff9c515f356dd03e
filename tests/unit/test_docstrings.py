"""What others call by name says what it takes, gives and raises, in sections that ruff checks (D417 and others)."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap

import pytest

from workbench import losses, metrics
from workbench.data import Untrimmed, open_dataset, open_untrimmed
from workbench.data.formats import coco, lcrnet, openpose
from workbench.data.own import pyskl
from workbench.data.sources import cad, msrdaily, ntu, nw_ucla, pku_mmd
from workbench.explain.gradcam import gradcam
from workbench.media import flow, pose, rendering, video
from workbench.metrics.statistics import crossed
from workbench.nets import modulate, weights
from workbench.show.player import Player
from workbench.study import fit, sweep
from workbench.systems import build, names

LOSSES = [getattr(losses, name) for name in losses.__all__ if inspect.isfunction(getattr(losses, name))]
#: What processes share is no loss.
NAMED = [loss for loss in LOSSES if loss.__module__ != "workbench.losses.processes"]
NAMED += [video.probe, video.read, video.write, pose.normalize, pose.sample, pose.bones, pose.degrade]
NAMED += [rendering.draw, flow.compute, modulate, weights.load, weights.save, build, names, fit, sweep]
NAMED += [metrics.top_k, metrics.mean_class_accuracy, metrics.confusion, metrics.frame_map, metrics.event_map, crossed]
NAMED += [open_dataset, open_untrimmed, Untrimmed.labels, gradcam, Player]
NAMED += [m.read_skeleton for m in (cad, coco, lcrnet, msrdaily, ntu, nw_ucla, openpose, pku_mmd, pyskl)]


def sections(doc: str) -> dict[str, str]:
    parts = re.split(r"^(Args|Returns|Raises|Source):\n", inspect.cleandoc(doc), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("named", NAMED, ids=lambda named: f"{named.__module__}.{named.__name__}")
def test_named_functions_say_what_they_take_give_and_raise(named):
    said = sections(named.__doc__)
    signature = inspect.signature(named.__init__ if inspect.isclass(named) else named)
    taken = {name for name in signature.parameters if name != "self"}
    assert set(re.findall(r"^    \**(\w+):", said.get("Args", ""), flags=re.MULTILINE)) == taken
    assert ("Returns" in said) == (signature.return_annotation not in (None, "None"))
    body = ast.walk(ast.parse(textwrap.dedent(inspect.getsource(named))))
    raised = {node.exc.func.id for node in body if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)}
    assert all(f"    {error}: " in said["Raises"] for error in raised)
