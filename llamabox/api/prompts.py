"""From what callers give to token ids that fit the context."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InvalidRequest, PromptTooLong
from ..params import GenerationParams
from .chat import ChatTemplate, Message
from .constraints import ConstraintCompiler
from .conversation import Conversation
from .formats import format_of
from .gate import Gate
from .infill import Infill, infill_tokens
from .pieces import piece_tokens
from .text import Tokenizer, Tokens
from .thinking import begin_thinking, tags_of, thinking_of
from .tools import Tool, ToolUse
from .turn import Turn, TurnOutput

MANY_CHARS = 32 << 10
"""Of a conversation that is rendered off the event loop."""
VALUE_CHARS = 64
"""What each value in it counts as, beside its own; keys count too."""
FEW = 2000
"""Characters of a text, or bytes of what is new of it, that are tokenized at once: in less than a
millisecond, of which a thread would need as much."""


@dataclasses.dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt that is ready to run.

    :param tokens: int32 [n_tokens].
    :param text: what they came from; "" if they were given as tokens.
    :param turn: what follows it, if it is a conversation.
    """

    tokens: Tokens
    text: str
    turn: Turn | None = None

    @property
    def n_tokens(self) -> int:
        return len(self.tokens)

    @property
    def is_constrained(self) -> bool:
        """Whether its turn's calls have to keep to a grammar."""
        return self.turn is not None and bool(self.turn.grammar)

    def params(self, params: GenerationParams) -> GenerationParams:
        """The parameters with what the turn needs; raises as `Turn.params`."""
        return params if self.turn is None else self.turn.params(params)

    def output(self) -> TurnOutput | None:
        """What reads one output of it, if it is a conversation."""
        return None if self.turn is None else self.turn.output()


PromptLike = (
    str | Sequence[int] | Sequence[int | str] | Sequence[Message] | Conversation | Infill | Prompt
)
"""Text, token ids, pieces of both, chat messages, these with tools, what an infill is between, or
a `Prompt`."""


class PromptReader:
    """Makes prompts for one engine; may be used by any thread.

    :param n_ctx: tokens that a request may hold: a prompt has fewer.
    :param gate: passed while the model is used.
    :param constraints: compiles what calls of tools have to keep to.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        template: ChatTemplate,
        *,
        n_ctx: int,
        gate: Gate,
        constraints: ConstraintCompiler,
    ) -> None:
        self._tokenizer = tokenizer
        self._constraints = constraints
        self._template = template
        self._n_ctx = n_ctx
        self._gate = gate
        self._thinking = thinking_of(tags_of(template), tokenizer)

    def read(self, prompt: PromptLike) -> Prompt:
        """:raises InvalidRequest: it is empty, or nothing that a prompt can be made of.
        :raises PromptTooLong: it does not fit the context.
        :raises TemplateError: the template refuses the messages.
        """
        if isinstance(prompt, Prompt):
            self.check(prompt)
            return prompt
        if isinstance(prompt, str):
            with self._gate:
                return self._from_text(prompt)
        if isinstance(prompt, Conversation):
            return self._from_conversation(prompt)
        if isinstance(prompt, Infill):
            with self._gate:
                return self._from_infill(prompt)
        if getattr(prompt, "ndim", 1) == 0 or not isinstance(prompt, (Sequence, np.ndarray)):
            raise InvalidRequest("the prompt is no text, no tokens and no messages", param="prompt")
        return self._from_sequence(prompt)

    async def prepare(self, prompt: PromptLike) -> Prompt:
        """`read` for the running event loop, which has other things to do while much is read.

        A template that is rendered holds the GIL on any thread, so a short conversation's is
        rendered at once, and what is new of it goes to another thread only if it is much.
        """
        loop = asyncio.get_running_loop()
        if isinstance(prompt, Conversation) and is_short(prompt):
            use = prompt.tool_use()
            text = self._render(prompt, use)
            is_quick = len(text) <= MANY_CHARS and not use.is_constrained
            known = self._from_known_text(text) if is_quick else None
            if known is not None:
                return self._with_turn(known, prompt, use)
            return await loop.run_in_executor(None, self._from_rendered, text, prompt, use)
        if isinstance(prompt, str) and len(prompt) <= FEW:
            return self.read(prompt)
        return await loop.run_in_executor(None, self.read, prompt)

    def _from_sequence(self, prompt: Sequence[Any]) -> Prompt:
        if len(prompt) > 0 and isinstance(prompt[0], Mapping):
            return self._from_conversation(Conversation(messages=prompt))
        self.check_length(len(prompt))
        if str in set(map(type, prompt)):
            with self._gate:
                return self._from_pieces(prompt)
        return Prompt(self._tokenizer.check(prompt), "")

    def _from_conversation(self, conversation: Conversation) -> Prompt:
        use = conversation.tool_use()
        return self._from_rendered(self._render(conversation, use), conversation, use)

    def _render(self, conversation: Conversation, use: ToolUse) -> str:
        with self._gate:
            return conversation.render(self._template, use)

    def _from_rendered(self, text: str, conversation: Conversation, use: ToolUse) -> Prompt:
        with self._gate:
            prompt = self._from_text(text)
        return self._with_turn(prompt, conversation, use)

    def _with_turn(self, prompt: Prompt, conversation: Conversation, use: ToolUse) -> Prompt:
        """The prompt of a conversation, and what follows it."""
        with self._gate:
            thinking = begin_thinking(
                self._thinking,
                prompt.text,
                self._tokenizer,
                params=conversation.reasoning,
                given=conversation.template_kwargs,
                begun=conversation.begun(),
            )
        turn = Turn.begin(
            format_of(self._template.tool_source),
            use,
            self._constraints,
            thinking,
            reasoning_format=conversation.reasoning.format,
        )
        return Prompt(prompt.tokens, prompt.text, turn)

    def check(self, prompt: Prompt) -> None:
        """Raises as `read`, for a prompt that another engine may have made."""
        self.check_length(prompt.n_tokens)
        n_vocab = self._tokenizer.n_vocab
        if prompt.tokens.min() < 0 or prompt.tokens.max() >= n_vocab:
            message = f"the prompt is not of the vocabulary of {n_vocab} tokens"
            raise InvalidRequest(message, param="prompt")

    def check_length(self, n_prompt: int) -> None:
        """Raises as `read`, for a prompt of so many tokens."""
        if n_prompt == 0:
            raise InvalidRequest("the prompt is empty", param="prompt")
        if n_prompt >= self._n_ctx:
            raise PromptTooLong(n_prompt=n_prompt, n_ctx=self._n_ctx)

    def _from_pieces(self, pieces: Sequence[int | str]) -> Prompt:
        self._check_texts(piece for piece in pieces if isinstance(piece, str))
        tokens = piece_tokens(pieces, self._tokenizer)
        self.check_length(len(tokens))
        return Prompt(tokens, self._tokenizer.decode(tokens))

    def _from_infill(self, infill: Infill) -> Prompt:
        self._check_texts([infill.prefix, infill.suffix])
        tokens = infill_tokens(infill, self._tokenizer, n_files=self._n_ctx // 2)
        self.check_length(len(tokens))
        return Prompt(tokens, infill.prefix + infill.prompt)

    def _check_texts(self, texts: Iterable[str]) -> None:
        n_least = sum(map(self._tokenizer.least_tokens, texts))
        if n_least >= self._n_ctx:
            raise PromptTooLong(n_prompt=n_least, n_ctx=self._n_ctx, is_exact=False)

    def _from_text(self, text: str) -> Prompt:
        self._check_texts([text])
        return self._of_tokens(
            self._tokenizer.encode(text, add_special=self._wants_bos(text)), text
        )

    def _from_known_text(self, text: str) -> Prompt | None:
        """The prompt of a text, if little of it has to be tokenized."""
        self._check_texts([text])
        with self._gate:
            tokens = self._tokenizer.encode_known(text, FEW, add_special=self._wants_bos(text))
        return None if tokens is None else self._of_tokens(tokens, text)

    def _wants_bos(self, text: str) -> bool:
        bos = self._tokenizer.bos
        return not (bos and text.startswith(bos))

    def _of_tokens(self, tokens: Tokens, text: str) -> Prompt:
        self.check_length(len(tokens))
        return Prompt(tokens, text)


def is_short(conversation: Conversation) -> bool:
    """Whether its template is rendered within a millisecond or so."""
    n_left = MANY_CHARS
    values: list[Any] = [conversation.messages, conversation.tools, conversation.template_kwargs]
    while values and n_left >= 0:
        value = values.pop()
        if isinstance(value, str):
            n_left -= len(value)
        elif isinstance(value, dict):
            n_left -= VALUE_CHARS * len(value)
            if n_left >= 0:
                n_left -= sum(map(len, map(str, value)))
                values += value.values()
        elif isinstance(value, (list, tuple)):
            n_left -= VALUE_CHARS * len(value)
            values += value if n_left >= 0 else ()
        elif isinstance(value, Tool):
            values += (value.name, value.description, value.parameters)
        elif isinstance(value, (Mapping, Sequence)):
            return False
    return n_left >= 0
