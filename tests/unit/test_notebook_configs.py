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
        (PoseRendering, {"ratio_aware": "yes"}, "ratio_aware should be a valid boolean, got 'yes'"),
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
    assert (config.run, config.clip, config.seed, config.layer) == ("a", "x", 3, "backbone")


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
    collecting = "from workbench.study.notebooks import GradCam, collect\nconfig = collect(GradCam, globals())"
    path = notebook(
        tmp_path / "02_gradcam.ipynb", "clip = 0", "assert clip >= 0, 'no such clip\\nat all'", "print(clip)"
    )
    out = tmp_path / "out" / "02_gradcam.ipynb"
    with pytest.raises(ValueError, match="GradCam has no parameter 'clipp'; valid names: .*clip"):
        execute(path, out, {"clipp": 1})
    assert not out.parent.exists()
    with pytest.raises(ValueError, match="02_gradcam.ipynb has no cell with the tag 'parameters'"):
        execute(notebook(tmp_path / "sub_02_gradcam.ipynb", "1", tags=False).rename(tmp_path / "x").rename(path), out)
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
    words = r"notebook 02_gradcam.ipynb failed in cell 2: AssertionError: no such clip; what .*02_gradcam.failed.ipynb$"
    with pytest.raises(RuntimeError, match=words):
        execute(path, out, {"clip": -1, "runs": str(tmp_path)}, reuse=True, progress=False)
    assert out.stat().st_mtime_ns == first
    failed = nbformat.read(out.with_name("02_gradcam.failed.ipynb"), as_version=4)
    assert any(cell.source.startswith("assert") and cell.outputs for cell in failed.cells if cell.cell_type == "code")
    assert {path.name for path in out.parent.iterdir()} == {"02_gradcam.ipynb", "02_gradcam.failed.ipynb"}


def test_parameters_reach_only_the_notebooks_that_know_them(tmp_path, monkeypatch):
    given = {}
    monkeypatch.setattr(execution, "execute", lambda path, out, own, reuse: given.setdefault(path.stem, own) and out)
    for name in CONFIGS:
        notebook(tmp_path / f"{name}.ipynb", "1")
    notebooks.execute_all(tmp_path / "out", {"root": "r", "runs": "s"}, folder=tmp_path)
    assert list(given) == list(CONFIGS)
    assert given["00_data_flow"] == {"root": "r"} and given["06_confusion"] == {"runs": "s"}
    assert given["01_train"] == {"root": "r", "runs": "s"}
    with pytest.raises(FileNotFoundError, match="00_data_flow.ipynb is missing"):
        notebooks.execute_all(tmp_path / "out", folder=tmp_path / "none")


def test_a_notebook_whose_run_is_missing_is_left_out_and_says_what_it_waits_for(tmp_path, monkeypatch):
    """Checked before a kernel starts; the others are executed."""
    monkeypatch.setattr(execution, "CONFIGS", {name: CONFIGS[name] for name in ("00_data_flow", "08_distillation")})
    for name in notebooks.CONFIGS:
        notebook(tmp_path / f"{name}.ipynb", "root = 'r'", "print(root)")
    runs = str(tmp_path / "runs")
    with pytest.raises(FileNotFoundError, match="has no finished run with system='vpn_f'; train one with"):
        execute(tmp_path / "08_distillation.ipynb", tmp_path / "out" / "x.ipynb", {"runs": runs})
    made, left_out = notebooks.execute_all(tmp_path / "out", {"runs": runs}, folder=tmp_path)
    assert [path.name for path in made] == ["00_data_flow.ipynb"]
    (name, missing), *rest = left_out.items()
    assert name == "08_distillation.ipynb" and not rest
    assert "no finished run with system='vpn_f'" in missing
    assert missing.endswith(f"what this notebook reads is made by `python -m workbench train vpn_f --runs {runs}`")


def test_a_report_of_nothing_is_left_out_with_the_command_that_runs_its_table(tmp_path):
    world, runs = str(fake_synthadl(tmp_path / "world")), str(tmp_path / "runs")
    table = str(Path(__file__).parents[2] / "notebooks/ablations/vpn_table1.yaml")
    report = CONFIGS["09_ablation_report"](tables=[table], runs=runs, root=world, preset="tiny", seeds=2)
    with pytest.raises(FileNotFoundError, match="has no run of .*vpn_table1.yaml with these"):
        report.needed()
    command = f"python -m workbench sweep {table} --runs {runs} --root {world} --seeds 2 --preset tiny"
    assert report.made_by() == command
    assert CONFIGS["07_detection"](runs="other").made_by().endswith("detection.yaml --runs other --seeds 1")
    assert CONFIGS["08_distillation"](run="latest:vpn_a").made_by() == "python -m workbench train vpn_a"


def test_a_configuration_cannot_be_changed_behind_ones_back():
    with pytest.raises(ValueError, match="frozen"):
        Notebook().seed = 3
