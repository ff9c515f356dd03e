"""``python -m workbench COMMAND`` and ``workbench COMMAND``: see ``workbench.commands``."""

from __future__ import annotations

import sys
import warnings

from workbench import boundary
from workbench.commands import main


def run() -> int:
    """Runs the command of the command line; what is odd about it is said in one line each. Returns the exit code."""
    warnings.showwarning = boundary.note
    return main()


if __name__ == "__main__":
    sys.exit(run())
