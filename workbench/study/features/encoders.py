"""What makes features of snippets: an encoder for each modality, a shipped network, a file of weights or a run."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from torch import nn

from workbench.data import Snippets, Untrimmed
from workbench.nets import weights
from workbench.nets.modules import submodule
from workbench.study.config.experiment import Experiment, resolve
from workbench.study.config.kinds import Data, kind_of
from workbench.study.config.train_config import TrainConfig
from workbench.study.features.extract import CACHE, extract
from workbench.study.runs import init_weights
from workbench.study.runs.find_runs import LATEST, finished, latest, open_run
from workbench.study.runs.run_folder import Run

#: The clips that are like the long videos of a set, where those are another set.
CLIPS_OF = {"synthadl_u": "synthadl"}
#: Encoders where the configuration names none.
ENCODERS = {"rgb": "i3d_synthadl_p"}
#: Systems that encode a modality, for whoever has to train one.
TRAINABLE = {"rgb": "rgb", "flow": "perf_stream with the option stream=flow", "pose": "agcn"}


def settled(config: TrainConfig, data: Data) -> Experiment:
    """The experiment that ``config`` is on ``data``, its training split. Its configuration is ``resolved``, a
    detector's with an encoder for each modality that it reads in training; "latest:" is spelt out everywhere, so that
    it says which run it is. ValueError for a modality without an encoder, or an encoder too many; FileNotFoundError for
    a run or file that isn't there."""
    facts = data.classes, data.skeleton.name if data.skeleton else None
    root = config.root or init_weights.DEFAULTS.get(config.dataset)
    init = {
        module: init_weights.spelt(source, config.runs, None if root is None else str(root))
        for module, source in config.init.items()
    }
    kind: Any = kind_of(config.system)  # and data of that kind
    config = config.model_copy(update={"init": init}).resolved(data.protocol, kind.size(data))
    experiment = resolve(config, *facts)
    read = experiment.kind.modalities(experiment.build)
    if unread := sorted(set(experiment.snippets) - read):
        raise ValueError(
            f"snippets name {unread[0]!r}, which this {experiment.system} doesn't read: {', '.join(sorted(read))}"
        )
    snippets = {modality: _source(experiment, modality) for modality in sorted(read)}
    return replace(experiment, snippets=snippets, config=config.model_copy(update={"snippets": snippets}))


def _source(experiment: Experiment, modality: str) -> str:
    source = experiment.snippets.get(modality, ENCODERS.get(modality))
    if source is None:
        raise ValueError(
            f"{experiment.system} reads features of {modality}, for which snippets name no encoder: train one "
            f"({TRAINABLE[modality]}), its preset with sampling: strided, and name its run, as in "
            f"snippets={{{modality!r}: 'latest:<system>'}}"
        )
    return _latest(experiment, source.removeprefix(LATEST)).id if source.startswith(LATEST) else source


def _latest(experiment: Experiment, system: str) -> Run:
    """The newest run of an encoder on clips such as the detector's videos are cut into: on those of SynthADL for
    SynthADL-U, on the same set for another. FileNotFoundError where there is none; ValueError where runs on different
    manifests could be meant."""
    kind = CLIPS_OF.get(experiment.dataset, experiment.dataset)
    first = latest(experiment.runs, system=system, dataset=kind)
    if kind == "manifest":
        for rival in finished(experiment.runs):
            if (rival.config.system, rival.config.dataset) == (system, kind) and not rival.about_the_same(first):
                raise ValueError(
                    f"latest:{system} could be {first.id} of {first.data_record['root']} or {rival.id} of "
                    f"{rival.data_record['root']}: name the run"
                )
    return first


def features(experiment: Experiment, data: Untrimmed, modalities: frozenset[str]) -> dict[str, Snippets]:
    """The snippets' features of ``data`` by modality, made by the experiment's encoders where they are not kept yet."""
    folder = CACHE if experiment.cache in ("auto", None) else experiment.cache
    how: dict[str, Any] = {"cache": folder, "device": experiment.device, "progress": experiment.progress}
    return {modality: extract(data, **_encoder(experiment, modality), **how) for modality in sorted(modalities)}


def of_modality(experiment: Experiment, modality: str) -> Experiment:
    """The experiment that an encoder is: of its run, or an I3D's at the preset's sizes."""
    source = experiment.snippets[modality]
    if not _file(source).is_file():
        return open_run(source, experiment.runs).experiment
    return _i3d(json.dumps({**experiment.numbers.model_dump(mode="json"), "options": {}}))


@cache
def _i3d(preset: str) -> Experiment:
    return resolve(TrainConfig(system="rgb", preset=json.loads(preset)))


def _encoder(experiment: Experiment, modality: str) -> dict[str, Any]:
    """Arguments of ``extract``: a run, or a network with the weights of a file."""
    source = experiment.snippets[modality]
    if not _file(source).is_file():
        return {"source": open_run(source, experiment.runs)}
    clips = of_modality(experiment, modality)
    system = clips.build()
    weights.load(submodule(system, "backbone", nn.Module), _file(source))
    for parameter in submodule(
        system, "classifier", nn.Module
    ).parameters():  # unused, but kept features are known by all weights
        nn.init.zeros_(parameter)
    return {"source": system, "clip": clips.clip}


def _file(source: str) -> Path:
    return weights.SHIPPED.get(source, Path(source))
