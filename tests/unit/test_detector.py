"""Detectors and Augmented-RGB: what they read, what they are taught, and by what."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch

from workbench import losses
from workbench.study.config.train_config import TrainConfig
from workbench.study.sweep import table_file
from workbench.study.train import optim
from workbench.systems import build, detects, variants
from workbench.systems.augmented_rgb.augmented_rgb import pairs
from workbench.types import Batch

ROOT = Path(__file__).parents[2]
CLASSES, LONGEST = 5, 20
LENGTHS = torch.tensor([20, 12, 7, 1])
SIZES = {"rgb": 12, "flow": 10, "pose": 6}


def made(name: str = "augmented_rgb", **options):
    torch.manual_seed(0)
    return build(name, CLASSES, width=0.125, features=SIZES, **options)


def batch(seed: int = 0) -> Batch:
    rng = torch.Generator().manual_seed(seed)
    mask = torch.arange(LONGEST) < LENGTHS[:, None]
    features = {name: torch.randn(4, LONGEST, size, generator=rng) * mask[..., None] for name, size in SIZES.items()}
    label = (torch.rand(4, LONGEST, CLASSES, generator=rng) < 0.3).float() * mask[..., None]
    return Batch(features=features, label=label, mask=mask, ids=list("abcd"))


@pytest.mark.parametrize("temporal_filter", ["sstcn", "tgm", "lstm"])
def test_a_detector_scores_every_snippet(temporal_filter):
    system, given = made("detector", temporal_filter=temporal_filter).eval(), batch()
    output = system(given)
    assert output.logits.shape == (4, LONGEST, CLASSES) and output.features.shape == (4, 32)
    shapes = {name: tuple(value.shape) for name, value in output.maps.items()}
    assert shapes == {"feature_map": (4, 32, LONGEST, 1, 1), "covariance": (4, 32, 32), "temporal": (4, LONGEST)}
    alone = system(Batch(features={"rgb": given.features["rgb"][2:3, :7]}))
    assert torch.allclose(alone.logits, output.logits[2:3, :7], atol=1e-5)
    for name in ("covariance", "temporal"):
        assert torch.allclose(alone.maps[name], output.maps[name][2:3, ..., : alone.maps[name].shape[-1]], atol=1e-5)
    assert torch.allclose(alone.features, output.features[2:3], atol=1e-5)


def test_two_streams_are_the_mean_of_their_logits_and_learn_apart():
    system, given = made("detector", streams=["rgb", "pose"], dropout=0.0), batch()
    output = system(given)
    single = [stream(given.features, given.mask)[1] for stream in system.streams.values()]
    assert torch.allclose(output.logits, (single[0] + single[1]) / 2)
    terms = system.loss(output, given)
    for name, logits in zip(("rgb", "pose"), single, strict=True):
        assert torch.allclose(terms[name], losses.multi_label(logits, given.label, given.mask))
    assert torch.allclose(terms["total"], terms["rgb"] + terms["pose"])
    assert system.modalities_test == {"rgb", "pose"} and detects("detector") and not detects("vpn")


def test_a_student_reads_rgb_alone_at_test():
    system, given = made(teachers=["pose", "two_stream"]).eval(), batch()
    assert system.modalities_test == {"rgb"} and system.modalities_train == {"rgb", "flow", "pose"}
    rgb = given.replace(features={"rgb": given.features["rgb"]})
    assert torch.equal(system(rgb).logits, system(given).logits)
    assert not any(name.startswith("teacher/") for name in system(given).maps)
    assert set(system.loss(system(rgb), rgb)) == {"classification", "total"}
    with pytest.raises(ValueError, match=r"reads batch.features\['pose'\], but the batch has: rgb"):
        system.train()(rgb)


def test_the_student_is_as_large_as_vanilla_rgb():
    sizes = [sum(p.numel() for p in module.parameters()) for module in (made("detector"), made().student)]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("terms", [["atomic"], ["global"], ["boundary"], ["global", "boundary"]])
@pytest.mark.parametrize("level", ["feature", "logit", "both"])
def test_the_total_is_equation_7(terms, level):
    system = made(teachers=["flow", "pose"], terms=terms, level=level, dropout=0.0)
    given = batch()
    torch.manual_seed(1)
    output = system(given)
    found = system.loss(output, given)
    assert set(found) == {"classification", "total", *terms}
    weights = {"atomic": 300.0, "global": 100.0, "boundary": 5.0}
    expected = found["classification"] + sum(weights[name] * found[name] for name in terms)
    assert torch.allclose(found["total"], expected)
    said = system.teach(given)
    at = {
        "feature": [(output.aux["sequence"], teacher.aux["sequence"]) for teacher in said.values()],
        "logit": [(output.logits, teacher.logits) for teacher in said.values()],
    }
    compared = at["feature"] + at["logit"] if level == "both" else at[level]
    if "global" in terms:
        value = sum(losses.global_contextual(mine, theirs, given.mask) for mine, theirs in compared)
        assert torch.allclose(found["global"], value, rtol=1e-4)
    if "boundary" in terms:
        value = sum(losses.boundary_saliency(mine, theirs, "printed", given.mask) for mine, theirs in compared)
        assert torch.allclose(found["boundary"], value, rtol=1e-4)


def test_a_negative_pair_is_of_another_label():
    label = torch.zeros(4, 3, 2)
    label[:3, 1, 0] = 1  # three videos of one class
    label[3, 2, 1] = 1
    for _ in range(5):
        first, second, positive = pairs(label)
        assert first[:4].tolist() == second[:4].tolist() == [0, 1, 2, 3]
        assert positive.tolist() == [True] * 4 + [False] * 4
        assert second[4:7].tolist() == [3, 3, 3] and int(second[7]) < 3
    assert pairs(label[:3])[2].tolist() == [True] * 3  # nothing to be negative


def test_phi_is_the_share_of_the_negative_snippets():
    system = made(terms=["atomic"], dataset_size=1000, dropout=0.0)
    given = batch()
    given = given.replace(label=torch.zeros_like(given.label).index_fill_(0, torch.tensor([0]), 1.0))
    output = system(given)
    torch.manual_seed(3)
    found = system.loss(output, given)["atomic"]
    torch.manual_seed(3)
    first, second, positive = pairs(given.label)
    mask = given.mask[first] & given.mask[second]
    mine, theirs = output.aux["sequence"][first], system.teach(given)["flow"].aux["sequence"][second]
    phi = int(mask[~positive].sum()) / 1000
    assert torch.allclose(found, losses.atomic(mine, theirs, positive, phi, mask))


@pytest.mark.parametrize("baseline", ["hallucination", "mars", "graph"])
def test_a_baseline_takes_the_place_of_the_terms(baseline):
    system, given = made(baseline=baseline, teachers=["flow"], dropout=0.0), batch()
    output = system(given)
    found = system.loss(output, given)
    mine, theirs = output.aux["sequence"], system.teach(given)["flow"].aux["sequence"]
    expected = {
        "hallucination": lambda: losses.hallucination(mine, theirs, given.mask),
        "mars": lambda: losses.mars(mine[given.mask], theirs[given.mask]),
        "graph": lambda: losses.graph_distillation(mine, [theirs], None, given.mask),
    }[baseline]()
    assert set(found) == {"classification", baseline, "total"}
    assert torch.allclose(found[baseline], expected)
    assert torch.allclose(found["total"], found["classification"] + 50 * expected)


def test_the_graph_learns_which_teacher_counts():
    system, given = made(baseline="graph", teachers=["flow", "pose"], dropout=0.0), batch()
    output = system(given)
    edges = system.edges(output, system.taught(output))
    assert edges.shape == (4, LONGEST, 2) and torch.allclose(edges.sum(2), torch.ones(4, LONGEST))
    system.loss(output, given)["total"].backward()
    assert system.graph.weight.grad.abs().sum() > 0


def test_the_teachers_come_first_and_then_stay_as_they_are():
    system, given = made(teachers=["flow", "pose"]), batch()
    stages = system.stages()
    assert [stage.name for stage in stages] == [
        "teachers.flow/detection",
        "teachers.pose/detection",
        "student/detection",
    ]
    assert all(stage.epochs == 300 and stage.optimizer == {"name": "adam", "lr": 1e-3} for stage in stages)
    assert all(stage.schedule == {"name": "plateau", "patience": 10, "factor": 0.3} for stage in stages)
    optim.freeze(system, stages[-1])
    optim.train_mode(system)
    assert not system.teachers.training and system.student.training
    output = system(given)
    system.loss(output, given)["total"].backward()
    assert all(p.grad is None for p in system.teachers.parameters())
    assert all(p.grad is not None for p in system.student.parameters())
    assert torch.equal(output.maps["teacher/covariance"], system.teach(given)["flow"].maps["covariance"])


def test_sizes_come_from_the_encoders_where_nobody_says_them():
    assert build("detector", CLASSES, width=0.25).feature_channels == {"rgb": 256}
    both = build("detector", CLASSES, streams=["pose", "flow"], backbone="r3d50g")
    assert both.feature_channels == {"pose": 256, "flow": 2048}
    with pytest.raises(ValueError, match=r"must be \[B,T,12\], got \[4, 20, 9\]; build\(..., features={'rgb': 9}\)"):
        made("detector")(Batch(features={"rgb": torch.zeros(4, 20, 9)}))


def test_options_are_those_of_the_paper():
    options = variants("augmented_rgb")
    assert options["temporal_filter"].valid == ("sstcn", "tgm", "lstm")
    assert options["terms"].valid == ("atomic", "global", "boundary") and options["terms"].many
    assert [options[f"alpha_{name}"].default for name in ("atomic", "global", "boundary")] == [300, 100, 5]
    readings = {name: options[name].default for name in ("reduction", "atomic_reading", "global_reading", "boundary")}
    assert readings == {
        "reduction": "sum",
        "atomic_reading": "printed",
        "global_reading": "squared",
        "boundary": "printed",
    }
    assert variants("detector")["reduction"].default == "sum"
    assert not TrainConfig(system="augmented_rgb", preset="paper").variant()
    numbers = TrainConfig(system="augmented_rgb", preset="paper").numbers
    assert (numbers.clip[0], numbers.sampling, numbers.stride) == (16, "strided", 1)  # section 3.1


def weight_rows() -> list[tuple[str, str, tuple[str, ...], float, str]]:
    """Of each row that tries a weight: teachers, the weight's name, its reading, its value, the row's id."""
    found = []
    for row in table_file.read_table(ROOT / "notebooks/ablations/augmented_rgb_weights.yaml").rows:
        options = row.parameters.get("options", {})
        if row.parameters["system"] == "augmented_rgb":
            ((name, weight),) = [(key, value) for key, value in options.items() if key.startswith("alpha_")]
            reading = tuple(value for key, value in options.items() if key == "boundary")
            found.append(("+".join(sorted(options["teachers"])), name, reading, weight, row.id))
    return found


def test_every_teacher_of_a_table_has_weights_of_its_own():
    """Each weight that a table uses with a teacher is tried with that teacher, at the printed value too, and the
    presets have one of those that were tried."""
    tried: dict[tuple, set[float]] = {}
    for teachers, name, reading, weight, _ in weight_rows():
        tried.setdefault((teachers, name, reading), set()).add(weight)
    printed = {"alpha_atomic": 300, "alpha_global": 100, "alpha_boundary": 5, "alpha_baseline": 50}
    assert all(printed[name] in weights and len(weights) > 3 for (_, name, _), weights in tried.items())
    for path in [
        *ROOT.glob("notebooks/ablations/augmented_rgb_table*.yaml"),
        ROOT / "notebooks/ablations/detection.yaml",
    ]:
        for config in table_file.configs(path).values():
            if config.system == "augmented_rgb":
                options = config.variant()
                teachers = "+".join(sorted(options.get("teachers", ["flow"])))
                reading = ("per_step",) if "boundary" in options else ()
                terms = (
                    ["baseline"] if "baseline" in options else options.get("terms", ["atomic", "global", "boundary"])
                )
                for term in terms:
                    own = reading if term == "boundary" else ()
                    assert options[f"alpha_{term}"] in tried[teachers, f"alpha_{term}", own], (path, config)


def test_small_presets_have_the_weights_that_were_best_on_validation_subjects():
    """Of each loss by itself, and of the three other distillations together, with each teacher, in the committed
    study."""
    measured = pd.read_csv(ROOT / "docs/study/augmented_rgb_weights.csv").groupby("row")["value"].mean()
    if missing := sorted({row for *_, row in weight_rows()} - set(measured.index)):
        pytest.skip(f"docs/study/augmented_rgb_weights.csv is older than its table: it has no row {missing[0]}")
    sums: dict[tuple, dict[float, float]] = {}
    for teachers, name, reading, weight, row in weight_rows():
        found = sums.setdefault((teachers, name, reading), {})
        found[weight] = found.get(weight, 0.0) + measured[row]
    for preset in ("tiny", "study"):
        for (teachers, name, reading), found in sums.items():
            if not reading:
                config = TrainConfig(system="augmented_rgb", preset=preset, options={"teachers": teachers.split("+")})
                assert config.variant()[name] == max(found, key=found.get), (teachers, name)
    per_step = table_file.configs(ROOT / "notebooks/ablations/detection.yaml")["Augmented-RGB, boundaries per step"]
    found = sums["pose", "alpha_boundary", ("per_step",)]
    assert per_step.options["alpha_boundary"] == max(found, key=found.get)


def test_a_preset_has_weights_for_a_choice_of_teachers():
    def variant(*teachers: str, **options) -> dict:
        return TrainConfig(
            system="augmented_rgb", preset=own, options={"teachers": list(teachers), **options}
        ).variant()

    own = {"base": "tiny", "options": {"alpha_atomic": {"flow": 1.0, "flow+pose": 2.0}, "alpha_global": 3.0}}
    assert TrainConfig(system="augmented_rgb", preset=own).variant() == {"alpha_atomic": 1.0, "alpha_global": 3.0}
    assert variant("pose", "flow")["alpha_atomic"] == variant("flow", "pose")["alpha_atomic"] == 2.0
    assert "alpha_atomic" not in variant("two_stream")
    assert variant("flow", alpha_atomic=300.0)["alpha_atomic"] == 300.0
    assert not TrainConfig(system="detector", preset=own).variant()


def test_a_teacher_or_a_stream_is_said_once():
    with pytest.raises(ValueError, match="teachers must differ from each other, got flow, flow"):
        made(teachers=["flow", "flow"])
    with pytest.raises(ValueError, match="streams must differ from each other, got rgb, rgb"):
        made("detector", streams=["rgb", "rgb"])
