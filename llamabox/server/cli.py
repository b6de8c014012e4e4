"""The command line: llama-box's flag names in, one :class:`ServerConfig` out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InvalidRequest
from ..params import EngineParams, GenerationParams, ModelParams
from .cli_completion import add_completion
from .cli_draft import add_draft_model, draft_model_params
from .cli_general import Action, add_general
from .cli_hub import hub_models
from .cli_model import add_model
from .cli_parser import FlagGroup, FlagParser
from .cli_sampling import add_sampling
from .cli_server import add_server
from .cli_speculative import add_speculative
from .cli_templates import template_of
from .config import AUTOMATIC, ServerConfig
from .config_file import ConfigFile, read_config_file

__all__ = ["Action", "Command", "parse"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command line, understood."""

    action: Action
    config: ServerConfig
    verbose: bool


def parse(argv: Sequence[str]) -> Command:
    """What ``argv`` asks for.

    :raises SystemExit: with status 2 and one line on standard error, or 0 after the help text.
    """
    parser = FlagParser("llamabox")
    add_general(FlagGroup(parser, "general"))
    server = FlagGroup(parser, "server")
    add_server(server)
    add_model(server)
    add_completion(FlagGroup(parser, "server/completion"))
    add_sampling(FlagGroup(parser, "server/completion/sampling"))
    speculative = FlagGroup(parser, "server/completion/speculative")
    add_speculative(speculative)
    add_draft_model(speculative)
    given = parser.parse_words(argv)
    file = _config_file(parser, given.get("config_file"))
    try:
        config = _config(file.under(given))
    except InvalidRequest as error:
        name = error.param or ""
        field = file.field_of(name, given)
        place = parser.flag_of(name) if field is None else f"--config: {field}"
        parser.error(f"argument {place}: {str(error).removeprefix(f'{name}: ')}")
    except (OSError, UnicodeDecodeError) as error:
        parser.error(f"argument --chat-template-file: {error}")
    return Command(action=given["action"], config=config, verbose=given["verbose"])


def _config_file(parser: FlagParser, path: Path | None) -> ConfigFile:
    if path is None:
        return ConfigFile({}, {})
    try:
        return read_config_file(path)
    except (InvalidRequest, OSError) as error:
        parser.error(f"argument --config: {error}")


def _config(given: dict[str, Any]) -> ServerConfig:
    """The configuration of the flags in ``given``; the dataclasses know the defaults."""
    for name in ("n_threads", "n_threads_batch", "n_threads_sampling"):
        if given.get(name) == AUTOMATIC:
            del given[name]
    keys = [key.strip() for listed in given.get("api_key", ()) for key in listed.split(",")]
    return ServerConfig(
        **(_fields(ServerConfig, given) | hub_models(given)),
        api_keys=tuple(key for key in keys if key),
        chat_template=template_of(given),
        model_params=ModelParams(**_fields(ModelParams, given)),
        draft_model_params=draft_model_params(given),
        engine_params=EngineParams(**_fields(EngineParams, given)),
        defaults=_defaults(given),
    )


def _defaults(given: Mapping[str, Any]) -> GenerationParams:
    """Of requests. A flag that bounds the whole engine is none of them, though a field of a
    request may have its name."""
    bounds = _fields(EngineParams, given)
    fields = _fields(GenerationParams, given)
    return GenerationParams(**{k: v for k, v in fields.items() if k not in bounds})


def _fields(kind: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """The part of ``given`` that the dataclass ``kind`` has fields for."""
    names = [field.name for field in dataclasses.fields(kind)]
    return {name: given[name] for name in names if name in given}
