"""Chat messages to a prompt: the model's Jinja template, given what it can take."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jinja2

from ..errors import InvalidRequest, TemplateError
from ..templates import CHATML
from .adaptation import adapt, without_broken_arguments
from .continuation import ContinueField, continued_field, render_continued
from .jinja import GLOBALS, compile_template, to_json, variables_of
from .probing import call_example, probe
from .written_calls import call_writer

if TYPE_CHECKING:
    from .model import Model

Message = Mapping[str, Any]
Tools = Sequence[Mapping[str, Any]] | None

logger = logging.getLogger(__name__)

RESERVED_VARIABLES = GLOBALS | {
    "messages",
    "tools",
    "bos_token",
    "eos_token",
    "add_generation_prompt",
    "continue_final_message",
    "chat_template",
}
"""Names that variables of a request may not have."""


class ChatTemplate:
    """A compiled chat template.

    What it can take is found out here, once (`capabilities`). `render` brings every conversation to
    that form: a system message that the template refuses goes into the first user message, tools
    that it does not know are described in the system message, and so on.

    :param source: Jinja, with what Hugging Face's templates may use: `break` and `continue`,
        `raise_exception`, `strftime_now`, `{% generation %}` and a `tojson` that does not escape
        for HTML.
    :param bos: the text of the beginning-of-sequence token.
    :param eos: the text of the end-of-sequence token.
    :param tool_use: Jinja that takes the place of `source` where there are tools.
    :ivar capabilities: what `source` can take.
    :ivar tool_source: the source from which it can be told how the model writes calls: "" if it
        knows nothing of tools, so that `render` shows the model a general form.
    :raises TemplateError: it does not compile.
    """

    def __init__(
        self, source: str, *, bos: str = "", eos: str = "", tool_use: str | None = None
    ) -> None:
        self.source = source
        self.tool_use = tool_use
        self._specials = {"bos_token": bos, "eos_token": eos}
        self._template = compile_template(source)
        self._reads_functions = _reads_functions(self._template, source)
        self.capabilities = probe(source, self._try)
        can = self.capabilities
        describes = can.tool_calls and not can.tools
        self._call_example = call_example(self._try, can) if describes else ""
        self._with_tools = ChatTemplate(tool_use, bos=bos, eos=eos) if tool_use else self
        self.tool_source: str = source if can.tool_calls or can.tools else ""
        self._write_calls = None if can.tool_calls else call_writer(self.tool_source)
        if tool_use:
            self.tool_source = self._with_tools.tool_source

    def render(
        self,
        messages: Sequence[Message],
        *,
        tools: Tools = None,
        add_generation_prompt: bool = True,
        variables: Mapping[str, Any] | None = None,
        continue_final_message: ContinueField = False,
    ) -> str:
        """The prompt of a conversation.

        :param messages: mappings with a `role` and the fields that templates read: `content`, text
            or parts with a `type`; `reasoning_content`; `tool_calls`, whose `arguments` may be an
            object or JSON text; `tool_call_id`; `name`. Text that is no JSON object, such as a
            model's mistake, is shown as it is, or left out if the template fails on it.
        :param tools: function descriptions in OpenAI's form.
        :param add_generation_prompt: end with the head of an assistant's turn.
        :param variables: more variables for the template, without power over these.
        :param continue_final_message: end inside the last message, which is the assistant's; there
            is no generation prompt then.
        :raises InvalidRequest: there are no messages, one is not a message, or the last one cannot
            be continued.
        :raises TemplateError: the template refuses the messages.
        """
        check_messages(messages)
        template = self._with_tools if tools else self

        def render(some: Sequence[Message], add_generation_prompt: bool) -> str:
            adapted, given = template._adapt(some, tools)
            ending: dict[str, Any] = {
                "add_generation_prompt": add_generation_prompt,
                "variables": variables,
            }
            try:
                return template._render(adapted, given, **ending)
            except TemplateError:
                if not template.capabilities.object_arguments:
                    raise
                cleared = without_broken_arguments(adapted)
                if cleared is None:
                    raise
                return template._render(cleared, given, **ending)

        if continue_final_message is False:
            return render(messages, add_generation_prompt)
        field = continued_field(messages[-1], continue_final_message)
        return render_continued(messages, field, render)

    def _adapt(self, messages: Sequence[Message], tools: Tools) -> tuple[Any, Any]:
        """:raises InvalidRequest: something in them is none of what they may be."""
        try:
            return adapt(messages, tools, self.capabilities, self._call_example, self._write_calls)
        except RecursionError:
            reason = "the messages or the tools are nested too deep"
            raise InvalidRequest(reason, param="messages") from None

    def _render(
        self,
        messages: Sequence[Message],
        tools: Tools,
        *,
        add_generation_prompt: bool = True,
        variables: Mapping[str, Any] | None = None,
    ) -> str:
        """Messages and tools as they are.

        :raises TemplateError: the template refuses them.
        """
        context = {
            "documents": None,
            **(_functions(tools) if self._reads_functions else {}),
            **(variables or {}),
            **self._specials,
            "messages": messages,
            "tools": tools,
            "add_generation_prompt": add_generation_prompt,
        }
        try:
            return self._template.render(context)
        except jinja2.TemplateError as error:
            raise _refused(f"the chat template refuses the messages: {error}") from error
        except (
            TypeError,
            ValueError,
            LookupError,
            AttributeError,
            ArithmeticError,
            AssertionError,
            MemoryError,
            RuntimeError,
        ) as error:
            reason = str(error) or type(error).__name__
            raise _refused(f"the chat template fails on the messages: {reason}") from error

    def _try(self, messages: Sequence[Message], tools: Tools) -> str | None:
        try:
            return self._render(messages, tools)
        except TemplateError:
            return None


def _reads_functions(template: jinja2.Template, source: str) -> bool:
    """Whether a template is older than `tools`."""
    if "functions" not in source:
        return False
    read = variables_of(template, source)
    return "functions" in read and "tools" not in read


def _functions(tools: Tools) -> dict[str, str]:
    """What templates read that are older than `tools`, such as FireFunction's."""
    now = datetime.datetime.now().strftime("%b %d %Y %H:%M:%S")
    return {"functions": to_json(tools or [], indent=2), "datetime": now}


def _refused(message: str) -> TemplateError:
    return TemplateError(message, param="messages")


def model_template(model: Model, source: str | None = None) -> ChatTemplate:
    """The template of a model: its own, or ChatML if it brings none.

    :param source: Jinja that replaces the model's own.
    :raises TemplateError: it does not compile.
    """
    specials = {"bos": model.tokenizer.bos, "eos": model.tokenizer.eos}
    if source:
        return ChatTemplate(source, **specials)
    tool_use = model.named_templates.get("tool_use")
    own = model.chat_template or tool_use or CHATML
    try:
        return ChatTemplate(own, **specials, tool_use=None if own == tool_use else tool_use)
    except TemplateError as error:
        if own == tool_use or tool_use is None:
            raise
        template = ChatTemplate(own, **specials)
        logger.warning("%s: its template for tools is not used: %s", model.path, error)
        return template


def check_messages(messages: Any) -> None:
    """:raises InvalidRequest: there are no messages, or one has no role or strange content."""
    if not isinstance(messages, Sequence):
        raise InvalidRequest(f"messages: {messages!r} is no sequence", param="messages")
    if not messages:
        raise InvalidRequest("there are no messages", param="messages")
    for i, message in enumerate(messages):
        if not isinstance(message, (dict, Mapping)) or not isinstance(message.get("role"), str):
            raise InvalidRequest(f"message {i} has no role", param="messages")
        _check_content(message.get("content"), i)
        calls = message.get("tool_calls")
        if not calls:
            continue
        if isinstance(calls, str) or not isinstance(calls, Sequence):
            raise InvalidRequest(f"the tool calls of message {i} are no list", param="messages")
        if not all(isinstance(call, Mapping) for call in calls):
            raise InvalidRequest(f"a tool call of message {i} is no call", param="messages")


def _check_content(content: Any, i: int) -> None:
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, Sequence):
        raise InvalidRequest(f"the content of message {i} is no text", param="messages")
    for part in content:
        is_text = isinstance(part, Mapping) and isinstance(part.get("text", ""), str)
        if not is_text or not isinstance(part.get("type"), str):
            raise InvalidRequest(f"the content of message {i} has a strange part", param="messages")
