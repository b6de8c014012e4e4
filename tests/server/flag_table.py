"""llama-box's flags of the groups that generate text: names, groups, defaults, and what they set.

The groups and names are those of its README (28 May 2025).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llamabox import UrlModel
from llamabox.samplers import DEFAULT_SAMPLERS
from llamabox.server.cli import Action
from llamabox.templates import NAMED_TEMPLATES

GENERAL = "general"
SERVER = "server"
COMPLETION = "server/completion"
SPECULATIVE = "server/completion/speculative"

ENGINE = "config.engine_params."
MODEL = "config.model_params."
REQUEST = "config.defaults."
DRAFT = "config.draft_model_params."
REASONING = "config.reasoning."


@dataclass(frozen=True)
class Flag:
    """A flag that sets something.

    :param names: all of them, those of llama-box first.
    :param value: what follows it on the command line; None for nothing.
    :param where: path of what it sets, in `Command`.
    :param default: what is there without the flag.
    :param becomes: what is there with it.
    :param needs: what else has to be on the command line.
    """

    names: tuple[str, ...]
    value: str | None
    where: str
    default: Any
    becomes: Any
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refused:
    """A flag that is refused, with the reason in part."""

    names: tuple[str, ...]
    value: str | None
    reason: str


def sets(
    names: str, value: str | None, where: str, default: Any, becomes: Any, *needs: str
) -> Flag:
    return Flag(tuple(names.split()), value, where, default, becomes, needs)


def refused(names: str, value: str | None, reason: str) -> Refused:
    return Refused(tuple(names.split()), value, reason)


def number(names: str, where: str, default: float, value: float) -> Flag:
    """A flag of a number."""
    return sets(names, str(value), where, default, value)


PRINTS: dict[str, tuple[str, ...]] = {
    "usage: llamabox": ("-h", "--help", "--usage"),
    "llamabox ": ("--version",),
}
"""Flags that print something and exit, by its beginning."""

FLAGS: dict[str, tuple[Flag | Refused, ...]] = {
    GENERAL: (
        sets("--system-info", None, "action", Action.SERVE, Action.SYSTEM_INFO),
        sets("--list-devices", None, "action", Action.SERVE, Action.LIST_DEVICES),
        sets("-v --verbose --log-verbose", None, "log.verbosity", 3, 5),
        number("-lv --verbosity --log-verbosity", "log.verbosity", 3, 1),
        sets("--log-colors", None, "log.colors", "off", "on"),
    ),
    SERVER: (
        sets("--host", "::1", "config.host", "127.0.0.1", "::1"),
        number("--port", "config.port", 8080, 9000),
        number("-to --timeout", "config.timeout", 600, 7),
        number("--threads-http", "config.n_http_threads", -1, 3),
        number("--conn-idle", "config.conn_idle", 60, 5),
        number("--conn-keepalive", "config.conn_keepalive", 15, 4),
        sets("-m --model", "m.gguf", "config.model", None, Path("m.gguf")),
        sets("-a --alias", "name", "config.alias", None, "name"),
        sets("--lora", "a,b", ENGINE + "lora", (), (("a", 1.0), ("b", 1.0))),
        sets("--lora-scaled", "a", ENGINE + "lora", (), (("a", 0.5),), "0.5"),
        sets("--lora-init-without-apply", None, ENGINE + "lora_init_without_apply", False, True),
        number("-s --seed", REQUEST + "seed", -1, 7),
        sets("--no-flash-attn", None, ENGINE + "flash_attention", "auto", "off"),
        sets("-fa --flash-attn", None, ENGINE + "flash_attention", "auto", "on"),
        sets("--swa-full", None, ENGINE + "swa_full", False, True),
        sets("--metrics", None, "config.metrics", False, True),
        refused("--embeddings --embedding", None, "there are no embeddings"),
        refused("--images", None, "no images are generated"),
        refused("--rerank --reranking", None, "there is no reranking"),
        sets("--rpc", "a:1,b:2", "config.rpc_servers", (), ("a:1", "b:2")),
        sets("-ts --tensor-split", "3,1", MODEL + "tensor_split", (), (3.0, 1.0)),
        number("-ngl --gpu-layers --n-gpu-layers", MODEL + "n_gpu_layers", -1, 5),
        sets("-ngl --gpu-layers --n-gpu-layers", "all", MODEL + "n_gpu_layers", -1, -1),
        sets(
            "-ot --override-tensor",
            r"ffn_.*=CPU,a=b=CUDA0",
            MODEL + "tensor_overrides",
            (),
            (("ffn_.*", "CPU"), ("a=b", "CUDA0")),
        ),
        sets("--no-warmup", None, ENGINE + "warmup", True, False),
        sets("--warmup", None, ENGINE + "warmup", True, True),
    ),
    COMPLETION: (
        sets("-dev --device", "A,B", MODEL + "devices", None, ("A", "B")),
        sets("-dev --device", "none", MODEL + "devices", None, ()),
        sets("-sm --split-mode", "row", MODEL + "split_mode", "layer", "row"),
        number("-mg --main-gpu", MODEL + "main_gpu", 0, 1),
        sets(
            "--override-kv",
            "a.b=int:3,c=bool:true",
            MODEL + "kv_overrides",
            (),
            (("a.b", 3), ("c", True)),
        ),
        refused("--slot-save-path", "dir", "--cache-disk keeps prefixes"),
        number("-tps --tokens-per-second", ENGINE + "tokens_per_second", 0.0, 9.5),
        number("-t --threads", ENGINE + "n_threads", None, 3),  # type: ignore[arg-type]
        sets("-C --cpu-mask", "0x1", ENGINE + "cpu.cpus", (), (0,)),
        sets("-Cr --cpu-range", "0-1", ENGINE + "cpu.cpus", (), (0, 1)),
        sets("--cpu-strict", "1", ENGINE + "cpu.strict", False, True),
        number("--prio", ENGINE + "cpu.priority", 0, 2),
        number("--poll", ENGINE + "cpu.poll", 50, 0),
        number("-tb --threads-batch", ENGINE + "n_threads_batch", None, 3),  # type: ignore[arg-type]
        sets("-Cb --cpu-mask-batch", "1", ENGINE + "cpu_batch.cpus", None, (0,)),
        sets("-Crb --cpu-range-batch", "0-1", ENGINE + "cpu_batch.cpus", None, (0, 1)),
        sets("--cpu-strict-batch", "1", ENGINE + "cpu_batch.strict", None, True),
        number("--prio-batch", ENGINE + "cpu_batch.priority", None, 1),  # type: ignore[arg-type]
        number("--poll-batch", ENGINE + "cpu_batch.poll", None, 9),  # type: ignore[arg-type]
        number("-c --ctx-size", ENGINE + "n_ctx", 4096, 512),
        sets("--no-context-shift", None, ENGINE + "context_shift", False, False),
        sets("--context-shift", None, ENGINE + "context_shift", False, True),
        number("-b --batch-size", ENGINE + "n_batch", 2048, 64),
        number("-ub --ubatch-size", ENGINE + "n_ubatch", 512, 32),
        number("--keep", REQUEST + "n_keep", 0, 5),
        sets("--no-escape", None, REQUEST + "stop", (), (r"a\n",), "-r", r"a\n"),
        sets("-e --escape", None, REQUEST + "stop", (), ("a\n",), "-r", r"a\n"),
        sets(
            "--samplers",
            "top_k;temperature",
            REQUEST + "samplers",
            DEFAULT_SAMPLERS,
            ("top_k", "temperature"),
        ),
        sets(
            "--sampling-seq",
            "kt",
            REQUEST + "samplers",
            DEFAULT_SAMPLERS,
            ("top_k", "temperature"),
        ),
        number("--temp --temperature", REQUEST + "temperature", 0.8, 0.3),
        number("--top-k", REQUEST + "top_k", 40, 3),
        number("--top-p", REQUEST + "top_p", 0.9, 0.5),
        number("--min-p", REQUEST + "min_p", 0.1, 0.5),
        number("--top-nsigma --top-n-sigma", REQUEST + "top_n_sigma", -1.0, 2.0),
        number("--xtc-probability", REQUEST + "xtc_probability", 0.0, 0.5),
        number("--xtc-threshold", REQUEST + "xtc_threshold", 0.1, 0.3),
        number("--typical --typical-p", REQUEST + "typical_p", 1.0, 0.7),
        number("--repeat-last-n", REQUEST + "repeat_last_n", 64, 5),
        number("--repeat-penalty", REQUEST + "repeat_penalty", 1.0, 1.5),
        number("--presence-penalty", REQUEST + "presence_penalty", 0.0, 0.5),
        number("--frequency-penalty", REQUEST + "frequency_penalty", 0.0, 0.5),
        number("--dry-multiplier", REQUEST + "dry_multiplier", 0.0, 0.5),
        number("--dry-base", REQUEST + "dry_base", 1.75, 2.0),
        number("--dry-allowed-length", REQUEST + "dry_allowed_length", 2, 5),
        number("--dry-penalty-last-n", REQUEST + "dry_penalty_last_n", -1, 9),
        sets(
            "--dry-sequence-breaker",
            r"\n-",
            REQUEST + "dry_sequence_breakers",
            ("\n", ":", '"', "*"),
            ("\n-",),
        ),
        sets(
            "--dry-sequence-breaker",
            "none",
            REQUEST + "dry_sequence_breakers",
            ("\n", ":", '"', "*"),
            (),
        ),
        number("--dynatemp-range", REQUEST + "dynatemp_range", 0.0, 0.5),
        number("--dynatemp-exp", REQUEST + "dynatemp_exponent", 1.0, 2.0),
        number("--mirostat", REQUEST + "mirostat", 0, 2),
        number("--mirostat-lr", REQUEST + "mirostat_eta", 0.1, 0.2),
        number("--mirostat-ent", REQUEST + "mirostat_tau", 5.0, 3.0),
        sets(
            "-l --logit-bias",
            "5+1.5,6-inf",
            REQUEST + "logit_bias",
            (),
            ((5, 1.5), (6, -math.inf)),
        ),
        sets("--rope-scaling", "yarn", ENGINE + "rope.rope_scaling", "", "yarn"),
        sets("--rope-scale", "4", ENGINE + "rope.rope_freq_scale", 0.0, 0.25),
        number("--rope-freq-base", ENGINE + "rope.rope_freq_base", 0.0, 5e5),
        number("--rope-freq-scale", ENGINE + "rope.rope_freq_scale", 0.0, 0.5),
        number("--yarn-orig-ctx", ENGINE + "rope.yarn_orig_ctx", 0, 512),
        number("--yarn-ext-factor", ENGINE + "rope.yarn_ext_factor", -1.0, 0.5),
        number("--yarn-attn-factor", ENGINE + "rope.yarn_attn_factor", -1.0, 1.5),
        number("--yarn-beta-fast", ENGINE + "rope.yarn_beta_fast", -1.0, 16.0),
        number("--yarn-beta-slow", ENGINE + "rope.yarn_beta_slow", -1.0, 2.0),
        sets("-nkvo --no-kv-offload", None, ENGINE + "kv_offload", True, False),
        sets("--no-cache-prompt", None, REQUEST + "cache_prompt", True, False),
        number("--cache-reuse", REQUEST + "n_cache_reuse", 0, 64),
        sets("-ctk --cache-type-k", "q8_0", ENGINE + "cache_type_k", "f16", "q8_0"),
        sets("-ctv --cache-type-v", "bf16", ENGINE + "cache_type_v", "f16", "bf16"),
        number("-np --parallel", ENGINE + "n_parallel", 4, 2),
        refused("--mmproj -mm", "p.gguf", "prompts have text only"),
        sets("--mlock", None, MODEL + "use_mlock", False, True),
        sets("--no-mmap", None, MODEL + "use_mmap", None, False),
        sets("--mmap", None, MODEL + "use_mmap", None, True),
        sets("--numa", "isolate", "config.numa", None, "isolate"),
        sets("--control-vector", "c.gguf", ENGINE + "control_vectors", (), (("c.gguf", 1.0),)),
        sets("--control-vector-scaled", "a", ENGINE + "control_vectors", (), (("a", 2.0),), "2"),
        sets(
            "--control-vector-layer-range",
            "1",
            ENGINE + "control_vector_layers",
            None,
            (1, 3),
            *("3", "--control-vector", "c.gguf"),
        ),
        sets("-sp --special", None, REQUEST + "special", False, True),
        sets("--grammar", 'root ::= "a"', REQUEST + "grammar", None, 'root ::= "a"'),
        sets("-j --json-schema", "{}", REQUEST + "json_schema", "", "{}"),
        sets("--enable-reasoning", None, REASONING + "enabled", None, None),
        sets("--no-enable-reasoning", None, REASONING + "enabled", None, False),
        sets("--chat-template", "chatml", "config.chat_template", None, NAMED_TEMPLATES["chatml"]),
    ),
    SPECULATIVE: (
        number("--draft-max --draft --draft-n", ENGINE + "n_draft_max", 16, 5),
        number("--draft-min --draft-n-min", ENGINE + "n_draft_min", 0, 2),
        number("--draft-p-min", ENGINE + "draft_p_min", 0.8, 0.5),
        sets("-md --model-draft", "d.gguf", "config.draft_model", None, Path("d.gguf")),
        sets("-devd --device-draft", "A", DRAFT + "devices", None, ("A",), "-md", "d.gguf"),
        sets(
            "-ngld --gpu-layers-draft --n-gpu-layers-draft",
            "3",
            DRAFT + "n_gpu_layers",
            -1,
            3,
            "-md",
            "d.gguf",
        ),
        number("--lookup-ngram-min", ENGINE + "lookup_ngram_min", 0, 3),
    ),
}
"""Every flag of those groups, but for those that print something; a few twice."""

SILENT = {COMPLETION: ("--jinja", "-dt", "--defrag-thold")}
"""Flags that change nothing here."""

OF_FILES = ("--chat-template-file", "--grammar-file", "-jf", "--json-schema-file")
"""Of server/completion too; what they do needs files."""

MORE: tuple[Flag, ...] = (
    number("--spec-draft-n-max", ENGINE + "n_draft_max", 16, 5),
    number("--spec-draft-n-min", ENGINE + "n_draft_min", 0, 2),
    number("--spec-draft-p-min", ENGINE + "draft_p_min", 0.8, 0.5),
    sets("--spec-draft-model", "d.gguf", "config.draft_model", None, Path("d.gguf")),
    sets("--spec-draft-device", "A", DRAFT + "devices", None, ("A",), "-md", "d.gguf"),
    sets("--spec-draft-ngl", "3", DRAFT + "n_gpu_layers", -1, 3, "-md", "d.gguf"),
    sets("--chat-template-kwargs", '{"a": 1}', "config.chat_template_kwargs", {}, {"a": 1}),
    sets("--no-prefill-assistant", None, "config.prefill_assistant", True, False),
    sets("--prefill-assistant", None, "config.prefill_assistant", True, True),
    sets("--sampler-seq", "k", REQUEST + "samplers", DEFAULT_SAMPLERS, ("top_k",)),
    sets("--lora-scaled", "a:2,b:-1", ENGINE + "lora", (), (("a", 2.0), ("b", -1.0))),
    sets("--control-vector-scaled", "a:2", ENGINE + "control_vectors", (), (("a", 2.0),)),
    sets("-kvo --kv-offload", None, ENGINE + "kv_offload", True, True),
    sets("--no-op-offload", None, ENGINE + "op_offload", True, False),
    sets("--op-offload", None, ENGINE + "op_offload", True, True),
    sets("--check-tensors", None, MODEL + "check_tensors", False, True),
    sets("-nr --no-repack", None, MODEL + "repack", True, False),
    sets("--repack", None, MODEL + "repack", True, True),
    sets("-lm --load-mode", "none", MODEL + "use_mmap", None, False),
    sets("-lm --load-mode", "mlock", MODEL + "use_mlock", False, True),
    sets("-r --reverse-prompt", "END", REQUEST + "stop", (), ("END",)),
    sets("--ignore-eos", None, REQUEST + "ignore_eos", False, True),
    sets("--cache-prompt", None, REQUEST + "cache_prompt", True, True),
    sets("--log-file", "x.log", "log.file", None, Path("x.log")),
    sets("--log-disable", None, "log.verbosity", 3, 0),
    sets("--no-log-prefix", None, "log.prefix", True, False),
    sets("--no-log-timestamps", None, "log.timestamps", True, False),
    sets("--prio", "low", ENGINE + "cpu.priority", 0, -1),
    sets("-np", "-1", ENGINE + "n_parallel", 4, 4),
    sets("--n-cpu-moe", "0", MODEL + "tensor_overrides", (), ()),
    sets("-rea --reasoning", "on", REASONING + "enabled", None, True),
    sets("-rea --reasoning", "off", REASONING + "enabled", None, False),
    sets("--reasoning-format", "none", REASONING + "format", "auto", "none"),
    sets("--reasoning-format", "deepseek-legacy", REASONING + "format", "auto", "deepseek-legacy"),
    number("--reasoning-budget", REASONING + "budget", -1, 64),
    sets("--reasoning-budget-message", "Stop.", REASONING + "budget_message", "", "Stop."),
    sets("--reasoning-effort", "high", REASONING + "effort", None, "high"),
    sets(
        "-mu --model-url",
        "https://a/b.gguf",
        "config.hub_model",
        None,
        UrlModel(url="https://a/b.gguf"),
    ),
)
"""llama-server's names and ways for the same things."""
