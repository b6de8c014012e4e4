"""From what callers give to token ids that fit the context."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InvalidRequest, PromptTooLong
from ..params import ReasoningParams
from .chat import ChatTemplate, Message
from .gate import Gate
from .text import Tokenizer, Tokens
from .thinking import DEFAULT_PARAMS, Thinking, begin_thinking, thinking_variables


@dataclasses.dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt that is ready to run.

    :param tokens: int32 [n_tokens].
    :param text: what they came from; "" if they were given as tokens.
    :param thinking: what is known of the reasoning that the output may begin with; None if it will
        not, or is no turn of a conversation.
    """

    tokens: Tokens
    text: str
    thinking: Thinking | None = None

    @property
    def n_tokens(self) -> int:
        return len(self.tokens)


PromptLike = str | Sequence[int] | Sequence[Message] | Prompt
"""Text, token ids, chat messages, or a `Prompt` of them."""


class PromptReader:
    """Makes prompts for one engine; may be used by any thread.

    :param n_ctx: tokens that a request may hold: a prompt has fewer.
    :param gate: passed while the model is used.
    """

    def __init__(
        self, tokenizer: Tokenizer, template: ChatTemplate, *, n_ctx: int, gate: Gate
    ) -> None:
        self._tokenizer = tokenizer
        self._template = template
        self._n_ctx = n_ctx
        self._gate = gate

    def read(self, prompt: PromptLike) -> Prompt:
        """:raises InvalidRequest: it is empty, or nothing that a prompt can be made of.
        :raises PromptTooLong: it does not fit the context.
        :raises TemplateError: the template refuses the messages.
        """
        if isinstance(prompt, Prompt):
            self.check_length(prompt.n_tokens)
            return prompt
        if isinstance(prompt, str):
            with self._gate.passed():
                return self._from_text(prompt)
        if not isinstance(prompt, (Sequence, np.ndarray)):
            raise InvalidRequest("the prompt is no text, no tokens and no messages", param="prompt")
        if len(prompt) > 0 and isinstance(prompt[0], Mapping):
            return self.read_chat(prompt)  # type: ignore[arg-type]
        self.check_length(len(prompt))
        return Prompt(self._tokenizer.check(prompt), "")  # type: ignore[arg-type]

    def read_chat(
        self,
        messages: Sequence[Message],
        *,
        reasoning: ReasoningParams | None = None,
        variables: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Prompt:
        """A conversation, rendered with the options of `ChatTemplate.render`; raises as `read`."""
        params = reasoning or DEFAULT_PARAMS
        given = variables or {}
        with self._gate.passed():
            text = self._template.render(
                messages, variables=thinking_variables(params, given), **options
            )
            text, thinking = begin_thinking(
                self._template.source, text, self._tokenizer, params=params, variables=given
            )
            return dataclasses.replace(self._from_text(text), thinking=thinking)

    def check_length(self, n_prompt: int) -> None:
        """Raises as `read`, for a prompt of so many tokens."""
        if n_prompt == 0:
            raise InvalidRequest("the prompt is empty", param="prompt")
        if n_prompt >= self._n_ctx:
            raise PromptTooLong(n_prompt=n_prompt, n_ctx=self._n_ctx)

    def _from_text(self, text: str) -> Prompt:
        tokenizer = self._tokenizer
        n_least = tokenizer.least_tokens(text)
        if n_least >= self._n_ctx:
            raise PromptTooLong(n_prompt=n_least, n_ctx=self._n_ctx, is_exact=False)
        has_bos = bool(tokenizer.bos) and text.startswith(tokenizer.bos)
        tokens = tokenizer.encode(text, add_special=not has_bos)
        self.check_length(len(tokens))
        return Prompt(tokens, text)
