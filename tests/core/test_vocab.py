"""The piece table holds what llama.cpp says of each token."""

from __future__ import annotations

import ctypes

import llama_cpp
import numpy as np
import pytest

from llamabox._core.lib import Library
from llamabox._core.vocab import Vocab
from tests.core.conftest import ModelOf
from tests.core.running import LoadedModel
from tests.models.random_gguf import BOS, EOS, IM_END


def piece_of(model: LoadedModel, token: int, special: bool) -> bytes:
    buffer = ctypes.create_string_buffer(512)
    n = llama_cpp.llama_token_to_piece(model.vocab_address, token, buffer, 512, 0, special)
    assert n >= 0
    return buffer.raw[:n]


@pytest.mark.parametrize("kind", ["packaged", "llama"])
@pytest.mark.parametrize("special", [False, True])
def test_every_piece_is_llamas(model_of: ModelOf, kind: str, special: bool) -> None:
    model = model_of(kind)
    vocab = Vocab(Library(llama_cpp), model.vocab_address, special=special)
    tokens = range(llama_cpp.llama_vocab_n_tokens(model.vocab_address))
    assert vocab.n_tokens == len(tokens)
    assert [vocab.piece(t) for t in tokens] == [piece_of(model, t, special) for t in tokens]


@pytest.mark.parametrize("kind", ["packaged", "llama"])
def test_end_of_generation_is_llamas(model_of: ModelOf, kind: str) -> None:
    model = model_of(kind)
    tokens = range(model.n_vocab)
    expected = [t for t in tokens if llama_cpp.llama_vocab_is_eog(model.vocab_address, t)]
    assert list(model.vocab.end_of_generation) == expected
    assert expected


def test_control_tokens_say_nothing_and_end_the_generation(tiny: LoadedModel) -> None:
    assert {EOS, IM_END} <= set(tiny.vocab.end_of_generation)
    assert [tiny.vocab.piece(token) for token in (BOS, EOS, IM_END)] == [b"", b"", b""]


def test_longest_text_counts_control_tokens(tiny: LoadedModel) -> None:
    assert tiny.vocab.longest_text == len("<|im_start|>")


def test_detokenizing_joins_the_pieces(tiny: LoadedModel) -> None:
    tokens = np.arange(tiny.n_vocab, dtype=np.int32)
    assert tiny.vocab.detokenize(tokens) == b"".join(map(tiny.vocab.piece, tokens.tolist()))
    assert tiny.vocab.detokenize(tokens[:0]) == b""


@pytest.mark.parametrize("token", [-1, 512, 2**31 - 1])
def test_a_token_outside_the_vocabulary_has_no_piece(tiny: LoadedModel, token: int) -> None:
    with pytest.raises(IndexError):
        tiny.vocab.piece(token)
    with pytest.raises(IndexError):
        tiny.vocab.detokenize(np.array([1, token], np.int32))
