"""Texts that are tokenized segment by segment have the tokens that they have as a whole."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest

from llamabox import Model
from llamabox.api import Tokenizer, segments
from llamabox.api.segments import Segments, boundaries, meets
from llamabox.api.special import special_tokens
from tests.models.random_gguf import CONTROL_TEXTS

PIECES = (
    *CONTROL_TEXTS,
    "<|im_", "start|>", "<|", "|>", " ", "\n", "  \n\n", "a", "hello there ", "ü", "日本", "🙂",
    "1234", "it's", "<", ">", "<|im_start|", "\t", "user\n",
)  # fmt: skip


class Counted:
    """A tokenizer of whole texts that remembers them."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.texts: list[str] = []
        self._tokenizer = tokenizer

    def __call__(
        self, texts: Sequence[segments.Text], most_new: float = math.inf
    ) -> list[segments.Tokens] | None:
        found = self._tokenizer._encode_all(texts, most_new)
        if found is not None:
            self.texts += [text for text, _ in texts]
        return found


@pytest.fixture(scope="module")
def cuts(tiny_model: Model) -> tuple[str, ...]:
    import llama_cpp

    special = special_tokens(llama_cpp, llama_cpp.llama_model_get_vocab(tiny_model.address))
    assert special is not None
    return boundaries(special)


def test_control_tokens_in_angles_are_boundaries(cuts: tuple[str, ...]) -> None:
    assert set(cuts) == set(CONTROL_TEXTS)


def test_without_boundaries_a_text_is_tokenized_as_a_whole(tiny_model: Model) -> None:
    counted = Counted(tiny_model.tokenizer)
    text = "<|im_start|>hello<|im_end|>" * 20
    Segments(counted, ()).encode(text, add_special=True)
    assert counted.texts == [text]


@pytest.mark.parametrize("seed", range(8))
def test_the_tokens_are_those_of_the_whole_text(
    tiny_model: Model, cuts: tuple[str, ...], seed: int
) -> None:
    rng = random.Random(seed)
    whole = Counted(tiny_model.tokenizer)
    pieced = Segments(Counted(tiny_model.tokenizer), cuts)
    for _ in range(60):
        text = "".join(rng.choices(PIECES, k=rng.randrange(150)))
        for add_special in (False, True):
            found = pieced.encode(text, add_special=add_special)
            (of_whole,) = whole([(text, add_special)]) or ()
            assert np.array_equal(found, of_whole)


def test_what_came_before_is_not_tokenized_again(tiny_model: Model, cuts: tuple[str, ...]) -> None:
    counted = Counted(tiny_model.tokenizer)
    pieced = Segments(counted, cuts)
    history = "".join(f"<|im_start|>user\n{'word ' * 30}{i}<|im_end|>\n" for i in range(5))
    pieced.encode(history, add_special=True)
    n_texts = len(counted.texts)
    new = "<|im_start|>user\nand more"
    assert pieced.encode_known(history + new, len(new) - 1, add_special=True) is None
    assert pieced.encode_known(history + new, len(new), add_special=True) is not None
    assert counted.texts[n_texts:] == [new]


def test_what_is_kept_is_bounded(
    tiny_model: Model, cuts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "MOST_CHARS", 1000)
    counted = Counted(tiny_model.tokenizer)
    pieced = Segments(counted, cuts)
    texts = [f"<|im_start|>{'x' * 300}{i}<|im_end|>" for i in range(6)]
    for text in [*texts, texts[0], texts[0]]:
        pieced.encode(text, add_special=False)
    assert counted.texts.count(texts[0].removesuffix("<|im_end|>")) == 2


@pytest.mark.parametrize(
    ("text", "other", "they_meet"),
    [
        ("<a>", "<b>", False),
        ("<a>", "<a><b>", True),
        ("<a>", "a", True),
        ("<a>", "x<", True),
        ("<a>", ">x", True),
        ("<a>", "", False),
    ],
)
def test_texts_that_can_overlap(text: str, other: str, they_meet: bool) -> None:
    assert meets(text, other) is they_meet
