"""The command line: llama-box's flag names in, one :class:`ServerConfig` out."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .._version import __version__
from ..errors import InvalidRequest
from ..params import (
    BACKEND_SAMPLING,
    FLASH_ATTENTION,
    KV_LAYOUTS,
    EngineParams,
    GenerationParams,
    ModelParams,
)
from ..templates import NAMED_TEMPLATES
from .cli_cache import add_cache
from .cli_checkpoints import add_checkpoints
from .cli_draft import add_draft_model, draft_model_params
from .cli_hub import add_hub, hub_models
from .cli_output import add_output
from .cli_parser import FlagGroup, FlagParser
from .cli_rate import add_rate_limit
from .cli_reuse import add_prompt_reuse
from .cli_sampling import add_sampling
from .cli_shift import add_context_shift
from .cli_speculative import add_speculative
from .config import AUTOMATIC, ServerConfig
from .config_file import ConfigFile, read_config_file

__all__ = ["Action", "Command", "parse"]


class Action(enum.Enum):
    """What a command line asks for."""

    SERVE = enum.auto()
    SYSTEM_INFO = enum.auto()
    LIST_DEVICES = enum.auto()


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
    _add_general(FlagGroup(parser, "general"))
    server = FlagGroup(parser, "server")
    _add_server(server)
    _add_model(server)
    _add_completion(FlagGroup(parser, "server/completion"))
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
        chat_template=_template(given),
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


def _template(given: Mapping[str, Any]) -> str | None:
    path: Path | None = given.get("template_file")
    if path is not None:
        return path.read_text(encoding="utf-8")
    source: str | None = given.get("template_source")
    return NAMED_TEMPLATES.get(given.get("template_name", ""), source)


def _about() -> str:
    try:
        binding = version("llama-cpp-python")
    except PackageNotFoundError:
        binding = "is not installed"
    return f"llamabox {__version__} (llama-cpp-python {binding})"


def _milliseconds(text: str) -> float:
    return float(text) / 1e3


def _add_general(group: FlagGroup) -> None:
    group.add("-h", "--help", "--usage", action="help", help="Print usage and exit")
    group.add("--version", action="version", version=_about(), help="Print version and exit")
    group.add(
        "--system-info",
        dest="action",
        action="store_const",
        const=Action.SYSTEM_INFO,
        default=Action.SERVE,
        help="Print system info and exit",
    )
    group.add(
        "--list-devices",
        dest="action",
        action="store_const",
        const=Action.LIST_DEVICES,
        help="Print list of available devices and exit",
    )
    group.value(
        "--config",
        dest="config_file",
        type=Path,
        metavar="FILE",
        help="JSON file with the sections server, model and disk_cache; flags win over it",
    )
    group.add("-v", "--verbose", "--log-verbose", action="store_true", help="Log all messages")


def _add_server(group: FlagGroup) -> None:
    group.value(
        "--host",
        metavar="HOST",
        help="Address to listen on, or a UNIX socket if it ends with .sock (default: 127.0.0.1)",
    )
    group.value("--port", type=int, metavar="PORT", help="Port to listen on (default: 8080)")
    group.value(
        "-to",
        "--timeout",
        type=int,
        metavar="N",
        help="Seconds that a connection may stay silent while a request is read or answered\n"
        "(default: 600, 0 = no limit)",
    )
    group.value(
        "--threads-http",
        dest="n_http_threads",
        type=int,
        metavar="N",
        help="Threads that parse, render and tokenize requests (default: -1, one per core up to 8)",
    )
    group.value(
        "--api-key",
        action="append",
        metavar="KEY",
        help="Key that requests must bring; repeat it, or separate keys by commas (default: none)",
    )
    group.value(
        "--queue-max",
        dest="n_queue",
        type=int,
        metavar="N",
        help="Requests that may wait for a session; more are answered with 429\n"
        "(default: 0, no limit)",
    )
    add_rate_limit(group)
    group.add("--metrics", action="store_true", help="Enable GET /metrics (default: disabled)")


def _add_model(group: FlagGroup) -> None:
    group.value(
        "-m",
        "--model",
        type=Path,
        metavar="FILE",
        help="GGUF file (default: the small model inside the package)",
    )
    add_hub(group)
    group.value("-a", "--alias", metavar="NAME", help="Name of the model in replies")
    group.value(
        "-ngl",
        "--gpu-layers",
        "--n-gpu-layers",
        dest="n_gpu_layers",
        type=int,
        metavar="N",
        help="Layers to store in VRAM (default: -1, all)",
    )
    group.add(
        "--no-warmup",
        dest="warmup",
        action="store_false",
        help="Do not warm up the model with an empty run",
    )
    group.add(
        "--warmup",
        dest="warmup",
        action="store_true",
        default=True,
        help="Warm up the model with an empty run (default)",
    )


UNIFIED_FLAGS = ("-kvu", "--kv-unified")
PARTITIONED_FLAGS = ("-no-kvu", "--no-kv-unified")


def _add_completion(group: FlagGroup) -> None:
    sizes = (
        ("-c", "--ctx-size", "n_ctx", "Tokens of a session at most (default: 4096, 0 = model's)"),
        ("-np", "--parallel", "n_parallel", "Sessions that run at once (default: 4)"),
        ("-b", "--batch-size", "n_batch", "Logical batch size (default: 2048)"),
        ("-ub", "--ubatch-size", "n_ubatch", "Physical batch size (default: 512)"),
        ("-t", "--threads", "n_threads", "Compute threads (default: -1, physical cores less one)"),
        ("-tb", "--threads-batch", "n_threads_batch", "Threads of batches (default: as -t)"),
    )
    for short, long, dest, text in sizes:
        group.value(short, long, dest=dest, type=int, metavar="N", help=text)
    group.value(
        "--threads-sampling",
        dest="n_threads_sampling",
        type=int,
        metavar="N",
        help="Threads that sample (default: -1, physical cores, 8 at most; 1 = no extra ones)",
    )
    group.value(
        "-fa",
        "--flash-attn",
        dest="flash_attention",
        nargs="?",
        const="on",
        choices=FLASH_ATTENTION,
        metavar="on|off|auto",
        help="Flash Attention (default: auto, by a trial at the start)",
    )
    group.value(
        "--no-flash-attn",
        dest="flash_attention",
        action="store_const",
        const="off",
        help="Disable Flash Attention",
    )
    group.value(
        "--kv-layout",
        dest="kv_layout",
        choices=KV_LAYOUTS,
        metavar="|".join(KV_LAYOUTS),
        help="One pool of -c cells for all sessions, or -c cells for each of them\n"
        "(default: auto, by memory and by a trial at the start)",
    )
    for flags, layout in ((UNIFIED_FLAGS, "unified"), (PARTITIONED_FLAGS, "partitioned")):
        group.value(
            *flags,
            dest="kv_layout",
            action="store_const",
            const=layout,
            help=f"As --kv-layout {layout}",
        )
    group.value(
        "-bs",
        "--backend-sampling",
        dest="backend_sampling",
        nargs="?",
        const="on",
        choices=BACKEND_SAMPLING,
        metavar="on|off|auto",
        help="Let llama.cpp sample beside the model; auto: if a GPU computes the logits\n"
        "(default: auto)",
    )
    group.value(
        "--target-itl",
        dest="target_itl",
        type=_milliseconds,
        metavar="MS",
        help="Milliseconds between two tokens that prompts of others may stretch a step to\n"
        "(default: 0, four times a step without prompts)",
    )
    group.value(
        "--preempt-ram",
        dest="preempt_ram",
        type=int,
        metavar="MIB",
        help="RAM in which requests keep their cells when others need those (default: 256)",
    )
    add_checkpoints(group)
    add_cache(group)
    add_context_shift(group)
    add_prompt_reuse(group)
    add_output(group)
    group.value(
        "-n",
        "--predict",
        "--n-predict",
        dest="n_predict",
        type=int,
        metavar="N",
        help="Output tokens of a request that sets no limit (default: -1, no limit)",
    )
    group.value(
        "--chat-template",
        dest="template_name",
        choices=sorted(NAMED_TEMPLATES),
        metavar="NAME",
        help=f"Built-in chat template: {', '.join(sorted(NAMED_TEMPLATES))}\n"
        "(default: the model's own)",
    )
    group.value(
        "--chat-template-file",
        dest="template_file",
        type=Path,
        metavar="FILE",
        help="Jinja chat template; wins over --chat-template (default: the model's own)",
    )
    group.add("--jinja", action="store_true", help="Accepted for compatibility: Jinja is always on")
