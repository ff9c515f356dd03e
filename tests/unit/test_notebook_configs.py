"""The notebooks' configurations: what a parameters cell may say, and how a notebook is executed."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest

from tests.fixtures import fake_synthadl
from workbench.study import notebooks
from workbench.study.notebooks import (
    CONFIGS,
    Confusion,
    GradCam,
    Notebook,
    PoseRendering,
    Train,
    collect,
    execute,
    execution,
)
from workbench.views import renderings


@pytest.mark.parametrize("name", CONFIGS)
def test_every_notebook_has_defaults(name):
    config = CONFIGS[name]()
    assert config.seed == 0
    assert CONFIGS[name](**config.model_dump()) == config
    assert notebooks.config_of(f"somewhere/{name}.ipynb") is CONFIGS[name]


@pytest.mark.parametrize(
    ("kind", "wrong", "words"),
    [
        (GradCam, {"lyer": "backbone"}, "GradCam has no parameter 'lyer'; valid names: seed, runs, run"),
        (PoseRendering, {"train": "maybe"}, "train should be a valid boolean, got 'maybe'"),
        (GradCam, {"split": "dev"}, "split should be 'train', 'validation' or 'test', got 'dev'"),
        (GradCam, {"clip": 1.5}, "clip should be a name or a whole number, got 1.5; .* papermill's -r clip NAME"),
        (Confusion, {"top": 0}, "top should be greater than or equal to 1, got 0"),
        (Train, {"system": "vpn", "epochs": "3"}, "epochs should be a valid integer or a valid dictionary, got '3'"),
    ],
)
def test_an_unknown_or_mistyped_parameter_is_one_sentence(kind, wrong, words):
    with pytest.raises(ValueError, match=words) as caught:
        kind(**wrong)
    assert "\n" not in str(caught.value)


def test_an_unknown_notebook_names_the_known_ones():
    with pytest.raises(ValueError, match="no configuration is known for the notebook '07_x'; known: 00_data_flow"):
        notebooks.config_of("07_x.ipynb")


def test_training_parameters_become_a_training_configuration():
    config = Train(system="rgb", epochs=3, root="r", limit=4).training()
    assert (config.system, config.epochs, config.root, config.limit, config.preset) == ("rgb", 3, "r", 4, "tiny")


def cells(*sources: str) -> dict:
    """The namespace of a notebook in which these cells have run, the last one being the one that calls collect."""
    namespace: dict = {"In": ["", *sources], "Out": {}}
    for source in sources[:-1]:
        exec(source, namespace)
    namespace.pop("__builtins__")
    return namespace


def test_collect_reads_the_parameters_and_those_of_papermill():
    namespace = cells("import math", "run = 'a'\nclip = 3", "# Parameters\nclip = 'x'\nseed = 3", "collect()")
    config = collect(GradCam, namespace)
    assert (config.run, config.clip, config.seed, config.layer) == ("a", "x", 3, None)


def test_collect_refuses_a_name_that_is_no_parameter():
    with pytest.raises(ValueError, match="GradCam has no parameter 'layr'; valid names: .*layer"):
        collect(GradCam, cells("run = 'a'", "layr = 'backbone'", "collect()"))
    with pytest.raises(ValueError, match="GradCam has no parameter 'layr'"):
        collect(GradCam, {"layr": "backbone", "_hidden": 1})


def test_collect_leaves_other_cells_alone():
    later = cells("run = 'a'", "config = len(run)", "note = str(3)", "collect()")
    assert collect(GradCam, later).run == "a"


def test_paths_are_found_from_a_notebooks_own_folder(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "data" / "world").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "notebooks")
    config = collect(Train, cells("root = 'data/world'\nruns = 'nowhere'", "collect()"))
    assert Path(config.root).resolve() == tmp_path / "data" / "world" and config.runs == "nowhere"


def notebook(path: Path, *sources: str, tags: bool = True) -> Path:
    """Code cells; the first is the parameters cell."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    if tags:
        book.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(book, path)
    return path


def test_execute_checks_before_it_starts_and_keeps_what_failed(tmp_path):
    """One kernel after the other: refused, executed, reused, failed."""
    collecting = (
        "from workbench.study.notebooks import PoseRendering, collect\nconfig = collect(PoseRendering, globals())"
    )
    path = notebook(
        tmp_path / "05_pose_rendering.ipynb", "clip = 0", "assert clip >= 0, 'no such clip\\nat all'", "print(clip)"
    )
    out = tmp_path / "out" / "05_pose_rendering.ipynb"
    with pytest.raises(ValueError, match="PoseRendering has no parameter 'clipp'; valid names: .*clip"):
        execute(path, out, {"clipp": 1})
    assert not out.parent.exists()
    with pytest.raises(ValueError, match="05_pose_rendering.ipynb has no cell with the tag 'parameters'"):
        execute(notebook(path, "1", tags=False), out)
    notebook(
        path,
        "clip = 0",
        "assert clip >= 0, 'no such clip\\nat all'",
        collecting,
        "import os\nprint(config.clip, os.environ['OMP_NUM_THREADS'])",
    )
    before = os.environ.get("OMP_NUM_THREADS")
    assert execute(path, out, {"clip": 5, "runs": str(tmp_path)}, threads=1, progress=False) == out
    assert os.environ.get("OMP_NUM_THREADS") == before
    printed = nbformat.read(out, as_version=4).cells[-1].outputs[0].text
    assert printed == "5 1\n"
    first = out.stat().st_mtime_ns
    execute(path, out, {"clip": 5, "runs": str(tmp_path)}, reuse=True, progress=False)
    assert out.stat().st_mtime_ns == first
    words = r"_rendering.ipynb failed in cell 2: AssertionError: no such clip; what .*05_pose_rendering.failed.ipynb$"
    with pytest.raises(RuntimeError, match=words):
        execute(path, out, {"clip": -1, "runs": str(tmp_path)}, reuse=True, progress=False)
    assert out.stat().st_mtime_ns == first
    failed = nbformat.read(out.with_name("05_pose_rendering.failed.ipynb"), as_version=4)
    assert any(cell.source.startswith("assert") and cell.outputs for cell in failed.cells if cell.cell_type == "code")
    names = {path.name for path in out.parent.glob("[!.]*.ipynb")}
    assert names == {"05_pose_rendering.ipynb", "05_pose_rendering.failed.ipynb"}


def test_parameters_reach_only_the_notebooks_that_know_them(tmp_path, monkeypatch):
    given = {}
    monkeypatch.setattr(execution, "execute", lambda path, out, own, **how: given.setdefault(path.stem, own) and out)
    for name in CONFIGS:
        notebook(tmp_path / f"{name}.ipynb", "1")
    made, *_ = notebooks.execute_all(tmp_path / "out", {"root": "r", "runs": "s"}, folder=tmp_path)
    assert [path.stem for path in made] == list(CONFIGS)
    assert set(list(given)[:2]) == set(execution.TRAINS)  # others show what they make
    assert given["00_data_flow"] == {"root": "r"} and given["06_confusion"] == {"root": "r", "runs": "s"}
    assert given["01_train"] == {"root": "r", "runs": "s"}
    assert given["07_detection"] == {"runs": "s"}, "its videos are other data"
    given.clear()
    notebooks.execute_all(tmp_path / "out", folder=tmp_path, names=["06_confusion", "02_gradcam.ipynb"])
    assert set(given) == {"06_confusion", "02_gradcam"}
    with pytest.raises(ValueError, match="no configuration is known for the notebook '6'; known: 00_data_flow, "):
        notebooks.execute_all(tmp_path / "out", folder=tmp_path, names=["6"])
    _, left_out, _ = notebooks.execute_all(tmp_path / "out", folder=tmp_path / "none")
    assert "there is no" in left_out["00_data_flow.ipynb"]


def test_what_cannot_be_shown_is_left_out_with_the_reason_and_the_way_out(tmp_path, monkeypatch):
    """A missing run before a kernel starts, what a cell says after it; a fault of a notebook is told from both."""
    names = ("00_data_flow", "01_train", "05_pose_rendering", "08_distillation", "10_explorer")
    monkeypatch.setattr(execution, "CONFIGS", {name: CONFIGS[name] for name in names})
    runs, data = str(tmp_path / "runs"), str(fake_synthadl(tmp_path / "world"))
    notebook(tmp_path / "00_data_flow.ipynb", "root = 'r'", "print(root)")
    notebook(tmp_path / "01_train.ipynb", "root = 'r'", "raise ValueError('need at least 5 common clips')")
    notebook(tmp_path / "05_pose_rendering.ipynb", "root = 'r'", "[][0]")
    notebook(tmp_path / "08_distillation.ipynb", "root = 'r'", "print(root)")
    made, left_out, faulty = notebooks.execute_all(tmp_path / "out", {"runs": runs, "root": data}, folder=tmp_path)
    assert [path.name for path in made] == ["00_data_flow.ipynb"]
    assert list(left_out) == [f"{name}.ipynb" for name in names[1:]] and faulty == ["05_pose_rendering.ipynb"]
    said = list(left_out.values())
    assert "failed in cell 2: ValueError: need at least 5 common clips; what it had done is in" in said[0]
    assert "failed in cell 2: IndexError" in said[1]
    train = f"train one with `python -m workbench train vpn_f --root {data} --runs {runs}`"
    assert said[2] == f"{runs} has no finished run with system='vpn_f'; {train}"
    assert said[3].startswith(f"there is no {tmp_path}/10_explorer.ipynb; ")


def test_a_report_of_nothing_is_left_out_with_the_command_that_runs_its_table(tmp_path):
    world, runs = str(fake_synthadl(tmp_path / "world")), str(tmp_path / "runs")
    table = str(Path(__file__).parents[2] / "notebooks/ablations/vpn_table1.yaml")
    report = CONFIGS["09_ablation_report"](tables=[table], runs=runs, root=world, preset="tiny", seeds=2)
    command = f"python -m workbench sweep {table} --runs {runs} --root {world} --seeds 2 --preset tiny"
    with pytest.raises(FileNotFoundError, match=f"has no run of .*vpn_table1.yaml with these .*; `{command}`"):
        execution.check_report(report)
    assert report.made_by() == command


def test_a_configuration_cannot_be_changed_behind_ones_back():
    with pytest.raises(ValueError, match="frozen"):
        Notebook().seed = 3


def test_the_renderings_that_a_notebook_opens_with_are_in_its_menu_in_that_order():
    shown, offered = notebooks.CONFIGS["05_pose_rendering"]().variants, renderings.choices()
    assert [name for name in offered if name in shown] == shown
