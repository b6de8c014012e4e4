"""Texts that are tokenized word by word have the tokens that they have as a whole."""

from __future__ import annotations

import itertools
import random
import string
from collections.abc import Iterator
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
import pytest

from llamabox import Model
from llamabox._core.vocab import Vocab
from llamabox.api import Tokenizer, words
from llamabox.api.library import LIBRARY, captured_errors
from llamabox.api.special import SpecialToken
from llamabox.api.words import CUT, PRE_TYPES, Tokens, Words, are_apart
from tests.models.random_gguf import byte_character, llama_metadata

JOINS_WORDS = ("superbpe", "exaone-moe")
LETTERS = "abceot"
OWN_TOKENS = ("dot", "be.", "  ", "\n\n")
"""Found in a text before its words are; llama.cpp cuts it there."""
PIECES = (
    *"abcdeostXYZ.,;:!?'\"()-_/*#[]{}<>\n\t\r0123456789",
    *("cat", "toe", "Bee", "e", "it's", "don'T", "x1", "100", "...", "?!", "é", "ñandú", "日本"),
    *("🙂", "\n\n", "  ", "   ", "\u00a0", "\u3000", "ß", "\u017f", "Ⅷ", "²", "\u0301"),
    "'s", "'LL", "dot", " dot", "be.", "<|end|>",
    *[" "] * 40, *[" a", " to", " be", " Cat", " the"] * 6,
)  # fmt: skip


class Counted:
    """A tokenizer that remembers what it was given."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.texts: list[str] = []
        self._tokenizer = tokenizer

    def __call__(self, text: str, add_special: bool) -> Tokens:
        self.texts.append(text)
        return self._tokenizer._encode(text, add_special, parse_special=True)


class Weights:
    """A vocabulary that is loaded without a model."""

    def __init__(self, path: Path) -> None:
        params = llama_cpp.llama_model_default_params()
        params.vocab_only = True
        with captured_errors():
            self.address: int = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        assert self.address

    def close(self) -> None:
        llama_cpp.llama_model_free(self.address)
        self.address = 0


def write_joining_vocabulary(path: Path, pre: str) -> None:
    """Byte-pair encoding whose first merges join words, where nothing keeps them apart."""
    alphabet = [byte_character(byte) for byte in range(256)]
    space = byte_character(ord(" "))
    across = [(letter, space) for letter in [*LETTERS, *".,;:!?1"]]
    across += [(f"{a}{space}", b) for (a, _), b in itertools.product(across, LETTERS)]
    inside = [*itertools.product(LETTERS, LETTERS), *((space, letter) for letter in LETTERS)]
    merges = [*across, *inside]
    tokens = [*alphabet, *(a + b for a, b in merges), *OWN_TOKENS, "<|end|>"]
    assert len(tokens) == len(set(tokens))
    writer = gguf.GGUFWriter(path, "llama")
    llama_metadata(writer, vocabulary=False)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    types = [gguf.TokenType.NORMAL] * len(tokens)
    types[-1] = gguf.TokenType.CONTROL
    types[-1 - len(OWN_TOKENS) : -1] = [gguf.TokenType.USER_DEFINED] * len(OWN_TOKENS)
    writer.add_token_types(types)
    writer.add_token_merges([f"{a} {b}" for a, b in merges])
    writer.add_eos_token_id(len(tokens) - 1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(params=[*sorted(PRE_TYPES), *JOINS_WORDS])
def joining(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Tokenizer]]:
    """The name of a regular expression, and a tokenizer that joins words unless it cuts them."""
    path = tmp_path / "vocabulary.gguf"
    write_joining_vocabulary(path, request.param)
    weights = Weights(path)
    address = llama_cpp.llama_model_get_vocab(weights.address)
    yield request.param, Tokenizer(llama_cpp, address, Vocab(LIBRARY, address, owner=weights))
    weights.close()


def random_texts(n: int) -> list[str]:
    rng = random.Random(n)
    return ["".join(rng.choices(PIECES, k=rng.randrange(120))) for _ in range(n)]


def test_the_tokens_are_those_of_the_whole_text(joining: tuple[str, Tokenizer]) -> None:
    pre, tokenizer = joining
    whole = Counted(tokenizer)
    by_word = Words(Counted(tokenizer), tokenizer._vocab.lengths())
    n_other = n_cuts = 0
    for text in random_texts(200):
        n_cuts += len(CUT.findall(text))
        for _ in range(2):
            n_other += not np.array_equal(by_word.encode(text, False), whole(text, False))
    assert n_cuts > 1000
    assert (n_other == 0) == (pre not in JOINS_WORDS)


def test_of_a_real_text(tiny_model: Model) -> None:
    tokenizer = tiny_model.tokenizer
    whole, counted = Counted(tokenizer), Counted(tokenizer)
    by_word = Words(counted, tiny_model.vocab.lengths())
    for path in Path(words.__file__).parent.glob("*.py"):
        text = path.read_text()
        for add_special in (False, True):
            found = by_word.encode(text, add_special)
            assert np.array_equal(found, whole(text, add_special))
    assert sum(map(len, counted.texts)) < sum(map(len, whole.texts))


def test_a_word_is_tokenized_once(tiny_model: Model) -> None:
    counted = Counted(tiny_model.tokenizer)
    by_word = Words(counted, tiny_model.vocab.lengths())
    by_word.encode("The cat, the hat and the bat", True)
    assert counted.texts == [" cat, the hat and the bat", "The"]
    n_new = len("a" + "new" + "again") + 2 * words.RUN_CHARS
    assert by_word.n_new("The bat and a new cat, again", True) == n_new
    by_word.encode("The bat and a new hat again", True)
    assert counted.texts[2:] == [" a new", " again"]
    by_word.encode("The bat again", False)
    assert counted.texts[4:] == ["The"]


def test_much_that_is_new_is_tokenized_in_one_call(tiny_model: Model) -> None:
    counted = Counted(tiny_model.tokenizer)
    by_word = Words(counted, tiny_model.vocab.lengths())
    by_word.encode("a the", True)
    new = [a + b for a, b in itertools.product(string.ascii_lowercase, "bcd")]
    by_word.encode("a " + " the ".join(new) + " the", True)
    assert counted.texts[2:] == [" " + " the ".join(new)]


def test_control_tokens_are_read_as_such(tiny_model: Model) -> None:
    whole = Counted(tiny_model.tokenizer)
    by_word = Words(Counted(tiny_model.tokenizer), tiny_model.vocab.lengths())
    text = "<|im_start|>user and more of it<|im_end|> and so<|im_end|>x y"
    for _ in range(2):
        assert np.array_equal(by_word.encode(text, True), whole(text, True))


def test_what_is_kept_is_bounded(tiny_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "MOST_WORDS", 10)
    counted = Counted(tiny_model.tokenizer)
    by_word = Words(counted, tiny_model.vocab.lengths())
    for i in range(30):
        by_word.encode(f"a word{i} and", False)
    by_word.encode(f"a {'b' * words.LONGEST}c and", False)
    by_word.encode(f"a {'b' * words.LONGEST}c and", False)
    assert counted.texts[-2:] == [f" {'b' * words.LONGEST}c"] * 2
    by_word.encode(" ".join(f"w{i}" for i in range(40)), False)
    assert len(by_word._known) <= 10


@pytest.mark.parametrize(
    ("pre", "token", "apart"),
    [
        ("qwen2", SpecialToken("<|end|>", True, False), True),
        ("qwen2", SpecialToken("    ", False, False), True),
        ("qwen2", SpecialToken("<tool call>", False, False), False),
        ("qwen2", SpecialToken(" the", False, False), False),
        ("qwen2", SpecialToken("<mask>", True, True), False),
        ("superbpe", SpecialToken("<|end|>", True, False), False),
        ("", SpecialToken("<|end|>", True, False), False),
    ],
)
def test_vocabularies_whose_words_are_apart(pre: str, token: SpecialToken, apart: bool) -> None:
    assert are_apart(pre, [token]) is apart
