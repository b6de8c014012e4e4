"""The sandbox that chat templates run in, with what Hugging Face's templates may use."""

from __future__ import annotations

import datetime
import json
import types
from typing import Any, NoReturn

import jinja2
import jinja2.ext
import jinja2.meta
import jinja2.nodes
import jinja2.parser
import jinja2.runtime
import jinja2.sandbox
import jinja2.utils

from ..errors import TemplateError


class GenerationBlock(jinja2.ext.Extension):
    """`{% generation %}` marks what an assistant wrote, for training. Here it is just rendered."""

    tags = {"generation"}  # noqa: RUF012 - jinja2 wants a set

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        # What is set inside is not seen outside, as where the block is rendered as a call.
        return jinja2.nodes.Scope(body, lineno=line)


class TemplateNamespace(jinja2.utils.Namespace):
    """`namespace()` without names that begin with an underscore, which could reach Python's own."""

    def __init__(*args: Any, **attributes: Any) -> None:
        # As jinja2 has it, so that a template may call an attribute `self`.
        namespace, *rest = args
        values = dict(*rest, **attributes)
        for name in values:
            _check_name(name)
        jinja2.utils.Namespace.__init__(namespace, values)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_name(name)
        super().__setitem__(name, value)


def _check_name(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise jinja2.exceptions.SecurityError(f"a namespace has no attribute {name!r}")


DICT_ATTRIBUTES = frozenset(dir(dict))
LOOP_VALUES = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length"})
"""Attributes of `loop` that are numbers and booleans."""
MOST_ATTRIBUTES = 4096


class Sandbox(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """jinja2's sandbox, in which nothing is changed but lists, as some templates do with their own.

    The lists that a template is given belong to its rendering too.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._safe: dict[tuple[type, str], bool] = {}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """As jinja2's, which takes its time for what messages, `loop` and namespaces have."""
        kind = type(obj)
        if kind is dict and attribute not in DICT_ATTRIBUTES:
            try:
                return obj[attribute]
            except KeyError:
                return self.undefined(obj=obj, name=attribute)
        if kind is jinja2.runtime.LoopContext and attribute in LOOP_VALUES:
            return getattr(obj, attribute)
        if kind is TemplateNamespace and not attribute.startswith("_"):
            # What it holds was given to the template, or made by it.
            try:
                return getattr(obj, attribute)
            except AttributeError:
                return self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Told from the type of `obj` alone, so once for each."""
        key = (type(obj), attr)
        is_safe = self._safe.get(key)
        if is_safe is None:
            is_changed_list = attr in ("append", "pop") and isinstance(obj, list)
            is_safe = is_changed_list or super().is_safe_attribute(obj, attr, value)
            if len(self._safe) < MOST_ATTRIBUTES:
                self._safe[key] = is_safe
        return is_safe


def _new_environment() -> jinja2.Environment:
    environment = Sandbox(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[GenerationBlock, jinja2.ext.loopcontrols],
    )
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    environment.globals["namespace"] = TemplateNamespace
    return environment


def compile_template(source: str) -> jinja2.Template:
    """:raises TemplateError: it is no Jinja template."""
    try:
        return _new_environment().from_string(source)
    except jinja2.TemplateError as error:
        raise TemplateError(f"the chat template does not compile: {error}") from error
    except (RecursionError, SyntaxError, TypeError, ValueError, OverflowError) as error:
        # jinja2 lets Python's compiler see what it has not looked at itself.
        raise TemplateError(f"the chat template does not compile: {error}") from error


def variables_of(template: jinja2.Template, source: str) -> frozenset[str]:
    """Names that a compiled template's source reads without having set them."""
    return frozenset(jinja2.meta.find_undeclared_variables(template.environment.parse(source)))


def _listed(value: Any) -> list[Any]:
    """What a filter such as `map` gives."""
    if isinstance(value, types.GeneratorType):
        return list(value)
    raise TypeError(f"a {type(value).__name__} is no JSON value")


PLAIN_JSON = json.JSONEncoder(ensure_ascii=False, default=_listed)


def to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """The filter `tojson`, whose text is no HTML (jinja2's own escapes for HTML)."""
    if indent is None and separators is None and not (ensure_ascii or sort_keys):
        return PLAIN_JSON.encode(value)
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
        default=_listed,
    )


def _raise_exception(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _strftime_now(layout: str) -> str:
    return datetime.datetime.now().strftime(layout)


GLOBALS = frozenset(_new_environment().globals)
"""Names that every template knows."""
