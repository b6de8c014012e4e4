"""Measure a GGUF model on held-out prompts through llama.cpp and print a table."""

from __future__ import annotations

import argparse
import json
import math
import random
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from llama_cpp import Llama

from corpus import chat_template
from scoring import call_is_valid, calls_match, is_whole_sentence, uses_result

PLAIN_KINDS = {"story", "facts", "smalltalk", "unknown", "memory", "sum", "knowledge", "count"}
CLOSED_KINDS = {"facts", "memory", "sum", "knowledge", "count"}
LONG_TEXT = 300


@dataclass(kw_only=True)
class Task:
    """One prompt and what is expected of the answer."""

    kind: str
    messages: list[dict[str, Any]]
    expected: dict[str, Any]
    tools: list[dict[str, Any]] | None

    @property
    def group(self) -> str:
        """Return the row of the table that the task counts for."""
        if self.expected.get("tool_calls"):
            return "tool call"
        if self.messages[-1]["role"] == "tool":
            return "tool result"
        if self.kind == "repeat":
            return "repeat long" if len(self.expected["content"]) > LONG_TEXT else "repeat"
        return self.kind


def read_tasks(path: Path, rng: random.Random) -> dict[str, list[Task]]:
    """Return the held-out tasks by group; a chat gives one task for each of its answers."""
    groups: dict[str, list[Task]] = defaultdict(list)
    with path.open() as lines:
        for row in map(json.loads, lines):
            messages = row.get("messages", [])
            for index, message in enumerate(messages):
                if message["role"] == "assistant":
                    task = Task(kind=row["kind"], messages=messages[:index], expected=message,
                                tools=row["tools"])
                    groups[task.group].append(task)
    for tasks in groups.values():
        rng.shuffle(tasks)
    return groups


class Model:
    """A GGUF model that answers rendered chats."""

    def __init__(self, path: Path) -> None:
        self.llama = Llama(str(path), n_ctx=4096, n_threads=1, verbose=False, seed=1)
        self.template = chat_template()
        self.end = {self.llama.token_eos(), self.llama.token_bos()}

    def answer(self, task: Task, temperature: float, limit: int) -> tuple[str, bool]:
        """Return the answer and whether the model ended it within limit tokens."""
        prompt = self.template.render(
            messages=task.messages, tools=task.tools, add_generation_prompt=True
        )
        tokens = self.llama.tokenize(prompt.encode(), add_bos=False, special=True)
        made: list[int] = []
        for token in self.llama.generate(
            tokens, temp=temperature, top_k=40, top_p=0.95, min_p=0.05, repeat_penalty=1.0
        ):
            if token in self.end:
                return self.llama.detokenize(made, special=True).decode(errors="replace"), True
            made.append(token)
            if len(made) == limit:
                break
        return self.llama.detokenize(made, special=True).decode(errors="replace"), False


def _has_right_keys(answer: str, expected: str) -> bool:
    """Return whether the answer is a JSON object with the expected keys in order."""
    try:
        found = json.loads(answer)
    except json.JSONDecodeError:
        return False
    return isinstance(found, dict) and list(found) == list(json.loads(expected))


def judge(task: Task, answer: str) -> dict[str, bool]:
    """Return the scores that apply to the task's group."""
    expected, group = task.expected["content"], task.group
    scores: dict[str, bool] = {}
    if group == "tool call":
        scores["valid call"] = call_is_valid(answer, task.tools or [])
        scores["exact call"] = calls_match(answer, task.expected["tool_calls"])
    elif group == "tool result":
        results = [m["content"] for m in task.messages if m["role"] == "tool"][-2:]
        scores["uses the result"] = uses_result(answer, expected, results)
    elif group.startswith("repeat"):
        scores["exact copy"] = answer == expected
    elif group == "json":
        scores["right keys"] = _has_right_keys(answer, expected)
    elif group in PLAIN_KINDS:
        scores["whole sentence"] = is_whole_sentence(answer)
    if group in CLOSED_KINDS:
        scores["expected answer"] = answer == expected
    return scores


def measure(model: Model, tasks: list[Task], temperature: float, limit: int) -> dict[str, float]:
    """Return the share of each score over the tasks, and of answers that ended."""
    counts: dict[str, list[bool]] = defaultdict(list)
    for task in tasks:
        answer, ended = model.answer(task, temperature, limit)
        counts["ended"].append(ended)
        for name, value in judge(task, answer).items():
            counts[name].append(value)
    return {name: sum(values) / len(values) for name, values in counts.items()}


def stop_tasks(groups: dict[str, list[Task]], count: int) -> list[Task]:
    """Return count tasks of all kinds in turn; long copies need more tokens and are left out."""
    names = [name for name in sorted(groups) if name != "repeat long"]
    most = max(map(len, groups.values()))
    tasks = [groups[name][i] for i in range(most) for name in names if i < len(groups[name])]
    return tasks[:count]


def perplexity(path: Path, heldout: Path, *, chats: bool, count: int) -> float:
    """Return the perplexity per token of held-out chats or plain texts, 512 tokens at most."""
    llama = Llama(str(path), n_ctx=512, n_threads=1, logits_all=True, verbose=False)
    total, tokens_seen = 0.0, 0
    with heldout.open() as lines:
        rows = [row for row in map(json.loads, lines) if bool(row.get("messages")) == chats]
    for row in rows[:count]:
        tokens = llama.tokenize(row["text"].encode(), add_bos=False, special=True)[:512]
        llama.reset()
        llama.eval(tokens)
        logits = np.array(llama.scores[: len(tokens) - 1], dtype=np.float64)
        logits -= logits.max(-1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
        total -= logits[np.arange(len(tokens) - 1), tokens[1:]].sum()
        tokens_seen += len(tokens) - 1
    return math.exp(total / tokens_seen)


def report(args: argparse.Namespace) -> None:
    """Print every figure, one line each."""
    groups = read_tasks(args.work / "heldout.jsonl", random.Random(3))
    model = Model(args.model)
    for temperature in (0.0, 0.8):
        scores = measure(model, stop_tasks(groups, args.prompts), temperature, 200)
        print(f"temperature {temperature}: {scores['ended']:.1%} of {args.prompts} mixed prompts "
              f"end within 200 tokens", flush=True)
        for name in sorted(groups):
            tasks = groups[name][: args.per_group]
            scores = measure(model, tasks, temperature, 600 if name == "repeat long" else 200)
            line = ", ".join(f"{key} {value:.1%}" for key, value in scores.items())
            print(f"temperature {temperature}: {name} ({len(tasks)}): {line}", flush=True)
    for chats, name in ((False, "plain text"), (True, "chats")):
        value = perplexity(args.model, args.work / "heldout.jsonl", chats=chats, count=args.texts)
        print(f"perplexity of held-out {name}: {value:.2f}", flush=True)


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/model"), help="data folder")
    parser.add_argument("--model", type=Path, default=Path("llamabox/models/pocket.gguf"))
    parser.add_argument("--prompts", type=int, default=200, help="mixed prompts")
    parser.add_argument("--per-group", type=int, default=40, help="prompts of each kind")
    parser.add_argument("--texts", type=int, default=200, help="texts for the perplexity")
    report(parser.parse_args())


if __name__ == "__main__":
    main()
