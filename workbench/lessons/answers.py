"""The labs' questions and their expected answers, each with the measurement that it must agree with."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from workbench import losses
from workbench.lessons import distillation, drawing, pose_attention
from workbench.lessons.feedback import Feedback
from workbench.media import rendering
from workbench.nearest import hint as nearest
from workbench.nets import I3D, couple, weights
from workbench.study import files
from workbench.study.evaluate.alive import CHANGED

Needs = Literal["nothing", "shipped weights", "demo runs"]
#: Below this loss of the best constant, lab 2 calls the attention of all clips one map.
SAME_MAP = 0.01


@dataclass(frozen=True)
class Question:
    """A question with one right answer: a number, or the word of one of the choices.

    needs: what the answer rests on. measure: finds the answer anew, from the library or the shipped weights. Where it
    needs the demo's runs, the lab measures a number, and ``read`` says which choice it means; ``answer`` is then that
    of the networks that come with the workbench. why: told with the right answer. slips: by wrong answer, a hint.
    """

    text: str
    why: str
    answer: float | str | None = None
    choices: Mapping[str, str] = field(default_factory=dict)
    tolerance: float = 0.01
    needs: Needs = "nothing"
    measure: Callable[[], float | str] | None = None
    read: Callable[[float], str] | None = None
    slips: Mapping[float | str, str] = field(default_factory=dict)


def expected(name: str, measured: float | None = None) -> float | str:
    """The right answer to a question; ``measured`` is the number that a question about runs reads.

    Raises:
        ValueError: a name that is no question's, or a missing number.
    """
    question = _question(name)
    if question.read is None:
        assert question.answer is not None
        return question.answer
    if measured is None or not math.isfinite(measured):
        raise ValueError(f"question {name!r} reads a number that the lab measures; got measured={measured}")
    return question.read(float(measured))


def ask(name: str, answer: float | str | None = None, measured: float | None = None) -> Feedback:
    """Shows a question, and says what is right or wrong about ``answer``.

    Args:
        name: a name of QUESTIONS.
        answer: a number, or the word of a choice; None: not answered yet.
        measured: the number that a question about runs reads.

    Returns:
        Feedback.

    Raises:
        ValueError: as ``expected``.
    """
    question, right = _question(name), expected(name, measured)
    lines = tuple(question.choices.items())
    if answer is None:
        kind = f"one of {', '.join(map(repr, question.choices))}" if lines else "a number"
        return Feedback(question.text, False, (*lines, ("answer", f"write {kind} in the place of None")))
    reply: str | float
    if lines:
        reply = str(answer).strip().lower()
        if reply not in question.choices:
            problem = f"{answer!r} is none of the choices: {', '.join(map(repr, question.choices))}"
            return Feedback(question.text, False, (*lines, ("answer", problem)))
    else:
        try:
            reply = float(answer)
        except (TypeError, ValueError):
            return Feedback(question.text, False, (("answer", f"{answer!r} is no number"),))
    near = isinstance(reply, float) and isinstance(right, float) and abs(reply - right) <= question.tolerance
    if reply == right or near:
        text = f"{reply:.4g}" if isinstance(reply, float) else reply
        return Feedback(question.text, True, (("right", f"{text}: {question.why}"),))
    hint = question.slips.get(reply, "try the extreme case, or let the cells above compute it")
    return Feedback(question.text, False, (*lines, ("wrong", f"it is not {answer}"), ("hint", hint)))


def _question(name: str) -> Question:
    if name not in QUESTIONS:
        raise ValueError(
            f"no question is called {name!r}; the questions: {', '.join(QUESTIONS)}{nearest(name, QUESTIONS)}"
        )
    return QUESTIONS[name]


def shipped_features(videos: Tensor) -> Tensor:
    """Feature maps float [B,C,T',H',W'] of the backbone that ships with the library; videos [B,3,T,H,W] in [-1,1]."""
    path = weights.SHIPPED["i3d_synthadl_p"]
    backbone = I3D(width=files.read_json(weights.card_of(path))["width"])
    weights.load(backbone, path)
    with torch.no_grad():
        return backbone.eval()(videos)


def _noise() -> Tensor:
    return torch.rand(2, 3, 16, 96, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1


def _two_places() -> str:
    """A product of one factor of time and one of place, as a matrix [T', H'W'], has rank 1; the wished one has 2."""
    draw = torch.Generator().manual_seed(0)
    product = couple(torch.rand(1, 3, 3, generator=draw), torch.rand(1, 4, generator=draw)).flatten(2)[0]
    return "no" if int(torch.linalg.matrix_rank(product)) == 1 else "yes"


def _uniform() -> str:
    f = torch.randn(2, 3, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    pooled = pose_attention.weighted_mean(f, torch.full((2, 2, 4, 4), 0.3))
    return "plain" if torch.allclose(pooled, f.mean((2, 3, 4)), atol=1e-6) else "smaller"


def _as_likely() -> float:
    m = 0.02
    loss = losses.supervised_contrastive(torch.tensor([[math.log(m)]]), torch.ones(1, 1), torch.tensor([True]), m)
    return math.exp(-float(loss))


def _where_unit_leads() -> str:
    def loss(teacher: Tensor, student: Tensor, positive: Tensor, m: float) -> Tensor:
        return losses.supervised_contrastive(teacher, student, positive, m, "unit")

    end = float(distillation.descend(loss, m=8 / 40320)[-1, 0])
    return "towards" if end > 0.3 else "away" if end < -0.3 else "across"


def _farthest_features() -> float:
    """L_D of two clips that share no channel; 4 if features had signs."""
    features = shipped_features(_noise()).mean((2, 3, 4))
    if (features < 0).any():
        return 4.0
    even = torch.arange(features.shape[1]) % 2 == 0
    return float(losses.attention_distillation(features[:1] * even, features[:1] * ~even))


def _far_width() -> float:
    near = drawing.STANDING * (120, -120) + (160, 300)
    near, far = near[None, None], near[None, None] / 3 + 64
    size = (320, 320)
    return float(rendering.widths(far, size)[0, 0] / rendering.widths(near, size)[0, 0])


def _scene() -> tuple[np.ndarray, np.ndarray, tuple, list, float]:
    return next(iter(drawing.TASKS["draw_skeleton"].cases(0).values()))


def _single_frame() -> str:
    """Frames are drawn one by one: those of the reversed clip are the reversed frames, whatever the options."""
    frame, points, bones, colors, width = _scene()
    poses = [points + (step, 0) for step in (0, 4, 8)]
    drawn = [drawing.draw_skeleton(frame, pose, bones, colors, width) for pose in poses]
    turned = [drawing.draw_skeleton(frame, pose, bones, colors, width) for pose in poses[::-1]]
    return "none" if np.array_equal(drawn, turned[::-1]) else "colours"


def _exchanged_sides() -> str:
    frame, points, bones, colors, width = _scene()
    mirror = drawing.Skeleton.named(drawing.KINECT).mirror
    poses = points, points[mirror]
    pictures = [drawing.draw_skeleton(frame, pose, bones, colors, width)[::2, ::2] for pose in poses]
    videos = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)[:, :, None].expand(-1, -1, 16, -1, -1)
    plain, mirrored = shipped_features(videos / 127.5 - 1).mean((2, 3, 4))
    return "yes" if float((plain - mirrored).norm() / plain.norm()) > 0.01 else "no"


QUESTIONS = {
    # Lab 1
    "largest_mean": Question(
        "A_S is a sigmoid, A_T a softmax over T' steps, and A their product. How large can the mean of A over all "
        "T' x H' x W' cells be at most, for T' = 4?",
        "the mean of A_T is 1/T', and that of A_S at most 1; so f + A f is mostly f",
        0.25,
        measure=lambda: float(couple(torch.ones(1, 3, 3), torch.randn(1, 4).softmax(1)).mean()),
        slips={
            1.0: "A_S alone can reach 1, but the weights A_T of the 4 steps sum to 1",
            0.5: "how large is the mean of A_T?",
        },
    ),
    "two_places": Question(
        "Can A = A_S x A_T be high at the left at first and high at the right later, and low elsewhere?",
        "a product has one place for all moments: what is high at both places is high at both moments",
        "no",
        {"yes": "yes, A_T chooses the place", "no": "no, it cannot"},
        measure=_two_places,
        slips={"yes": "A_T is one number a step: it cannot tell left from right"},
    ),
    "uniform": Question(
        "All weights are 0.3. What is the weighted mean sum(A f) / sum(A)?",
        "the size of the weights cancels; only their shape counts",
        "plain",
        {"plain": "the plain mean of f", "smaller": "0.3 times the plain mean", "larger": "1.3 times the plain mean"},
        measure=_uniform,
        slips={"smaller": "0.3 is in the numerator and in the denominator", "larger": "that is f + A f, pooled"},
    ),
    "smallest_feature": Question(
        "What is the smallest number in the feature map of the I3D that ships with the library?",
        "the last unit ends in a ReLU: f is never negative, so that f + A f never makes it smaller",
        0.0,
        needs="shipped weights",
        tolerance=1e-6,
        measure=lambda: float(shipped_features(_noise()).min()),
        slips={-1.0: "that is the range of the video; which function does the last unit end in?"},
    ),
    "exchange": Question(
        f"Read the share of predictions that changed. What does it say, if less than {CHANGED:.0%} counts as idle?",
        "this is the library's verdict too; an attention that changes few predictions explains few",
        "acts",
        choices={
            "idle": "the attention is computed and hardly used",
            "acts": "the attention acts on the prediction; whether it helps is another question",
        },
        needs="demo runs",
        read=lambda changed: "idle" if changed < CHANGED else "acts",
    ),
    # Lab 2
    "as_likely": Question(
        "For s = log M, how large is e^s / (e^s + M)?",
        "both terms are M: at s = log M the network is undecided",
        0.5,
        measure=_as_likely,
        slips={1.0: "the denominator is M + M", 0.0: "e^(log M) is M"},
    ),
    "opposite": Question(
        "Teacher and student have opposite directions, whatever their lengths. How large is L_D?",
        "unit vectors in opposite directions are 2 apart, and the distance is squared",
        4.0,
        measure=lambda: float(losses.attention_distillation(torch.tensor([[1.0, 2.0]]), torch.tensor([[-3.0, -6.0]]))),
        slips={2.0: "that is their distance, or L_D of two at a right angle", 1.0: "draw two unit vectors"},
    ),
    "unit_similarity": Question(
        "With the cosine in the place of the dot product and M = 8/40320, log M is -8.5. Where does the student end?",
        "s is above log M whatever the student does: positive pairs hardly pull, and negative pairs push all the time",
        "away",
        {"towards": "along its teacher", "across": "at a right angle to it", "away": "in the opposite direction"},
        measure=_where_unit_leads,
        slips={
            "towards": "how large is the positive term's slope where s is far above log M? Run the descent",
            "across": "what do the negative pairs still gain below a cosine of 0? Run the descent",
        },
    ),
    "farthest": Question(
        "How large can L_D of two feature vectors of the shipped I3D be at most?",
        "features that pass a ReLU are never negative, so that their cosine is 0 or more: L_D = 2 - 2 cos is at most 2",
        2.0,
        needs="shipped weights",
        measure=_farthest_features,
        slips={4.0: "that takes opposite directions; can numbers that are never negative have them?"},
    ),
    "same_map": Question(
        f"Read the loss of the best constant for the run's attention. Below {SAME_MAP}, call it one map for all clips.",
        "near 0, a student could have this loss without seeing a video; the larger it is, the more there is to learn",
        "differs",
        choices={
            "same": "the attention is one map for all clips",
            "differs": "the attention differs from clip to clip",
        },
        needs="demo runs",
        read=lambda loss: "same" if loss < SAME_MAP else "differs",
    ),
    # Lab 3
    "far_width": Question(
        "The same person stands three times as far away. By what factor does the ratio-aware width change?",
        "box and bars shrink together, so that near and far people look alike",
        1 / 3,
        measure=_far_width,
        slips={1.0: "that is the uniform width, a share of the picture", 3.0: "the box gets smaller"},
    ),
    "single_frame": Question(
        "'Put on glasses' backwards looks like 'take off glasses'. Which rendering tells them apart in a single frame?",
        "each frame is drawn from its own pose, which both actions have; only the order in time differs",
        "none",
        {
            "colours": "13 colours",
            "widths": "ratio-aware widths",
            "frame": "bars on the video",
            "none": "none of these",
        },
        measure=_single_frame,
        slips={"frame": "the video frame, too, occurs in both", "colours": "left and right arm do the same in both"},
    ),
    "exchanged_sides": Question(
        "Exchange left and right in a pose, and draw it. Do the features of the shipped I3D change?",
        "the lines are the same and their colours differ; drawn in one colour, the two poses would be one picture",
        "yes",
        {"yes": "yes, since the colours change", "no": "no, since the lines stay where they are"},
        needs="shipped weights",
        measure=_exchanged_sides,
        slips={"no": "a network reads red, green and blue"},
    ),
}
