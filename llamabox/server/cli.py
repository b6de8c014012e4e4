"""The command line: llama-box's flag names in, one :class:`ServerConfig` out."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InvalidRequest
from ..params import (
    MAX_MIB,
    MIN_CHECKPOINT_STEP,
    EngineParams,
    GenerationParams,
    ModelParams,
)
from ..ranges import LLAMA_RANDOM_SEED, RANDOM_SEED
from .cli_cells import rope_params
from .cli_completion import add_completion
from .cli_constraints import add_constraints, constraints_of
from .cli_draft import add_draft_model, draft_model_params
from .cli_env import read_environment
from .cli_general import Action, add_general, log_config
from .cli_hub import hub_models
from .cli_layers import over
from .cli_loading import add_offloading
from .cli_model import add_attention, add_model, add_warmup
from .cli_parser import WARNINGS, FlagGroup, FlagParser
from .cli_reasoning import reasoning_params
from .cli_sampling import add_sampling, add_seed, escaped
from .cli_server import add_server, api_keys
from .cli_speculative import add_speculative
from .cli_templates import template_of
from .cli_threads import cpu_params, names_file
from .config import AUTOMATIC, ServerConfig
from .config_file import ConfigFile, read_config_file
from .log import LogConfig

__all__ = ["Action", "Command", "flag_parser", "parse"]

AUTOMATICS = ("n_threads", "n_threads_batch", "n_threads_sampling", "n_parallel")
NUMBERS: Mapping[str, Mapping[int, int]] = {
    "n_threads": {0: AUTOMATIC},
    "n_threads_batch": {0: AUTOMATIC},
    "seed": {LLAMA_RANDOM_SEED: RANDOM_SEED},
    "cache_ram": {-1: MAX_MIB},
    "checkpoint_min_step": {0: MIN_CHECKPOINT_STEP},
}
"""llama-server's numbers for what others stand for here."""
LISTS = ("kv_overrides", "logit_bias", "tensor_overrides")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command line, understood.

    :param warnings: what the log has to say about it.
    :param parser: which knows the flags that a refusal is about.
    """

    action: Action
    config: ServerConfig
    log: LogConfig = dataclasses.field(default_factory=LogConfig)
    warnings: tuple[str, ...] = ()
    parser: FlagParser = dataclasses.field(repr=False, compare=False)


def parse(argv: Sequence[str], environ: Mapping[str, str] | None = None) -> Command:
    """What ``argv`` asks for. It wins over ``environ``, which wins over a configuration file.

    :param environ: by default the process's.
    :raises SystemExit: with status 2 and one line on standard error, or 0 after the help text.
    :raises IncompatibleLibrary: there is a chat template to compile, and llama.cpp does not fit.
    """
    parser = flag_parser()
    given = parser.parse_words(argv)
    file = _config_file(parser, given)
    environment = read_environment(parser, os.environ if environ is None else environ)
    warnings = (*given.get(WARNINGS, ()), *environment.get(WARNINGS, ()))
    given = over(given, environment)
    values = over(given, file.values)
    try:
        config = _config(values | file.share_of(values, given))
    except InvalidRequest as error:
        name = error.param or ""
        field = file.field_of(name, given)
        parser.refuse(name, str(error), f"argument --config: {field}" if field else None)
    return Command(
        action=values.get("action", Action.SERVE),
        config=config,
        log=log_config(values),
        warnings=warnings,
        parser=parser,
    )


def flag_parser() -> FlagParser:
    """A parser of all flags, in llama-box's groups."""
    parser = FlagParser("llamabox")
    add_general(FlagGroup(parser, "general"))
    server = FlagGroup(parser, "server")
    add_server(server)
    add_model(server)
    add_seed(server)
    add_attention(server)
    add_offloading(server)
    add_warmup(server)
    completion = FlagGroup(parser, "server/completion")
    add_completion(completion)
    add_sampling(completion)
    add_constraints(completion)
    speculative = FlagGroup(parser, "server/completion/speculative")
    add_speculative(speculative)
    add_draft_model(speculative)
    return parser


def _config_file(parser: FlagParser, given: dict[str, Any]) -> ConfigFile:
    """The file of ``--config FILE``, or of ``-C FILE``, which is no mask then."""
    path: Path | None = given.get("config_file")
    if names_file(given.get("cpu_mask", "")):
        if path is not None:
            parser.error(f"argument --config: {path} and -C {given['cpu_mask']} are two files")
        path = Path(given.pop("cpu_mask"))
    if path is None:
        return ConfigFile({}, {})
    try:
        return read_config_file(path)
    except (InvalidRequest, OSError) as error:
        parser.error(f"argument --config: {error}")


def _config(given: dict[str, Any]) -> ServerConfig:
    """The configuration of the flags in ``given``; the dataclasses know the defaults."""
    given = {k: NUMBERS[k].get(v, v) if k in NUMBERS else v for k, v in given.items()}
    given = {k: v for k, v in given.items() if k not in AUTOMATICS or v != AUTOMATIC}
    given |= {name: tuple(given[name]) for name in LISTS if name in given}
    if "load_mode" in given:
        given["use_mmap"], given["use_mlock"] = given["load_mode"]
    escaped(given)
    return ServerConfig(
        **(_fields(ServerConfig, given) | hub_models(given)),
        api_keys=api_keys(given),
        chat_template=template_of(given),
        model_params=ModelParams(**_fields(ModelParams, given)),
        draft_model_params=draft_model_params(given),
        engine_params=EngineParams(
            **(_fields(EngineParams, given) | cpu_params(given)), rope=rope_params(given)
        ),
        defaults=_defaults(given),
        reasoning=reasoning_params(given),
    )


def _defaults(given: Mapping[str, Any]) -> GenerationParams:
    """Of requests. A flag that bounds the whole engine is none of them, though a field of a
    request may have its name."""
    bounds = _fields(EngineParams, given)
    fields = _fields(GenerationParams, given) | constraints_of(given)
    return GenerationParams(**{k: v for k, v in fields.items() if k not in bounds})


def _fields(kind: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """The part of ``given`` that the dataclass ``kind`` has fields for."""
    names = [field.name for field in dataclasses.fields(kind)]
    return {name: given[name] for name in names if name in given}
