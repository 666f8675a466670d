"""One stage of training: an optimisation that can be killed at any moment, and goes on from there.

State is written aside and renamed every two minutes. Random numbers are drawn from the step, so that a resumed run sees
what an uninterrupted one would have seen. `log.csv` has one line per 20 steps and figure, with CPU-seconds, since wall time
on shared cores says little; TensorBoard gets the same.
"""

import csv
import os
import resource
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

SAVE_EVERY = 120.0
"""Seconds between two states on disk."""
LOG_EVERY = 20


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def mixed_precision(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 where the processor multiplies it natively, else float32."""
    native = torch.cuda.is_bf16_supported() if device.type == "cuda" else torch.cpu._is_avx512_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16) if native else nullcontext()


class Stage:
    """A resumable optimisation of `modules`: optimiser, averaged weights, step, log.

    Args:
        run: folder of states and logs.
        modules: everything whose weights are kept and averaged.
        steps: how many there are.
        rate: peak learning rate; it rises over the first steps and falls linearly over the second half.
        trained: what the optimiser changes; `modules` if None.
    """

    def __init__(
        self, run: Path, name: str, modules: nn.Module, steps: int, rate: float, trained: nn.Module | None = None
    ):
        self.run, self.name, self.modules, self.steps, self.rate = run, name, modules, steps, rate
        self.parameters = [p for p in (trained or modules).parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(self.parameters, lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
        self.average = {k: v.detach().clone() for k, v in modules.state_dict().items()}
        self.step, self.cpu_before, self.started = 0, 0.0, cpu_seconds()
        self.saved = time.monotonic()
        self.figures: list[dict[str, float]] = []
        if self.file.exists():
            state = torch.load(self.file, weights_only=True, map_location="cpu")
            modules.load_state_dict(state["modules"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.average = {k: v.to(self.average[k].device) for k, v in state["average"].items()}
            self.step, self.cpu_before = state["step"], state["cpu"]

    @property
    def file(self) -> Path:
        return self.run / f"{self.name}.pt"

    @property
    def done(self) -> bool:
        return self.step >= self.steps

    @property
    def spent(self) -> float:
        """CPU-seconds, those of earlier runs included."""
        return self.cpu_before + cpu_seconds() - self.started

    def rng(self) -> np.random.Generator:
        """Random numbers of the step that comes next."""
        return np.random.default_rng([5, sum(map(ord, self.name)), self.step])

    def update(self, loss: Tensor, **figures: float) -> None:
        """One optimiser step; `figures` go to the log next to the loss."""
        rate = self.rate * min(1.0, (self.step + 1) / 100, max(0.02, 2 * (1 - self.step / self.steps)))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        # Gradients of near-zero layers fall below what floats hold normally; on a CPU that made backward 6 times slower.
        torch.set_flush_denormal(True)
        try:
            loss.backward()
        finally:
            torch.set_flush_denormal(False)
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()
        self.step += 1
        self._average()
        self.figures.append({"loss": loss.item(), **figures})
        if self.step % LOG_EVERY == 0 or self.done:
            self._log()
        if self.done or time.monotonic() - self.saved > SAVE_EVERY:
            self.save()

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(0.998, self.step / (self.step + 10))
        state = {k: v for k, v in self.modules.state_dict().items() if v.is_floating_point()}
        torch._foreach_lerp_([self.average[k] for k in state], list(state.values()), 1 - decay)

    def _log(self) -> None:
        from torch.utils.tensorboard import SummaryWriter

        path = self.run / "log.csv"
        new = not path.exists()
        with path.open("a", newline="") as file, SummaryWriter(str(self.run / "tensorboard" / self.name)) as board:
            writer = csv.writer(file)
            if new:
                writer.writerow(["stage", "step", "cpu_seconds", "figure", "value"])
            for figure in sorted({figure for row in self.figures for figure in row}):
                mean = float(np.mean([row[figure] for row in self.figures if figure in row]))
                writer.writerow([self.name, self.step, round(self.spent, 1), figure, round(mean, 5)])
                board.add_scalar(figure, mean, self.step)
        self.figures = []

    def save(self) -> None:
        state = {
            "modules": self.modules.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average,
            "step": self.step,
            "cpu": self.spent,
        }
        save_whole(state, self.file)
        self.saved = time.monotonic()

    def finish(self) -> None:
        """Put the averaged weights into the modules."""
        self.modules.load_state_dict(self.average)


def save_whole(state: object, path: Path) -> None:
    """`torch.save`, written aside and renamed: whoever looks sees all of it or nothing."""
    aside = path.with_suffix(f".{os.getpid()}")
    torch.save(state, aside)
    os.replace(aside, path)
