"""The special tokens of a vocabulary, which say where texts can be tokenized in parts."""

from __future__ import annotations

from typing import Any, NamedTuple


class SpecialToken(NamedTuple):
    """A token that is found in a text before anything else.

    :param token: its id.
    :param is_control: it stands for no text.
    :param strips: it takes white space beside it along.
    """

    token: int
    text: str
    is_control: bool
    strips: bool


def special_tokens(binding: Any, address: int) -> list[SpecialToken] | None:
    """Those of a vocabulary of byte-pair encoding that puts nothing behind a text; None of another,
    whose texts have to be tokenized as a whole.

    :param binding: the module `llama_cpp`.
    :param address: a `llama_vocab*`.
    """
    if binding.llama_vocab_type(address) != binding.LLAMA_VOCAB_TYPE_BPE or (
        binding.llama_vocab_get_add_eos(address)
    ):
        return None
    control = binding.LLAMA_TOKEN_ATTR_CONTROL
    apart = control | binding.LLAMA_TOKEN_ATTR_UNKNOWN | binding.LLAMA_TOKEN_ATTR_USER_DEFINED
    strips = binding.LLAMA_TOKEN_ATTR_LSTRIP | binding.LLAMA_TOKEN_ATTR_RSTRIP
    found: list[SpecialToken] = []
    get_attr = binding.llama_vocab_get_attr
    for token in range(binding.llama_vocab_n_tokens(address)):
        attr = get_attr(address, token)
        if attr & apart:
            text = binding.llama_vocab_get_text(address, token).decode("utf-8", "replace")
            found.append(SpecialToken(token, text, bool(attr & control), bool(attr & strips)))
    return found
