"""Chat messages to a prompt: the model's Jinja template, in a sandbox."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import jinja2
import jinja2.ext
import jinja2.sandbox

from ..errors import InvalidRequest, TemplateError

Message = Mapping[str, Any]


class ChatTemplate:
    """A compiled chat template.

    :param source: Jinja, with what Hugging Face's templates may use: `break` and `continue`,
        `raise_exception`, `strftime_now` and a `tojson` that does not escape for HTML.
    :param bos: the text of the beginning-of-sequence token.
    :param eos: the text of the end-of-sequence token.
    :raises TemplateError: it does not compile.
    """

    def __init__(self, source: str, *, bos: str = "", eos: str = "") -> None:
        environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols]
        )
        environment.filters["tojson"] = _tojson
        environment.globals["raise_exception"] = _raise_exception
        environment.globals["strftime_now"] = _strftime_now
        self.source = source
        self._specials = {"bos_token": bos, "eos_token": eos}
        try:
            self._template = environment.from_string(source)
        except jinja2.TemplateError as error:
            raise TemplateError(f"the chat template does not compile: {error}") from error

    def render(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = True,
        variables: Mapping[str, Any] | None = None,
    ) -> str:
        """The prompt of a conversation.

        :param messages: mappings with a `role` and the fields that the template reads.
        :param tools: function descriptions in OpenAI's form.
        :param add_generation_prompt: end with the head of an assistant's turn.
        :param variables: more variables for the template, without power over these.
        :raises InvalidRequest: there are no messages, or one is not a message.
        :raises TemplateError: the template refuses the messages.
        """
        check_messages(messages)
        context = {
            **(variables or {}),
            **self._specials,
            "messages": [dict(message) for message in messages],
            "tools": [dict(tool) for tool in tools] if tools else None,
            "add_generation_prompt": add_generation_prompt,
        }
        try:
            return self._template.render(context)
        except jinja2.TemplateError as error:
            raise TemplateError(f"the chat template refuses the messages: {error}") from error
        except (
            TypeError,
            ValueError,
            LookupError,
            AttributeError,
            ArithmeticError,
            RecursionError,
        ) as error:
            raise TemplateError(f"the chat template fails on the messages: {error}") from error


def check_messages(messages: Sequence[Any]) -> None:
    """:raises InvalidRequest: there are no messages, or one has no role or strange content."""
    if not messages:
        raise InvalidRequest("there are no messages", param="messages")
    for i, message in enumerate(messages):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise InvalidRequest(f"message {i} has no role", param="messages")
        if not isinstance(message.get("content"), (str, type(None))):
            raise InvalidRequest(f"the content of message {i} is no text", param="messages")


def _tojson(value: Any, indent: int | None = None, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, **options)


def _raise_exception(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _strftime_now(layout: str) -> str:
    return datetime.datetime.now().strftime(layout)
