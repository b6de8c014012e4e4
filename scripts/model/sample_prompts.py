"""Write held-out chats, up to an answer, as a JSON list: tests/model/prompts.json.

The chats come from the generators of the corpus with a seed of their own. A chat is taken where
its last user turn belongs to the held-out share, so that no training document has that turn.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from corpus import is_held_out
from corpus_chats import document
from corpus_types import Message


def held_out_chats(rng: random.Random, longest: int) -> Iterator[list[Message]]:
    """Yield chats without tools whose turns have up to longest characters, none of them twice."""
    seen: set[str] = set()
    while True:
        made = document(rng, long=False)
        for index, message in enumerate(made.messages):
            if made.tools or message["role"] != "user" or not is_held_out(message["content"]):
                continue
            chat = made.messages[: index + 1]
            text = "\n".join(turn["content"] for turn in chat)
            if len(text) <= longest and text not in seen:
                seen.add(text)
                yield chat


def main() -> None:
    """Parse the command line and write the chats, one a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("tests/model/prompts.json"))
    parser.add_argument("--seed", type=int, default=19)
    parser.add_argument("--count", type=int, default=200, help="chats")
    parser.add_argument("--longest", type=int, default=500, help="characters of a chat")
    args = parser.parse_args()
    chats = islice(held_out_chats(random.Random(args.seed), args.longest), args.count)
    lines = ",\n".join(json.dumps(chat, ensure_ascii=False) for chat in chats)
    args.output.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
