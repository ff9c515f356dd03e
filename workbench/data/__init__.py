"""Many clips: data sets and their protocols, and the loader that makes batches of them."""

from __future__ import annotations

from workbench.data.augment import Augment
from workbench.data.catalog import Dataset, open_dataset
from workbench.data.loader import Loader
from workbench.data.sample import Sample, sample
from workbench.data.spec import ClipSpec

__all__ = ["Augment", "ClipSpec", "Dataset", "Loader", "Sample", "open_dataset", "sample"]
