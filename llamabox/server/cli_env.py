"""Environment variables that stand for flags, by the names that llama-server has for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .cli_absent import reason_of
from .cli_parser import WARNINGS, FlagParser
from .cli_switch import FALSE, TRUE

__all__ = ["SWITCHES", "VALUES", "read_environment"]

PREFIX, NEGATIVE = "LLAMA_ARG_", "LLAMA_ARG_NO_"

VALUES: Mapping[str, str] = {
    "LLAMA_API_KEY": "--api-key",
    "LLAMA_ARG_ALIAS": "--alias",
    "LLAMA_ARG_API_KEY_FILE": "--api-key-file",
    "LLAMA_ARG_BACKEND_SAMPLING": "--backend-sampling",
    "LLAMA_ARG_BATCH": "--batch-size",
    "LLAMA_ARG_CACHE_RAM": "--cache-ram",
    "LLAMA_ARG_CACHE_REUSE": "--cache-reuse",
    "LLAMA_ARG_CACHE_TYPE_K": "--cache-type-k",
    "LLAMA_ARG_CACHE_TYPE_V": "--cache-type-v",
    "LLAMA_ARG_CHAT_TEMPLATE": "--chat-template",
    "LLAMA_ARG_CHAT_TEMPLATE_FILE": "--chat-template-file",
    "LLAMA_ARG_CHAT_TEMPLATE_KWARGS": "--chat-template-kwargs",
    "LLAMA_ARG_CHECKPOINT_MIN_SPACING_NT": "--checkpoint-min-step",
    "LLAMA_ARG_CTX_CHECKPOINTS": "--ctx-checkpoints",
    "LLAMA_ARG_CTX_SIZE": "--ctx-size",
    "LLAMA_ARG_DEFRAG_THOLD": "--defrag-thold",
    "LLAMA_ARG_DEVICE": "--device",
    "LLAMA_ARG_DRAFT_MAX": "--draft-max",
    "LLAMA_ARG_DRAFT_MIN": "--draft-min",
    "LLAMA_ARG_FLASH_ATTN": "--flash-attn",
    "LLAMA_ARG_FREQUENCY_PENALTY": "--frequency-penalty",
    "LLAMA_ARG_HF_FILE": "--hf-file",
    "LLAMA_ARG_HF_REPO": "--hf-repo",
    "LLAMA_ARG_HOST": "--host",
    "LLAMA_ARG_LOAD_MODE": "--load-mode",
    "LLAMA_ARG_LOG_COLORS": "--log-colors",
    "LLAMA_ARG_LOG_FILE": "--log-file",
    "LLAMA_ARG_LOG_VERBOSITY": "--verbosity",
    "LLAMA_ARG_MAIN_GPU": "--main-gpu",
    "LLAMA_ARG_MIN_P": "--min-p",
    "LLAMA_ARG_MMPROJ": "--mmproj",
    "LLAMA_ARG_MODEL": "--model",
    "LLAMA_ARG_MODEL_URL": "--model-url",
    "LLAMA_ARG_NUMA": "--numa",
    "LLAMA_ARG_OVERRIDE_TENSOR": "--override-tensor",
    "LLAMA_ARG_N_CPU_MOE": "--n-cpu-moe",
    "LLAMA_ARG_N_GPU_LAYERS": "--n-gpu-layers",
    "LLAMA_ARG_N_GPU_LAYERS_DRAFT": "--n-gpu-layers-draft",
    "LLAMA_ARG_N_PARALLEL": "--parallel",
    "LLAMA_ARG_N_PREDICT": "--n-predict",
    "LLAMA_ARG_PORT": "--port",
    "LLAMA_ARG_PRESENCE_PENALTY": "--presence-penalty",
    "LLAMA_ARG_REASONING": "--reasoning",
    "LLAMA_ARG_REASONING_EFFORT": "--reasoning-effort",
    "LLAMA_ARG_REPEAT_PENALTY": "--repeat-penalty",
    "LLAMA_ARG_ROPE_FREQ_BASE": "--rope-freq-base",
    "LLAMA_ARG_ROPE_FREQ_SCALE": "--rope-freq-scale",
    "LLAMA_ARG_ROPE_SCALE": "--rope-scale",
    "LLAMA_ARG_ROPE_SCALING_TYPE": "--rope-scaling",
    "LLAMA_ARG_RPC": "--rpc",
    "LLAMA_ARG_SPEC_DRAFT_HF_REPO": "--hf-repo-draft",
    "LLAMA_ARG_SPEC_DRAFT_MODEL": "--model-draft",
    "LLAMA_ARG_SPEC_DRAFT_N_MAX": "--draft-max",
    "LLAMA_ARG_SPEC_DRAFT_N_MIN": "--draft-min",
    "LLAMA_ARG_SPEC_DRAFT_P_MIN": "--draft-p-min",
    "LLAMA_ARG_SPLIT_MODE": "--split-mode",
    "LLAMA_ARG_TEMPERATURE": "--temp",
    "LLAMA_ARG_TENSOR_SPLIT": "--tensor-split",
    "LLAMA_ARG_THINK": "--reasoning-format",
    "LLAMA_ARG_THINK_BUDGET": "--reasoning-budget",
    "LLAMA_ARG_THINK_BUDGET_MESSAGE": "--reasoning-budget-message",
    "LLAMA_ARG_THREADS": "--threads",
    "LLAMA_ARG_THREADS_BATCH": "--threads-batch",
    "LLAMA_ARG_THREADS_HTTP": "--threads-http",
    "LLAMA_ARG_TIMEOUT": "--timeout",
    "LLAMA_ARG_TOP_K": "--top-k",
    "LLAMA_ARG_TOP_P": "--top-p",
    "LLAMA_ARG_UBATCH": "--ubatch-size",
    "LLAMA_ARG_YARN_ATTN_FACTOR": "--yarn-attn-factor",
    "LLAMA_ARG_YARN_BETA_FAST": "--yarn-beta-fast",
    "LLAMA_ARG_YARN_BETA_SLOW": "--yarn-beta-slow",
    "LLAMA_ARG_YARN_EXT_FACTOR": "--yarn-ext-factor",
    "LLAMA_ARG_YARN_ORIG_CTX": "--yarn-orig-ctx",
}
"""Flags with a value, of which overrides of tensors count in this order."""

SWITCHES: Mapping[str, tuple[str, str | None]] = {
    "LLAMA_ARG_CACHE_PROMPT": ("--cache-prompt", "--no-cache-prompt"),
    "LLAMA_ARG_CONTEXT_SHIFT": ("--context-shift", "--no-context-shift"),
    "LLAMA_ARG_CONT_BATCHING": ("--cont-batching", None),
    "LLAMA_ARG_CPU_MOE": ("--cpu-moe", None),
    "LLAMA_ARG_EMBEDDINGS": ("--embeddings", None),
    "LLAMA_ARG_ENDPOINT_METRICS": ("--metrics", None),
    "LLAMA_ARG_JINJA": ("--jinja", None),
    "LLAMA_ARG_KV_OFFLOAD": ("--kv-offload", "--no-kv-offload"),
    "LLAMA_ARG_KV_UNIFIED": ("--kv-unified", "--no-kv-unified"),
    "LLAMA_ARG_LOG_PREFIX": ("--log-prefix", "--no-log-prefix"),
    "LLAMA_ARG_LOG_TIMESTAMPS": ("--log-timestamps", "--no-log-timestamps"),
    "LLAMA_ARG_MLOCK": ("--mlock", None),
    "LLAMA_ARG_MMAP": ("--mmap", "--no-mmap"),
    "LLAMA_ARG_OFFLINE": ("--offline", None),
    "LLAMA_ARG_PREFILL_ASSISTANT": ("--prefill-assistant", "--no-prefill-assistant"),
    "LLAMA_ARG_REPACK": ("--repack", "--no-repack"),
    "LLAMA_ARG_RERANKING": ("--rerank", None),
    "LLAMA_ARG_SWA_FULL": ("--swa-full", None),
}
"""Flags without one: the flag for true, and that for false, which ``LLAMA_ARG_NO_`` stands for too,
whatever its value."""

ABSENT: Mapping[str, str] = {
    "LLAMA_ARG_API_PREFIX": "--api-prefix",
    "LLAMA_ARG_SSL_CERT_FILE": "--ssl-cert-file",
    "LLAMA_ARG_SSL_KEY_FILE": "--ssl-key-file",
}
"""Flags of what is not here, without which a server must not be reached."""


def read_environment(parser: FlagParser, environ: Mapping[str, str]) -> dict[str, Any]:
    """The values of the flags that the environment's variables stand for, with warnings of those
    that stand for nothing.

    :raises SystemExit: with status 2 and one line, if one cannot be read, or is of what is not
        here; the line names it.
    """
    for variable, flag in ABSENT.items():
        if environ.get(variable):
            parser.error(f"environment variable {variable}: {reason_of(flag)}")
    given: dict[str, Any] = {}
    for variable, flag in VALUES.items():
        if variable in environ:
            _add(given, parser.parse_variable(variable, f"{flag}={environ[variable]}"))
    for variable, (flag, negative) in SWITCHES.items():
        word = _switch(parser, variable, flag, negative, environ)
        if word is not None:
            _add(given, parser.parse_variable(*word))
    unknown = sorted(name for name in environ if name.startswith(PREFIX) and not _is_known(name))
    _add(given, {WARNINGS: [f"environment variable {name}: is not known" for name in unknown]})
    return given


def _add(given: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Lists add up; other values replace what is there."""
    for name, value in more.items():
        given[name] = [*given.get(name, ()), *value] if isinstance(value, list) else value


def _is_known(variable: str) -> bool:
    if variable in VALUES or variable in SWITCHES or variable in ABSENT:
        return True
    _, negative = SWITCHES.get(variable.replace(NEGATIVE, PREFIX, 1), ("", None))
    return negative is not None


def _switch(
    parser: FlagParser,
    variable: str,
    flag: str,
    negative: str | None,
    environ: Mapping[str, str],
) -> tuple[str, str] | None:
    """The variable that counts, and the flag that it stands for."""
    opposite = variable.replace(PREFIX, NEGATIVE)
    if negative is not None and opposite in environ:
        return opposite, negative
    if variable not in environ:
        return None
    value = environ[variable].lower()
    if value in TRUE:
        return variable, flag
    if value not in FALSE:
        known = ", ".join((*TRUE, *FALSE))
        parser.error(f"environment variable {variable}: {environ[variable]!r} is none of {known}")
    return None if negative is None else (variable, negative)
