"""The training loop: stages of epochs of steps, and where it stands."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
import torch.distributed as dist
from tqdm import tqdm

from safefiles.reading import present
from workbench.nets.modules import submodule
from workbench.study import files
from workbench.study.config.experiment import Experiment
from workbench.study.config.kinds import Data
from workbench.study.features.frozen_layers import FrozenLayers
from workbench.study.runs import hardware
from workbench.study.runs.run_folder import Run
from workbench.study.runs.store import Store
from workbench.study.train import batch_norm, checkpoint, optim
from workbench.study.train.progress import Position, add, counted
from workbench.study.train.stage_data import feed
from workbench.study.train.step import Step
from workbench.systems.common.base import Stage, System
from workbench.types import Batch

if TYPE_CHECKING:
    from lightning.fabric import Fabric


class Training:
    """The loop: stages of epochs of steps."""

    def __init__(
        self,
        fabric: Fabric,
        experiment: Experiment,
        run: Run,
        data: tuple[Data, Data],
        system: System,
        stages: list[Stage],
        channels_last: bool,
        store: Store | None,
    ) -> None:
        self.fabric, self.experiment, self.run, self.system, self.store = fabric, experiment, run, system, store
        self.stages, self.goal, self.channels_last = stages, experiment.kind, channels_last
        train, validation = data
        if not len(validation) and experiment.patience is not None:
            raise ValueError(
                f"patience needs a validation split, and {experiment.dataset} has none here; leave patience out"
            )
        self.datasets = {"train": train} | ({"validation": validation} if len(validation) else {})
        self.system.to(fabric.device)
        self.position = Position()
        self.saved: dict[str, Any] | None = None
        self.skipped: list[tuple[str, str]] = []
        self.checked, self.steps_since = time.monotonic(), 0
        if self.channels_last:
            hardware.channels_last(system)
        if fabric.world_size > 1:
            batch_norm.share(system, fabric.device)
        frozen = () if experiment.augmentation else experiment.procedure.frozen  # clips must come as they are
        self.frozen = FrozenLayers(system, frozen, experiment.cache, fabric.device)
        checkpoint.seed_all(experiment.seed, fabric.global_rank)
        self._resume()

    def run_all(self) -> None:
        """Every stage from the position on, then what ends a run."""
        while self.position.stage < len(self.stages):
            self._stage(self.stages[self.position.stage])
        if self.fabric.is_global_zero:
            self._finish()
        self.frozen.share()
        self.fabric.barrier()

    def _stage(self, stage: Stage) -> None:
        module = submodule(self.system, stage.part, System)
        optim.freeze(self.system, stage)
        shard, folder = (self.fabric.global_rank, self.fabric.world_size), self.run.folder / "features"
        self.feed = feed(self.experiment, self.datasets, module, stage, shard, folder, self.fabric.device)
        if stage.solve:
            self._solve(stage, module)
        else:
            self._descend(stage, module)
        self.skipped += [pair for pair in self.feed.skipped if pair not in self.skipped]
        if self.position.best is not None:
            self.system.load_state_dict(self.position.best)
        self.position = Position(stage=self.position.stage + 1, history=self.position.history)
        if self.position.stage < len(self.stages):
            self._save(between=True)

    def _solve(self, stage: Stage, module: System) -> None:
        """A stage in closed form is one row of the history."""
        started = time.perf_counter()
        module.eval()
        with torch.no_grad():
            numbers = getattr(module, stage.solve)(self.feed.train, self.feed.validation)
        self.step = Step(module, stage.loss)
        row = {"epoch": len(self.position.history) + 1, "stage": stage.name, "learning_rate": 0.0}
        row |= numbers | self._validate()
        self.position.history.append({**row, "seconds": round(time.perf_counter() - started, 3)})
        self._tell()

    def _descend(self, stage: Stage, module: System) -> None:
        position, self.loader = self.position, self.feed.train
        optimizer = optim.make_optimizer(self.system, stage.optimizer, fused=self.experiment.precision != "fp16")
        self.schedule = optim.Schedule(optimizer, stage.schedule, stage.epochs, len(self.loader))
        self.inner = Step(module, stage.loss)
        self.step, self.optimizer = self.fabric.setup(self.inner, optimizer)
        if self.saved is not None:
            with checkpoint.applying(self.run.folder / "checkpoint.pt"):
                self._restore(self.saved)
            self.saved = None
        else:
            self.loader.set_epoch(len(position.history))
        done = position.epoch * len(self.loader) + self.loader.state_dict()["position"]
        total, hidden = stage.epochs * len(self.loader), not (self.experiment.progress and self.fabric.is_global_zero)
        with tqdm(
            total=total, initial=done, desc=f"{self.run.id} {stage.name}", unit="step", disable=hidden
        ) as self.bar:
            patience = self.experiment.patience or math.inf
            while position.epoch < stage.epochs and position.stale < patience:
                self._epoch(stage)

    def _epoch(self, stage: Stage) -> None:
        position, started = self.position, time.perf_counter()
        optim.train_mode(self.step)
        self.loader.set_epoch(len(position.history))
        for batch in self.loader:
            self._step(stage, batch)
            if self._due():
                self._save()
        row: dict[str, Any] = {
            "epoch": len(position.history) + 1,
            "stage": stage.name,
            "learning_rate": position.rate,
            **_means(position.sums, "train"),
        }
        if self._validates(stage):
            row |= self._validate()
            self._compare(row)
        self.schedule.epoch(row.get("validation_total", row["train_total"]))
        row |= position.shares
        position.epoch, position.sums, position.shares = position.epoch + 1, {}, {}
        position.history.append({**row, "seconds": round(time.perf_counter() - started, 3)})
        self.loader.set_epoch(len(position.history))
        self._save()
        self._tell()

    def _tell(self) -> None:
        """The history, for people."""
        if self.fabric.is_global_zero:
            empty = None if self.position.history else ["epoch", "stage", "seconds"]
            history = pd.DataFrame(self.position.history, columns=empty).to_csv(index=False)
            files.write(self.run.folder / "history.csv", history.encode())
            assert self.store is not None  # the first process keeps one
            self.store.epochs(self.position.history)

    def _step(self, stage: Stage, batch: Batch) -> None:
        batch = self._on_device(batch)
        self.inner.measures = self._measures(stage)
        terms, logits = self.step(batch)
        self.position.shares |= self.inner.shares
        values = dict(zip(terms, torch.stack([term.detach() for term in terms.values()]).tolist(), strict=True))
        sums = self._of_all(counted(values, self.goal.hits(logits, batch), len(batch)))
        for name in values:
            if not math.isfinite(sums[name]):
                raise self._diverged(stage, f"loss term {name!r} became {sums[name]}")
        self.fabric.backward(terms["total"])
        if stage.clip_grad is not None:
            norm = self.fabric.clip_gradients(
                self.step, self.optimizer, max_norm=stage.clip_grad, error_if_nonfinite=False
            )
            # In fp16 the scaler skips such a step and lowers its scale.
            if self.experiment.precision != "fp16" and not math.isfinite(float(norm)):
                raise self._diverged(stage, f"the gradient's norm became {float(norm)}")
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.position.rate = self.optimizer.param_groups[0]["lr"]
        self.schedule.step()
        add(self.position.sums, sums)
        self._report(stage)

    def _measures(self, stage: Stage) -> float:
        """Not 0 in the first step of a stage's first and last epochs (with patience of each, as any may be the last):
        what ``Step`` measures with. Every process does, as a loss may gather gradients of all."""
        ends = self.experiment.patience is not None or self.position.epoch in (0, stage.epochs - 1)
        scaler = getattr(self.fabric.strategy.precision, "scaler", None)
        return (scaler.get_scale() if scaler else 1.0) if ends and not self.position.sums else 0.0

    def _validates(self, stage: Stage) -> bool:
        """Whether the epoch ends with a validation; counted from the stage's last, which always does."""
        watched = self.experiment.patience is not None or stage.schedule["name"] == "plateau"
        every = 1 if watched else self.experiment.numbers.validate_every
        return (stage.epochs - 1 - self.position.epoch) % every == 0

    def _validate(self) -> dict[str, float]:
        """Loss terms and the goal's numbers on the validation clips, of all processes together; empty without
        validation."""
        if self.feed.validation is None:
            return {}
        # The wrapped module would wait for processes that have fewer batches.
        module = Step(self.step.system, self.step.loss).eval()
        sums: dict[str, float] = {}
        answers = []
        with torch.inference_mode(), self.fabric.autocast():
            for batch in self.feed.validation:
                batch = self._on_device(batch)
                terms, logits = module(batch)
                values = {name: float(term) for name, term in terms.items()}
                add(sums, counted(values, self.goal.hits(logits, batch), len(batch)))
                assert batch.label is not None  # a loader for training gives it
                answers.append((logits, batch.label, batch.mask))
        judged = {f"validation_{name}": value for name, value in self.goal.judge(answers).items()}
        return _means(self._of_all(sums), "validation") | judged

    def _of_all(self, sums: dict[str, float]) -> dict[str, float]:
        """Sums over all processes; one that had no batch has none of its own."""
        if self.fabric.world_size == 1:
            return sums
        parts: list[dict[str, float]] = [{}] * self.fabric.world_size
        dist.all_gather_object(parts, sums)
        return {name: sum(part.get(name, 0.0) for part in parts) for name in max(parts, key=len)}

    def _compare(self, row: dict[str, Any]) -> None:
        """Keeps the weights of the best validation epoch: a higher score (the goal's), then a lower loss."""
        if self.feed.validation is None:
            return
        position, score = self.position, [row[f"validation_{self.goal.score}"], -row["validation_total"]]
        better = position.score is None or score > position.score
        position.stale = 0 if better else position.stale + 1
        if better:
            position.score, position.best = score, checkpoint.copy_of(self.system.state_dict())

    def _on_device(self, batch: Batch) -> Batch:
        batch = self.frozen(batch)
        if self.channels_last:
            for name in ("video", "flow", "rendered"):
                if (pictures := getattr(batch, name)) is not None:
                    setattr(batch, name, pictures.contiguous(memory_format=torch.channels_last_3d))
        return batch

    def _diverged(self, stage: Stage, problem: str) -> RuntimeError:
        rate = self.optimizer.param_groups[0]["lr"]
        return RuntimeError(
            f"run {self.run.id} diverged: {problem} in stage {stage.name!r}, epoch {self.position.epoch + 1}, step "
            f"{self.loader.state_dict()['position']} at learning rate {rate:.2g}; lower the learning rate or clip_grad"
        )

    def _report(self, stage: Stage) -> None:
        sums, last = self.position.sums, self.position.history[-1] if self.position.history else {}
        postfix = {"epoch": f"{self.position.epoch + 1}/{stage.epochs}"}
        postfix["loss"] = f"{sums['total'] / sums['clips']:.3f}"
        if "top1" in sums:
            postfix["acc"] = f"{sums['top1'] / sums['clips']:.3f}"
        if (score := last.get(f"validation_{self.goal.score}")) is not None:
            postfix["validation"] = f"{score:.3f}"
        self.bar.set_postfix(postfix, refresh=False)
        self.bar.update()

    def _due(self) -> bool:
        self.steps_since += 1
        seconds, steps = self.experiment.checkpoint_seconds, self.experiment.checkpoint_steps
        late = seconds is not None and time.monotonic() - self.checked >= seconds
        return late or (steps is not None and self.steps_since >= steps)

    def _save(self, between: bool = False) -> None:
        """``between`` stages there is no optimiser to go on with."""
        self.checked, self.steps_since = time.monotonic(), 0
        if not self.fabric.is_global_zero:
            return
        moving = {}
        if not between:
            moving = {
                "loader": self.loader.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "scaler": self.fabric.strategy.precision.state_dict(),
            }
        checkpoint.save(
            self.run.folder / "checkpoint.pt",
            {"place": vars(self.position), "system": self.system.state_dict(), **moving},
        )

    def _resume(self) -> None:
        path = self.run.folder / "checkpoint.pt"
        if not present(path):
            return
        state = checkpoint.load(path)
        with checkpoint.applying(path):
            self.position = Position(**state["place"])
            self.system.load_state_dict(state["system"])
            if "optimizer" in state:
                self.saved = state
            self._restore_random(state)

    def _restore(self, state: dict[str, Any]) -> None:
        self.loader.load_state_dict(state["loader"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.fabric.strategy.precision.load_state_dict(state["scaler"])
        self._restore_random(state)

    def _restore_random(self, state: dict[str, Any]) -> None:
        if self.fabric.is_global_zero:
            checkpoint.set_random_state(state["random"])
        else:
            # Only the first process writes checkpoints; the others go on with fresh, but settled, numbers.
            position = state.get("loader", {}).values()
            checkpoint.seed_all(self.experiment.seed, self.fabric.global_rank, len(self.position.history), *position)

    def _finish(self) -> None:
        from safetensors.torch import save

        self._tell()  # again, as a kill may have come between the last checkpoint and its row
        weights = {name: value.contiguous() for name, value in checkpoint.copy_of(self.system.state_dict()).items()}
        files.write(self.run.weights, save(weights))


def _means(sums: dict[str, float], split: str) -> dict[str, float]:
    return {f"{split}_{name}": value / sums["clips"] for name, value in sums.items() if name != "clips"}
