"""Drafts: whole or not at all, and nothing but drafts of dead processes is ever removed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from safefiles import drafts
from synthadl import world
from tests.fixtures import fake_synthadl


def test_a_block_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "deep" / "a.json"
    drafts.write(path, b"old")
    with pytest.raises(KeyError), drafts.replacing(path) as draft:
        draft.write_bytes(b"half")
        raise KeyError("stop")
    assert path.read_bytes() == b"old" and list(path.parent.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_disk_that_can_t_be_written_is_one_sentence(tmp_path, code):
    path = tmp_path / "a.npz"
    words = rf"a\.npz can't be written: {os.strerror(code)}; nothing was left half-written"
    with pytest.raises(OSError, match=words) as raised, drafts.replacing(path):
        raise OSError(code, os.strerror(code))
    assert raised.value.errno == code and not list(tmp_path.iterdir())


def test_another_files_error_is_not_ours(tmp_path):
    with pytest.raises(FileNotFoundError, match="elsewhere"), drafts.replacing(tmp_path / "a"):
        (tmp_path / "elsewhere").read_bytes()


def _leave_a_draft(path: str) -> int:
    """A process that dies in the middle of writing; returns its number."""
    code = (
        "import os, sys; from safefiles import drafts\n"
        "with drafts.replacing(sys.argv[1]) as draft: draft.write_bytes(b'half'); os._exit(9)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, path])
    process.wait()
    return process.pid


def test_only_drafts_of_dead_processes_on_this_machine_are_removed(tmp_path):
    for name in (
        ".env",
        ".gitignore",
        ".note.part",
        ".a.draft-notes.txt",
        ".a.draft-0-1-2",
        "a.draft-00000000-1-00000000",
    ):
        (tmp_path / name).write_text("mine")
    other = tmp_path / ".a.draft-00000000-1-00000000.npz"  # another machine's
    other.write_text("theirs")
    pid = _leave_a_draft(str(tmp_path / "weights.npz"))
    left = [path for path in tmp_path.iterdir() if f"-{pid}-" in path.name]
    assert len(left) == 1
    before = set(tmp_path.iterdir())
    with drafts.replacing(tmp_path / "now.npz") as draft:
        draft.write_bytes(b"x")
        # Neither our own, which is being written, nor anybody's files go.
        assert set(tmp_path.iterdir()) == before - set(left) | {draft}
        assert drafts.discard(tmp_path) == []


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> tuple[Path, list[dict]]:
    """A folder with a clip of the world, and its plan."""
    root = tmp_path_factory.mktemp("world")
    settings = world.settle("tiny", "adl", None)
    world._claim(root, {"version": world.VERSIONS["adl"]})
    rows = world.plan("tiny", "adl", 0, None).to_dict("records")[:1]
    world._write((str(root), settings, "adl", 0, 0, rows[0]))
    return root, rows


@pytest.mark.parametrize("kind", ["video", "arrays"])
@pytest.mark.parametrize("damage", ["emptied", "cut", "flipped"])
def test_a_damaged_clip_of_a_world_is_said_and_drawn_again(drawn, kind, damage, tmp_path):
    root, (row,) = drawn
    assert world._whole(root, row)
    path = root / row[kind]
    data = path.read_bytes()
    middle = len(data) // 2
    spoilt = {
        "emptied": b"",
        "cut": data[:middle],
        "flipped": data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :],
    }
    path.write_bytes(spoilt[damage])
    try:
        with pytest.warns(
            UserWarning, match=f"{path.name} is damaged: it is kept as .*, and {row['id']} is drawn again"
        ):
            assert not world._whole(root, row)
        (aside,) = path.parent.glob(f"{path.stem}.damaged-*")
        assert aside.read_bytes() == spoilt[damage] and not path.exists()
        aside.unlink()
    finally:
        path.write_bytes(data)
    assert world._whole(root, row)


POOL = """
import multiprocessing, os, sys, time
from concurrent.futures import ProcessPoolExecutor
from safefiles.workers import follow
if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), follow, (os.getpid(),))
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 600); time.sleep(600)
"""
LOADER = """
import sys, time
import psutil
from workbench.data import ClipSpec, Loader, open_dataset
if __name__ == "__main__":
    data = open_dataset("synthadl", sys.argv[1], "cs", "train")
    loader = Loader(data, ClipSpec(frames=4, size=(32, 32)), batch_size=1, train=True, workers=2)
    iterator = iter(loader)
    next(iterator)
    print(*(child.pid for child in psutil.Process().children(recursive=True)), flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("script", [POOL, LOADER], ids=["pool", "loader"])
def test_workers_end_when_their_parent_is_killed(script, tmp_path):
    fake_synthadl(tmp_path / "data", actions=2, subjects=4, views=1, frames=8)
    (tmp_path / "script.py").write_text(script)
    line = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "data")]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    parent = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment)
    workers = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
    assert workers
    parent.kill()
    parent.wait()
    _, left = psutil.wait_procs(workers, timeout=15)
    left = [worker for worker in left if worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE]
    for worker in left:
        worker.kill()
    assert not left, f"{len(left)} of {len(workers)} outlived their parent"
