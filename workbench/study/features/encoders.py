"""What makes features of snippets: an encoder for each modality, a shipped network, a file of weights or a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from workbench.data import Dataset, Untrimmed
from workbench.data.untrimmed.snippet_files import Snippets, SnippetSpec
from workbench.nets import weights
from workbench.study.config.data_of import CACHE, clip_spec
from workbench.study.config.train_config import TrainConfig
from workbench.study.features.extract import extract
from workbench.study.runs import init_weights
from workbench.study.runs.find_runs import LATEST, finished, latest, open_run
from workbench.study.runs.run_folder import Run, make_system

#: The clips that are like the long videos of a set, where those are another set.
CLIPS_OF = {"synthadl_u": "synthadl"}
#: Encoders where the configuration names none.
ENCODERS = {"rgb": "i3d_synthadl_p"}
#: Systems that encode a modality, for whoever has to train one.
TRAINABLE = {"rgb": "rgb", "flow": "perf_stream with the option stream=flow", "pose": "agcn"}


def settled(config: TrainConfig, data: Dataset | Untrimmed) -> TrainConfig:
    """The configuration as ``resolved`` for ``data``; a detector's with an encoder for each modality that it reads in
    training; "latest:" spelt out everywhere, so that it says which run it is. ValueError for a modality without an
    encoder, or an encoder too many; FileNotFoundError for a run or file that isn't there."""
    init = {module: init_weights.spelt(source, config) for module, source in config.init.items()}
    config = config.model_copy(update={"init": init})
    if not config.detects:
        return config.resolved(data.protocol, len(data))
    config = config.resolved(data.protocol, sum(len(SnippetSpec().starts(length)) for length in data.lengths))
    read = make_system(config, ["any"], data.skeleton.name if data.skeleton else None).modalities_train
    if unread := sorted(set(config.snippets) - read):
        raise ValueError(
            f"snippets name {unread[0]!r}, which this {config.system} doesn't read: {', '.join(sorted(read))}"
        )
    return config.model_copy(update={"snippets": {modality: _source(config, modality) for modality in sorted(read)}})


def _source(config: TrainConfig, modality: str) -> str:
    source = config.snippets.get(modality, ENCODERS.get(modality))
    if source is None:
        raise ValueError(
            f"{config.system} reads features of {modality}, for which snippets name no encoder: train one "
            f"({TRAINABLE[modality]}), its preset with sampling: strided, and name its run, as in "
            f"snippets={{{modality!r}: 'latest:<system>'}}"
        )
    return _latest(config, source.removeprefix(LATEST)).id if source.startswith(LATEST) else source


def _latest(config: TrainConfig, system: str) -> Run:
    """The newest run of an encoder on clips such as the detector's videos are cut into: on those of SynthADL for
    SynthADL-U, on the same set for another. FileNotFoundError where there is none; ValueError where runs on different
    manifests could be meant."""
    kind = CLIPS_OF.get(config.dataset, config.dataset)
    first = latest(config.runs, system=system, dataset=kind)
    if kind == "manifest":
        for other in finished(config.runs):
            if (other.config.system, other.config.dataset) == (system, kind) and not other.about_the_same(first):
                raise ValueError(
                    f"latest:{system} could be {first.id} of {first.known['root']} or {other.id} of "
                    f"{other.known['root']}: name the run"
                )
    return first


def channels(config: TrainConfig, data: Untrimmed) -> dict[str, int]:
    """Channels of the features of each modality that the detector reads in training; makes them."""
    return {name: found.channels for name, found in features(config, data, frozenset(config.snippets)).items()}


def features(config: TrainConfig, data: Untrimmed, modalities: frozenset[str]) -> dict[str, Snippets]:
    """The snippets' features of ``data`` by modality, made by the encoders that ``config`` names where they are not
    kept yet."""
    folder = CACHE if config.cache in ("auto", None) else config.cache
    how: dict[str, Any] = {"cache": folder, "device": config.device, "progress": config.progress}
    return {
        modality: extract(data, **_encoder(config, config.snippets[modality]), **how) for modality in sorted(modalities)
    }


def config_of(config: TrainConfig, source: str) -> TrainConfig:
    """The configuration of an encoder: of its run, or an I3D's at the preset's sizes."""
    if not _file(source).is_file():
        return open_run(source, config.runs).config
    return TrainConfig(system="rgb", preset={**config.numbers.model_dump(mode="json"), "options": {}})


def _encoder(config: TrainConfig, source: str) -> dict[str, Any]:
    """Arguments of ``extract``: a run, or a network with the weights of a file."""
    if not _file(source).is_file():
        return {"source": open_run(source, config.runs)}
    clips = config_of(config, source)
    system = make_system(clips, ["any"], None)
    weights.load(system.backbone, _file(source))
    for parameter in system.classifier.parameters():  # unused, but kept features are known by all weights
        nn.init.zeros_(parameter)
    return {"source": system, "clip": clip_spec(clips)}


def _file(source: str) -> Path:
    return weights.SHIPPED.get(source, Path(source))
