"""Turn the corpus into rows of token ids, packed so that every row starts with a document.

Each row file holds an array of shape (2, rows, length + 1): token ids, and for every token what
it counts for in the loss: 0 padding, 1 prompt, 2 answer or plain text.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from build_tokenizer import END_OF_TEXT, TURN_END, TURN_START

PADDING, PROMPT, ANSWER = 0, 1, 2
OPEN_ROWS = 48
Example = tuple[np.ndarray, np.ndarray]


class Labeller:
    """Turns a document's text into token ids and loss classes."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.end_of_text = tokenizer.token_to_id(END_OF_TEXT)
        self.turn_end = tokenizer.token_to_id(TURN_END)
        self.answer_start = tokenizer.encode(TURN_START + "assistant\n").ids

    def classes(self, ids: list[int]) -> list[int]:
        """Return the class of each token: answers run from the turn's header to its end."""
        head = self.answer_start
        if ids[0] != head[0]:
            return [ANSWER] * len(ids)
        labels = [PROMPT] * len(ids)
        inside = False
        for index, token in enumerate(ids):
            if inside:
                labels[index] = ANSWER
                inside = token != self.turn_end
            else:
                inside = ids[max(0, index + 1 - len(head)) : index + 1] == head
        return labels

    def examples(self, texts: Iterable[str]) -> Iterator[Example]:
        """Yield (ids, classes) of each text, ended by the end-of-text token."""
        batch: list[str] = []
        for text in texts:
            batch.append(text)
            if len(batch) == 2000:
                yield from self._encode(batch)
                batch = []
        yield from self._encode(batch)

    def _encode(self, batch: list[str]) -> Iterator[Example]:
        for encoding in self.tokenizer.encode_batch(batch):
            ids = [*encoding.ids, self.end_of_text]
            labels = self.classes(ids)
            labels[-1] = PROMPT if labels[0] == PROMPT else ANSWER
            yield np.array(ids, np.uint16), np.array(labels, np.uint16)


def pack(examples: Iterable[Example], length: int, padding_id: int) -> np.ndarray:
    """Pack examples into rows of the given length; longer ones are cut at its end."""
    rows: list[tuple[np.ndarray, np.ndarray]] = []
    used: list[int] = []
    opened: list[int] = []
    for example in examples:
        ids, labels = (part[:length] for part in example)
        fitting = [row for row in opened if used[row] + len(ids) <= length]
        if fitting:
            row = max(fitting, key=used.__getitem__)
        else:
            row = len(rows)
            rows.append((np.full(length, padding_id, np.uint16), np.zeros(length, np.uint16)))
            used.append(0)
            opened.append(row)
            if len(opened) > OPEN_ROWS:
                opened.remove(max(opened, key=used.__getitem__))
        rows[row][0][used[row] : used[row] + len(ids)] = ids
        rows[row][1][used[row] : used[row] + len(ids)] = labels
        used[row] += len(ids)
    return np.array(rows, np.uint16).transpose(1, 0, 2)


def read_texts(path: Path) -> list[str]:
    """Return the texts of a corpus file."""
    with path.open() as lines:
        return [json.loads(line)["text"] for line in lines]


def write_rows(path: Path, rows: np.ndarray, rng: random.Random) -> None:
    """Shuffle the rows and save them."""
    order = list(range(rows.shape[1]))
    rng.shuffle(order)
    np.save(path, np.ascontiguousarray(rows[:, order]))
    filled = float((rows[1] != PADDING).mean())
    print(f"{path.name}: {rows.shape[1]} rows of {rows.shape[2]} tokens, {filled:.1%} filled")


def main() -> None:
    """Parse the command line and write the row files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/model"), help="data folder")
    parser.add_argument("--short", type=int, default=512, help="tokens in a short row")
    parser.add_argument("--long", type=int, default=2048, help="tokens in a long row")
    args = parser.parse_args()
    rng = random.Random(11)
    tokenizer = Tokenizer.from_file(str(args.work / "tokenizer.json"))
    labeller = Labeller(tokenizer)
    train = read_texts(args.work / "train.jsonl")
    long_texts = read_texts(args.work / "long.jsonl") + train[: len(train) // 20]
    rng.shuffle(long_texts)
    for name, texts, length in (
        ("short", train, args.short),
        ("long", long_texts, args.long),
        ("copies", read_texts(args.work / "copies.jsonl"), args.short),
        ("heldout", read_texts(args.work / "heldout.jsonl"), args.short),
    ):
        rows = pack(labeller.examples(texts), length + 1, labeller.end_of_text)
        write_rows(args.work / f"{name}.npy", rows, rng)


if __name__ == "__main__":
    main()
