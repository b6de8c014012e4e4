"""Texts that are tokenized word by word have the tokens that they have as a whole."""

from __future__ import annotations

import contextlib
import itertools
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
import pytest

from llamabox import Model, packaged_model
from llamabox._core.vocab import Vocab
from llamabox.api import Tokenizer, words
from llamabox.api.library import LIBRARY, captured_errors
from llamabox.api.special import SpecialToken, special_tokens
from llamabox.api.words import PRE_TYPES, Tokens, Words, are_apart
from tests.models.random_gguf import byte_character, llama_metadata

CUT = re.compile(r"(?<=[A-Za-z0-9.,;:!?]) (?=[A-Za-z])")
JOINS_WORDS = ("superbpe", "exaone-moe")
LETTERS = "abceot"
OWN_TOKENS = ("dot", "be.", "  ", "\n\n")
"""Found in a text before its words are; llama.cpp cuts it there."""
SPACES = " \n\r\t"
PIECES = (
    *"abcdeostXYZ.,;:!?'\"()-_/*#[]{}<>\n\t\r0123456789",
    *("cat", "toe", "Bee", "e", "it's", "don'T", "x1", "100", "...", "?!", "é", "ñandú", "日本"),
    *("🙂", "\n\n", "  ", "   ", "\u00a0", "\u3000", "ß", "\u017f", "Ⅷ", "²", "\u0301"),
    "'s", "'LL", "dot", " dot", "be.", "<|end|>",
    *[" "] * 40, *[" a", " to", " be", " Cat", " the"] * 6,
)  # fmt: skip


ABOVE = (
    "a\n",
    "be.\n",
    "<|end|>\n\n",
    "?!\n",
    " \n",
    "a \n",
    "'s\n",
    "1\r\n",
    "a\t\n",
    "\n\n\n",
    "\n",
)
BEGINS = ("a", "1", "Be", "12 34", "to be", "e.", "x\u00df", "0\u00b2", "ce;", "T'", "9,9")
LINES = [
    f"{above}{begin} be at"
    for above in (*ABOVE, "\u00a0\n", "a\u3000\n", "a\u0085\n", "\x0b\n", "\u00df\n")
    for begin in BEGINS
]


class Counted:
    """A tokenizer that remembers what it was given."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.texts: list[str] = []
        self._tokenizer = tokenizer

    def __call__(self, text: bytes, add_special: bool) -> Tokens:
        self.texts.append(text.decode())
        return self._tokenizer._encode(text, add_special, parse_special=True)

    def whole(self, text: str, add_special: bool) -> Tokens:
        return self(text.encode(), add_special)


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


def write_joining_vocabulary(path: Path, pre: str, own_tokens: Sequence[str] = OWN_TOKENS) -> None:
    """Byte-pair encoding whose first merges join words and lines, unless they are cut."""
    alphabet = [byte_character(byte) for byte in range(256)]
    space, feed = byte_character(ord(" ")), byte_character(ord("\n"))
    across = [(letter, space) for letter in [*LETTERS, *".,;:!?1"]]
    across += [(f"{a}{space}", b) for (a, _), b in itertools.product(across, LETTERS)]
    across += [pair for letter in [*LETTERS, *"019"] for pair in ((letter, feed), (feed, letter))]
    inside = [*itertools.product(LETTERS, LETTERS), *((space, letter) for letter in LETTERS)]
    spaces = itertools.product([byte_character(ord(space)) for space in SPACES], repeat=2)
    merges = [*across, *inside, *spaces]
    tokens = [*alphabet, *(a + b for a, b in merges), *own_tokens, "<|end|>"]
    assert len(tokens) == len(set(tokens))
    writer = gguf.GGUFWriter(path, "llama")
    llama_metadata(writer, vocabulary=False)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    types = [gguf.TokenType.NORMAL] * len(tokens)
    types[-1] = gguf.TokenType.CONTROL
    types[-1 - len(own_tokens) : -1] = [gguf.TokenType.USER_DEFINED] * len(own_tokens)
    writer.add_token_types(types)
    writer.add_token_merges([f"{a} {b}" for a, b in merges])
    writer.add_eos_token_id(len(tokens) - 1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@contextlib.contextmanager
def joining_tokenizer(path: Path, pre: str, own_tokens: Sequence[str]) -> Iterator[Tokenizer]:
    """A tokenizer that joins words unless its expression cuts them."""
    write_joining_vocabulary(path, pre, own_tokens)
    weights = Weights(path)
    address = llama_cpp.llama_model_get_vocab(weights.address)
    yield Tokenizer(llama_cpp, address, Vocab(LIBRARY, address, owner=weights))
    weights.close()


def words_of(encode: words.Encode, tokenizer: Tokenizer) -> Words:
    special = special_tokens(llama_cpp, tokenizer._address)
    assert special is not None
    return Words(encode, tokenizer._vocab.lengths(), special)


def tokens_of(by_word: Words, text: str, add_special: bool = False) -> Tokens:
    return all_tokens_of(by_word, [text], add_special)[0]


def all_tokens_of(by_word: Words, texts: Sequence[str], add_special: bool = False) -> list[Tokens]:
    found = by_word.encode([(text.encode(), add_special) for text in texts])
    assert found is not None
    return found


def random_texts(n: int) -> list[str]:
    rng = random.Random(n)
    return ["".join(rng.choices(PIECES, k=rng.randrange(120))) for _ in range(n)]


@pytest.mark.parametrize("pre", [*sorted(PRE_TYPES), *JOINS_WORDS])
@pytest.mark.parametrize("own_tokens", [OWN_TOKENS, ()])
def test_the_tokens_are_those_of_the_whole_text(
    pre: str, own_tokens: Sequence[str], tmp_path: Path
) -> None:
    """Of ten texts at a time, so that pieces of one are tokenized beside those of others."""
    n_other = 0
    texts = [*random_texts(100), *LINES]
    with joining_tokenizer(tmp_path / "vocabulary.gguf", pre, own_tokens) as tokenizer:
        whole = Counted(tokenizer).whole
        by_word = words_of(Counted(tokenizer), tokenizer)
        for begin in range(0, len(texts), 10):
            some = texts[begin : begin + 10]
            for _ in range(2):
                for text, tokens in zip(some, all_tokens_of(by_word, some), strict=True):
                    n_other += not np.array_equal(tokens, whole(text, False))
    assert sum(len(CUT.findall(text)) for text in texts) > 500
    assert (n_other == 0) == (pre not in JOINS_WORDS)


def test_of_text_with_blank_lines() -> None:
    texts = [path.read_text() for path in (Path(__file__).parents[2] / "docs").glob("*.md")]
    chunks = [chunk for text in texts for chunk in text.split("\n## ")]
    with Model.load(packaged_model()) as model:
        whole = Counted(model.tokenizer).whole
        for chunk in ["Title\n\nThe cat", "a \nThe cat", *chunks]:
            found = model.tokenizer.encode(chunk, add_special=False)
            assert np.array_equal(found, whole(chunk, False))


def test_of_a_real_text(tiny_model: Model) -> None:
    tokenizer = tiny_model.tokenizer
    whole, counted = Counted(tokenizer), Counted(tokenizer)
    by_word = words_of(counted, tokenizer)
    for path in Path(words.__file__).parent.glob("*.py"):
        text = path.read_text()
        for add_special in (False, True):
            found = tokens_of(by_word, text, add_special)
            assert np.array_equal(found, whole.whole(text, add_special))
    assert sum(map(len, counted.texts)) < sum(map(len, whole.texts))


def test_a_word_is_tokenized_once(tiny_model: Model) -> None:
    counted = Counted(tiny_model.tokenizer)
    by_word = words_of(counted, tiny_model.tokenizer)
    tokens_of(by_word, "The cat, the hat and the bat", True)
    assert counted.texts == [" cat, the hat and bat", "The"]
    tokens_of(by_word, "The bat and a new cat, again", True)
    assert counted.texts[2:] == [" a new again"]
    tokens_of(by_word, "The bat again", False)
    assert counted.texts[3:] == ["\nThe"]


def test_what_is_new_of_many_texts_is_tokenized_in_one_call(tiny_model: Model) -> None:
    counted = Counted(tiny_model.tokenizer)
    by_word = words_of(counted, tiny_model.tokenizer)
    all_tokens_of(by_word, ["<|im_start|>user\n0 the", ""])
    n_texts = len(counted.texts)
    turns = [f"<|im_start|>user\n{i} the {word} the" for i, word in enumerate("xyz", 1)]
    all_tokens_of(by_word, turns)
    assert counted.texts[n_texts:] == ["\n1\n2\n3 x y z"]


def test_more_than_may_be_new_is_not_tokenized(tiny_model: Model) -> None:
    counted = Counted(tiny_model.tokenizer)
    by_word = words_of(counted, tiny_model.tokenizer)
    text = (b"The cat and the hat\n", True)
    n_new = len(text[0]) + 3 * words.CALL_BYTES
    assert by_word.encode([text], n_new - 1) is None
    assert counted.texts == []
    assert by_word.encode([text], n_new) is not None
    assert by_word.encode([text], 0) is not None


def test_control_tokens_are_read_as_such(tiny_model: Model) -> None:
    whole = Counted(tiny_model.tokenizer).whole
    counted = Counted(tiny_model.tokenizer)
    by_word = words_of(counted, tiny_model.tokenizer)
    text = "<|im_start|>user and more of it<|im_end|> and so<|im_end|>x y"
    for _ in range(2):
        assert np.array_equal(tokens_of(by_word, text, True), whole(text, True))
    # The others are told apart all the same.
    n_texts = len(counted.texts)
    assert np.array_equal(tokens_of(by_word, "x and more y"), whole("x and more y", False))
    assert counted.texts[n_texts:] == ["\nx"]


def test_what_is_kept_is_bounded(tiny_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "MOST_PIECES", 10)
    whole = Counted(tiny_model.tokenizer).whole
    counted = Counted(tiny_model.tokenizer)
    by_word = words_of(counted, tiny_model.tokenizer)
    for i in range(30):
        tokens_of(by_word, f"a word{i} and")
    long = "b" * 200
    for _ in range(2):
        tokens_of(by_word, f"a {long} and")
    assert counted.texts.count(f" {long}") == 2
    many = " ".join(f"w{i}" for i in range(40))
    for _ in range(2):
        assert np.array_equal(tokens_of(by_word, many), whole(many, False))
    assert by_word._known.n_pieces <= 10


@pytest.mark.parametrize(
    ("pre", "token", "apart"),
    [
        ("qwen2", SpecialToken(7, "<|end|>", True, False), True),
        ("qwen2", SpecialToken(7, "    ", False, False), True),
        ("qwen2", SpecialToken(7, "<tool call>", False, False), False),
        ("qwen2", SpecialToken(7, " the", False, False), False),
        ("qwen2", SpecialToken(7, "user\n", False, False), False),
        ("qwen2", SpecialToken(7, "<mask>", True, True), False),
        ("superbpe", SpecialToken(7, "<|end|>", True, False), False),
        ("", SpecialToken(7, "<|end|>", True, False), False),
    ],
)
def test_vocabularies_whose_words_are_apart(pre: str, token: SpecialToken, apart: bool) -> None:
    assert are_apart(pre, [token]) is apart
