"""Many clips: data sets and their protocols, and the loader that makes batches of them."""

from __future__ import annotations

from workbench.extras import check

check(__name__)

from workbench.data.catalog import open_dataset
from workbench.data.clips.augment import Augment
from workbench.data.clips.clip_spec import ClipSpec
from workbench.data.clips.inspect_clip import Sample, sample, truth_of
from workbench.data.clips.loader import Loader
from workbench.data.dataset import Dataset
from workbench.data.untrimmed.collate_sequences import DetectionBatches
from workbench.data.untrimmed.snippet_files import Snippets, SnippetSpec
from workbench.data.untrimmed.videos import Untrimmed, open_untrimmed

__all__ = [
    "Augment",
    "ClipSpec",
    "Dataset",
    "DetectionBatches",
    "Loader",
    "Sample",
    "SnippetSpec",
    "Snippets",
    "Untrimmed",
    "open_dataset",
    "open_untrimmed",
    "sample",
    "truth_of",
]
