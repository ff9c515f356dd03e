"""The training loop: stages of epochs of steps, and where it stands."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from workbench.data import Dataset
from workbench.study import checkpoint, files, hardware, optim
from workbench.study.config import TrainConfig
from workbench.study.inputs import loader, open_split
from workbench.study.runs import Run
from workbench.study.step import Step
from workbench.study.store import Store
from workbench.systems.base import Stage, System
from workbench.types import Batch

if TYPE_CHECKING:
    from lightning.fabric import Fabric


@dataclass
class Place:
    """Where training stands: what changes from step to step besides weights, optimiser, schedule and random states.

    stage; epoch within the stage; rate, the last step's learning rate; sums of the epoch so far; score (validation
    top-1, minus its loss) and weights of the stage's best epoch; stale epochs since; history, one row an epoch.
    """

    stage: int = 0
    epoch: int = 0
    rate: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)
    score: list[float] | None = None
    best: dict[str, Tensor] | None = None
    stale: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)


class Training:
    """The loop: stages of epochs of steps."""

    def __init__(
        self,
        fabric: Fabric,
        config: TrainConfig,
        run: Run,
        dataset: Dataset,
        system: System,
        channels_last: bool,
        store: Store | None,
    ) -> None:
        self.fabric, self.config, self.run, self.system, self.store = fabric, config, run, system, store
        self.channels_last = channels_last
        self.stages = optim.adapt(system.stages(), config)
        validation = open_split(config, "validation")
        if not len(validation) and config.patience is not None:
            raise ValueError(
                f"patience needs a validation split, and {config.dataset} has none here; leave patience out"
            )
        needs, shard = system.needs_train | {"label"}, (fabric.global_rank, fabric.world_size)
        self.loader = loader(config, dataset, needs, train=True, shard=shard)
        self.validation = loader(config, validation, needs, train=False, shard=shard) if len(validation) else None
        self.place, self.saved = Place(), None
        self.checked, self.steps_since = time.monotonic(), 0
        if self.channels_last:
            hardware.channels_last(system)
        checkpoint.seed_all(config.seed, fabric.global_rank)
        self._resume()

    @property
    def skipped(self) -> list[tuple[str, str]]:
        return self.loader.skipped + (self.validation.skipped if self.validation else [])

    def run_all(self) -> None:
        while self.place.stage < len(self.stages):
            self._stage(self.stages[self.place.stage])
        if self.fabric.is_global_zero:
            self._finish()
        self.fabric.barrier()

    def _stage(self, stage: Stage) -> None:
        place = self.place
        optim.freeze(self.system, stage)
        optimizer = optim.make_optimizer(self.system, stage.optimizer, fused=self.config.precision != "fp16")
        self.schedule = optim.Schedule(optimizer, stage.schedule, stage.epochs, len(self.loader))
        self.step, self.optimizer = self.fabric.setup(Step(self.system, stage.loss), optimizer)
        if self.saved is not None:
            self._restore(self.saved)
            self.saved = None
        done = place.epoch * len(self.loader) + self.loader.state_dict()["position"]
        total, hidden = stage.epochs * len(self.loader), not (self.config.progress and self.fabric.is_global_zero)
        with tqdm(
            total=total, initial=done, desc=f"{self.run.id} {stage.name}", unit="step", disable=hidden
        ) as self.bar:
            while place.epoch < stage.epochs and not (self.config.patience and place.stale >= self.config.patience):
                self._epoch(stage)
        if place.best is not None:
            self.system.load_state_dict(place.best)
        self.place = Place(stage=place.stage + 1, history=place.history)
        if self.place.stage < len(self.stages):
            self._save(between=True)

    def _epoch(self, stage: Stage) -> None:
        place, started = self.place, time.perf_counter()
        optim.train_mode(self.step)
        self.loader.set_epoch(len(place.history))
        for batch in self.loader:
            self._step(stage, batch)
            if self._due():
                self._save()
        row = {
            "epoch": len(place.history) + 1,
            "stage": stage.name,
            "learning_rate": place.rate,
            **self._means(place.sums, "train"),
            **self._validate(),
        }
        self.schedule.epoch(row.get("validation_total", row["train_total"]))
        self._compare(row)
        place.history.append({**row, "seconds": round(time.perf_counter() - started, 3)})
        place.epoch, place.sums = place.epoch + 1, {}
        self.loader.set_epoch(len(place.history))
        self._save()
        if self.fabric.is_global_zero:
            history = pd.DataFrame(place.history).to_csv(index=False)
            files.write(self.run.folder / "history.csv", history.encode())
            self.store.epochs(place.history)

    def _step(self, stage: Stage, batch: Batch) -> None:
        batch = self._on_device(batch)
        terms, logits = self.step(batch)
        values = dict(zip(terms, torch.stack([term.detach() for term in terms.values()]).tolist(), strict=True))
        for name, value in values.items():
            if not math.isfinite(value):
                raise self._diverged(stage, f"loss term {name!r} became {value}")
        self.fabric.backward(terms["total"])
        if self.config.clip_grad is not None:
            norm = self.fabric.clip_gradients(
                self.step, self.optimizer, max_norm=self.config.clip_grad, error_if_nonfinite=False
            )
            # In fp16 the scaler skips such a step and lowers its scale.
            if self.config.precision != "fp16" and not math.isfinite(float(norm)):
                raise self._diverged(stage, f"the gradient's norm became {float(norm)}")
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.place.rate = self.optimizer.param_groups[0]["lr"]
        self.schedule.step()
        _add(self.place.sums, values, logits, batch)
        self._report(stage)

    def _validate(self) -> dict[str, float]:
        """Loss terms and top-1 on the validation clips, of all processes together; empty without validation."""
        if self.validation is None:
            return {}
        # The wrapped module would wait for processes that have fewer batches.
        module = Step(self.system, self.step.loss).eval()
        sums: dict[str, float] = {}
        with torch.inference_mode(), self.fabric.autocast():
            for batch in self.validation:
                batch = self._on_device(batch)
                terms, logits = module(batch)
                _add(sums, {name: float(term) for name, term in terms.items()}, logits, batch)
        return self._means(sums, "validation")

    def _means(self, sums: dict[str, float], split: str) -> dict[str, float]:
        names = list(sums)
        totals = torch.tensor([sums[name] for name in names], dtype=torch.float64, device=self.fabric.device)
        if self.fabric.world_size > 1:
            totals = self.fabric.all_reduce(totals, reduce_op="sum")
        totals = dict(zip(names, totals.tolist(), strict=True))
        return {f"{split}_{name}": value / totals["clips"] for name, value in totals.items() if name != "clips"}

    def _compare(self, row: dict[str, Any]) -> None:
        """Keeps the weights of the best validation epoch: higher top-1, then lower loss."""
        if self.validation is None:
            return
        place, score = self.place, [row["validation_top1"], -row["validation_total"]]
        better = place.score is None or score > place.score
        place.stale = 0 if better else place.stale + 1
        if better:
            place.score, place.best = score, checkpoint.copy_of(self.system.state_dict())

    def _on_device(self, batch: Batch) -> Batch:
        batch = batch.to(self.fabric.device)
        if self.channels_last and batch.video is not None:
            batch.video = batch.video.contiguous(memory_format=torch.channels_last_3d)
        return batch

    def _diverged(self, stage: Stage, what: str) -> RuntimeError:
        rate = self.optimizer.param_groups[0]["lr"]
        return RuntimeError(
            f"run {self.run.id} diverged: {what} in stage {stage.name!r}, epoch {self.place.epoch + 1}, step "
            f"{self.loader.state_dict()['position']} at learning rate {rate:.2g}; lower the learning rate or clip_grad"
        )

    def _report(self, stage: Stage) -> None:
        sums, last = self.place.sums, self.place.history[-1] if self.place.history else {}
        words = {
            "epoch": f"{self.place.epoch + 1}/{stage.epochs}",
            "loss": f"{sums['total'] / sums['clips']:.3f}",
            "acc": f"{sums['top1'] / sums['clips']:.3f}",
        }
        if "validation_top1" in last:
            words["validation"] = f"{last['validation_top1']:.3f}"
        self.bar.set_postfix(words, refresh=False)
        self.bar.update()

    def _due(self) -> bool:
        self.steps_since += 1
        seconds, steps = self.config.checkpoint_seconds, self.config.checkpoint_steps
        late = seconds is not None and time.monotonic() - self.checked >= seconds
        return late or (steps is not None and self.steps_since >= steps)

    def _save(self, between: bool = False) -> None:
        """``between`` stages there is no optimiser to go on with."""
        self.checked, self.steps_since = time.monotonic(), 0
        if not self.fabric.is_global_zero:
            return
        moving = {
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.fabric.strategy.precision.state_dict(),
        }
        checkpoint.save(
            self.run.folder / "checkpoint.pt",
            {
                "place": vars(self.place),
                "system": self.system.state_dict(),
                "loader": self.loader.state_dict(),
                **({} if between else moving),
            },
        )

    def _resume(self) -> None:
        path = self.run.folder / "checkpoint.pt"
        if not path.is_file():
            return
        state = checkpoint.load(path)
        self.place = Place(**state["place"])
        self.system.load_state_dict(state["system"])
        self.loader.load_state_dict(state["loader"])
        if "optimizer" in state:
            self.saved = state
        self._restore_random(state)

    def _restore(self, state: dict[str, Any]) -> None:
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.fabric.strategy.precision.load_state_dict(state["scaler"])
        self._restore_random(state)

    def _restore_random(self, state: dict[str, Any]) -> None:
        if self.fabric.is_global_zero:
            checkpoint.set_random_state(state["random"])
        else:
            # Only the first process writes checkpoints; the others go on with fresh, but settled, numbers.
            position = state["loader"]
            checkpoint.seed_all(self.config.seed, self.fabric.global_rank, position["epoch"], position["position"])

    def _finish(self) -> None:
        from safetensors.torch import save

        weights = {name: value.contiguous() for name, value in checkpoint.copy_of(self.system.state_dict()).items()}
        files.write(self.run.folder / "weights.safetensors", save(weights))


def _add(sums: dict[str, float], values: dict[str, float], logits: Tensor, batch: Batch) -> None:
    """Adds a batch's mean terms, weighted by its clips, and its hits."""
    count = len(batch)
    hits = (logits.argmax(-1) == batch.label).sum().item()
    for name, value in {
        **{name: value * count for name, value in values.items()},
        "top1": hits,
        "clips": count,
    }.items():
        sums[name] = sums.get(name, 0.0) + value
