"""What a prompt says of the reasoning to come: its tags, whether it is open, when it has to end."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._core.reasoning import Reasoning
from ..params import ReasoningParams
from .chat import ChatTemplate
from .continuation import Begun
from .formats import Tags, format_of
from .text import Tokenizer, Tokens

__all__ = [
    "Tags",
    "Thinking",
    "begin_thinking",
    "end_thinking",
    "find_tags",
    "tags_of",
    "thinking_of",
    "thinking_variables",
]

DEFAULT_PARAMS = ReasoningParams()
NOT_BEGUN = Begun()
TAGS = (
    Tags("<|START_THINKING|>", "<|END_THINKING|>"),
    Tags("[THINK]", "[/THINK]"),
    Tags("<seed:think>", "</seed:think>"),
    Tags("<mm:think>", "</mm:think>"),
    Tags("<|channel>thought", "<channel|>"),
    Tags("<|inner_prefix|>", "<|inner_suffix|>"),
    Tags("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"),
    Tags("<think>", "</think>"),
    Tags("<thinking>", "</thinking>"),
    Tags("<thought>", "</thought>"),
    Tags("<reasoning>", "</reasoning>"),
)
"""In the order in which a template is searched for them. ``<think>`` comes behind those that only
one family of models has, since their templates may cut it out of foreign messages."""

_NO_TOKENS: Tokens = np.empty(0, dtype=np.int32)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Thinking:
    """What is known of an output's reasoning before there is any.

    :param is_open: the prompt ends inside the tags, so that the output begins with reasoning.
    :param is_begun: that has its first words in the prompt.
    :param budget: tokens that it may take; -1 has no limit.
    :param is_special: the tags have control tokens, which have to be rendered to be seen.
    :param opening_token: the opening tag's id, if it is one token; else -1.
    :param closing_token: the same of the closing tag.
    :param forced: tokens that end it when the budget is used up [n].
    """

    tags: Tags
    is_open: bool = False
    is_begun: bool = False
    budget: int = -1
    is_special: bool = False
    opening_token: int = -1
    closing_token: int = -1
    forced: Tokens = dataclasses.field(default_factory=lambda: _NO_TOKENS)

    def reasoning(self) -> Reasoning:
        """What a request needs to count its reasoning, and to end it."""
        return Reasoning(
            self.tags.closing.encode(),
            opening=self.tags.opening.encode(),
            opening_token=self.opening_token,
            closing_token=self.closing_token,
            is_open=self.is_open,
            budget=self.budget,
            forced=self.forced,
        )


@functools.lru_cache(maxsize=64)
def find_tags(template: str) -> Tags | None:
    """The tags of a chat template's model, told from its Jinja source; None without reasoning.

    A template may mention the closing tag alone, to cut reasoning out of the history.
    """
    return next((tags for tags in TAGS if tags.closing in template), None)


def tags_of(template: ChatTemplate) -> Tags | None:
    """The tags of a chat template's model: those of its format, or what `find_tags` finds."""
    own = format_of(template.tool_source).reasoning
    return find_tags(template.source) if own is None else own.tags


def thinking_variables(params: ReasoningParams, given: Mapping[str, Any]) -> dict[str, Any]:
    """All variables of a template, with those that tell it whether to have the model reason.

    Templates call the switch by different names. ``enable_thinking`` is set in any case, as
    llama-server does; the others say the same where somebody has decided.

    :param given: the caller's own variables, which count more.
    """
    effort = {"reasoning_effort": params.effort} if params.effort not in (None, "none") else {}
    decided = _decided(params, given)
    if decided is None:
        return {"enable_thinking": True, **effort, **given}
    return {
        "enable_thinking": decided,
        "thinking": decided,
        "reasoning": decided,
        "thinking_mode": "enabled" if decided else "disabled",
        "thinking_option": "on" if decided else "off",
        **({} if decided else {"thinking_budget": 0}),
        **effort,
        **given,
    }


def _decided(params: ReasoningParams, given: Mapping[str, Any]) -> bool | None:
    """Whether there is to be reasoning, as far as somebody has said so."""
    switch = given.get("enable_thinking", given.get("thinking"))
    if isinstance(switch, bool):
        return switch
    return False if params.is_off else params.enabled


def end_thinking(
    tags: Tags | None,
    prompt: str,
    params: ReasoningParams,
    given: Mapping[str, Any],
    begun: Begun = NOT_BEGUN,
) -> str:
    """A rendered conversation, with its reasoning closed if it is open and there is to be none.

    :param tags: of the chat template's model.
    :param given: what the caller gave the template.
    :param begun: the beginning of the assistant's message, if the prompt ends with one.
    """
    if tags is None or not _is_off(params, given) or not _is_open(tags, prompt, begun):
        return prompt
    return f"{prompt.rstrip()}\n\n{tags.closing}\n\n"


def thinking_of(tags: Tags | None, tokenizer: Tokenizer) -> Thinking | None:
    """What is known of the reasoning of a model with these tags, whatever the prompt."""
    if tags is None:
        return None
    opening, closing = (
        tokenizer.encode(tag, add_special=False).tolist() for tag in (tags.opening, tags.closing)
    )
    return Thinking(
        tags,
        is_special=not all(tokenizer.decode([token]) for token in closing),
        opening_token=opening[0] if len(opening) == 1 else -1,
        closing_token=closing[0] if len(closing) == 1 else -1,
    )


def begin_thinking(
    known: Thinking | None,
    prompt: str,
    tokenizer: Tokenizer,
    *,
    params: ReasoningParams = DEFAULT_PARAMS,
    given: Mapping[str, Any] | None = None,
    begun: Begun = NOT_BEGUN,
) -> Thinking | None:
    """What a prompt says of the reasoning to come; parameters as those of `end_thinking`.

    :param known: of the model, by `thinking_of`.
    """
    if known is None:
        return None
    tags = known.tags
    is_open = _is_open(tags, prompt, begun)
    budget = 0 if _is_off(params, given or {}) else params.budget
    if not is_open and budget < 0:
        return known
    return dataclasses.replace(
        known,
        is_open=is_open,
        is_begun=is_open and bool(begun.text.rpartition(tags.opening)[2].strip()),
        budget=budget,
        forced=_ending(tokenizer, tags, params.budget_message) if budget >= 0 else _NO_TOKENS,
    )


def _is_off(params: ReasoningParams, given: Mapping[str, Any]) -> bool:
    return params.budget == 0 or _decided(params, given) is False


def _is_open(tags: Tags, prompt: str, begun: Begun) -> bool:
    """Whether a prompt ends inside the tags: they may be in what was begun, or in front of it."""
    prompt = prompt.rstrip()
    if prompt.endswith(tags.closing):
        return False
    text = tags.opening + begun.text if begun.is_reasoning else begun.text
    if tags.opening in text or tags.closing in text:
        return text.rfind(tags.opening) > text.rfind(tags.closing)
    return prompt.removesuffix(text.rstrip()).rstrip().endswith(tags.opening)


def _ending(tokenizer: Tokenizer, tags: Tags, message: str) -> Tokens:
    """What is forced at the end of a budget, laid out as models do that have such tags."""
    text = f"{message}{tags.closing}"
    if tags.closing.startswith("</"):
        text = f"\n{message}\n{tags.closing}\n\n" if message else f"\n{tags.closing}\n\n"
    return tokenizer.encode(text, add_special=False)
