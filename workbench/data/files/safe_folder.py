"""Where the files of a table really are: below its folder, whatever the names and links in it say."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from unicodedata import normalize

#: So many names in one folder are looked up by listing it.
MANY = 64
#: What ``find`` has to think about in the name of a folder.
_UNUSUAL = re.compile(r"^([A-Za-z]:|/)|\\|\0|(^|/)\.\.?(/|$)|//|^\s|\s$")
#: "C:..." and what begins with a slash of either kind.
_ABSOLUTE = re.compile(r"^([A-Za-z]:|[\\/])")


class Folder:
    """Finds files below ``root``; what lies outside, by its name or by a link, is not found."""

    def __init__(self, root: str | Path) -> None:
        self.root = os.path.realpath(root)
        self._real: dict[str, str] = {}

    def find(self, name: str, folders: bool = False) -> tuple[str, str]:
        """(absolute path, "") of the file ``name``, relative to the folder; ("", what is wrong with it) otherwise.
        With ``folders``, that may be a folder too."""
        parts = name.replace("\\", "/").split("/")
        if _ABSOLUTE.match(name) or ".." in parts:
            return "", "outside"
        path = os.path.normpath(os.path.join(self.root, name))
        if "\0" not in name and not os.path.exists(path):
            # macOS writes accents down in another form than it stores them in, Windows has other slashes, and
            # spreadsheets keep blanks around a name.
            plain = name.replace("\\", "/").strip()
            forms = (os.path.normpath(os.path.join(self.root, normalize(form, plain))) for form in ("NFC", "NFD"))
            path = next(filter(os.path.exists, forms), path)
        if "\0" in name or not (os.path.isfile(path) or (folders and os.path.isdir(path))):
            return "", "missing"
        return ("", "outside") if self._leaves(path) else (path, "")

    def find_all(self, names: Iterable[str], folders: bool = False) -> dict[str, tuple[str, str]]:
        """``find`` of many at once, by name: where many lie in one folder, it is listed once, and the plain names of
        plain files in it are not looked up one by one."""
        found: dict[str, tuple[str, str]] = {}
        by_folder: dict[str, list[str]] = defaultdict(list)
        for name in names:
            by_folder[name.rpartition("/")[0]].append(name)
        for folder, inside in by_folder.items():
            path, listed = os.path.normpath(os.path.join(self.root, folder)), set()
            if len(inside) >= MANY and not _UNUSUAL.search(folder) and os.path.isdir(path):
                with os.scandir(path) as entries:
                    listed = {entry.name for entry in entries if entry.is_file(follow_symlinks=False)}
                if self._leaves(os.path.join(path, "any")):
                    listed = set()
            for name in inside:
                last = name.rpartition("/")[2]
                found[name] = (f"{path}{os.sep}{last}", "") if last in listed else self.find(name, folders)
        return found

    def _leaves(self, path: str) -> bool:
        folder = os.path.dirname(path)
        if folder not in self._real:
            self._real[folder] = os.path.realpath(folder)
        real = os.path.realpath(path) if os.path.islink(path) else os.path.join(self._real[folder], "")
        return os.path.commonpath([self.root, real]) != self.root
