"""What runs and detections are worth: costs, sensitivity to joints, average precision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from workbench.commands.parameters import RUNS, File, Flag, Number, Pairs, Runs, Text, Whole


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
    from workbench.study.config.pairs import parse_pairs
    from workbench.study.config.train_config import TrainConfig
    from workbench.study.evaluate import alive
    from workbench.study.tables import table_file

    configs: dict[str, TrainConfig] = {}
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

    trained = open_run(run, runs, root)
    print(f"{trained.id}, trained on {trained.data_record['root'] or trained.config.dataset}")
    table = joints.sensitivity(trained, split, change, limit=limit)
    print(table.round(3).to_string(index=False))
    if limit is None:
        print(f"written: {joints.where(trained, split, change)}")


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

    scores = metrics.score_files(ground_truth, detections, rule, iou, subset)
    per_class, mean = pd.DataFrame(scores.per_class).mul(100), pd.Series(scores.mean).mul(100)
    per_class.columns = mean.index = [f"IoU {iou:g}" for iou in scores.mean.index] if len(mean) > 1 else ["AP"]
    if classes:
        print(per_class.round(2).rename_axis("class").reset_index().to_string(index=False))
    print("\n".join(f"mAP {name.replace('AP', '').strip():9} {value:.4f}" for name, value in mean.items()))
    if len(mean) > 1:
        print(f"mean of these {100 * scores.average:.4f}")
