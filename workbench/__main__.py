"""The commands: ``python -m workbench COMMAND --help``. Each is a thin call into the library. Its parameters are what
the command takes (after ``*`` by name, as options), its docstring is the help."""

from __future__ import annotations

import re
import shlex
import sys
import warnings
from collections.abc import Callable, Sequence
from inspect import BoundArguments
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter, Token

from workbench import boundary

CACHE, RUNS, PAGES, TINY = "data/cache", Path("runs"), Path("gallery"), Path("data/synthadl/tiny")
FIRST_TABLE, DEMO_ROWS = "notebooks/ablations/synthadl_tiny.yaml", ("pose_lstm", "rgb", "vpn")
TYPED = f"python -m workbench {shlex.join(sys.argv[1:])}".replace(f"{Path.cwd()}/", "")


def _whole(kind: type, tokens: Sequence[Token]) -> int:
    if not re.fullmatch("[+-]?[0-9]+", tokens[0].value):
        raise ValueError(f"{tokens[0].value!r} is not a whole number.")
    return int(tokens[0].value)


#: What parameters hold; cyclopts alone would take 2.7 for the whole number 3.
Whole = Annotated[int, Parameter(converter=_whole)]
Flag = Annotated[bool, Parameter(show_default=False)]
Number, Text, File, Words = Whole | None, str | None, Path | None, Sequence[str] | None
Pairs = Annotated[Sequence[str], Parameter("--set", consume_multiple=True, metavar="NAME=VALUE...", show_default=False)]
#: What several commands have.
Runs = Annotated[Path, Parameter(help="folder of the run store")]
Data = Annotated[Path, Parameter(help="folder or manifest of the data")]
Pages = Annotated[Path, Parameter(help="folder to write to")]
Notebooks = Annotated[Words, Parameter(help="only these notebooks, such as 06_confusion")]
Workers = Annotated[Number, Parameter(help="number of parallel workers (default: one for each core)")]

app = App(
    "python -m workbench",
    help="video + pose action recognition workbench",
    help_format="plaintext",
    version_flags=(),
    default_parameter=Parameter(negative=(), consume_multiple=1, json_list=False),
)


def synth(
    root: Path, /, *,
    size: str = "tiny", world: str = "adl", seed: Whole = 0, workers: Workers = None, pairs: Pairs = (),
) -> None:  # fmt: skip
    """Generate the synthetic world SynthADL.

    Args:
        root: folder to write to
        size: tiny, small or paper; the world pretrain also has look
        world: adl, pretrain (SynthADL-P) or untrimmed (SynthADL-U: videos of 60 to 180 s)
        seed: seed of the world
        pairs: settings of the world, such as imposters=0 or pose_quality=low
    """
    from synthadl.world import generate
    from workbench.study.config.train_config import parse_pairs

    made = generate(root, size, world, seed, workers, parse_pairs(pairs))
    print(f"{root} contains the complete world: {len(made)} videos")


def new(folder: Path, /, *, labs: Flag = False, solutions: Flag = False, reset: Flag = False) -> None:
    """Copy the notebooks, the labs and the papers' tables to a folder.

    Args:
        folder: parent of the new folder notebooks/; existing files stay unchanged
        labs: copy the labs only
        solutions: also copy the worked solutions of the labs
        reset: put fresh copies in the place of changed labs; a changed lab is kept beside, as NAME.mine-1.ipynb
    """
    from workbench import shipped

    kept = shipped.reset_labs(folder) if reset else {}
    for lab, mine in kept.items():
        print(f"{lab} is as it came; what was there is kept in {mine.name}")
    made = shipped.lay_out(folder, labs or reset, solutions)
    if reset:
        print(f"{folder}/notebooks/labs: {len(kept)} labs reset")
    else:
        print(f"{folder}/notebooks: {len(made)} new files; existing files are unchanged")


def slides(notebook: Path, /, *, out: File = None) -> None:
    """Make slides of a notebook whose cells have slide types: one page that works offline.

    Args:
        notebook: a notebook, such as notebooks/labs/1_pose_attention.ipynb; an executed one brings its figures along
        out: page to write (default: NOTEBOOK.slides.html in the current folder)
    """
    from workbench.show import slides as pages

    print(f"open {pages.build(notebook, out or Path(f'{notebook.stem}.slides.html'))} in a browser")


def solve(lab: Path, /, *, out: File = None) -> None:
    """Fill in a lab: a copy with the worked solutions and the expected answers.

    Args:
        lab: a lab as it comes, with the folder solutions/ beside it
        out: notebook to write (default: LAB.solved.ipynb beside it)
    """
    from workbench.lessons.solving import solve as fill_in

    print(f"written: {fill_in(lab, out or lab.with_name(f'{lab.stem}.solved.ipynb'))}")


def train(
    system: str, /, *,
    data: str = "auto", root: Text = None, seed: Whole = 0, pairs: Pairs = (), each_person: Flag = False,
    export: File = None, runs: Runs = RUNS,
) -> None:  # fmt: skip
    """Train and evaluate one system; a finished run is not repeated.

    Args:
        system: a name of workbench.systems.names(), such as rgb or vpn
        data: name of the data set, such as ntu60; auto detects it from --root
        root: folder or manifest file of the data set (default: data/synthadl/tiny, for detectors .../untrimmed)
        seed: seed of weights, order and augmentation
        pairs: any other field of TrainConfig
        each_person: one run for each person, tested on that person, and the accuracy on all of them
        export: write the trained backbone to this safetensors file
    """
    from workbench.nets import weights
    from workbench.study import fit
    from workbench.study.config.train_config import parse_pairs
    from workbench.study.report import outcome
    from workbench.study.runs.find_runs import open_run

    where = {"dataset": data, "root": root, "runs": str(runs), "cache": CACHE}
    config = {"system": system, "seed": seed, **where, **parse_pairs(pairs)}
    if each_person and export:
        raise boundary.Usage("--each-person and --export exclude each other")
    if each_person:
        print("\n".join(outcome.in_turn(list(outcome.each_person(config)))))
        return
    run = open_run(fit(config), config["runs"])
    print("\n".join([run.id, *outcome.told(run, TYPED)]))
    if export:
        weights.save(run.system().backbone, export)


def pretrain(
    root: Path = Path("data/synthadl/pretrain"), /, *,
    size: str = "tiny", workers: Workers = None, only: Words = None, out: File = None,
    epochs: Number = None, limit: Number = None, runs: Runs = RUNS,
) -> None:  # fmt: skip
    """Draw SynthADL-P and train the weights that ship with the library; resumes after an interruption.

    Args:
        root: folder of the world
        size: size of the world: tiny, look (a quick trial), small or paper
        only: only these weights, such as i3d_synthadl_p (default: all)
        out: folder to write to (default: the folder of the shipped weights)
        epochs: for a trial: number of epochs (default: the recipe's)
        limit: for a trial: maximum number of clips in each split
    """
    from workbench.nets import weights
    from workbench.study import files
    from workbench.study.train import pretraining

    where = {"out": out or weights.PRETRAINED, "runs": runs, "command": TYPED}
    made = pretraining.pretrain(root, size, workers, only, **where, epochs=epochs, limit=limit)
    for path in made.values():
        held_out = files.read_json(weights.card_of(path))["held_out"]
        print(f"{path}: {100 * held_out['top1']:.1f} % of {held_out['clips']} held-out clips")


def sweep(
    files: Sequence[Path], /, *,
    seeds: Number = None, rows: Words = None, preset: Text = None, protocols: Words = None,
    dataset: Text = None, root: Text = None, limit: Number = None,
    workers: Workers = None, threads: Whole = 1, gpus: Number = None, scheduler: Text = None, slurm: File = None,
    limit_minutes: float | None = None, limit_memory: float | None = None, retries: Whole = 1,
    report: File = None, runs: Runs = RUNS,
) -> None:  # fmt: skip
    """Run every row of table files with several seeds, and report which claims hold.

    Args:
        files: table files, such as those in notebooks/ablations
        seeds: number of seeds for each row (default: the file's, or 3)
        rows: only these rows, and the rows that they start from
        preset: tiny, study or paper (default: the files')
        protocols: protocols, such as cs cv setup (default: the files')
        dataset: name of the data set (default: the files')
        root: folder or manifest file of the data set (default: the files')
        limit: maximum number of clips in each split, for a quick trial
        threads: number of cores for each row
        gpus: number of rows at once that use a GPU (resource GPU=1)
        scheduler: address of a running Dask scheduler, such as tcp://host:8786
        slurm: start workers with SLURM; the YAML file has the arguments of SLURMCluster
        limit_minutes: time limit of a row in minutes
        limit_memory: memory limit of a row in GiB
        retries: number of retries of a failed row
        report: Markdown file of tables and verdicts; their numbers and configurations into the folder study/ beside it
    """
    from workbench.study.report import export, markdown
    from workbench.study.sweep import sweep as sweeping
    from workbench.study.sweep import worlds
    from workbench.study.sweep.job import Limits

    given = {"preset": preset, "dataset": dataset, "root": root, "limit": limit}
    where = {"runs": str(runs), "cache": CACHE} | {name: value for name, value in given.items() if value is not None}
    if dataset is None and root is None:
        worlds.draw_missing(files)
    limits = Limits(limit_minutes, limit_memory, retries, threads)
    place = {"scheduler": scheduler, "slurm": slurm, "workers": workers, "gpus": gpus}
    swept = sweeping.sweep_files(files, seeds, rows, protocols, where, limits, **place)
    for results in swept.results:
        print(f"\n{results.table.title}\n{markdown.overview(results).to_string(index=False)}")
    if report:
        export.write(report, swept.results, TYPED, runs, where)
        print(f"\nreport: {report}")
    if swept.failed:
        for record in swept.failed:
            print(f"{record['status']}: {record['label']}: {record['error']}", file=sys.stderr)
        counts = f"{len(swept.failed)} of {len(swept.records)} cells failed"
        raise RuntimeError(f"{counts}; the same command runs them again")


def profile(
    systems: Sequence[str], /, *,
    pairs: Pairs = (), repeats: Whole = 10, device: Literal["cpu", "cuda"] = "cpu",
    pose_seconds: float | None = None, report: File = None, runs: Runs = RUNS,
) -> None:  # fmt: skip
    """Measure the cost of systems, and report whether the mechanism of their latest runs is alive.

    Args:
        systems: names of systems, or table files (for every row)
        pairs: fields of TrainConfig, such as preset=paper
        repeats: number of measurements, of which the median is reported
        device: where they are measured
        pose_seconds: seconds that pose estimation by another program takes for one clip
        report: write the costs to this CSV file
    """
    from safefiles import drafts
    from workbench.study.analysis import profiling
    from workbench.study.config.train_config import TrainConfig, parse_pairs
    from workbench.study.evaluate import alive
    from workbench.study.tables import table_file

    configs = {}
    for name in systems:
        if name.endswith((".yaml", ".yml")):
            configs |= table_file.configs(name, parse_pairs(pairs))
        else:
            configs[name] = TrainConfig(**{"system": name, **parse_pairs(pairs)})
    costs = profiling.profile_all(configs, repeats=repeats, device=device, pose_seconds=pose_seconds)
    print(costs.round(2).to_string(index=False))
    for system, root in {config.system: config.root for config in configs.values()}.items():
        print(alive.line(system, runs, data=root))
    if report:
        drafts.write(report, costs.to_csv(index=False).encode())


def sensitivity(
    run: str, /, *,
    root: Text = None, split: str = "test", change: str = "drop", limit: Number = None, runs: Runs = RUNS,
) -> None:  # fmt: skip
    """Measure the loss in score of each clip if a joint is dropped, frozen or shaken.

    Args:
        run: run id, or latest:<system>, the newest run on --root
        root: folder or manifest of the data (default: the data of the newest run)
        split: train, validation or test
        change: drop, freeze or jitter
        limit: maximum number of clips, evenly spread; then no file is written
    """
    from workbench.study.analysis import joint_sensitivity as joints
    from workbench.study.runs.find_runs import open_run

    found = open_run(run, runs, root)
    print(f"{found.id}, trained on {found.known['root'] or found.config.dataset}")
    table = joints.sensitivity(found, split, change, limit=limit)
    print(table.round(3).to_string(index=False))
    if limit is None:
        print(f"written: {joints.where(found, split, change)}")


def score(
    ground_truth: Path, detections: Path, /, *,
    rule: str, iou: Sequence[float] | None = None, subset: Text = None, classes: Flag = False,
) -> None:  # fmt: skip
    """Compute the mean average precision of detections in the file formats of public data sets.

    Args:
        ground_truth: file or folder of annotations
        detections: file or folder of detections
        rule: thumos, activitynet, pku, tsu, charades (25 points) or charades_classify
        iou: overlap thresholds (default: the benchmark's)
        subset: subset of the annotations, such as test (default: the benchmark's)
        classes: also print the average precision of every class
    """
    import pandas as pd

    from workbench import metrics

    found = metrics.score_files(ground_truth, detections, rule, iou, subset)
    per_class, mean = pd.DataFrame(found.per_class).mul(100), pd.Series(found.mean).mul(100)
    per_class.columns = mean.index = [f"IoU {iou:g}" for iou in found.mean.index] if len(mean) > 1 else ["AP"]
    if classes:
        print(per_class.round(2).rename_axis("class").reset_index().to_string(index=False))
    print("\n".join(f"mAP {name.replace('AP', '').strip():9} {value:.4f}" for name, value in mean.items()))
    if len(mean) > 1:
        print(f"mean of these {100 * found.average:.4f}")


def wizard(
    folder: Path, /, *,
    out: File = None, subject_pattern: Text = None, camera_pattern: Text = None,
    split: str = "auto", seed: Whole = 0, force: Flag = False,
) -> None:  # fmt: skip
    """Write a manifest for a folder with one sub-folder of videos for each class, and list its assumptions.

    Args:
        folder: folder of the videos
        out: the .csv or .parquet file to write (default: FOLDER/manifest.csv)
        subject_pattern: regular expression with a group: the performer in a file name
        camera_pattern: regular expression with a group: the camera in a file name
        split: auto, subject, clip, leave-one-out or leave-out:NAME[,NAME...]
        seed: seed of a split by subject or clip
        force: replace an existing manifest
    """
    from workbench.data.wizard import wizard as maker

    out = out or folder / "manifest.csv"
    found = maker.propose(folder, subject_pattern, camera_pattern, split, seed)
    written = maker.write(found, out, force)
    print("\n".join(["assumptions", *(f"  {line}" for line in found.said)]))
    if found.warned:
        print("\n".join(["please check", *(f"  {line}" for line in found.warned)]))
    print(f"written: {', '.join(map(str, written))}")
    print("\n".join(["next steps", *(f"  {line}" for line in maker.next_steps(found, out))]))


def prepare(
    dataset: str, /, *,
    protocol: Text = None, splits: Sequence[str] = ("train", "validation", "test"), system: str = "rgb",
    pairs: Pairs = (), needs: Words = None, cache: str = CACHE, workers: Workers = None,
    poses: File = None, shards: File = None, shard_size: float = 500.0,
) -> int:  # fmt: skip
    """Prepare the inputs of training: verified videos, crops, flow, poses; or shards.

    Args:
        dataset: a manifest, a folder, or NAME:FOLDER such as ntu60:/data/ntu
        protocol: protocol, as for train (default: the data set's first)
        splits: splits of the data set
        system: prepare the inputs of this system
        pairs: fields of TrainConfig, as for train
        needs: inputs to prepare instead of the system's: video, pose, flow, parts, ...
        cache: folder of the caches
        poses: estimate poses, report how good they are, and write a manifest with them to this CSV file
        shards: pack the clips into WebDataset shards in this folder
        shard_size: size of one shard in MB
    """
    from workbench.data import catalog, write_shards
    from workbench.data import prepare as work
    from workbench.data.doctor import pose_quality
    from workbench.study.config.experiment import resolve
    from workbench.study.config.train_config import TrainConfig, parse_pairs
    from workbench.study.runs.run_folder import needs_of

    if poses and shards:
        raise boundary.Usage("--poses and --shards exclude each other")
    name, root = catalog.locate(dataset)
    where = {"dataset": name, "root": root, "protocol": protocol}
    config = TrainConfig(**{"system": system, **where, **parse_pairs(pairs)})
    parts = {split: catalog.open_dataset(name, root, protocol, split) for split in splits}
    if poses:
        outcomes = [work.find_poses(catalog.open_dataset(name, root, protocol, "all"), poses)]
        posed = catalog.open_dataset("manifest", str(poses), None, "all")
        quality = pose_quality.measure(posed)
        page = pose_quality.write(posed, quality, poses.with_name(f"{poses.stem}_poses.html"))
        print("\n".join([*pose_quality.told(quality), f"open {page} in a browser: every clip, its worst frames first"]))
    elif shards:
        outcomes = write_shards.write(parts, shards, int(shard_size * 1e6))
    else:
        read = frozenset(needs or needs_of(config, next(iter(parts.values()))))
        outcomes = list(work.prepare(parts, resolve(config).clip, read, cache, workers))
    print(work.table(outcomes).to_string(index=False))
    failed = [(one.what, *case) for one in outcomes for case in one.failed]
    for what, clip, reason in failed:
        print(f"failed: {what}: {clip}: {reason}", file=sys.stderr)
    return 1 if failed else 0


def doctor(
    dataset: str, /, *,
    root: File = None, protocol: Text = None, sample: Whole = 200, all: Flag = False, seed: Whole = 0,
    skip: Words = None, html: File = None,
) -> int:  # fmt: skip
    """Check a data set for errors that silently ruin results; fails if training would be wrong.

    Args:
        dataset: a manifest file, a folder, or NAME:FOLDER (NAME alone with --root)
        root: folder or manifest of the data set, if DATASET is its name
        protocol: protocol (default: the data set's first)
        sample: number of clips to examine
        all: examine every clip
        seed: seed of the sample
        skip: names of checks to leave out
        html: write a page with pictures of the worst cases to this file
    """
    from workbench.data import doctor as practice
    from workbench.data.catalog import locate

    parts = practice.open_parts(*((dataset, root) if root else locate(dataset)), protocol)
    report = practice.examine(parts, None if all else sample, seed, skip or ())
    print(report.text())
    if html:
        print(f"open {practice.write(report, html)} in a browser")
    return 1 if report.errors else 0


def render(
    files: Sequence[Path], /, *,
    data: str = "auto", root: Text = str(TINY), clip: str = "0", variants: Sequence[str] = ("frame", "black"),
    thickness: float = 1.0, palette: Words = None, height: Whole = 360, seconds: tuple[float, float] | None = None,
) -> None:  # fmt: skip
    """Draw the poses of a clip in several ways, side by side and in motion, and save them.

    Args:
        files: the files to write: .mp4, .gif, .png (the middle frame) or .html (plays offline in a browser)
        data: name of the data set, such as ntu60; auto detects it from --root
        root: folder or manifest of the data, such as one that `prepare --poses` made
        clip: id or position of the clip
        variants: video, or words joined by hyphens, such as black-dot-coarse-uniform-x2-#ff8800
        thickness: how many times as thick as the paper's
        palette: colours such as #ff8800, in turn for the parts of the body
        height: height of each picture in pixels
        seconds: start and end of what is shown (default: all)
    """
    from workbench.data import open_dataset
    from workbench.media import films
    from workbench.show.player import SUFFIXES
    from workbench.views import renderings

    clips = open_dataset(data, root, None, "all")
    i = int(clip) if clip.isdecimal() and clip not in clips.ids else clips.index(clip)
    ways = renderings.named(variants, thickness=thickness, palette=palette or ())
    reel = renderings.Reel(clips, i, ways, height, seconds)
    for file in files:
        films.check(file, SUFFIXES)
    for file in files:
        print(f"written: {reel.save(file)}")


def gallery(*, root: Data = TINY, out: Pages = PAGES, notebooks: Notebooks = None, runs: Runs = RUNS) -> int:
    """Execute the notebooks and write the offline gallery page."""
    from workbench.show import gallery as page
    from workbench.study.notebooks import execute_all
    from workbench.study.runs import run_table
    from workbench.views import exhibit

    shared = {"root": str(root), "runs": str(runs)}
    executed, left_out, faulty = execute_all(out / "notebooks", shared, names=notebooks)
    for name, why in left_out.items():
        print(f"{name} is left out: {why}")
    results, note = run_table.summary(runs, root)
    shown = {"left_out": left_out, "note": note, "exhibit": exhibit.of_newest(runs, root)}
    print(f"open {page.build(executed, results, out / 'index.html', **shown)} in a browser")
    if faulty:
        print(f"workbench: errors in notebooks, not in data or runs: {', '.join(faulty)}", file=sys.stderr)
    return 1 if faulty else 0


def demo(*, root: Data = TINY, out: Pages = PAGES, notebooks: Notebooks = None, runs: Runs = RUNS) -> int:
    """Generate the world, train three systems, execute the notebooks, write the gallery page."""
    from synthadl import world
    from workbench import study

    world.generate(root)
    where = {"preset": "tiny", "root": str(root), "runs": str(runs), "cache": CACHE}
    study.sweep(FIRST_TABLE, 1, DEMO_ROWS, engine="processes", **where)
    return gallery(root=root, out=out, notebooks=notebooks, runs=runs)


for each in (
    synth,
    new,
    slides,
    solve,
    train,
    pretrain,
    sensitivity,
    score,
    wizard,
    prepare,
    doctor,
    sweep,
    profile,
    render,
    gallery,
    demo,
):
    app.command(each)


def parse(words: Sequence[str]) -> tuple[Callable[..., int | None], BoundArguments]:
    """The command that ``words`` name, and its arguments, defaults too; boundary.Usage where they are typed wrongly."""
    if not words:
        raise boundary.Usage(f"a command is missing ({app.name[0]} --help)")
    try:
        command, given, _ = app.parse_args(words, exit_on_error=False, print_error=False, verbose=False)
    except CycloptsError as problem:
        said = " ".join(str(problem).replace("Unused Tokens", "Unexpected words").split())
        raise boundary.Usage(f"{said} ({' '.join([*app.name, *(problem.command_chain or ()), '--help'])})") from None
    given.apply_defaults()
    return command, given


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command that ``words`` are (those of the command line), and returns its exit code."""

    def command() -> int | None:
        function, given = parse(sys.argv[1:] if words is None else words)
        return function(*given.args, **given.kwargs)

    return boundary.run(command)


if __name__ == "__main__":
    warnings.showwarning = boundary.note
    sys.exit(main())
