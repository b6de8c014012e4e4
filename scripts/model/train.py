"""Train a model on the packed rows within a time budget, on the processor."""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor

from architecture import Network
from initialise import initialise
from pretokenise import ANSWER, PROMPT
from sizes import SIZES


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """How to train: times in minutes, batch in tokens, rates without unit."""

    minutes: float
    batch_tokens: int = 4096
    rate: float = 2.0e-3
    final_rate: float = 2.0e-5
    warmup_steps: int = 60
    weight_decay: float = 0.05
    prompt_weight: float = 0.1
    long_from: float = 0.6
    long_every: int = 8
    copies_every: int = 5
    save_minutes: float = 3.0
    seed: int = 5


class Rows:
    """Walks through a row file again and again, one batch at a time."""

    def __init__(self, path: Path, batch_tokens: int) -> None:
        self.rows = np.load(path, mmap_mode="r")
        self.batch = max(1, batch_tokens // (self.rows.shape[2] - 1))
        self.position = 0

    def next(self) -> tuple[Tensor, Tensor]:
        """Return ids and classes, each of shape (batch, length + 1)."""
        if self.position + self.batch > self.rows.shape[1]:
            self.position = 0
        part = self.rows[:, self.position : self.position + self.batch].astype(np.int64)
        self.position += self.batch
        return torch.from_numpy(part[0]), torch.from_numpy(part[1])


def weighted_loss(
    network: torch.nn.Module, ids: Tensor, classes: Tensor, prompt_weight: float
) -> Tensor:
    """Return the mean cross-entropy, prompts counting less than answers."""
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(ids[:, :-1])
    targets, labels = ids[:, 1:].reshape(-1), classes[:, 1:].reshape(-1)
    losses = F.cross_entropy(logits.float().view(-1, logits.shape[-1]), targets, reduction="none")
    weights = (labels == ANSWER).float() + prompt_weight * (labels == PROMPT).float()
    return (losses * weights).sum() / weights.sum()


def rate_at(plan: TrainingPlan, step: int, progress: float) -> float:
    """Return the learning rate: a warm-up by steps, then a cosine over the time budget."""
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    rate = plan.final_rate + (plan.rate - plan.final_rate) * cosine
    return rate * min(1.0, (step + 1) / plan.warmup_steps)


def make_optimiser(network: Network, plan: TrainingPlan) -> torch.optim.AdamW:
    """Return AdamW that decays matrices and leaves norms alone."""
    matrices = [p for p in network.parameters() if p.dim() == 2]
    norms = [p for p in network.parameters() if p.dim() < 2]
    groups = [
        {"params": matrices, "weight_decay": plan.weight_decay},
        {"params": norms, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=plan.rate, betas=(0.9, 0.95), fused=True)


@torch.no_grad()
def held_out_loss(network: Network, work: Path) -> float:
    """Return the answer loss in nats per token on some held-out rows."""
    rows = Rows(work / "heldout.npy", 16 * 512)
    ids, classes = rows.next()
    return weighted_loss(network, ids, classes, 0.0).item()


class Trainer:
    """Holds the state of one training run and saves it now and then."""

    def __init__(self, size_name: str, work: Path, plan: TrainingPlan, *, fast: bool) -> None:
        torch.manual_seed(plan.seed)
        self.plan, self.work, self.size_name = plan, work, size_name
        self.short = Rows(work / "short.npy", plan.batch_tokens)
        self.long = Rows(work / "long.npy", plan.batch_tokens)
        self.copies = Rows(work / "copies.npy", plan.batch_tokens)
        self.vocab = Tokenizer.from_file(str(work / "tokenizer.json")).get_vocab_size()
        self.network = Network(SIZES[size_name], self.vocab)
        initialise(self.network)
        self.forward = torch.compile(self.network, dynamic=False) if fast else self.network
        self.optimiser = make_optimiser(self.network, plan)
        self.step, self.seconds, self.tokens = 0, 0.0, 0
        self.path = work / f"{size_name}.pt"

    def row_files(self) -> tuple[Rows, ...]:
        """Return every row file."""
        return self.short, self.long, self.copies

    def resume(self) -> None:
        """Continue from the saved checkpoint."""
        state = torch.load(self.path)
        self.network.load_state_dict(state["weights"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds, self.tokens = state["step"], state["seconds"], state["tokens"]
        for rows, position in zip(self.row_files(), state["positions"], strict=True):
            rows.position = position

    def save(self) -> None:
        """Write the checkpoint, replacing the last one at once."""
        state = {
            "weights": self.network.state_dict(), "optimiser": self.optimiser.state_dict(),
            "step": self.step, "seconds": self.seconds, "tokens": self.tokens,
            "positions": [rows.position for rows in self.row_files()],
            "size": self.size_name, "vocab": self.vocab, "plan": asdict(self.plan),
        }
        torch.save(state, self.path.with_suffix(".tmp"))
        self.path.with_suffix(".tmp").replace(self.path)

    def pick(self, progress: float) -> Rows:
        """Return the row file of the next batch: mostly short rows, now and then others."""
        if progress > self.plan.long_from and self.step % self.plan.long_every == 0:
            return self.long
        return self.copies if self.step % self.plan.copies_every == 0 else self.short

    def one_step(self) -> float:
        """Train on one batch and return its loss."""
        progress = self.seconds / (60 * self.plan.minutes)
        ids, classes = self.pick(progress).next()
        rate = rate_at(self.plan, self.step, progress)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        forward = self.forward if ids.shape[1] == self.short.rows.shape[2] else self.network
        loss = weighted_loss(forward, ids, classes, self.plan.prompt_weight)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        self.tokens += ids[:, 1:].numel()
        return loss.item()

    def run(self) -> None:
        """Train until the time budget is used up."""
        saved = self.seconds
        recent: list[float] = []
        while self.seconds < 60 * self.plan.minutes:
            start = time.monotonic()
            recent.append(self.one_step())
            self.seconds += time.monotonic() - start
            if self.step % 50 == 0:
                mean = sum(recent[-50:]) / len(recent[-50:])
                print(f"step {self.step} loss {mean:.4f} tokens {self.tokens} "
                      f"seconds {self.seconds:.0f}", flush=True)
            if self.seconds - saved > 60 * self.plan.save_minutes:
                saved = self.seconds
                self.save()
                print(f"held-out {held_out_loss(self.network, self.work):.4f}", flush=True)
        self.save()
        print(f"held-out {held_out_loss(self.network, self.work):.4f}", flush=True)


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/model"), help="data folder")
    parser.add_argument("--size", choices=sorted(SIZES), default="pocket")
    parser.add_argument("--minutes", type=float, default=60.0, help="training time in all")
    parser.add_argument("--rate", type=float, default=TrainingPlan.rate, help="highest rate")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-compile", action="store_true", help="run without torch.compile")
    parser.add_argument("--resume", action="store_true", help="continue from the checkpoint")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    plan = TrainingPlan(minutes=args.minutes, rate=args.rate)
    trainer = Trainer(args.size, args.work, plan, fast=not args.no_compile)
    if args.resume:
        trainer.resume()
    parameters = SIZES[args.size].parameters(trainer.vocab)
    print(f"{args.size}: {parameters} parameters, {trainer.vocab} tokens", flush=True)
    trainer.run()


if __name__ == "__main__":
    main()
