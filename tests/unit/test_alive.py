"""Is it alive? Systems whose answers are known, numbers worked out by hand."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from tests.tiny_runs import Place
from workbench.explain.reuse import Reuse
from workbench.nets import AttentionPoint, uniform_attention
from workbench.show.figures import alive as figures
from workbench.study import fit
from workbench.study.evaluate import alive, exchanges, gradient_shares
from workbench.study.evaluate.alignment import alignment, lesson_of, of_snippets, squared_error
from workbench.study.evaluate.attention_grades import shuffle_time
from workbench.study.evaluate.exchanges import OWN, POSE, TIME, UNIFORM
from workbench.study.evaluate.inference import Answers
from workbench.study.report import alive_report, export, markdown
from workbench.study.runs import find_runs
from workbench.study.runs.alive_columns import columns
from workbench.study.sweep import sweep
from workbench.study.train import step
from workbench.systems.common.base import System
from workbench.types import Batch, Output

CLASSES, CLIPS = 3, 6
LABELS = torch.arange(CLIPS) % CLASSES


class Counted(nn.Flatten):
    """Counts how often it is really run."""

    runs = 0

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        self.runs += 1
        return super().forward(video)


class Reader(System):
    """Answers with what it reads: the class that the ``source`` of a batch carries."""

    needs_test = frozenset({"video", "pose"})

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source, self.backbone, self.scale = source, Counted(), nn.Parameter(torch.ones(()))

    def forward(self, batch: Batch) -> Output:
        video = self.backbone(batch.video)
        # A pose's first moment holds the class; the moments after it hold that of the next classes.
        first = batch.pose[:, 0, 0, 0]
        logits = self.scale * (video[:, :CLASSES] if self.source == "video" else first)
        return Output(logits, logits, {"joints": batch.pose[:, 0, :, 0].abs()})


class Attentive(System):
    """Pools three cells, each of which speaks for a class, by attention that the video brings along; ``lever`` is how
    much the weighted sum counts beside the plain one."""

    needs_test = frozenset({"video"})

    def __init__(self, lever: float) -> None:
        super().__init__()
        self.point, self.lever, self.scale = AttentionPoint(), lever, nn.Parameter(torch.ones(()))

    def forward(self, batch: Batch) -> Output:
        weights = batch.video.flatten(1)[:, :CLASSES].softmax(1)
        plain = torch.tensor([0.3, 0.2, 0.1])
        logits = self.scale * (plain + self.lever * self.point(weights))
        return Output(logits, logits, {"temporal": weights})


def batches(size: int = 4) -> list[Batch]:
    one_hot = torch.nn.functional.one_hot
    video = torch.zeros(CLIPS, 3, CLASSES, 1, 1)
    video[:, 0, :, 0, 0] = 5 * one_hot(LABELS, CLASSES)
    pose = torch.stack([one_hot((LABELS + t) % CLASSES, CLASSES).float() for t in range(3)], dim=1)[:, None, :, None]
    ids = [f"clip{i}" for i in range(CLIPS)]
    return [
        Batch(video=video[at], pose=pose[at], label=LABELS[at], ids=ids[at])
        for at in (slice(start, start + size) for start in range(0, CLIPS, size))
    ]


def ask(system: System) -> dict[str, Answers]:
    return exchanges.ask_all(
        system.eval(), batches(), partial(Batch.to, device="cpu"), exchanges.pose_change(batches(), 0), 0
    )


def test_a_system_that_ignores_poses_changes_nothing_and_one_that_reads_only_poses_everything():
    blind = exchanges.effects(ask(Reader("video")))
    assert set(blind) == {OWN, POSE, TIME}
    assert blind[OWN] == {"top1": {"value": 1.0, "low": 1.0, "high": 1.0}}
    assert blind[POSE]["changed"]["value"] == blind[TIME]["changed"]["value"] == 0
    assert blind[POSE]["top1"]["value"] == 1 and blind[POSE]["gain"]["value"] == 0
    reading = exchanges.effects(ask(Reader("pose")))
    assert reading[OWN]["top1"]["value"] == 1
    # Every partner is of another class: all predictions change, and none is right.
    assert reading[POSE]["changed"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert reading[POSE]["top1"]["value"] == 0 and reading[POSE]["gain"]["value"] == 1
    assert alive.verdict({"exchanges": reading}) == []
    assert alive.verdict({"exchanges": blind}) == [
        "idle: another clip's poses change 0.0 % of predictions (floor 10 %)"
    ]


def test_time_is_shuffled_in_the_poses_of_a_system_that_reads_them():
    asked = ask(Reader("pose"))
    moved = [not np.array_equal(a, b) for a, b in zip(asked[OWN].logits, asked[TIME].logits, strict=True)]
    assert any(moved)
    assert exchanges.effects(asked)[TIME]["changed"]["value"] == pytest.approx(np.mean(moved))


def test_time_is_shuffled_in_what_was_filmed_and_not_in_what_was_made_of_it():
    def ready(batch: Batch) -> Batch:
        return batch.replace(video=batch.video.cumsum(2))

    given, system, shuffled = [batch.replace(pose=None) for batch in batches()], Attentive(10.0).eval(), shuffle_time(0)
    asked = exchanges.ask_all(system, given, ready)
    right, wrong = (
        torch.cat([system(batch).logits for batch in changed]).detach().numpy()
        for changed in ([ready(shuffled(batch)) for batch in given], [shuffled(ready(batch)) for batch in given])
    )
    np.testing.assert_allclose(asked[TIME].logits, right)
    assert not np.allclose(right, wrong)


def test_what_does_not_depend_on_the_poses_is_run_once_a_batch():
    system = Reader("pose")
    ask(system)
    assert system.backbone.runs == len(batches())


def test_uniform_attention_changes_what_has_a_lever():
    strong = exchanges.effects(ask(Attentive(10.0)))
    # Even weights leave the plain preference for class 0, which a third of the clips is.
    assert set(strong) == {OWN, TIME, UNIFORM}
    assert strong[OWN]["top1"]["value"] == 1
    assert strong[UNIFORM]["top1"]["value"] == pytest.approx(1 / 3)
    assert strong[UNIFORM]["changed"]["value"] == pytest.approx(2 / 3)
    weak = exchanges.effects(ask(Attentive(0.01)))
    assert weak[UNIFORM]["changed"]["value"] == 0
    # A ceiling is judged by uniform attention: what is given doesn't depend on poses or time.
    said = alive.verdict({"exchanges": weak, "ceiling": True})
    assert said == ["idle: uniform attention changes 0.0 % of predictions (floor 10 %)"]
    assert alive.verdict({"exchanges": strong, "ceiling": True}) == []


def test_a_system_without_mechanism_is_asked_once():
    class Plain(Attentive):
        def __init__(self) -> None:
            super().__init__(1.0)
            self.point = nn.Identity()

        def forward(self, batch: Batch) -> Output:
            return Output(super().forward(batch).logits, super().forward(batch).features)

    asked = ask(Plain())
    assert set(asked) == {OWN} and exchanges.effects(asked) == {} and exchanges.spreads(asked[OWN]) == {}


def test_poses_of_a_single_clip_cannot_be_exchanged():
    assert exchanges.pose_change([batches(1)[0]], 0) is None


def test_a_system_that_is_asked_again_remembers_nothing_across_uniform_attention():
    class Nested(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.scale = nn.Sequential(AttentionPoint()), nn.Parameter(torch.ones(()))

        def forward(self, batch: Batch) -> Output:
            values = self.inner(batch.video.flatten(1)) * self.scale
            return Output(values, values)

    system, batch = Nested().eval(), batches()[0]
    again = Reuse(system)
    own = again(batch).logits
    with uniform_attention(system):
        torch.testing.assert_close(again(batch).logits, own.mean(1, keepdim=True).expand_as(own))
    assert torch.equal(again(batch).logits, own) and again.kept == ["inner"]


def found(maps: dict[str, np.ndarray], keys: np.ndarray | None = None) -> Answers:
    count = len(next(iter(maps.values()))) if maps else len(keys)
    logits = np.zeros((count, 2), np.float32)
    return Answers([str(i) for i in range(count)], np.zeros(count, int), logits, logits, logits, maps, keys)


def test_spreads_by_hand():
    # Two clips of two cells: variances over clips 1 and 0, squares 1, 9, 4, 4.
    told = exchanges.spreads(found({"temporal": np.array([[1.0, 2.0], [3.0, 2.0]], np.float32)}))["temporal"]
    assert told["over_clips"] == pytest.approx(0.5) and told["over_clips_share"] == pytest.approx(0.5 / 4.5)
    # Deviations within the clips 0.5 and 0.5, means 1.5 and 2.5.
    assert told["over_cells"] == pytest.approx((0.5 / 1.5 + 0.5 / 2.5) / 2)
    larger = exchanges.spreads(found({"temporal": 100 * np.array([[1.0, 2.0], [3.0, 2.0]], np.float32)}))["temporal"]
    assert larger["over_clips_share"] == pytest.approx(told["over_clips_share"])


def test_the_same_map_for_every_clip_is_idle_and_activations_are_not_judged():
    same = np.tile(np.array([[0.1, 0.9]], np.float32), (4, 1))
    told = exchanges.spreads(found({"segments/2": same, "joints": same}, keys=same))
    assert told["affinity"]["over_clips_share"] < 1e-9
    told["segments/2"]["over_clips_share"], told["affinity"]["over_clips_share"] = 2e-6, 3e-7
    assert alive.verdict({"maps": told}) == [
        "idle: the same map for every clip (variance over clips as a share of the mean square, floor 0.0001): "
        "segments/2 2e-06, affinity 3e-07"
    ]
    told["segments/2"]["over_clips_share"] = told["affinity"]["over_clips_share"] = 1.1e-4
    assert alive.verdict({"maps": told}) == []


def test_the_affinity_counts_by_what_each_key_gets():
    affinity = torch.tensor([[[1.0, 0.0], [0.5, 0.5]]])
    gathering = exchanges.Gathering()
    output = Output(torch.zeros(1, 2), torch.zeros(1, 1), {"affinity": affinity})
    gathering.add(Batch(label=torch.zeros(1, dtype=torch.long), ids=["a"]), output)
    assert gathering.answers().keys.tolist() == [[0.75, 0.25]]


def test_alignment_by_hand():
    teacher = np.array([[2.0, 0.0], [0.0, 3.0]])
    student = np.array([[1.0, 0.0], [1.0, 0.0]])
    told = alignment(teacher, student, np.array([0, 1]), "unit")
    # Own cosines 1 and 0, to the other class 0 and 1.
    assert told["own"]["value"] == told["other"]["value"] == 0.5 and told["margin"]["value"] == 0
    # Distances 0 and 2; the mean of the unit vectors (1/2, 1/2) has length sqrt(1/2).
    assert told["loss"] == pytest.approx(1.0) and told["constant"] == pytest.approx(2 - np.sqrt(2))
    assert told["teacher_share"] == pytest.approx(0.5)
    assert told["ahead"]["value"] == pytest.approx(1 - np.sqrt(2))
    raw = alignment(teacher, student, np.array([0, 1]), "raw")
    # Squares (1, 0) and (1, 9), means over two numbers; around the mean (1, 3/2): (1, 9/4) twice.
    assert raw["loss"] == pytest.approx((0.5 + 5.0) / 2) and raw["constant"] == pytest.approx(13 / 8)


def test_a_student_as_its_teacher_is_alive_and_a_constant_one_is_not():
    rng = np.random.default_rng(0)
    teacher, labels = rng.normal(size=(40, 5)), np.arange(40) % 4
    for error in ("unit", "raw"):
        same = alignment(teacher, teacher, labels, error)
        assert same["loss"] == pytest.approx(0) and same["margin"]["low"] > 0.5
        assert alive.verdict({"distillation": {"features": same}}) == []
        mean = (teacher / np.linalg.norm(teacher, axis=1, keepdims=True) if error == "unit" else teacher).mean(0)
        constant = alignment(teacher, np.tile(mean, (40, 1)), labels, error)
        assert constant["loss"] == pytest.approx(constant["constant"])
        worse = alignment(teacher, -teacher, labels, error)
        (said,) = alive.verdict({"distillation": {"features": worse}})
        assert said.startswith("idle: the distillation of features tells no clip from another, its loss of")
    away = alignment(teacher, -teacher, labels)
    assert "loss" not in away and away["margin"]["high"] < 0
    (said,) = alive.verdict({"distillation": {"features": away}})
    assert said.startswith("idle: the student's embedding of features is no nearer to its own teacher's")


def test_a_teacher_of_one_map_for_all_clips_is_idle():
    teacher = np.ones((6, 4)) + 1e-6 * np.arange(24).reshape(6, 4)
    told = alignment(teacher, teacher, np.arange(6) % 2, "unit")
    assert told["teacher_share"] < alive.VARIANCE
    said = alive.verdict({"distillation": {"attention": told}})
    assert said[0].startswith("idle: the teacher's embedding of attention is the same for every clip")


def test_other_is_the_mean_over_all_clips_of_other_classes():
    rng = np.random.default_rng(1)
    teacher, student, labels = rng.normal(size=(7, 3)), rng.normal(size=(7, 3)), np.array([0, 0, 1, 2, 2, 2, 1])
    unit = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (teacher, student)]
    cosines = unit[1] @ unit[0].T
    expected = np.mean([cosines[i, labels != labels[i]].mean() for i in range(7)])
    assert alignment(teacher, student, labels)["other"]["value"] == pytest.approx(expected)
    assert "margin" not in alignment(teacher, student, np.zeros(7, int))


def test_which_squared_error_a_run_minimises():
    def config(system: str, **options: object) -> SimpleNamespace:
        return SimpleNamespace(system=system, options=options)

    assert squared_error(config("vpn_a"), "attention") == "unit"
    assert squared_error(config("vpn_a", distillation="scd"), "attention") is None
    assert squared_error(config("vpn_f"), "features") is None
    assert squared_error(config("vpn_f", distillation="mse"), "features") == "raw"
    assert squared_error(config("vpn_pp"), "vpn_a/attention") == "unit"
    assert squared_error(config("mars"), "flow features") == "raw"
    assert squared_error(config("perf_net", loss="unified"), "flow logits") is None


def test_gradient_shares_of_two_terms_by_hand():
    shared, own = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([3.0], requires_grad=True)
    l_c = (shared * torch.tensor([3.0, 4.0])).sum()  # gradient (3, 4), norm 5
    l_d = (shared * torch.tensor([0.0, 1.0])).sum() + 100 * own.sum()  # on what the classes reach (0, 1), norm 1
    terms = {"classification": l_c, "distillation": l_d, "total": l_c + 20 * l_d}
    told = gradient_shares.gradient_shares(terms, [shared, own])
    assert told == pytest.approx({"gradient_classification": 5 / 25, "gradient_distillation": 20 / 25})
    scaled = gradient_shares.gradient_shares(terms, [shared, own], scale=1024.0)
    assert scaled == pytest.approx(told)
    # Nothing is left behind, and the graph still gives its gradients.
    assert shared.grad is None and own.grad is None
    terms["total"].backward()
    assert shared.grad.tolist() == [3.0, 24.0] and own.grad.tolist() == [2000.0]


def test_gradient_shares_of_a_teacher_that_learns_along():
    student, teacher = (torch.tensor([1.0], requires_grad=True) for _ in range(2))
    l_s, l_t, l_d = 3 * student.sum(), 2 * teacher.sum(), (student - 4 * teacher).sum()
    terms = {"classification": l_s, "teacher": l_t, "distillation": l_d, "total": l_s + l_t + 0.5 * l_d}
    told = gradient_shares.gradient_shares(terms, [student, teacher])
    assert told["gradient_classification"] == pytest.approx(3 / 3.5) and told["gradient_teacher"] == 0
    assert told["teacher_gradient_teacher"] == pytest.approx(0.5)
    assert told["teacher_gradient_distillation"] == pytest.approx(0.5)


def test_gradient_shares_of_what_does_not_count():
    weight = torch.tensor([2.0], requires_grad=True)
    l_c = weight.sum()
    assert gradient_shares.gradient_shares({"classification": l_c, "total": l_c}, [weight]) == {}
    said = {"classification": l_c, "shown": (weight**2).sum().detach(), "apart": (weight**3).sum(), "total": 2 * l_c}
    told = gradient_shares.gradient_shares(said, [weight])
    assert told == {"gradient_classification": 1.0, "gradient_shown": 0.0, "gradient_apart": 0.0}
    nameless = {"one": l_c, "two": weight.square().sum(), "total": l_c + weight.square().sum()}
    assert gradient_shares.gradient_shares(nameless, [weight]) == {}


def test_shares_are_read_from_the_history_by_stage():
    nan = float("nan")
    history = pd.DataFrame(
        {
            "stage": ["a", "b", "b", "b"],
            "gradient_classification": [nan, 0.9, nan, 0.4],
            "gradient_distillation": [nan, 0.1, nan, 0.6],
        }
    )
    told = gradient_shares.by_stage(history)
    assert told == {
        "b": {
            "first": {"gradient_classification": 0.9, "gradient_distillation": 0.1},
            "last": {"gradient_classification": 0.4, "gradient_distillation": 0.6},
        }
    }
    assert gradient_shares.by_stage(pd.DataFrame()) == {} == gradient_shares.by_stage(history[["stage"]])
    flat = columns({"gradients": told, "exchanges": {POSE: {"changed": {"value": 0.1, "low": 0.0, "high": 0.2}}}})
    assert flat["pose_changed"] == 0.1 and flat["b_last_gradient_distillation"] == 0.6


def test_columns_have_one_word_names():
    told = alignment(np.eye(2), np.eye(2)[::-1], np.array([0, 1]), "unit")
    flat = columns({"distillation": {"flow features": told}, "maps": {"segments/2": {"over_clips_share": 0.5}}})
    assert flat["segments_2_over_clips"] == 0.5 and flat["flow_features_margin"] == -1
    assert flat["flow_features_loss_ratio"] == pytest.approx(told["loss"] / told["constant"])
    assert columns({"distillation": {"skipped": "no poses"}}) == {}


def test_seeds_are_averaged_and_their_intervals_joined():
    first = {"a": {"value": 1.0, "low": 0.0, "high": 2.0}, "ceiling": True, "skipped": "why", "only": 1.0}
    second = {"a": {"value": 3.0, "low": 1.0, "high": 5.0}, "ceiling": True, "skipped": "why"}
    assert alive.average([first, second]) == {
        "a": {"value": 2.0, "low": 0.0, "high": 5.0},
        "ceiling": True,
        "skipped": "why",
        "only": 1.0,
    }


def test_a_line_says_how_a_run_is_made_where_there_is_none(tmp_path):
    said = alive.line("vpn", tmp_path)
    assert said.startswith("is vpn alive? ") and "no finished run" in said and "python -m workbench train" in said


def living(system: str, ceiling: bool = False, **options: object) -> alive_report.Living:
    variant = {**options, **({"guide": "truth"} if ceiling else {})}
    run = SimpleNamespace(experiment=SimpleNamespace(system=system, options=variant))
    return alive_report.Living(SimpleNamespace(id=system, label=system), {0: run})


def test_a_row_stands_beside_the_ceiling_of_its_own_form():
    residual, mean = living("vpn", modulation="residual"), living("vpn", modulation="mean", embedding="none")
    best = [living("vpn", True, modulation=form) for form in ("residual", "mean")]
    rows = [living("rgb"), residual, mean, *best, living("p_i3d", True, modulation="residual")]
    assert alive_report.ceilings(residual, rows) == [best[0]]
    assert alive_report.ceilings(mean, rows) == [best[1]]  # of other options, but of the same form
    assert alive_report.plain(rows) is rows[0] and alive_report.plain(rows[1:]) is None


def test_scores_of_one_clip(tmp_path):
    from tests.fixtures import fake_synthadl
    from workbench import data
    from workbench.systems import build

    fake_synthadl(tmp_path, actions=2, views=1, frames=12, size=(48, 64))
    clips = data.open_dataset("synthadl", str(tmp_path), "cs", "test")
    system = build("vpn", num_classes=2, skeleton="kinect_v2", width=0.125, clip=(8, 32, 32), poses=8).eval()
    spec = data.ClipSpec(frames=8, size=(32, 32), poses=8)
    asked = exchanges.of_clip(system, clips, 0, spec)
    assert {OWN, TIME, POSE} <= set(asked)
    assert all(found.scores.shape == (1, 2) and found.scores.sum() == pytest.approx(1) for found in asked.values())


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    """An rgb and a vpn run, and a table of both."""
    made = Place(tmp_path_factory.mktemp("alive"))
    made.basics()
    return made


@pytest.mark.parametrize("options", [{}, {"pose_backbone": "lstm"}])
def test_measuring_gradients_does_not_change_the_weights(place, tmp_path, monkeypatch, options):
    """Dropout, batch norm, recurrence, and bf16 where the processor has it."""
    epochs = {"backbone": 0, "pose": 0, "joint": 2}
    asked = place.asked("vpn") | {"options": options, "epochs": epochs, "evaluate": [], "progress": False}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with_shares = find_runs.open_run(fit(asked | {"runs": str(tmp_path / "with")}), tmp_path / "with")
        monkeypatch.setattr(step, "gradient_shares", lambda *_: {})
        without = find_runs.open_run(fit(asked | {"runs": str(tmp_path / "without")}), tmp_path / "without")
    finally:
        torch.set_num_threads(threads)
    weights = [(run.folder / "weights.safetensors").read_bytes() for run in (with_shares, without)]
    assert weights[0] == weights[1]
    shares = [name for name in with_shares.history if name.startswith("gradient_")]
    joint = with_shares.history[with_shares.history["stage"] == "joint"]
    assert len(shares) == 3 and joint[shares].sum(axis=1).tolist() == pytest.approx([1.0, 1.0])
    timeless = [run.history.drop(columns=["seconds", *shares], errors="ignore") for run in (with_shares, without)]
    pd.testing.assert_frame_equal(*timeless)


def test_shares_are_measured_in_the_first_and_the_last_epoch_of_a_stage(place, tmp_path):
    epochs = {"backbone": 0, "pose": 0, "joint": 3}
    asked = place.asked("vpn") | {"epochs": epochs, "evaluate": [], "progress": False}
    run = find_runs.open_run(fit(asked | {"runs": str(tmp_path)}), tmp_path)
    assert run.history["gradient_classification"].notna().tolist() == [True, False, True]


def test_the_report_has_a_table_of_what_is_alive(place):
    path = place.table()
    (results,) = sweep.read([path], seeds=1, where={"runs": str(place.runs), "root": str(place.world)})
    text = markdown.section(results, "a command")
    table = text[text.index("Is it alive? (") : text.index("Each seed:")]
    lines = table.strip().splitlines()[2:]
    assert lines[0].startswith("|  | percent right | gain | another clip's poses |") and "verdict" in lines[0]
    # The rgb row has no mechanism; VPN's says what it is.
    assert len(lines) == 3 and "vpn" in lines[2] and "joint" in lines[2]
    (words,) = (alive.state(find_runs.latest(place.runs, system="vpn")),)
    assert lines[2].endswith(f"| {words} |")
    told = alive_report.facts(results)
    assert list(told) == ["vpn"] and {"exchanges", "maps", "gradients", "verdict"} == set(told["vpn"])
    assert export.facts(results, "a command")["alive"] == told


def test_a_table_of_validation_scores_says_what_is_alive_too(place, tmp_path, monkeypatch):
    path = tmp_path / place.table().name
    path.write_text(place.table().read_text().replace('"metric": "top1"', '"metric": "validation_top1"'))
    (results,) = sweep.read([path], seeds=1, where={"runs": str(place.runs), "root": str(place.world)})
    monkeypatch.setattr(type(results), "values", lambda self, row, column: {0: 25.0 if row == "vpn" else 20.0})
    text = markdown.section(results, "a command")
    line = text[text.index("Is it alive? (") :].splitlines()[4]
    assert line.split("|")[2].strip() == "25.0"


def test_the_bars_of_a_table_of_ceilings(place, tmp_path):
    found = alive_report.bars(place.table(), place.runs, str(place.world))
    assert found["kind"].tolist() == ["plain", "learnt"] and found["low"].le(found["value"]).all()
    assert alive_report.bars(tmp_path / "none.yaml", place.runs).empty
    assert alive_report.bars(place.table(), tmp_path / "empty", str(place.world)).empty


def test_the_distillation_of_runs_is_measured(place):
    place.students()
    for run in find_runs.finished(place.runs):
        if run.config.system == "vpn_a":
            told = run.metrics["test"]["alive"]
            assert {"own", "other", "margin", "loss", "constant", "ahead"} <= set(told["distillation"]["attention"])
            shares = told["gradients"]["collaboration"]["first"]
            pulls = run.config.options["beta"] > 0
            assert (shares["gradient_distillation"] > 0) == pulls
            assert not run.experiment.options["detach_teacher"] or shares["teacher_gradient_distillation"] == 0
            assert shares["gradient_teacher"] == 0 < shares["teacher_gradient_teacher"]


def test_a_teacher_that_cannot_be_asked_is_skipped_with_the_reason():
    def refuses(needs: frozenset[str]) -> None:
        raise ValueError("the data have no poses")

    student = SimpleNamespace(teach=None, wants=lambda training: frozenset({"pose"}))
    told = lesson_of(None, student, ["train_distillation"], refuses)
    assert told == {"skipped": "the teacher can't be asked: the data have no poses"}
    assert alive.verdict({"distillation": told}) == []
    assert lesson_of(None, student, ["train_total"], refuses) == {} == lesson_of(None, nn.Identity(), [], refuses)


def test_figures_show_the_numbers_and_label_what_is_missing():
    nasty = "<b>cook</b>"
    scores = {OWN: np.array([0.7, 0.3]), POSE: np.array([0.6, 0.4])}
    drawn = figures.answers(scores, [nasty, "read"], "clip <1>")
    assert "<b>cook" not in drawn.to_json() and [list(bar.x) for bar in drawn.data] == [[0.7, 0.3], [0.6, 0.4]]
    assert "no attention" in figures.answers({OWN: scores[OWN]}, ["a", "b"], "clip").to_json()
    interval = {"value": 0.25, "low": 0.1, "high": 0.4}
    drawn = figures.exchanged({OWN: {"top1": interval}, POSE: {"top1": interval, "changed": interval}}, nasty, 0.1)
    bars, numbers = drawn.data[::2], drawn.data[1::2]
    assert [list(bar.x) for bar in bars] == [[25.0], [25.0, 25.0]] and drawn.layout.shapes[0].x0 == 10
    assert [[said.strip() for said in one.text] for one in numbers] == [["25.0 %"], ["25.0 %"] * 2]
    assert all(list(one.x) == [40.0] * len(one.x) for one in numbers)  # beside the whiskers
    assert "nothing was exchanged" in figures.exchanged({}, "vpn", 0.1).to_json()
    rows = pd.DataFrame([{"label": nasty, "value": 50.0, "low": 40.0, "high": 60.0, "kind": "known truth"}])
    assert "<b>cook" not in figures.ceilings(rows, "a command").to_json()
    assert "a command" in figures.ceilings(rows.iloc[:0], "a command").to_json()
    told = alignment(np.eye(3), np.eye(3)[[0, 1, 1]], np.arange(3), "unit")
    drawn = figures.taught({nasty: told}, "vpn_a")
    assert drawn.data[2].y[0] == pytest.approx(told["loss"] / told["constant"]) and "<b>cook" not in drawn.to_json()
    assert "no poses" in figures.taught({"skipped": "no poses"}, "vpn_a").to_json()
    shares = {"gradient_classification": 0.9, "gradient_distillation": 0.1, "teacher_gradient_teacher": 1.0}
    drawn = figures.gradients({"joint": {"first": shares, "last": shares}})
    assert {bar.name: list(bar.x) for bar in drawn.data} == {
        "teacher": [1, 0, 1, 0],
        "classification": [0, 0.9, 0, 0.9],
        "distillation": [0, 0.1, 0, 0.1],
    }
    assert "one term" in figures.gradients({}).to_json()


def test_a_taught_detector_is_compared_snippet_by_snippet():
    """Two videos of two snippets, padded to three; the student says what its teacher says of its own snippet."""
    said = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [9.0, 9.0]], [[1.0, 0.0], [0.0, 2.0], [9.0, 9.0]]])
    label = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]] * 2)
    batch = Batch(label=label, mask=torch.tensor([[True, True, False]] * 2))
    system = SimpleNamespace(
        options=SimpleNamespace(level="feature"),
        student=lambda _: said,
        teach=lambda _: {"pose": 3 * said},
        compared=lambda student, teacher: [(student, teacher)],
    )
    told = of_snippets(system, [batch], "cpu", None)
    assert list(told) == ["pose/feature"]
    assert told["pose/feature"]["own"]["value"] == pytest.approx(1)
    assert told["pose/feature"]["other"]["value"] == pytest.approx(0)
    error = of_snippets(system, [batch], "cpu", "raw")["pose/feature"]
    assert error["loss"] == pytest.approx((4 + 4 + 4 + 16) / 2 / 4)
