"""Labs: what is right passes, mistakes get their hint, expectations still hold, and nothing of a student's is lost."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
import torch

from workbench import lessons, shipped
from workbench.commands import main
from workbench.lessons import solving
from workbench.show import slides

LABS = sorted((Path(__file__).parents[2] / "notebooks/labs").glob("[0-9]*.ipynb"))
WORKED: dict[str, Callable] = {}
for path in (LABS[0].parent / "solutions").glob("*.py"):
    space: dict = {}
    exec(compile(path.read_text(), path, "exec"), space)
    WORKED |= {name: space[name] for name in solving.functions(path.read_text())}
MISTAKES = [(name, hint) for name, task in lessons.TASKS.items() for hint in task.mistakes]


def said(feedback: lessons.Feedback, word: str) -> str:
    return dict(feedback.lines).get(word, "")


def test_every_task_is_in_a_lab_and_has_a_solution():
    asked = [name for lab in LABS for cell in _code(lab) for name in solving.to_fill_in(cell)]
    assert sorted(asked) == sorted(WORKED) == sorted(lessons.TASKS)
    questions = [name for lab in LABS for cell in _code(lab) for name in solving.questions(cell)]
    assert sorted(questions) == sorted(lessons.QUESTIONS)


@pytest.mark.parametrize("name", lessons.TASKS)
def test_the_worked_solution_and_the_library_pass(name):
    for function in (WORKED[name], lessons.TASKS[name].library):
        for seed in (0, 1):
            feedback = lessons.check(name, function, seed)
            assert feedback.passed, feedback
    assert f"{name}: right" in repr(feedback) and feedback.function is not None


@pytest.mark.parametrize("name", lessons.TASKS)
def test_a_cell_that_is_not_filled_in_is_told_so(name):
    (cell,) = [cell for lab in LABS for cell in _code(lab) if name in solving.to_fill_in(cell)]
    space: dict = {"lessons": lessons}
    exec(cell, space)
    feedback = lessons.check(name, space[name])
    assert not feedback.passed and said(feedback, "wrong").startswith("it returns None")
    arguments = next(iter(lessons.TASKS[name].cases(0).values()))
    assert feedback.function(*arguments) is not None  # the lab goes on


@pytest.mark.parametrize("name, hint", MISTAKES, ids=[f"{name}-{hint[:40]}" for name, hint in MISTAKES])
def test_a_usual_mistake_gets_its_hint(name, hint):
    feedback = lessons.check(name, lessons.TASKS[name].mistakes[hint])
    assert not feedback.passed and said(feedback, "hint") == hint, feedback


def naive_contrast(teacher, student, positive, m):
    s = (teacher * student).sum(1).exp()
    return -torch.where(positive, (s / (s + m)).log(), (1 - s / (s + m)).log()).sum() / positive.sum()


def in_place(f, a):
    f += a[:, None] * f
    return f


def missing_joints_unseen(frame, points, bones, colors, width):
    return [int(x) for x in points[:, 0]]


@pytest.mark.parametrize(
    "name, function, words",
    [
        ("contrast", naive_contrast, ("overflows", "F.logsigmoid(s - log M)", "right: on another M")),
        ("modulation", in_place, ("changes its input f", "clone")),
        ("modulation", lambda f, a: f + f * a, ("RuntimeError", "a[:, None]")),
        ("modulation", lambda f: f, ("takes f", "f, a")),
        ("modulation", lambda f, a: "f", ("words", "numbers")),
        ("modulation", lambda f, a: {"f": f}, ("a dict", "[B,C,T',H',W']")),
        ("modulation", lambda f, a: [[1, 2], [3]], ("differ in length",)),
        ("modulation", lambda f, a: (f + a[:, None] * f).permute(0, 2, 3, 4, 1), ("another order",)),
        ("modulation", lambda f, a: -(f + a[:, None] * f), ("sign",)),
        ("modulation", lambda f, a: 3 * (f + a[:, None] * f), ("3 times the right answer",)),
        ("modulation", lambda f, a: 1 / 0, ("ZeroDivisionError", "1 / 0")),
        ("modulation", torch.zeros(3), ("a Tensor", "without parentheses")),
        ("attention_weights", lambda z1, z2, m, n: z1, ("2 results",)),
        ("bone_sides", lambda joints, bones: [1] * len(bones), ("returns numbers; needed are words",)),
        ("bar_width", lambda points, size: (points.max(0) - points.min(0)).max() / 20, ("np.nanmax",)),
        ("draw_skeleton", lambda *scene: scene[0].astype(float) / 255, ("nothing is drawn", "picture")),
    ],
)
def test_other_faults_are_sentences(name, function, words):
    feedback = lessons.check(name, function)
    assert not feedback.passed
    assert [word for word in words if word not in repr(feedback)] == [], feedback
    assert "Traceback" not in repr(feedback) and "workbench/lessons" not in repr(feedback)


def test_numpy_answers_pass_and_become_tensors():
    feedback = lessons.check("modulation", lambda f, a: f.numpy() + a.numpy()[:, None] * f.numpy())
    assert feedback.passed and isinstance(
        feedback.function(torch.ones(1, 1, 1, 1, 1), torch.ones(1, 1, 1, 1)), torch.Tensor
    )


def test_a_loss_without_gradients_is_right_and_not_trained_with():
    feedback = lessons.check("contrast", lambda *given: WORKED["contrast"](*given).item())
    assert feedback.passed and "no torch tensor with a gradient" in repr(feedback)
    assert feedback.function is lessons.TASKS["contrast"].library


def test_feedback_is_escaped():
    shown = lessons.check("modulation", lambda f, a: {}["<b>"])._repr_html_()
    assert "&lt;b&gt;" in shown and "<b>'" not in shown and "KeyError" in shown


def test_unknown_names_list_the_valid_ones():
    with pytest.raises(ValueError, match="did you mean 'modulation'"):
        lessons.check("modulatoin", print)
    with pytest.raises(ValueError, match="did you mean 'opposite'"):
        lessons.ask("oposite")


@pytest.mark.parametrize("name", [name for name, question in lessons.QUESTIONS.items() if question.measure])
def test_an_expected_answer_is_what_is_measured(name):
    question = lessons.QUESTIONS[name]
    measured = question.measure()
    assert measured == (question.answer if question.choices else pytest.approx(question.answer, abs=1e-6))
    assert lessons.ask(name, question.answer).passed and not lessons.ask(name).passed
    for slip, hint in question.slips.items():
        feedback = lessons.ask(name, slip)
        assert not feedback.passed and said(feedback, "hint") == hint
        assert not question.choices or slip in question.choices


@pytest.mark.parametrize(
    "name, low, high", [("exchange", ("idle", 0.02), ("acts", 0.4)), ("same_map", ("same", 1e-4), ("differs", 0.5))]
)
def test_a_question_about_runs_reads_the_number_that_the_lab_measured(name, low, high):
    for (right, value), (wrong, _) in ((low, high), (high, low)):
        assert lessons.expected(name, value) == right
        assert lessons.ask(name, right, value).passed and not lessons.ask(name, wrong, value).passed
    with pytest.raises(ValueError, match="reads a number"):
        lessons.ask(name, "idle")


@pytest.mark.parametrize("answer, word", [("many", "is no number"), (7, "it is not 7"), (None, "write a number")])
def test_other_answers_are_sentences(answer, word):
    assert word in repr(lessons.ask("opposite", answer))


def test_descent_and_embedding_tell_own_from_other():
    curves = lessons.distillation.descend(lessons.TASKS["contrast"].library, steps=60)
    assert curves.shape == (61, 2) and curves[-1, 0] > curves[-1, 1] + 0.2
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(40) % 4
    centres = torch.randn(4, 8, generator=draw)
    teacher, student = (centres[labels] + 0.1 * torch.randn(40, 8, generator=draw) for _ in range(2))
    own, other = lessons.distillation.learn_projection(
        WORKED["contrast"], teacher, student @ torch.eye(8), labels, steps=60
    )
    assert len(own) == len(other) == 20 and own.mean() > other.mean() + 0.5
    with pytest.raises(ValueError, match="two classes"):
        lessons.distillation.learn_projection(WORKED["contrast"], teacher, student, labels * 0)


def test_the_mean_of_a_class_leaves_the_clip_itself_out():
    """Of two clips each has the row of the other, of three the mean direction of the others, one alone none."""
    rows = torch.tensor([[2.0, 0.0], [0.0, 3.0], [4.0, 0.0], [0.0, 5.0], [1.0, 0.0], [1.0, 1.0]])
    means = lessons.distillation.class_means(rows, torch.tensor([0, 0, 1, 1, 1, 2]))
    half = 2**-0.5
    wanted = [[0, 1], [1, 0], [half, half], [1, 0], [half, half], [0, 0]]
    torch.testing.assert_close(means, torch.tensor(wanted))


def test_solving_fills_in_functions_and_answers(tmp_path):
    for lab in LABS:
        source = "\n".join(_code(solving.solve(lab, tmp_path / lab.name)))
        assert "# fill in" not in source and "answer=None" not in source and "lessons.check" in source
    assert 'lessons.expected("exchange", changed)' in "\n".join(_code(tmp_path / LABS[0].name))


def test_labs_are_laid_out_and_reset_without_loss(tmp_path, capsys):
    assert main(["new", str(tmp_path), "--labs"]) == 0
    labs = sorted((tmp_path / "notebooks/labs").rglob("*"))
    assert [path.name for path in labs] == [lab.name for lab in LABS] and not (
        tmp_path / "notebooks/ablations"
    ).exists()
    mine, fresh = labs[0], labs[0].read_bytes()
    for n in (1, 2):
        mine.write_text(f"mine {n}")
        assert main(["new", str(tmp_path), "--reset"]) == 0
        assert mine.read_bytes() == fresh and mine.with_name(f"{mine.stem}.mine-{n}.ipynb").read_text() == f"mine {n}"
    assert f"kept in {mine.stem}.mine-2.ipynb" in capsys.readouterr().out
    assert shipped.reset_labs(tmp_path) == {}
    labs[1].unlink()
    assert main(["new", str(tmp_path), "--reset", "--solutions"]) == 0
    assert labs[1].is_file() and (mine.parent / "solutions/1_pose_attention.py").is_file()


def test_a_reset_that_meets_a_full_disk_loses_nothing(tmp_path, monkeypatch):
    lab = next(path for path in shipped.lay_out(tmp_path, labs=True))
    lab.write_text("mine")

    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    with monkeypatch.context() as patched:
        patched.setattr(shipped, "copyfile", full)
        with pytest.raises(OSError, match="No space left"):
            shipped.reset_labs(tmp_path)
    assert lab.with_name(f"{lab.stem}.mine-1.ipynb").read_text() == "mine"
    shipped.reset_labs(tmp_path)
    assert lab.is_file()


def test_the_place_of_the_fresh_copies_is_not_reset(capsys):
    assert main(["new", str(shipped.notebooks().parent), "--reset"]) == 1
    assert "is where the fresh copies come from" in capsys.readouterr().err


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.stem)
def test_slides_of_a_lab_need_nothing_from_elsewhere(lab, tmp_path):
    page = slides.build(lab, tmp_path / "slides.html").read_text()
    assert page.count("<section") >= 9 and "<h1>Lab" in page and "# fill in" in page
    assert "http://" not in page and "https://" not in page
    assert "collect(" not in page and "$" not in page.split("<script>")[0]


def test_slides_have_fragments_notes_and_nothing_before_the_first(tmp_path):
    kinds = [
        ("-", "before"),
        ("slide", "## A & B"),
        ("fragment", "later"),
        ("notes", "aside"),
        ("skip", "gone"),
        ("subslide", "B"),
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text) for _, text in kinds])
    for cell, (kind, _) in zip(book.cells, kinds, strict=True):
        cell.metadata["slideshow"] = {"slide_type": kind}
    book.cells += [nbformat.v4.new_code_cell("shown = 1"), nbformat.v4.new_code_cell("hidden = 1")]
    book.cells[-1].metadata["tags"] = [slides.HIDDEN]
    nbformat.write(book, tmp_path / "some.ipynb")
    page = slides.build(tmp_path / "some.ipynb", tmp_path / "some.html").read_text()
    body = page.split("<main>")[1].split("</main>")[0]
    assert body.count("<section") == 2 and "<h2>A &amp; B</h2>" in body
    assert "before" not in body and "gone" not in body and "shown" in body and "hidden" not in body
    assert body.index('class="fragment"') < body.index("later") < body.index('class="notes"') < body.index("aside")


@pytest.mark.parametrize("damage, words", [({"slide_type": "silde"}, "it is one of slide"), ({}, "property inspector")])
def test_a_notebook_without_slides_is_told_the_way_out(tmp_path, capsys, damage, words):
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("x", metadata={"slideshow": damage})])
    nbformat.write(book, tmp_path / "some.ipynb")
    assert main(["slides", str(tmp_path / "some.ipynb"), "--out", str(tmp_path / "o.html")]) == 1
    assert words in capsys.readouterr().err and not (tmp_path / "o.html").exists()


def _code(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
