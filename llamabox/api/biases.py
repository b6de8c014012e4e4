"""Biases of texts as biases of tokens."""

from __future__ import annotations

from ..errors import InvalidRequest
from ..params import GenerationParams
from .text import Tokenizer


def check_bias_ids(params: GenerationParams, n_vocab: int) -> None:
    """:raises InvalidRequest: there is no such token."""
    for token, _ in params.logit_bias:
        if isinstance(token, int) and token >= n_vocab:
            message = f"logit_bias: token {token} is not in a vocabulary of {n_vocab}"
            raise InvalidRequest(message, param="logit_bias")


def with_bias_ids(params: GenerationParams, tokenizer: Tokenizer) -> GenerationParams:
    """The parameters with each text among their biases as the tokens that it has.

    A text that is a control token's is that token. Short texts only, so that it may run anywhere.

    :raises EngineClosed: the model is closed.
    """
    if not any(isinstance(token, str) for token, _ in params.logit_bias):
        return params
    biases: list[tuple[int, float]] = []
    for token, bias in params.logit_bias:
        if isinstance(token, str):
            ids = tokenizer.encode(token, add_special=False)
            biases += [(each, bias) for each in ids.tolist()]
        else:
            biases.append((token, bias))
    return params.replace(logit_bias=tuple(biases))
