"""Every notebook runs headless on a small world, shows what it promises, and is committed clean."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import nbformat
import pytest
import yaml

from tests.tiny_runs import PRESET, Place
from workbench.lessons import solving
from workbench.study import fit, notebooks
from workbench.study.notebooks import warm_kernels

BOOKS = Path(__file__).parents[2] / "notebooks"
#: What their kernels have from the start, which are forked from one process.
IMPORTED = warm_kernels.imports_of(*BOOKS.glob("*.ipynb"), *BOOKS.glob("labs/*.ipynb"))
PLOTLY = "application/vnd.plotly.v1+json"
QUICK = {"preset": PRESET, "epochs": 1, "progress": False}
OWN = """
from torch import nn


class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.early, self.deep = nn.Conv3d(3, 8, 5, 2, 2), nn.Conv3d(8, 16, 3, 2, 1)
        self.classifier = nn.Linear(16, num_classes)

    def forward(self, video):
        return self.classifier(self.deep(self.early(video).relu()).relu().mean((2, 3, 4)))
"""
#: One process for all of them: they share a world and two trained runs.
together = pytest.mark.xdist_group("notebooks")
pytestmark = [together, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Place:
    """A world of four actions and a run store with an rgb and a vpn run."""
    made = Place(tmp_path_factory.mktemp("notebooks"))
    made.basics()
    return made


@pytest.fixture
def place(made) -> Path:
    return made.root


def _run(place: Path, stem: str, **parameters: object) -> nbformat.NotebookNode:
    known = set(notebooks.CONFIGS[stem].model_fields) - set(notebooks.CONFIGS[stem].own)
    where = {"root": str(place / "world"), "runs": str(place / "runs")}
    given = {name: value for name, value in where.items() if name in known} | parameters
    return _executed(BOOKS / f"{stem}.ipynb", place / "executed" / f"{stem}.ipynb", given)


def _executed(source: Path, out: Path, given: dict) -> nbformat.NotebookNode:
    notebooks.execute(source, out, given, 1, progress=False, imported=IMPORTED)
    return nbformat.read(out, as_version=4)


def _figures(book: nbformat.NotebookNode) -> list[str]:
    """The titles of the figures, in order."""
    outputs = [output.get("data", {}) for cell in book.cells for output in cell.get("outputs", [])]
    return [data[PLOTLY]["layout"]["title"]["text"].split("<br>")[0] for data in outputs if PLOTLY in data]


def _text(book: nbformat.NotebookNode) -> str:
    return json.dumps([cell.get("outputs", []) for cell in book.cells])


def test_data_flow(place):
    book = _run(place, "00_data_flow", preset=PRESET)
    assert _figures(book) == [
        "In the file: action 0 (a00_s03_v1)",
        "The crop follows the person",
        "One pose, three spaces",
        "The poses that the network reads",
        "The output of the backbone: the feature map",
        "The size of the data at each station",
        "The clip: action 0 (a00_s03_v1)",
    ]
    assert "(1, 3, 8, 32, 32) torch.float32" in _text(book)


def test_train(place):
    runs = sorted(path.name for path in (place / "runs").glob("*/config.json"))
    book = _run(place, "01_train", preset=PRESET, epochs=1, init={})
    # The very same configuration: nothing was trained again.
    assert sorted(path.name for path in (place / "runs").glob("*/config.json")) == runs
    titles = _figures(book)
    assert titles[0] == "The stages of training" and titles[3] == "Result on clips of unseen subjects"
    assert titles[1] == titles[4] and titles[1].startswith("Learning curves of vpn-cs-s0-")


def test_gradcam(place):
    book = _run(place, "02_gradcam", target="action 1")
    titles = _figures(book)
    assert titles == ["Grad-CAM in two conventions", "The weights behind the maps", "Grad-CAM in two conventions"]
    text = _text(book)
    assert "explains action 1" in text and "data-player" in text
    last = next(line for line in text.split("\\n") if "last layer" in line)
    assert float(last.split()[-1]) < 1e-5


def test_gradcam_of_ones_own_network(place):
    """No notebook knows a layer of a network: it asks for them."""
    (place / "mine.py").write_text(OWN)
    fit({"system": f"{place / 'mine.py'}:Net", "root": str(place / "world"), "runs": str(place / "runs")} | QUICK)
    text = _text(_run(place, "02_gradcam", run="latest:mine.py:Net"))
    assert "| backbone.module.deep" in text and "data-player" in text


def test_embeddings(place):
    book = _run(place, "03_embeddings", methods=["tsne", "pca"])
    titles = _figures(book)
    assert titles == ["The features of two runs, aligned", "What moved", "The features of two runs, aligned"]
    assert "t-SNE of rgb, trustworthiness" in _text(book) and "PCA of vpn, trustworthiness" in _text(book)


def test_attention_maps(place):
    book = _run(place, "04_attention_maps", clip="a02_s03_v2")
    titles = _figures(book)
    assert titles == [
        "Where: spatial attention over the person",
        "When: temporal attention",
        "Where and when: the maps over the video",
        "The joints to which the pose backbone responds",
        "The joints that stand out",
        "Kernels over time",
        "The attention of vpn, graded in space and time",
        "Predictions after an exchange of the attention",
        "Is the attention of vpn alive?",
        "The gain of each form at best",
        "Where and when: the maps over the video",
        "Kernels over time",
    ]
    text = _text(book)
    assert "shuffled pose" in text and "data-player" in text
    assert "another clip's poses" in text and "sweep notebooks/ablations/attention_ceiling.yaml" in text
    for said in ("classifies ", 'modulation = \\"', "a blob in the centre (", "**vpn**: "):
        assert said in text


def test_attention_maps_of_a_run_without_attention_are_labelled_blanks(place):
    text = _text(_run(place, "04_attention_maps", run="latest:rgb"))
    for said in (
        "no spatial attention",
        "no temporal attention",
        "no such map",
        "no joint activations",
        "nothing to grade",
        "no attention to exchange",
        "nothing was exchanged",
    ):
        assert said in text


def test_pose_rendering(place):
    small = place / "two_rows.yaml"
    table = yaml.safe_load((BOOKS / "ablations/perfnet_table2.yaml").read_text())
    # Two rows, from random weights: the ones that ship with the project are wider.
    table |= {"base": {**table["base"], "init": {}, "epochs": 1}, "rows": table["rows"][3::3], "claims": []}
    small.write_text(yaml.safe_dump(table))
    small_study = {"train": True, "table": str(small), "preset": PRESET, "epochs": 1, "limit": 8}
    book = _run(place, "05_pose_rendering", variants=["black-dot"], **small_study)
    assert _text(book).count("data-player role") == 6
    assert _figures(book) == [
        "The schema kinect_v2",
        "One body, four schemas",
        "Pose quality",
        "Drawing speed",
        "The accuracy of each rendering",
        "The table, beside the paper's",
    ]
    drawn = [json.loads(path.read_text())["config"] for path in (place / "runs").glob("perf_stream-*/config.json")]
    assert {config["options"]["background"] for config in drawn} == {"black", "frame"}
    table = json.dumps(book.cells[-3].outputs)
    assert "33.7" in table and "79.3" in table and "not trained here" not in _text(book)


def test_pose_rendering_with_the_table_as_it_is(place):
    """The project's own table file, of which one row has no printed numbers."""
    book = _run(place, "05_pose_rendering", table=str(BOOKS / "ablations/perfnet_table2.yaml"))
    text = _text(book)
    assert "The rows of table 2" in text and len(_figures(book)) == 6 and "3.7 minutes each" in text
    rows = yaml.safe_load((BOOKS / "ablations/perfnet_table2.yaml").read_text())["rows"]
    assert all(row["label"].split(", ")[-1] in text for row in rows) and "not trained here" in text
    assert "_frames" not in json.dumps(book.metadata)  # what it shows is kept once
    printed = json.dumps(book.cells[-3].outputs)
    assert all(str(number) in printed for row in rows for number in row.get("published", []))


def test_confusion(place):
    book = _run(place, "06_confusion", block=3)
    titles = _figures(book)
    assert titles[:3] == ["Confusion of rgb", "Zoom on the most confused block", "What changed between two runs"]
    assert titles[-1] == "Gain against the dynamicity of the action"
    assert "**vpn minus rgb**: " in _text(book) and "classifies " in _text(book)


def test_detection(made, place):
    made.detectors()
    book = _run(place, "07_detection", video="a01_s04_v1", least=0.1)
    assert _figures(book) == [
        "The actions over time: a01_s04_v1",
        "Channels that rise and fall together",
        "The change of features at the boundaries of actions",
        "The longest action: action 0",
        "Gain in average precision for each action",
        "Errors among the detections with the highest scores",
        "Missed events",
        "Missed events",
        "The cost of the extra modality",
    ]
    text = _text(book)
    assert "two-stream: not given" in text and "teacher pose" in text and "data-player" in text
    assert "per_step" in text and "printed" in text


def test_distillation(made, place):
    with pytest.raises(FileNotFoundError, match="no finished run with system='vpn_a'"):
        _run(place, "08_distillation", run="latest:vpn_a")
    made.students()
    book = _run(place, "08_distillation", run="latest:vpn_a", method="pca", clip="a02_s03_v2")
    assert _figures(book)[:6] == [
        "The pull of the classes and of the teacher",
        "The terms of the loss",
        "Teacher and student in one plane",
        "A video, its own poses, and another action's",
        "Did vpn_a learn from its own teacher?",
        "Which term moves the weights?",
    ]
    assert _figures(book)[6:] == [
        "Where and when: the maps over the video",
        "The student's gain on each action",
        "Where the student departs from its teacher",
        "The clips with different answers",
        "Does the student answer as teacher vpn?",
        "Accuracy against the weight of the teacher",
    ]
    text = _text(book)
    assert "taught by vpn | reads pose video | at test video" in text and "vpn_a minus rgb:" in text
    assert "this run has no such map" not in text and "as distilled" in text and "student predicts action" in text
    drawn = book.cells[-3].outputs[0]["data"][PLOTLY]
    lines = {trace["name"]: trace for trace in drawn["data"] if "line" in trace.get("mode", "")}
    assert set(lines) == {"vpn_a", "paper, Smarthome CS", "paper, NTU-60 CS"}
    assert drawn["layout"]["xaxis"]["ticktext"] == ["0", "50"]


def test_ablation_report(made, place):
    table = made.table()
    book = _run(place, "09_ablation_report", tables=[str(table)], seeds=1)
    assert _figures(book) == ["Two systems", "Differences for each claim", "How many claims hold"]
    text = _text(book)
    assert "60.5" in text and "somebody else's number" in text and "VPN is better." in text
    pages = [output["data"] for cell in book.cells for output in cell.get("outputs", []) if "data" in output]
    shown = "".join("".join(data.get("text/html", "")) + json.dumps(data.get(PLOTLY, "")) for data in pages)
    assert "&lt;b&gt;vpn" in shown and "<b>vpn" not in shown
    words = (
        r"has no run of .* with these parameters; `python -m workbench sweep .*--runs .*elsewhere .*--seeds 1` makes"
    )
    with pytest.raises(FileNotFoundError, match=words):
        _run(place, "09_ablation_report", tables=[str(table)], seeds=1, runs=str(place / "elsewhere"))


def test_explorer(place):
    book = _run(place, "10_explorer", clip="a02_s03_v2", donor=0, limit=2, steps=2)
    titles = _figures(book)
    assert titles == [
        "The importance of each joint",
        "Does the answer depend on the cells that the map names?",
        "Areas under the curves",
        "Where the attention lies",
        "action 2 (a02_s03_v2)",
        "Confusion of vpn",
    ]
    text = _text(book)
    assert text.count("data-player role") == 3 and "this run has no non-local block" in text
    assert "pose_backbone, dropout, pose_classifier" in text and "adds to action" in text


def _lab(place: Path, stem: str, source: Path, **parameters: object) -> tuple[str, str]:
    """What the cells of an executed lab say, and its figures."""
    known = notebooks.LABS[stem].model_fields
    where = {"root": str(place / "world"), "runs": str(place / "runs")}
    given = {name: value for name, value in where.items() if name in known} | parameters
    book = _executed(source, place / "executed" / source.name, given)
    return "\n".join(_figures(book)), _text(book)


LABS = {
    "1_pose_attention": ({}, "Where and when: the maps over the video"),
    "2_distillation": ({"first": "latest:vpn", "steps": 5}, "Clips that the embedding has not seen"),
    "3_drawing_poses": ({}, "Yours and the library's"),
}


@pytest.mark.parametrize("stem", LABS)
def test_a_lab_runs_as_it_comes_and_solved(place, stem):
    """As it comes, every cell is told that it isn't filled in, and the library's functions go on; with the solutions,
    every task and question is right."""
    parameters, figure = LABS[stem]
    lab = BOOKS / f"labs/{stem}.ipynb"
    code = [cell.source for cell in nbformat.read(lab, as_version=4).cells if cell.cell_type == "code"]
    tasks = [name for cell in code for name in solving.to_fill_in(cell)]
    questions = [name for cell in code for name in solving.questions(cell)]
    figures, text = _lab(place, stem, lab, **parameters)
    assert figure in figures and text.count("it returns None") == 2 * len(tasks)
    (place / "solved").mkdir(exist_ok=True)
    figures, text = _lab(place, stem, solving.solve(lab, place / f"solved/{stem}.ipynb"), **parameters)
    assert figure in figures and "not yet." not in text and "write a number" not in text and "write one of" not in text
    assert all(f"\\u2713 {name}: right" in text for name in tasks)
    assert text.count("wb-feedback") == text.count("\\u2713") == len(tasks) + len(questions)


@pytest.mark.parametrize("stem", notebooks.LABS)
def test_labs_are_committed_clean(stem):
    book = nbformat.read(BOOKS / f"labs/{stem}.ipynb", as_version=4)
    nbformat.validate(book)
    assert set(book.metadata) == {"kernelspec", "language_info"}
    assert [cell.id for cell in book.cells] == [f"lab{stem[0]}-{number:02d}" for number in range(len(book.cells))]
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    (cell,) = [cell for cell in code if "parameters" in cell.metadata.get("tags", ())]
    given = {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(cell.source).body}
    notebooks.LABS[stem](**given)
    assert all("# " in line for line in cell.source.splitlines())
    plan = next(cell.source for cell in book.cells if "## The plan" in cell.source)
    minutes = [int(row.split("|")[2]) for row in plan.splitlines() if row.startswith("| ") and row[2].isdigit()]
    assert sum(minutes) == 90
    steps = [
        cell.source.splitlines()[0]
        for cell in book.cells
        if cell.source.startswith("## ") and "minutes)" in cell.source
    ]
    assert [int(step.split("(")[1].split()[0]) for step in steps] == minutes


def test_a_wrong_parameter_is_one_sentence(place):
    with pytest.raises(ValueError, match="GradCam has no parameter 'layr'; valid names: .*layer"):
        _run(place, "02_gradcam", layr="backbone")


@pytest.mark.parametrize("stem", notebooks.CONFIGS)
def test_notebooks_are_committed_clean(stem):
    book = nbformat.read(BOOKS / f"{stem}.ipynb", as_version=4)
    nbformat.validate(book)
    assert book.metadata.kernelspec.name == "python3" and set(book.metadata) == {"kernelspec", "language_info"}
    assert [cell.id for cell in book.cells] == [f"{stem[:2]}-{number:02d}" for number in range(len(book.cells))]
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert sum("parameters" in cell.metadata.get("tags", ()) for cell in code) == 1
    assert book.cells[0].source.startswith("# ") and any(cell.source.startswith("## Try it") for cell in book.cells)


@pytest.mark.parametrize("stem", notebooks.CONFIGS)
def test_notebooks_only_call(stem):
    book = nbformat.read(BOOKS / f"{stem}.ipynb", as_version=4)
    logic = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While, ast.If, ast.Try)
    for cell in (cell for cell in book.cells if cell.cell_type == "code"):
        found = [type(node).__name__ for node in ast.walk(ast.parse(cell.source)) if isinstance(node, logic)]
        assert not found, f"{cell.id} holds {found}: it belongs in the library"


@pytest.mark.parametrize("stem", notebooks.CONFIGS)
def test_parameters_are_the_configurations(stem):
    """What the parameters cell sets is known, plain, and explained beside it."""
    book = nbformat.read(BOOKS / f"{stem}.ipynb", as_version=4)
    cell = next(cell for cell in book.cells if "parameters" in cell.metadata.get("tags", ()))
    given = {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(cell.source).body}
    notebooks.CONFIGS[stem](**given)
    assert all("# " in line for line in cell.source.splitlines())
