"""Check a GGUF file against its sources: the tokenizer and the network, through llama.cpp."""

from __future__ import annotations

import argparse
import json
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from llama_cpp import Llama
from tokenizers import Tokenizer

from architecture import Network
from sizes import SIZES

ODD_TEXTS = (
    "", " ", "  two  spaces  ", "\n\n\nlines\n\n", "tab\tand\r\nreturn", "trailing space ",
    "it's we'll I'd they've you're", "IT'S", "x  \n  y", " \n", "\u00a0non\u00a0breaking\u2003em",
    "ünïcödé façade Straße", "你好 世界", "こんにちは", "안녕하세요", "Привет, мир",
    "مرحبا بالعالم", "שלום", "नमस्ते दुनिया", "🙂 \U0001f469\u200d\U0001f467 flags 🇫🇷",
    "e\u0301 combining", "\uff11\uff12\uff13 ½ ² Ⅻ ٣",
    "a1b2c3 12345 3.14159 1,000,000", "!!! ??? ... --- ___ ***", "def f(x):\n    return x**2\n",
    "<|im_start|>user\nhi<|im_end|>", "<tool_call>{}</tool_call>", "a<think>b</think>c",
    "<|im_start", "<tool_call", "\u200bzero\u200bwidth", "\x00\x01control\x7f",
    "\U0001d54f\U0001f600",
)


def check_tokens(llama: Llama, tokenizer: Tokenizer, texts: list[str]) -> int:
    """Return how many texts llama.cpp tokenises otherwise, printing the first few."""
    wrong = 0
    for text in texts:
        found = llama.tokenize(text.encode(), add_bos=False, special=True) if text else []
        expected = tokenizer.encode(text).ids
        if found != expected:
            wrong += 1
            if wrong <= 5:
                print(f"differs: {text[:60]!r}: {found[:12]} instead of {expected[:12]}")
    return wrong


def check_round_trip(llama: Llama, texts: list[str]) -> int:
    """Return how many texts do not come back from their tokens."""
    wrong = 0
    for text in filter(None, texts):
        tokens = llama.tokenize(text.encode(), add_bos=False, special=True)
        wrong += llama.detokenize(tokens, special=True) != text.encode()
    return wrong


def network_logits(checkpoint: Path, tokens: list[int]) -> np.ndarray:
    """Return the network's logits, shape (length, vocab), its matrices rounded to half."""
    state = torch.load(checkpoint)
    network = Network(SIZES[state["size"]], state["vocab"])
    weights = state["weights"]
    network.load_state_dict({k: w.half().float() if w.dim() > 1 else w for k, w in weights.items()})
    with torch.no_grad():
        return network(torch.tensor([tokens]))[0].numpy()


def check_logits(llama: Llama, checkpoint: Path, tokens: list[int]) -> None:
    """Print how far llama.cpp's logits are from the network's."""
    llama.reset()
    llama.eval(tokens)
    found = np.array(llama.scores[: len(tokens)])
    expected = network_logits(checkpoint, tokens)
    same = float((found.argmax(-1) == expected.argmax(-1)).mean())
    difference = float(np.abs(found - expected).max())
    print(f"logits over {len(tokens)} positions: largest difference {difference:.4f} "
          f"(range {expected.min():.1f} to {expected.max():.1f}), same best token {same:.2%}")


def main() -> None:
    """Parse the command line and run the checks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/model"), help="data folder")
    parser.add_argument("--size", choices=sorted(SIZES), default="pocket")
    parser.add_argument("--model", type=Path, default=Path("llamabox/models/pocket.gguf"))
    parser.add_argument("--texts", type=int, default=3000, help="corpus texts to tokenise")
    args = parser.parse_args()
    llama = Llama(str(args.model), n_ctx=2048, n_threads=2, logits_all=True, verbose=False)
    tokenizer = Tokenizer.from_file(str(args.work / "tokenizer.json"))
    with (args.work / "heldout.jsonl").open() as lines:
        corpus = [json.loads(line)["text"] for line in islice(lines, args.texts)]
    for name, texts in (("odd", list(ODD_TEXTS)), ("corpus", corpus)):
        print(f"{name}: {len(texts)} texts, {check_tokens(llama, tokenizer, texts)} tokenised "
              f"differently, {check_round_trip(llama, texts)} not restored")
    long_text = "".join(corpus[:20])
    check_logits(llama, args.work / f"{args.size}.pt", tokenizer.encode(long_text).ids[:2000])


if __name__ == "__main__":
    main()
