"""Takes away what the commands made, and nothing else: ``python -m workbench.cleaning FOLDER [FOLDER ...]``.

Made is what the folders' checksums name and what is still as it was written, and what goes with it: locks, files of
rows, the run store, what was set aside. All else stays where it is and is told.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from safefiles import checksums, drafts

#: Beside files that checksums name.
BESIDE = re.compile(
    r"\.lock|lock|\.[^/]+\.lock|rows\.npy|rows\.partial|done\.jsonl|.+\.npy\.(part|rows)|.+\.damaged-\d{19}(\.[^.]+)?"
)
#: Of the run store.
STORE = re.compile(r"mlflow(\.unusable-\d+)?\.db(-journal|-wal|-shm)?|\.mlflow\.lock")


def clean(folders: Iterable[str | os.PathLike]) -> tuple[int, list[Path]]:
    """Removes what was made below ``folders``, and folders that are empty then; how many files went, and what stays."""
    gone, kept = 0, []
    for root in map(Path, folders):
        for folder, _, names in os.walk(root, topdown=False):
            here = Path(folder)
            mine = [here / name for name in names if _is_made(here / name)]
            # The checksums go last: until then they tell what is made.
            for path in sorted(mine, key=lambda path: path.name == checksums.NAME):
                path.unlink()
            gone += len(mine)
            kept += [here / name for name in names if here / name not in mine]
            if not any(os.scandir(here)):
                here.rmdir()
    return gone, sorted(kept)


def _is_made(path: Path) -> bool:
    if path.is_symlink():
        return False
    if checksums.known(path):
        return not checksums.damage(path)
    beside = (path.parent / checksums.NAME).is_file() or (path.parent.parent / checksums.NAME).is_file()
    if path.name == checksums.NAME or drafts.PATTERN.fullmatch(path.name):
        return True
    return bool(STORE.fullmatch(path.name)) or (beside and bool(BESIDE.fullmatch(path.name)))


def main(folders: list[str]) -> int:
    if not folders:
        print("name the folders to clean", file=sys.stderr)
        return 2
    gone, kept = clean(folders)
    print(f"{gone} files that the commands made are gone")
    for path in kept:
        print(f"kept, as no command made it, or not as it is now: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
