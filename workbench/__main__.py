"""The commands: ``python -m workbench COMMAND --help``. Each is a thin call into the library."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from workbench import boundary

CACHE = "data/cache"
FIRST_TABLE = "notebooks/ablations/synthadl_tiny.yaml"
DEMO_ROWS = ("pose_lstm", "rgb", "vpn")
#: The worlds that the table files are about, and how they are drawn; a sweep draws those that are missing.
WORLDS: dict[str, dict[str, Any]] = {
    "data/synthadl/tiny": {},
    "data/synthadl/untrimmed": {"world": "untrimmed"},
    "data/synthadl/no_imposters": {"knobs": {"imposters": 0}},
}


def synth(args: argparse.Namespace) -> None:
    from synthadl import world
    from workbench.study.config.train_config import parse_pairs

    made = world.generate(args.root, args.size, args.world, args.seed, args.workers, parse_pairs(args.set))
    print(f"{args.root} holds the whole world: {len(made)} videos")


def new(args: argparse.Namespace) -> None:
    from workbench.shipped import lay_out

    made = lay_out(args.folder)
    print(f"{args.folder}/notebooks: {len(made)} new files; what was there stayed as it was")


def train(args: argparse.Namespace) -> None:
    from workbench.nets import weights
    from workbench.study import fit
    from workbench.study.config.train_config import parse_pairs
    from workbench.study.runs.find_runs import open_run

    where = {"dataset": args.data, "root": args.root, "runs": str(args.runs), "cache": CACHE}
    run = fit({"system": args.system, "seed": args.seed, **where, **parse_pairs(args.set)})
    print(run)
    if args.export:
        weights.save(open_run(run, args.runs).system().backbone, args.export)


def pretrain(args: argparse.Namespace) -> None:
    from workbench.nets import weights
    from workbench.study import files
    from workbench.study.train import pretraining

    command = "python -m workbench " + " ".join(sys.argv[1:])
    where = {"out": args.out or weights.PRETRAINED, "runs": args.runs, "command": command}
    short = {"epochs": args.epochs, "limit": args.limit}
    made = pretraining.pretrain(args.root, args.size, args.workers, args.only, **where, **short)
    for path in made.values():
        held_out = files.read_json(weights.card_of(path))["held_out"]
        print(f"{path}: {100 * held_out['top1']:.1f} % of {held_out['clips']} held-out clips")


def sweep(args: argparse.Namespace) -> None:
    from workbench.study.report import export, markdown
    from workbench.study.sweep import sweep as sweeping
    from workbench.study.sweep.job import Limits

    where = {"runs": str(args.runs), "cache": CACHE}
    where |= {name: getattr(args, name) for name in ("preset", "dataset", "root", "limit") if getattr(args, name)}
    if not {"dataset", "root"} & set(where):
        _draw_missing(args.files)
    limits = Limits(args.limit_minutes, args.limit_memory, args.retries, args.threads)
    place = {"scheduler": args.scheduler, "slurm": args.slurm, "workers": args.workers, "gpus": args.gpus}
    swept = sweeping.sweep_files(args.files, args.seeds, args.rows, args.protocols, where, limits, **place)
    for results in swept.results:
        print(f"\n{results.table.title}\n{markdown.overview(results).to_string(index=False)}")
    if args.report:
        command = "python -m workbench " + " ".join(sys.argv[1:])
        export.write(args.report, swept.results, command, args.runs, where)
        print(f"\nreport: {args.report}")
    if swept.failed:
        for record in swept.failed:
            print(f"{record['status']}: {record['label']}: {record['error']}", file=sys.stderr)
        raise RuntimeError(
            f"{len(swept.failed)} of {len(swept.records)} cells failed; the same command tries them again"
        )


def _draw_missing(files: list[str]) -> None:
    from synthadl import world
    from workbench.study.sweep.table_file import read_table

    tables = [read_table(path) for path in files]
    given = [values for t in tables for values in (t.base, *(part.parameters for part in (*t.rows, *t.columns)))]
    roots = {values.get("root") for values in given}
    for root, how in WORLDS.items():
        if root in roots and not (Path(root) / "index.parquet").exists():
            print(f"{root} is not there, or not whole: drawing it first")
            world.generate(root, **how)


def profile(args: argparse.Namespace) -> None:
    from safefiles import drafts
    from workbench.study.analysis import profiling
    from workbench.study.config.train_config import TrainConfig, parse_pairs
    from workbench.study.evaluate import alive
    from workbench.study.sweep import table_file

    configs = {}
    for name in args.systems:
        if name.endswith((".yaml", ".yml")):
            configs |= table_file.configs(name, parse_pairs(args.set))
        else:
            configs[name] = TrainConfig(**{"system": name, **parse_pairs(args.set)})
    costs = profiling.profile_all(configs, repeats=args.repeats, device=args.device, pose_seconds=args.pose_seconds)
    print(costs.round(2).to_string(index=False))
    for system, root in {config.system: config.root for config in configs.values()}.items():
        print(alive.line(system, args.runs, data=root))
    if args.report:
        drafts.write(args.report, costs.to_csv(index=False).encode())


def sensitivity(args: argparse.Namespace) -> None:
    from workbench.study.analysis import joint_sensitivity as joints
    from workbench.study.runs.find_runs import open_run

    run = open_run(args.run, args.runs, args.root)
    print(f"{run.id}, trained on {run.known['root'] or run.config.dataset}")
    table = joints.sensitivity(run, args.split, args.change, limit=args.limit)
    print(table.round(3).to_string(index=False))
    if args.limit is None:
        print(f"written: {joints.where(run, args.split, args.change)}")


def score(args: argparse.Namespace) -> None:
    import pandas as pd

    from workbench import metrics

    found = metrics.score_files(args.ground_truth, args.detections, args.rule, args.iou, args.subset)
    per_class, mean = pd.DataFrame(found.per_class).mul(100), pd.Series(found.mean).mul(100)
    per_class.columns = mean.index = [f"IoU {iou:g}" for iou in found.mean.index] if len(mean) > 1 else ["AP"]
    if args.classes:
        print(per_class.round(2).rename_axis("class").reset_index().to_string(index=False))
    print("\n".join(f"mAP {name.replace('AP', '').strip():9} {value:.4f}" for name, value in mean.items()))
    if len(mean) > 1:
        print(f"mean of these {100 * found.average:.4f}")


def wizard(args: argparse.Namespace) -> None:
    from workbench.data.wizard import wizard as maker

    out = args.out or args.folder / "manifest.csv"
    found = maker.propose(args.folder, args.subject_pattern, args.camera_pattern, args.split, args.seed)
    written = maker.write(found, out, args.force)
    print("\n".join(["assumed", *(f"  {line}" for line in found.said)]))
    if found.warned:
        print("\n".join(["look at", *(f"  {line}" for line in found.warned)]))
    print(f"written: {', '.join(map(str, written))}")
    print("next")
    for line in maker.next_steps(found, out):
        print(f"  {line}")


def prepare(args: argparse.Namespace) -> int:
    from workbench.data import catalog, shards
    from workbench.data import prepare as work
    from workbench.study.config.data_of import clip_spec
    from workbench.study.config.train_config import TrainConfig, parse_pairs
    from workbench.study.runs.run_folder import needs_of

    name, root = catalog.locate(args.dataset)
    where = {"dataset": name, "root": root, "protocol": args.protocol}
    config = TrainConfig(**{"system": args.system, **where, **parse_pairs(args.set)})
    parts = {split: catalog.open_dataset(name, root, args.protocol, split) for split in args.splits}
    if args.poses:
        outcomes = [work.find_poses(catalog.open_dataset(name, root, args.protocol, "all"), args.poses)]
    elif args.shards:
        outcomes = shards.write(parts, args.shards, int(args.shard_size * 1e6))
    else:
        needs = frozenset(args.needs or needs_of(config, next(iter(parts.values()))))
        outcomes = list(work.prepare(parts, clip_spec(config), needs, args.cache, args.workers))
    print(work.table(outcomes).to_string(index=False))
    failed = [(one.what, *case) for one in outcomes for case in one.failed]
    for what, clip, reason in failed:
        print(f"failed: {what}: {clip}: {reason}", file=sys.stderr)
    return 1 if failed else 0


def doctor(args: argparse.Namespace) -> int:
    from workbench.data import doctor as practice
    from workbench.data.catalog import locate

    name, root = (args.dataset, args.root) if args.root else locate(args.dataset)
    report = practice.examine(
        practice.open_parts(name, root, args.protocol), None if args.all else args.sample, args.seed, args.skip
    )
    print(report.text())
    if args.html:
        print(f"open {practice.write(report, args.html)} in a browser")
    return 1 if report.errors else 0


def gallery(args: argparse.Namespace) -> int:
    from workbench.show import gallery as page
    from workbench.study import notebooks
    from workbench.study.runs import run_table

    shared = {"root": str(args.root), "runs": str(args.runs)}
    executed, left_out, faulty = notebooks.execute_all(args.out / "notebooks", shared, names=args.notebooks)
    for name, why in left_out.items():
        print(f"{name} is left out: {why}")
    results = run_table.summary(args.runs, args.root)
    print(f"open {page.build(executed, results, args.out / 'index.html', left_out=left_out)} in a browser")
    if faulty:
        print(f"workbench: faults of notebooks, not of data or runs: {', '.join(faulty)}", file=sys.stderr)
    return 1 if faulty else 0


def demo(args: argparse.Namespace) -> int:
    from synthadl import world
    from workbench import study

    world.generate(args.root)
    where = {"preset": "tiny", "root": str(args.root), "runs": str(args.runs), "cache": CACHE}
    study.sweep(FIRST_TABLE, 1, DEMO_ROWS, engine="processes", **where)
    return gallery(args)


def parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(prog="python -m workbench", description="video + pose action recognition workbench")
    commands = main.add_subparsers(dest="command", required=True)

    def add(function, help: str, runs: bool = True) -> argparse.ArgumentParser:
        command = commands.add_parser(function.__name__, help=help, description=help)
        command.set_defaults(function=function)
        if runs:
            command.add_argument("--runs", default="runs", type=Path, help="folder of the run store (default: runs)")
        return command

    command = add(synth, "generate the synthetic world SynthADL", runs=False)
    command.add_argument("root", type=Path, help="folder to write to")
    command.add_argument("--size", default="tiny", help="tiny (default), small or paper; of pretrain look, too")
    command.add_argument(
        "--world",
        default="adl",
        help="adl (default), pretrain (SynthADL-P) or untrimmed (SynthADL-U: videos of 60 to 180 s)",
    )
    command.add_argument("--seed", default=0, type=int)
    command.add_argument("--workers", type=int, help="processes (default: one a core)")
    command.add_argument(
        "--set",
        nargs="*",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="other than usual: imposters=0, pose_quality=low, ...",
    )

    command = add(new, "lay out the notebooks and the papers' tables in a folder of yours", runs=False)
    command.add_argument("folder", type=Path, help="where the folder notebooks/ is made; files that are there stay")

    command = add(train, "train and evaluate one system; a finished run is not repeated")
    command.add_argument("system", help="a name of workbench.systems.names(), such as rgb or vpn")
    command.add_argument("--data", default="auto", help="the data set's name, such as ntu60 (default: what --root is)")
    command.add_argument(
        "--root",
        help="the data set's folder or manifest file (default: data/synthadl/tiny, of detectors .../untrimmed)",
    )
    command.add_argument("--seed", default=0, type=int)
    command.add_argument(
        "--set", nargs="*", action="extend", default=[], metavar="NAME=VALUE", help="any other field of TrainConfig"
    )
    command.add_argument("--export", type=Path, help="write the trained backbone to this safetensors file")

    command = add(pretrain, "draw SynthADL-P and make the weights that ship; goes on where it was stopped")
    command.add_argument("root", nargs="?", default="data/synthadl/pretrain", type=Path, help="folder of the world")
    command.add_argument("--size", default="tiny", help="of the world: tiny (default), look for a try, small, paper")
    command.add_argument("--workers", default=os.cpu_count(), type=int, help="that draw (default: one a core)")
    command.add_argument("--only", nargs="+", metavar="NAME", help="such as i3d_synthadl_p (default: all)")
    command.add_argument("--out", type=Path, help="folder to write to (default: that of the weights that ship)")
    command.add_argument("--epochs", type=int, help="for a try: other than the recipe's")
    command.add_argument("--limit", type=int, help="for a try: only so many clips of each split")

    command = add(sensitivity, "what a run loses, clip by clip, when a joint is taken away, frozen or shaken")
    command.add_argument("run", help="run id, or latest:<system>, the newest on --root")
    command.add_argument("--root", help="folder or manifest of the data (default: whichever the newest run is on)")
    command.add_argument("--split", default="test", help="train, validation or test (default)")
    command.add_argument("--change", default="drop", help="drop (default), freeze or jitter")
    command.add_argument("--limit", type=int, help="only so many clips, evenly spread; nothing is written then")

    command = add(score, "mean average precision of detections in files of a public data set's format", runs=False)
    command.add_argument("ground_truth", type=Path, help="file or folder of annotations")
    command.add_argument("detections", type=Path, help="file or folder of detections")
    command.add_argument(
        "--rule", required=True, help="thumos, activitynet, pku, tsu, charades (25 points) or charades_classify"
    )
    command.add_argument("--iou", type=float, nargs="+", help="overlaps (default: the benchmark's)")
    command.add_argument("--subset", help="of the annotations, such as test (default: the benchmark's)")
    command.add_argument("--classes", action="store_true", help="the average precision of every class too")

    command = add(
        wizard, "make a manifest from a folder of videos, one folder a class, and say what was assumed", False
    )
    command.add_argument("folder", type=Path)
    command.add_argument("--out", type=Path, help="the .csv or .parquet file to write (default: FOLDER/manifest.csv)")
    command.add_argument("--subject-pattern", metavar="REGEX", help="with a group: the performer in a file's name")
    command.add_argument("--camera-pattern", metavar="REGEX", help="with a group: the camera in a file's name")
    command.add_argument(
        "--split", default="auto", help="auto (default), subject, clip, leave-one-out or leave-out:NAME[,NAME...]"
    )
    command.add_argument("--seed", default=0, type=int, help="of a split by subject or clip (default: 0)")
    command.add_argument("--force", action="store_true", help="replace a manifest that is there")

    command = add(prepare, "make once what training reads: verified videos, crops, flow, poses; or shards", False)
    command.add_argument("dataset", help="a manifest, a folder, or NAME:FOLDER such as ntu60:/data/ntu")
    command.add_argument("--protocol", help="as of train (default: the data set's first)")
    command.add_argument("--splits", nargs="*", default=["train", "validation", "test"], metavar="SPLIT")
    command.add_argument("--system", default="rgb", help="for which system (default: rgb)")
    command.add_argument(
        "--set", nargs="*", action="extend", default=[], metavar="NAME=VALUE", help="fields of TrainConfig, as of train"
    )
    command.add_argument("--needs", nargs="*", help="instead of what the system reads: video, pose, flow, parts, ...")
    command.add_argument("--cache", default=CACHE, help=f"folder of the caches (default: {CACHE})")
    command.add_argument("--workers", type=int, help="threads (default: one a core)")
    other = command.add_mutually_exclusive_group()
    other.add_argument("--poses", type=Path, metavar="CSV", help="estimate poses, and write a manifest that has them")
    other.add_argument("--shards", type=Path, metavar="FOLDER", help="pack the clips into WebDataset shards")
    command.add_argument("--shard-size", type=float, default=500, metavar="MB", help="of one shard (default: 500)")

    command = add(
        doctor, "check a data set for what silently ruins results; fails where training would be wrong", False
    )
    command.add_argument("dataset", help="a manifest file, a folder, or NAME:FOLDER (NAME alone with --root)")
    command.add_argument("--root", type=Path, help="the data set's folder or manifest, where DATASET is its name")
    command.add_argument("--protocol", help="who is held out (default: the data set's first)")
    command.add_argument("--sample", type=int, default=200, help="clips to examine (default: 200)")
    command.add_argument("--all", action="store_true", help="examine every clip")
    command.add_argument("--seed", type=int, default=0, help="of the sample (default: 0)")
    command.add_argument("--skip", nargs="*", default=[], metavar="CHECK", help="checks to leave out, by name")
    command.add_argument("--html", type=Path, help="write a page with pictures of the worst cases to this file")

    command = add(sweep, "run every row of table files with several seeds, and report what holds of their claims")
    command.add_argument("files", nargs="+", type=Path, help="YAML files under notebooks/ablations")
    command.add_argument("--seeds", type=int, help="seeds of each row (default: what the file says, or 3)")
    command.add_argument("--rows", nargs="+", metavar="ID", help="these rows only, and what they start from")
    command.add_argument("--preset", help="tiny, study or paper, instead of the files'")
    command.add_argument("--protocols", nargs="+", help="such as cs cv setup (default: the files')")
    command.add_argument("--dataset", help="another data set than the files'")
    command.add_argument("--root", help="its folder or manifest file")
    command.add_argument("--limit", type=int, help="only so many clips of each split, for a quick try")
    command.add_argument("--workers", type=int, help="rows at once (default: one a core)")
    command.add_argument("--threads", type=int, default=1, help="cores that each row may use (default: 1)")
    command.add_argument("--gpus", type=int, metavar="SLOTS", help="so many rows at once use the GPU (resource GPU=1)")
    command.add_argument("--scheduler", metavar="ADDRESS", help="a running Dask scheduler, such as tcp://host:8786")
    command.add_argument("--slurm", type=Path, metavar="YAML", help="start workers by SLURM: SLURMCluster's arguments")
    command.add_argument("--limit-minutes", type=float, help="a row that takes longer is ended")
    command.add_argument("--limit-memory", type=float, metavar="GIB", help="a row that uses more is ended")
    command.add_argument("--retries", type=int, default=1, help="of a row that fails (default: 1)")
    command.add_argument(
        "--report",
        type=Path,
        help="write tables, claims and verdicts to this Markdown file, and their numbers and configurations into the "
        "folder study/ beside it",
    )

    command = add(profile, "measure what systems cost, and say whether the latest run of each is alive")
    command.add_argument("systems", nargs="+", help="names of systems, or table files (every row)")
    command.add_argument(
        "--set",
        nargs="*",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="fields of TrainConfig, such as preset=paper",
    )
    command.add_argument("--repeats", default=10, type=int, help="runs of which the median is told (default: 10)")
    command.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    command.add_argument("--pose-seconds", type=float, help="what another program takes for the poses of one clip")
    command.add_argument("--report", type=Path, help="write the costs to this CSV file")

    for function, help in (
        (gallery, "execute the notebooks and write the offline gallery page"),
        (demo, "the first hour: generate, train three systems, execute the notebooks, write the gallery"),
    ):
        command = add(function, help)
        command.add_argument("--root", default="data/synthadl/tiny", type=Path)
        command.add_argument("--out", default="gallery", type=Path)
        command.add_argument("--notebooks", nargs="+", metavar="NAME", help="these only, such as 06_confusion")
    return main


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    return boundary.run(lambda: args.function(args))


def _note(message, category, filename, lineno, file=None, line=None) -> None:
    """A warning as one line that is said once, however often and wherever it is found."""
    text = f"note: {' '.join(str(message).split())}"
    if text not in _said:
        _said.add(text)
        print(text, file=sys.stderr)


_said: set[str] = set()

if __name__ == "__main__":
    warnings.showwarning = _note
    sys.exit(main())
