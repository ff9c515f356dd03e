"""Programs that can import some of the installed packages alone, as where the others were not installed."""

from __future__ import annotations

#: What torch itself installs or asks for.
TORCHS_OWN = ("sympy", "mpmath", "networkx", "jinja2", "markupsafe", "filelock", "fsspec", "typing_extensions")
TORCHS_OWN += ("torchgen", "functorch", "setuptools", "packaging", "triton", "pkg_resources")
#: The start of a program that can import the ``allowed`` packages alone.
ONLY = """
import sys
class Only:
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if top not in {allowed!r} and top not in sys.stdlib_module_names and not top.startswith("_"):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=top)
sys.meta_path.insert(0, Only())
"""
