"""Text to tokens and back."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .._core.vocab import Vocab
from ..errors import EngineClosed, InvalidRequest
from .segments import Segments, Text, boundaries
from .special import special_tokens
from .words import Tokens, Words, are_apart

__all__ = ["FimTokens", "Tokenizer", "Tokens"]

FIM_FUNCTIONS = tuple(f"llama_vocab_fim_{name}" for name in ("pre", "suf", "mid", "rep", "sep"))


class FimTokens(NamedTuple):
    """Control tokens for filling in the middle; -1 for one that the model does not have."""

    prefix: int
    suffix: int
    middle: int
    repository: int
    file: int


class Tokenizer:
    """A model's tokenizer. Its methods block in proportion to the text and may run on any thread.

    :param binding: the module `llama_cpp`.
    :param address: a `llama_vocab*`.
    :param vocab: its piece table, whose owner has an `address` that is 0 once it is closed.
    :param pre: its ``tokenizer.ggml.pre``, if byte-pair encoding is all that it does.
    """

    def __init__(self, binding: Any, address: int, vocab: Vocab, *, pre: str = "") -> None:
        self._binding = binding
        self._address = address
        self._vocab = vocab
        self.n_vocab: int = vocab.n_tokens
        self.bos: str = self._control_text(binding.llama_vocab_bos(address))
        self.eos: str = self._control_text(binding.llama_vocab_eos(address))
        self.adds_bos: bool = binding.llama_vocab_get_add_bos(address)
        self.bos_token: int = binding.llama_vocab_bos(address)
        self._segments = self._in_parts(pre)
        self.fim = FimTokens(*(getattr(binding, name)(address) for name in FIM_FUNCTIONS))

    def encode(self, text: str, *, add_special: bool = True, parse_special: bool = True) -> Tokens:
        """Tokenize (`llama_tokenize`).

        :param add_special: add the tokens that the model wants around a text, such as BOS.
        :param parse_special: read control tokens in the text as such.
        :returns: token ids, int32 [n_tokens].
        :raises InvalidRequest: it is no text, or cannot be encoded as UTF-8, or the tokenizer
            refuses it.
        :raises EngineClosed: the model is closed.
        """
        if not isinstance(text, str):
            raise InvalidRequest(f"the text is a {type(text).__name__}", param="prompt")
        if parse_special:
            return self._segments.encode(text, add_special=add_special)
        return self._encode(_utf8(text), add_special, parse_special=False)

    def encode_known(self, text: str, most_new: int, *, add_special: bool = True) -> Tokens | None:
        """`encode`, unless more than `most_new` bytes have to be tokenized for it, about."""
        return self._segments.encode_known(text, most_new, add_special=add_special)

    def _in_parts(self, pre: str) -> Segments:
        """What tokenizes texts in the smallest parts that can be told apart."""
        special = special_tokens(self._binding, self._address)
        if special is None:
            return Segments(self._encode_all, ())
        if not are_apart(pre, special):
            return Segments(self._encode_all, boundaries(special))
        words = Words(self._encode_special, self._vocab.lengths(), special)

        def encode(texts: Sequence[Text], most_new: float) -> list[Tokens] | None:
            return words.encode([(_utf8(text), adds) for text, adds in texts], most_new)

        return Segments(encode, boundaries(special))

    def _encode_all(self, texts: Sequence[Text], most_new: float) -> list[Tokens] | None:
        """The tokens of each text, unless they have more than `most_new` bytes."""
        data = [(_utf8(text), adds) for text, adds in texts]
        if sum(len(text) for text, _ in data) > most_new:
            return None
        return [self._encode_special(text, adds) for text, adds in data]

    def _encode_special(self, data: bytes, add_special: bool) -> Tokens:
        return self._encode(data, add_special, parse_special=True)

    def _encode(self, data: bytes, add_special: bool, *, parse_special: bool) -> Tokens:
        tokens = np.empty(len(data) + 8, dtype=np.int32)
        n_tokens = self._tokenize(data, tokens, add_special, parse_special)
        if n_tokens < 0:
            tokens = np.empty(-n_tokens, dtype=np.int32)
            n_tokens = self._tokenize(data, tokens, add_special, parse_special)
        if n_tokens < 0:
            raise InvalidRequest("the text cannot be tokenized", param="prompt")
        shrunk: Tokens = tokens[:n_tokens].copy()
        return shrunk

    def decode(self, tokens: Sequence[int] | Tokens) -> str:
        """Detokenize; bytes that are not UTF-8 become U+FFFD.

        :raises InvalidRequest: a token is not in the vocabulary.
        """
        return self._vocab.detokenize(self.check(tokens)).decode("utf-8", "replace")

    def piece(self, token: int) -> bytes:
        """What a token adds to a text; of a control token, which adds nothing, what it is called.

        :raises IndexError: it is not in the vocabulary.
        """
        return self._vocab.piece(token) or self._control_text(token).encode()

    def check(self, tokens: Sequence[int] | Tokens) -> Tokens:
        """Token ids as int32 [n_tokens].

        :raises InvalidRequest: they are not integers, or not in the vocabulary.
        """
        try:
            array = np.asarray(tokens)
        except ValueError:
            raise InvalidRequest("the token ids are not a flat list", param="prompt") from None
        if array.ndim != 1:
            raise InvalidRequest("the token ids are not a flat list", param="prompt")
        if array.size and array.dtype.kind not in "iu":
            raise InvalidRequest("the token ids are not integers", param="prompt")
        strange = array[(array < 0) | (array >= self.n_vocab)]
        if strange.size:
            raise InvalidRequest(
                f"token {strange[0]} is not in the vocabulary of {self.n_vocab}", param="prompt"
            )
        return array.astype(np.int32)

    def least_tokens(self, text: str) -> int:
        """Tokens that a text has at the least, told from its length alone."""
        return len(text) // max(self._vocab.longest_text, 1)

    def _tokenize(self, data: bytes, out: Tokens, add_special: bool, parse_special: bool) -> int:
        if not self._vocab.owner.address:
            raise EngineClosed("the model is closed")
        pointer = out.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
        n: int = self._binding.llama_tokenize(
            self._address, data, len(data), pointer, len(out), add_special, parse_special
        )
        return n

    def _control_text(self, token: int) -> str:
        if token < 0:
            return ""
        text: bytes = self._binding.llama_vocab_get_text(self._address, token)
        return text.decode("utf-8", "replace")


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidRequest("the text has lone surrogates", param="prompt") from None
