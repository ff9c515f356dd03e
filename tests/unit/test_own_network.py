"""Any module that reads video: explained from plain arrays, played, and trained as a system that its file says."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.fixtures import fake_synthadl
from tests.tiny_runs import PRESET
from tests.videos import encode, numbered
from workbench import explain, show, systems
from workbench.commands import main
from workbench.explain import gradcam
from workbench.explain.methods import METHODS
from workbench.plain import Plain, fits
from workbench.study import fit, sweep
from workbench.study.config.train_config import TrainConfig
from workbench.study.runs import find_runs
from workbench.study.runs.init_weights import initialise, spelt
from workbench.systems.common import own
from workbench.types import Batch, Output

PAGE = Path(__file__).parents[2] / "docs/howto/own_network.md"
SIZES = {"num_classes": 5, "clip": (8, 32, 32)}
#: A file of a network with a linear answer: the mean of each colour, times a matrix.
LINEAR = """
from torch import nn


class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.colours = nn.Conv3d(3, 3, 1)
        self.classifier = nn.Linear(3, num_classes)

    def forward(self, video):
        return self.classifier(self.colours(video).mean((2, 3, 4)))


def build(num_classes):
    return Net(num_classes)
"""


class Deep(nn.Module):
    """Two layers with a map each; the second is what is averaged."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.early = nn.Sequential(nn.Conv3d(3, 4, 3, 2, 1), nn.ReLU(inplace=True))
        self.deep = nn.Sequential(nn.Conv3d(4, 6, 3, 2, 1), nn.ReLU(inplace=True))
        self.pool = nn.AdaptiveAvgPool3d(1)
        self.head = nn.Linear(6, classes)

    def forward(self, video):
        return self.head(self.pool(self.deep(self.early(video))).flatten(1))


class Frames(nn.Module):
    """Reads frame by frame."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.head = nn.Conv2d(3, 4, 3, 2, 1), nn.Linear(4, 5)

    def forward(self, video):
        maps = self.convolution(video.transpose(1, 2).flatten(0, 1))
        return self.head(maps.mean((2, 3)).unflatten(0, (len(video), -1)).mean(1))


@pytest.fixture
def video() -> torch.Tensor:
    return torch.rand(2, 3, 8, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr(own, "REGISTERED", {})


@pytest.fixture
def mine(tmp_path) -> Path:
    path = tmp_path / "nets/mine.py"
    path.parent.mkdir()
    path.write_text(LINEAR)
    return path


def test_a_plain_module_answers_as_a_system_does(video):
    network = Deep().eval()
    output = Plain(network)(video)
    deep = network.deep(network.early(video))
    torch.testing.assert_close(output.logits, network(video))
    torch.testing.assert_close(output.maps["feature_map"], deep)
    torch.testing.assert_close(output.features, deep.mean((2, 3, 4)))
    np.testing.assert_allclose(explain.features(network, video, together=1), output.features.detach(), rtol=1e-5)
    frames = Plain(Frames())(video)
    assert frames.maps == {} and frames.features.shape == (2, 4)
    said = Output(torch.zeros(2, 5), torch.zeros(2, 3), {"spatial": torch.zeros(2, 4, 4)})
    network.forward = lambda _: said
    assert Plain(network)(video) is said


@pytest.mark.parametrize(
    ("shape", "right"),
    [
        ((2, 16, 4, 8, 8), True),
        ((2, 16, 1, 2, 2), True),
        ((2, 16, 8, 1, 1), False),  # no places
        ((2, 4, 8, 8, 16), False),  # channels last
        ((2, 8, 16, 16, 2), False),
        ((2, 3, 9, 32, 32), False),  # more steps than frames
        ((3, 16, 4, 8, 8), False),
        ((2, 16, 8, 8), False),
    ],
)
def test_a_feature_map_lies_over_the_video(video, shape, right):
    assert fits(torch.zeros(shape), video) == right


def test_grad_cam_of_an_array_is_that_of_the_formula(video):
    """For logits = W mean(f) the weight of channel c for class k is W[k,c] / cells, in every step."""
    network = Deep().eval()
    found = explain.grad_cam(network, video.numpy(), target=2)
    maps = network.deep(network.early(video)).detach()
    weight = network.head.weight[2].detach() / maps[0, 0].numel()
    wanted = torch.einsum("c,bcthw->bthw", weight, maps).relu()
    np.testing.assert_allclose(found.maps["per_step"], wanted, rtol=1e-4, atol=1e-8)
    assert gradcam.layers(network, video) == ["early.0", "early.1", "early", "deep.0", "deep.1", "deep"]
    early = explain.grad_cam(network, video, layer="early").maps["per_step"]
    assert early.shape == (2, 4, 16, 16)
    bytes_ = (video * 255).byte()
    one = explain.grad_cam(network, bytes_).maps["per_step"]
    np.testing.assert_allclose(one, explain.grad_cam(network, bytes_.float() / 127.5 - 1).maps["per_step"], rtol=1e-4)


def test_grad_cam_of_a_network_of_frames(video):
    network = Frames()
    found = explain.grad_cam(network, video, target=0, layer="convolution").maps["per_step"]
    maps = torch.stack([network.convolution(video[:, :, t]) for t in range(8)], 2).detach()
    wanted = torch.einsum("c,bcthw->bthw", network.head.weight[0].detach() / 8 / 256, maps).relu()
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-8)


def test_every_explanation_takes_the_array(video):
    network = Deep()
    found = explain.faithfulness.curves(network, video[:1], explain.grad_cam(network, video[:1]).of(), steps=2)
    assert set(found.areas()["map"]) == {"per_step", "over_time", "random", "centre", "uniform"}
    one = explain.faithfulness.curves(network, video[:1], torch.ones(2, 8, 8, requires_grad=True), steps=2)
    assert "map" in one.deletion
    from workbench.explain.methods import explain as explained

    maps = explained(network, video[:1])
    assert set(maps) == set(METHODS) and maps["occlusion"].shape == (2, 8, 8)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda v: v[0], r"a video must be \[B,3,T,H,W\], got \[3, 8, 32, 32\]: one clip is video\[None\]"),
        (lambda v: v.transpose(1, 2), r"got \[2, 8, 3, 32, 32\]: \[B,T,3,H,W\] becomes one with video.transpose"),
        (lambda v: v[0].permute(1, 2, 3, 0).numpy(), r"frames \[T,H,W,3\] become one with"),
        (lambda v: v.long(), "must be uint8 in .* got torch.int64"),
        (lambda v: v / 0, "must be finite"),
        (lambda v: "clip.mp4", r"an array or tensor \[B,3,T,H,W\], got a str"),
        (lambda v: None, "got a NoneType"),
    ],
)
def test_a_wrong_video_is_one_sentence(video, change, words):
    with pytest.raises(ValueError, match=words) as caught:
        explain.grad_cam(Deep(), change(video))
    assert "\n" not in str(caught.value)


def test_a_system_takes_arrays_in_its_range(video):
    system = systems.build("rgb", num_classes=3, clip=(8, 32, 32), width=0.125, output_stride=(4, 8, 8))
    found = explain.grad_cam(system, video)
    np.testing.assert_array_equal(
        found.maps["per_step"], explain.grad_cam(system, Batch(video=video), layer="backbone").maps["per_step"]
    )
    with pytest.raises(ValueError, match=r"RGB reads videos in \[-1,1\], or uint8, this one goes from .* to 2"):
        explain.grad_cam(system, video * 255)


@pytest.mark.parametrize(
    ("module", "layer", "words"),
    [
        (Deep(), "dep", "Deep has no module 'dep'; try one of: early.0, early.1, early, deep.0, deep.1, deep"),
        (Deep(), "0", "Deep has several modules that end with '0'; try one of: early.0, deep.0"),
        (Deep(), "head", r"'head' gives \[2, 5\]"),
        (Frames(), None, "no module of Frames makes a feature map .* its modules: convolution, head"),
        (nn.Conv3d(3, 4, 1), None, r"Conv3d returns \[2, 4, 8, 32, 32\] .*, expected logits \[2,N\]"),
    ],
)
def test_a_wrong_layer_or_answer_is_one_sentence(video, module, layer, words):
    with pytest.raises(ValueError, match=words):
        explain.grad_cam(module, video, layer=layer)


def test_a_layer_without_a_say_is_named(video):
    network = Deep()
    network.spare = nn.Conv3d(3, 3, 1)
    with pytest.raises(ValueError, match="'spare' does not run when Deep answers"):
        explain.grad_cam(network, video, layer="spare")
    network.forward = lambda v: network.head(network.deep(network.early(v)).detach().mean((2, 3, 4)))
    with pytest.raises(ValueError, match="no gradient reaches 'deep'"):
        explain.grad_cam(network, video, layer="deep")


def test_the_player_takes_frames_and_maps():
    frames, heat = np.zeros((8, 16, 24, 3), np.uint8), torch.ones(2, 4, 6, requires_grad=True)
    wanted = show.Player(frames, maps={"map": np.ones((2, 4, 6))})._scene
    assert show.Player(frames, heat)._scene == wanted == show.Player(torch.as_tensor(frames), maps=heat)._scene
    player = show.Player(frames)
    player.update(maps=heat)
    assert player._scene["tracks"] == wanted["tracks"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((torch.zeros(1, 3, 8, 16, 16),), r"got float32 \[1, 3, 8, 16, 16\]: the frames of a video .* are video\[0\]"),
        ((np.zeros((3, 8, 16, 16), np.uint8),), r"the colours come last, as permute\(1, 2, 3, 0\) puts them"),
        (
            (np.linspace(-1, 1, 48).reshape(1, 4, 4, 3),),
            r"values from -1 to 1 become bytes with \(\(x \+ 1\) \* 127.5\)",
        ),
        ((np.zeros((4, 4, 3), np.uint8),), r"frames uint8 \[T,H,W,3\], got uint8 \[4, 4, 3\]"),
        (("clip.mp4",), "got a str"),
        ((np.zeros((2, 4, 4, 3), np.uint8), np.ones((3, 2, 2))), "'map' has 3 time steps .*, the clip has 2 frames"),
        ((np.zeros((2, 4, 4, 3), np.uint8), np.ones((1, 2, 2, 2))), r"must be \[T',H',W'\] or \[H',W'\]"),
        ((np.zeros((2, 4, 4, 3), np.uint8), np.ones((2, 2, 2)), {}), "pixels must be a Pose .*, got a ndarray"),
    ],
)
def test_what_a_player_cannot_show_is_one_sentence(given, words):
    with pytest.raises(ValueError, match=words):
        show.Player(*given)


def test_a_file_is_a_system(mine):
    name = f"{mine}:build"
    system = systems.build(name, **SIZES)
    assert isinstance(system, own.OwnNetwork) and system.training and system.setting.num_classes == 5
    batch = Batch(video=torch.rand(2, 3, 8, 32, 32), label=torch.tensor([0, 1]))
    output = system(batch)
    assert system.loss(output, batch)["total"] == nn.functional.cross_entropy(output.logits, batch.label)
    assert [stage.trains for stage in system.stages()] == [("",)]
    assert systems.variants(name) == {} and not systems.detects(name)
    assert type(systems.build(f"{mine}:Net", **SIZES).backbone.module).__name__ == "Net"
    with pytest.raises(ValueError, match="mine.py:build has no option 'depth'; valid options: none"):
        systems.build(name, depth=3, **SIZES)


def test_a_builder_may_ask_for_the_sizes(mine):
    mine.write_text(
        "from torch import nn\n\ndef build(spec, width=2, *, num_classes):\n    assert width == 2\n"
        "    t, h, w = spec.clip\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(3 * t * h * w, num_classes))\n"
    )
    assert systems.build(f"{mine}:build", **SIZES).backbone.module[1].in_features == 3 * 8 * 32 * 32


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def biuld(n): pass", "mine.py has no function 'build'; it has: biuld; did you mean 'biuld'"),
        ("x = 1 / 0", "mine.py, line 1: it raised ZeroDivisionError: division by zero"),
        ("\ndef build(:", "mine.py, line 2: it raised SyntaxError"),
        ("import not_there", "mine.py, line 1: it raised ModuleNotFoundError: No module named 'not_there'"),
        ("import sys\nsys.exit(2)", "mine.py, line 2: it raised SystemExit: 2"),
        ("def build(n):\n    raise KeyError('a')", r"mine.py, line 2: build\(num_classes=5\) raised KeyError: 'a'"),
        ("def build(): pass", r"build of .*mine.py must take \(num_classes\) or \(num_classes, spec\)"),
        ("def build(n, m): pass", "must take .*: missing a required argument: 'm'"),
        ("def build(n): return 3", "build of .*mine.py must return a torch.nn.Module that reads video, got a int"),
        (
            "from torch import nn\ndef build(n): return nn.Sequential(nn.Flatten(), nn.Linear(24576, 7))",
            r"mine.py returns \[1, 7\] for a video \[1, 3, 8, 32, 32\], expected \[1, 5\], .* 5 classes",
        ),
        (
            "from torch import nn\ndef build(n): return nn.Conv3d(3, 4, 3)",
            r"mine.py: Conv3d returns \[1, 4, 6, 30, 30\]",
        ),
        (
            "from torch import nn\ndef build(n): return nn.Linear(4, 3)",
            r"mine.py: the module, given a video \[1, 3, 8, 32, 32\], raised RuntimeError",
        ),
        (
            "from torch import nn\nclass M(nn.Module):\n    def forward(self, v): return v.mean((1, 2, 3))[:, :5]\n"
            "def build(n): return M()",
            "mine.py has no parameter to train",
        ),
        ("from workbench import systems\nsystems.build(__file__ + ':build', 5)", "trains or builds while it is loaded"),
    ],
)
def test_what_is_wrong_in_a_file_is_one_sentence_that_names_it(mine, text, words):
    mine.write_text(text)
    with pytest.raises(ValueError, match=words) as caught:
        systems.build(f"{mine}:build", **SIZES)
    assert "\n" not in str(caught.value) and str(mine) in str(caught.value)


def test_what_is_no_network_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="gone.py can't be read .No such file"):
        systems.build(f"{tmp_path}/gone.py:build", **SIZES)
    for name in ("mine.py", "mine.py:", "mine.py:a b"):
        with pytest.raises(ValueError, match=f"unknown system '{name}'; .* named FILE.py:FUNCTION"):
            systems.build(name, **SIZES)
    with pytest.raises(ValueError, match="network is the SHA-256 of the file .*, rgb is none"):
        TrainConfig(system="rgb", network="0" * 64)


def test_a_registered_network_goes_by_its_file(mine, monkeypatch):
    monkeypatch.syspath_prepend(mine.parent)
    shutil.copy(mine, mine.with_name("a_net.py"))
    import a_net

    for network in (f"{mine.parent}/a_net.py:build", a_net.build):
        systems.register("my_net", network)
        assert systems.names()[-1] == "my_net"
        assert TrainConfig(system="my_net") == TrainConfig(system=f"{mine.parent}/a_net.py:build")
    systems.register("my_net", a_net.Net)
    assert TrainConfig(system="my_net").title == "a_net.py:Net"
    for name, network, words in (
        ("rgb", a_net.build, "'rgb' is a system of the library"),
        ("my net", a_net.build, "'my net' is no plain name"),
        ("other", lambda n: None, "must be a function or class at the top of a Python file"),
        ("other", "vpn", "named FILE.py:FUNCTION, such as nets/mine.py:build, got 'vpn'"),
        ("other", "gone.py:build", "gone.py can't be read"),
    ):
        with pytest.raises(ValueError, match=words):
            systems.register(name, network)
    assert "other" not in systems.names()


def test_the_identity_is_the_file_wherever_it_lies(mine, tmp_path, monkeypatch):
    monkeypatch.chdir(mine.parent)
    here = TrainConfig(system="mine.py:build")
    assert here.network == hashlib.sha256(LINEAR.encode()).hexdigest() and here.system == f"{mine}:build"
    shutil.copy(mine, tmp_path / "mine.py")
    moved = TrainConfig(system=f"{tmp_path}/mine.py:build")
    assert moved.identity() == here.identity() and "nets" not in json.dumps(moved.identity())
    mine.write_text(LINEAR + "\n# another\n")
    assert TrainConfig(system="mine.py:build").identity() != here.identity()
    assert "network" not in TrainConfig(system="rgb").identity()


@pytest.fixture
def asked(tmp_path, mine, monkeypatch) -> dict:
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "records"))
    world = fake_synthadl(tmp_path / "world", actions=2, views=1, frames=12, size=(48, 64))
    preset = PRESET | {"batch_size": 4}
    where = {"root": str(world), "runs": str(tmp_path / "runs"), "cache": None, "progress": False}
    return {"system": f"{mine}:build", "preset": preset, "epochs": 1, **where}


def test_a_run_finds_its_network_again_or_says_what_became_of_it(asked, mine, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    name = fit(asked)
    assert re.fullmatch(r"mine-build-cs-s0-[0-9a-f]{8}", name)
    for words in ("mine.py:build", "nets/mine.py:build", str(mine) + ":build"):
        assert find_runs.open_run(f"latest:{words}", asked["runs"]).id == name
        assert spelt(f"latest:{words}:backbone", asked["runs"], None) == f"{name}:backbone"
    run = find_runs.open_run(name, asked["runs"])
    assert run.predictions().features.shape == (2, 3) and not run.system().training
    begun = systems.build(asked["system"], num_classes=2, clip=(8, 32, 32))
    initialise(begun, {"backbone": name}, asked["runs"])
    assert all(torch.equal(value, run.state()[key]) for key, value in begun.state_dict().items())

    # Another file is another run; the old one isn't run on it.
    mine.write_text(f"{LINEAR}\nopen({str(tmp_path / 'executed')!r}, 'w')\n")
    with pytest.raises(ValueError, match=f"{mine} has changed since the run was trained .*, and is not run"):
        find_runs.open_run(name, asked["runs"]).system()
    assert not (tmp_path / "executed").exists()
    assert TrainConfig(**asked).identity() != run.config.identity()

    # The rest of the store doesn't need the file.
    mine.unlink()
    assert len(find_runs.finished(asked["runs"])) == 1
    assert find_runs.open_run(name, asked["runs"]).predictions().ids
    with pytest.raises(ValueError, match="mine.py can't be read .*: a network is made from its file; put it there"):
        find_runs.open_run(name, asked["runs"]).system()

    # Trained from its new place, it is the same run, which then is found there.
    moved = tmp_path / "elsewhere/mine.py"
    moved.write_text(LINEAR)
    assert fit({**asked, "system": f"{moved}:build"}) == name
    assert find_runs.open_run(name, asked["runs"]).system().file == moved


def test_what_a_module_raises_later_names_the_file(mine):
    late = "        assert len(video) == 1, 'one by one'\n        return self.cl"
    mine.write_text(LINEAR.replace("        return self.cl", late))
    system = systems.build(f"{mine}:build", **SIZES)
    with pytest.raises(
        ValueError, match=r"mine.py, line 12: the module, given a video .*, raised AssertionError: one by"
    ):
        system(Batch(video=torch.zeros(2, 3, 8, 32, 32)))


def test_the_page_runs_as_it_is_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "records"))
    encode(tmp_path / "clip.mp4", numbered(20))
    fake_synthadl(tmp_path / "data/synthadl/tiny", actions=2, views=1, frames=12, size=(48, 64))
    names: dict = {}
    for kind, code in re.findall(r"^```(python|bash)\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        if code.startswith("# mine.py"):
            (tmp_path / "mine.py").write_text(code)
        elif kind == "python":
            exec(compile(code, str(PAGE), "exec"), names)
        elif code.startswith("python -m workbench train"):
            short = ["--set", "preset.clip=[8,32,32]", "preset.batch_size=4", "epochs=1", "cache=null"]
            assert main([*code.split()[3:], *short]) == 0
    assert (tmp_path / "clip.html").is_file() and names["features"].shape == (1, 32)
    assert names["system"].setting.num_classes == 10 and list((tmp_path / "runs").glob("mine-build-*/metrics.json"))


def test_a_table_trains_it_beside_others(tmp_path, monkeypatch):
    """The page's table, on a few clips; when the file changes, its row alone is trained again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "records"))
    fake_synthadl(tmp_path / "data/synthadl/tiny", actions=2, views=1, frames=12, size=(48, 64))
    Path("mine.yaml").write_text(re.search(r"^```yaml\n(# mine.*?)^```", PAGE.read_text(), re.M | re.S)[1])
    small = {"preset": PRESET | {"batch_size": 4}, "epochs": 1, "cache": None, "progress": False, "runs": "runs"}
    seen: set[str] = set()
    for version, trained in (("", 2), ("# another\n", 1)):
        Path("mine.py").write_text(LINEAR + version)
        measured = sweep("mine.yaml", 1, **small).set_index("system")["top-1"]
        fresh = [run for run in find_runs.finished("runs") if run.id not in seen]
        seen |= {run.id for run in fresh}
        (mine,) = [run for run in fresh if run.id.startswith("mine-build")]
        answers = mine.predictions()
        assert len(fresh) == trained and len(mine.history) == 1 and measured["I3D"] >= 0
        assert measured["my network"] == 100 * (answers.logits.argmax(1) == answers.labels).mean()
