"""The JSON configuration file: its sections and fields in, the values of flags out.

Sections and fields are those of llama-cpp-python's server example. What a flag says wins over the
file, and what would be without effect here is refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from ..errors import InvalidRequest
from ..params import SPLIT_MODES, EngineParams
from ..sources import HubModel
from .config import AUTOMATIC
from .schema_fields import Fields

__all__ = ["ConfigFile", "read_config_file"]

Read = Callable[[Fields, str], Any]
MIB = 2**20

SERVER: Mapping[str, tuple[str, Read]] = {
    "host": ("host", Fields.string),
    "port": ("port", Fields.integer),
}
MODEL: Mapping[str, tuple[str, Read]] = {
    "alias": ("alias", Fields.string),
    "path": ("model", Fields.string),
    "n_ctx": ("n_ctx", Fields.integer),
    "n_seq_max": ("n_parallel", Fields.integer),
    "n_batch": ("n_batch", Fields.integer),
    "n_ubatch": ("n_ubatch", Fields.integer),
    "n_gpu_layers": ("n_gpu_layers", Fields.integer),
    "threads": ("n_threads", Fields.integer),
    "threads_batch": ("n_threads_batch", Fields.integer),
    "swa_full": ("swa_full", Fields.boolean),
    "offload_kqv": ("kv_offload", Fields.boolean),
    "op_offload": ("op_offload", Fields.boolean),
    "main_gpu": ("main_gpu", Fields.integer),
    "use_mmap": ("use_mmap", Fields.boolean),
    "use_mlock": ("use_mlock", Fields.boolean),
    "draft_model_path": ("draft_model", Fields.string),
    "draft_model_num_pred_tokens": ("n_draft_max", Fields.integer),
    "draft_model_p_min": ("draft_p_min", Fields.number),
}
DISK_CACHE: Mapping[str, tuple[str, Read]] = {
    "path": ("cache_disk", Fields.string),
    "min_tokens": ("cache_min_tokens", Fields.integer),
}
"""Fields with the names of the flags' values; what takes more than that is read by functions."""

NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "draft_model_top_k": (1,),
    "embedding": (False,),
    "loras": ([],),
    "no_perf": (True, False),
    "store_logits": (True, False),
    "vocab_only": (False,),
}
"""Other fields of a model, with the values under which they change nothing."""

LOOKUP = "prompt-lookup-decoding"
PATHS = ("model", "draft_model")


@dataclasses.dataclass(frozen=True, slots=True)
class ConfigFile:
    """What a file says.

    :param values: by the names of the flags' values.
    :param fields: where each of them stands in the file.
    """

    values: dict[str, Any]
    fields: dict[str, str]

    def field_of(self, name: str, given: Mapping[str, Any]) -> str | None:
        """Where the value of this name stands in the file, if no flag in `given` has it."""
        return None if name in given else self.fields.get(name)

    def share_of(self, values: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, int]:
        """The context of a session, if the file tells that of all sessions together.

        :param values: of the file, and over them those in `given`, which are of flags.
        :raises InvalidRequest: it is less than a token.
        """
        layouts = self.values.get("kv_layout"), values.get("kv_layout")
        n_ctx = self.values.get("n_ctx", 0)
        if "n_ctx" in given or layouts != ("partitioned", "partitioned") or n_ctx <= 0:
            return {}
        n_sessions = values.get("n_parallel", AUTOMATIC)
        if n_sessions == AUTOMATIC:
            n_sessions = EngineParams().n_parallel
        if n_ctx < n_sessions:
            message = f"n_ctx: {n_ctx} is less than a token for each of {n_sessions}"
            raise InvalidRequest(message, param="n_ctx")
        return {"n_ctx": n_ctx // max(1, n_sessions)}


def read_config_file(path: Path) -> ConfigFile:
    """A configuration file.

    :raises InvalidRequest: it is not what it should be; `param` names the field.
    :raises OSError: it cannot be read.
    """
    try:
        body = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"not JSON: {error}") from None
    if not isinstance(body, dict):
        raise InvalidRequest("not a JSON object")
    file = ConfigFile({}, {})
    sections = {"server": _read_server, "model": _read_model, "disk_cache": _read_disk_cache}
    root = Fields(body)
    for name in body:
        if name not in sections:
            raise root.refuse(name, f"no such section; there are {', '.join(sections)}")
        section = root.object(name)
        if section is not None:
            sections[name](section, file)
    return file


def _read_server(section: Fields, file: ConfigFile) -> None:
    _refuse_unknown(section, SERVER, {})
    _read_plain(section, SERVER, file)


def _read_disk_cache(section: Fields, file: ConfigFile) -> None:
    _refuse_unknown(section, DISK_CACHE, {"max_bytes": ()})
    if not section.present("path"):
        raise section.refuse("path", "is required")
    _read_plain(section, DISK_CACHE, file)
    max_bytes = section.integer("max_bytes")
    if max_bytes is not None:
        if max_bytes < MIB:
            raise section.refuse("max_bytes", f"{max_bytes} is not {MIB} (1 MiB) or more")
        _put(file, section, "max_bytes", "cache_disk_max", max_bytes // MIB)


def _read_model(section: Fields, file: ConfigFile) -> None:
    _refuse_unknown(section, {**MODEL, **_MORE}, NEUTRAL)
    _read_plain(section, MODEL, file)
    for field, read in _MORE.items():
        if section.present(field):
            read(section, file)


def _refuse_unknown(
    section: Fields, known: Mapping[str, Any], others: Mapping[str, tuple[Any, ...]]
) -> None:
    for name, value in section.values.items():
        if name in known or value is None:
            continue
        if name not in others:
            raise section.refuse(name, "is not supported")
        neutral = others[name]
        if neutral and not any(value == each and type(value) is type(each) for each in neutral):
            raise section.refuse(name, "is not supported with this value")


def _read_plain(section: Fields, fields: Mapping[str, tuple[str, Read]], file: ConfigFile) -> None:
    for field, (name, read) in fields.items():
        if section.present(field):
            value = read(section, field)
            _put(file, section, field, name, Path(value) if name in PATHS else value)


def _put(file: ConfigFile, section: Fields, field: str, name: str, value: Any) -> None:
    file.values[name] = value
    file.fields[name] = section.path(field)


def _read_source(section: Fields, file: ConfigFile) -> None:
    _read_hub_model(section, "from_pretrained", "path", "hub_model", file)


def _read_draft_source(section: Fields, file: ConfigFile) -> None:
    field = "draft_model_from_pretrained"
    _read_hub_model(section, field, "draft_model_path", "hub_draft_model", file)


def _read_hub_model(section: Fields, field: str, rival: str, name: str, file: ConfigFile) -> None:
    """A file of the hub. The other parts of a split model come without being named."""
    source = section.object(field)
    assert source is not None
    if section.present(rival):
        raise section.refuse(field, f"goes without {section.path(rival)}")
    known = ("repo_id", "filename", "cache_dir", "additional_files")
    _refuse_unknown(source, dict.fromkeys(known), {})
    source.strings("additional_files")
    for needed in ("repo_id", "filename"):
        if not source.string(needed):
            raise source.refuse(needed, "is required")
    try:
        model = HubModel(
            repo=source.values["repo_id"],
            file=source.values["filename"],
            cache_dir=source.string("cache_dir"),
        )
    except InvalidRequest as error:
        raise source.refuse("repo_id", str(error).removeprefix("hf_repo: ")) from None
    _put(file, section, field, name, model)


def _read_layout(section: Fields, file: ConfigFile) -> None:
    is_unified = section.boolean("kv_unified")
    _put(file, section, "kv_unified", "kv_layout", "unified" if is_unified else "partitioned")


def _read_split_mode(section: Fields, file: ConfigFile) -> None:
    """llama.cpp's number of it."""
    number = section.integer("split_mode")
    if number is None or not 0 <= number < len(SPLIT_MODES):
        known = ", ".join(f"{i} ({name})" for i, name in enumerate(SPLIT_MODES))
        raise section.refuse("split_mode", f"{number} is none of {known}")
    _put(file, section, "split_mode", "split_mode", SPLIT_MODES[number])


def _read_tensor_split(section: Fields, file: ConfigFile) -> None:
    shares = section.values["tensor_split"]
    if not isinstance(shares, list):
        raise section.refuse("tensor_split", "must be an array of numbers")
    for i, share in enumerate(shares):
        if not isinstance(share, (int, float)) or isinstance(share, bool):
            raise section.refuse(f"tensor_split[{i}]", "must be a number")
    _put(file, section, "tensor_split", "tensor_split", tuple(map(float, shares)))


def _read_flash_attention(section: Fields, file: ConfigFile) -> None:
    is_on = section.boolean("flash_attn")
    _put(file, section, "flash_attn", "flash_attention", "on" if is_on else "off")


def _read_template(section: Fields, file: ConfigFile) -> None:
    source = "".join(section.strings("chat_template") or ())
    _put(file, section, "chat_template", "template_source", source)


def _read_draft_model(section: Fields, file: ConfigFile) -> None:
    kind = section.string("draft_model")
    if kind == LOOKUP:
        _put(file, section, "draft_model", "lookup_ngram_min", 1)
    elif kind == "draft-mtp":
        raise section.refuse("draft_model", "draft-mtp is not supported: no heads are loaded")
    else:
        raise section.refuse("draft_model", f"{kind!r} is not {LOOKUP!r}")


def _read_max_ngram(section: Fields, file: ConfigFile) -> None:
    """The longest match is taken anyway, so that a bound on its length says nothing."""
    n = section.integer("draft_model_max_ngram_size")
    if n is None or n < 1:
        raise section.refuse("draft_model_max_ngram_size", f"{n} is not 1 or more")


_MORE: Mapping[str, Callable[[Fields, ConfigFile], None]] = {
    "from_pretrained": _read_source,
    "kv_unified": _read_layout,
    "flash_attn": _read_flash_attention,
    "split_mode": _read_split_mode,
    "tensor_split": _read_tensor_split,
    "chat_template": _read_template,
    "draft_model": _read_draft_model,
    "draft_model_max_ngram_size": _read_max_ngram,
    "draft_model_from_pretrained": _read_draft_source,
}
"""Fields of a model that take more than a name and a type."""
