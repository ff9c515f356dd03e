"""An interactive, notebook-first workbench for video and pose action recognition."""

from safefiles.processes import wait_quietly

__version__ = "0.2.0"

# Before anything loads torch.
wait_quietly()
