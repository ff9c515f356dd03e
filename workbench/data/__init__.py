"""Many clips: data sets and their protocols, and the loader that makes batches of them."""

from __future__ import annotations

from workbench.data.augment import Augment
from workbench.data.catalog import Dataset, open_dataset
from workbench.data.detection import DetectionBatches, detection_batches
from workbench.data.loader import Loader
from workbench.data.sample import Sample, sample
from workbench.data.snippets import Snippets, SnippetSpec
from workbench.data.spec import ClipSpec
from workbench.data.untrimmed import Untrimmed, open_untrimmed

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
    "detection_batches",
    "open_dataset",
    "open_untrimmed",
    "sample",
]
