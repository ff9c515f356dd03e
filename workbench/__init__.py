"""An interactive, notebook-first workbench for video and pose action recognition."""

__version__ = "0.2.0"
