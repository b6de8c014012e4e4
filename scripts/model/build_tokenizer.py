"""Train the byte-level BPE vocabulary on the corpus and write tokenizer.json.

Digits are left out of the training text, so no merge contains one and every digit stays a
token of its own.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CONTROL_TOKENS = (END_OF_TEXT, TURN_START, TURN_END)
MARKUP_TOKENS = (
    "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>",
)
_MARKUP = re.compile("|".join(re.escape(token) for token in CONTROL_TOKENS + MARKUP_TOKENS))


def training_texts(path: Path, limit: int) -> Iterator[str]:
    """Yield up to limit corpus texts without digits and special tokens."""
    with path.open() as lines:
        for _, line in zip(range(limit), lines, strict=False):
            text = _MARKUP.sub("\n", json.loads(line)["text"])
            yield re.sub(r"\d+", " ", text)


def train_tokenizer(texts: Iterator[str], vocab: int) -> Tokenizer:
    """Return a tokenizer of exactly vocab tokens, special tokens first, then the 256 bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=list(CONTROL_TOKENS + MARKUP_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t in CONTROL_TOKENS])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in MARKUP_TOKENS])
    return tokenizer


def main() -> None:
    """Parse the command line and write the tokenizer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/model"), help="data folder")
    parser.add_argument("--vocab", type=int, default=2048, help="tokens in the vocabulary")
    parser.add_argument("--texts", type=int, default=60_000, help="corpus texts to learn from")
    args = parser.parse_args()
    tokenizer = train_tokenizer(
        training_texts(args.work / "train.jsonl", args.texts), args.vocab
    )
    tokenizer.save(str(args.work / "tokenizer.json"))
    print(f"{tokenizer.get_vocab_size()} tokens")


if __name__ == "__main__":
    main()
