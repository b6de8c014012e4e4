"""Write the training corpus: documents as JSON lines, rendered by the chat template."""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
from pathlib import Path
from typing import Any

from jinja2.sandbox import ImmutableSandboxedEnvironment

from corpus_chats import copy_document, document
from corpus_types import Document

TEMPLATE_PATH = Path(__file__).with_name("chat_template.jinja")
HELD_OUT_SHARE = 0.02


def chat_template() -> Any:
    """Return the compiled chat template, as chat clients compile it."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment.from_string(TEMPLATE_PATH.read_text())


def is_held_out(prompt: str) -> bool:
    """Return whether a user turn belongs to the held-out share; very short ones never do."""
    words = re.findall(r"\w+", prompt.lower())
    if len(words) <= 3:
        return False
    digest = hashlib.sha256(" ".join(words).encode()).digest()
    return int.from_bytes(digest[:4], "big") < HELD_OUT_SHARE * 2**32


def _row(template: Any, made: Document) -> dict[str, Any]:
    """Return the JSON line of one document."""
    if not made.messages:
        return {"kind": made.kind, "text": made.text}
    text = template.render(messages=made.messages, tools=made.tools)
    return {"kind": made.kind, "text": text, "messages": made.messages, "tools": made.tools}


def write_corpus(folder: Path, *, seed: int, count: int, long_count: int) -> None:
    """Write train.jsonl, long.jsonl and heldout.jsonl with about count documents in all."""
    rng = random.Random(seed)
    template = chat_template()
    folder.mkdir(parents=True, exist_ok=True)
    with (
        (folder / "train.jsonl").open("w") as train,
        (folder / "long.jsonl").open("w") as long_file,
        (folder / "heldout.jsonl").open("w") as held,
    ):
        for index in range(count + long_count):
            long = index >= count
            made = document(rng, long=long)
            prompts = [m["content"] for m in made.messages if m["role"] == "user"]
            out = any(is_held_out(prompt) for prompt in prompts)
            if not prompts:
                out = rng.random() < HELD_OUT_SHARE
            row = _row(template, made)
            if out:
                held.write(json.dumps(row) + "\n")
            else:
                row = {"kind": row["kind"], "text": row["text"]}
                (long_file if long else train).write(json.dumps(row) + "\n")


def write_copies(path: Path, *, seed: int, count: int) -> None:
    """Write about count chats whose answers copy from the prompt."""
    rng = random.Random(seed)
    template = chat_template()
    with path.open("w") as output:
        for _ in range(count):
            made = copy_document(rng)
            prompts = [m["content"] for m in made.messages if m["role"] == "user"]
            if not any(is_held_out(prompt) for prompt in prompts):
                row = _row(template, made)
                output.write(json.dumps({"kind": row["kind"], "text": row["text"]}) + "\n")


def main() -> None:
    """Parse the command line and write the corpus."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/model"), help="output folder")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--count", type=int, default=170_000, help="documents")
    parser.add_argument("--long-count", type=int, default=4_000, help="long documents")
    parser.add_argument("--copy-count", type=int, default=60_000, help="copying chats")
    args = parser.parse_args()
    write_corpus(args.work, seed=args.seed, count=args.count, long_count=args.long_count)
    write_copies(args.work / "copies.jsonl", seed=args.seed + 1, count=args.copy_count)


if __name__ == "__main__":
    main()
