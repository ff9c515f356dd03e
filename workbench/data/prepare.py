"""Everything that training would make on its first epoch, made beforehand: once, and from where it was interrupted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from safefiles.locks import turn
from safefiles.processes import cores
from workbench.data.clips.clip_spec import ClipSpec
from workbench.data.clips.loader import check_needs
from workbench.data.clips.prepared_clips import Clips
from workbench.data.clips.read_clip import verified
from workbench.data.dataset import Dataset
from workbench.data.files.written_manifest import save
from workbench.media.files.ingest import is_known


@dataclass(frozen=True)
class Outcome:
    """What came of one kind of work: clips done now, there before, and (id, reason) of those that failed."""

    title: str
    done: int
    skipped: int
    failed: list[tuple[str, str]] = field(default_factory=list)


def prepare(
    datasets: dict[str, Dataset],
    spec: ClipSpec,
    needs: frozenset[str],
    cache: str | Path,
    workers: int | None = None,
) -> Iterable[Outcome]:
    """Fills ``cache`` with all that loaders of ``datasets`` (by split) with ``spec`` and ``needs`` would put there.

    First every video is decoded once to verify it, then what the needs are made of, each as one Outcome when it is
    done. ``workers`` threads; None: one a core. ValueError, before anything is done, for needs that a data set cannot
    meet; RuntimeError when the disk is full.
    """
    workers = workers or cores()
    for dataset in datasets.values():
        check_needs(dataset, spec, needs)
    for split, dataset in datasets.items():
        if len(dataset):
            yield verify(dataset, split)
            # Validation between epochs reads one window a clip.
            case = replace(spec, windows=1, test_area="centre") if split == "validation" else spec
            yield from _fill(dataset, split, case, needs, cache, workers)


def verify(dataset: Dataset, split: str) -> Outcome:
    """Decodes every video that is not known yet."""
    filmed = [i for i, path in enumerate(dataset.videos) if path]
    verified_before = [i for i in filmed if is_known(dataset.video(i))]
    reasons = {**dataset.problems, **_problems(dataset, filmed)}
    done = [i for i in filmed if i not in verified_before and i not in reasons]
    failed = [(dataset.ids[i], reason) for i, reason in sorted(reasons.items())]
    return Outcome(f"{split} videos", len(done), len(set(verified_before) - set(reasons)), failed)


def _problems(dataset: Dataset, positions: list[int]) -> dict[int, str]:
    """What is wrong with the videos of the clips at ``positions``, by position; also where the table says otherwise."""

    def problem(i: int) -> str:
        try:
            verified(dataset, i)
        except (ValueError, FileNotFoundError) as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(cores()) as pool:
        problems = list(tqdm(pool.map(problem, positions), "checking videos", len(positions), unit="file"))
    return {i: text for i, text in zip(positions, problems, strict=True) if text}


def _fill(
    dataset: Dataset, split: str, spec: ClipSpec, needs: frozenset[str], cache: str | Path, workers: int
) -> Iterable[Outcome]:
    # One kind after the other, so that what is done is told when it is done.
    clips = Clips(dataset, spec, needs, cache, workers)
    for title, store in clips.stores.items():
        failed = [(dataset.ids[i], reason) for i, reason in store.bad.items()]
        yield Outcome(f"{split} {title}", store.made, len(store) - store.made - len(failed), failed)


def table(outcomes: Iterable[Outcome]) -> pd.DataFrame:
    """One row a kind of work: what, done, skipped, failed (numbers of clips)."""
    rows = [(outcome.title, outcome.done, outcome.skipped, len(outcome.failed)) for outcome in outcomes]
    return pd.DataFrame(rows, columns=["what", "done", "skipped", "failed"])


def find_poses(dataset: Dataset, manifest: str | Path) -> Outcome:
    """Estimates the poses of all clips of ``dataset`` (media.pose_estimation) into the folder <manifest>_poses, and
    then writes ``manifest``, a manifest of the clips with a column for them.

    What is there already is kept. A clip whose poses can't be found is in the manifest without.
    """
    from workbench.media.estimation.pose_estimation import estimate_all

    manifest = Path(manifest)
    folder = manifest.with_name(f"{manifest.stem}_poses")
    filmed = [i for i, path in enumerate(dataset.videos) if path]
    if not filmed:
        raise ValueError(f"{dataset.name} ({dataset.split}) has no videos to find poses in")
    targets = {i: folder / f"{hashlib.sha256(dataset.ids[i].encode()).hexdigest()[:20]}.npz" for i in filmed}
    with turn(folder / ".lock", str(folder)):
        before = {i for i in filmed if targets[i].is_file()}
        wrong = estimate_all([dataset.videos[i] for i in filmed], list(targets.values()))
    reasons = {i: wrong[dataset.videos[i]] for i in filmed if dataset.videos[i] in wrong}
    posed = [i for i in filmed if targets[i].is_file() and i not in reasons]
    paths = {i: targets[i].relative_to(manifest.parent).as_posix() for i in posed}
    save(dataset, manifest, paths)
    failed = [(dataset.ids[i], reason) for i, reason in reasons.items()]
    return Outcome("poses", len(set(paths) - before), len(set(paths) & before), failed)
