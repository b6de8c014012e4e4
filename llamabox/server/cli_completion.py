"""The flags of the engine: its sizes, threads, cells and caches."""

from __future__ import annotations

import argparse

from ..params import KV_LAYOUTS
from .cli_absent import AUDIO_AND_IMAGES
from .cli_adapters import add_control_vectors
from .cli_cache import add_cache
from .cli_cells import add_cells, add_rope
from .cli_checkpoints import add_checkpoints
from .cli_loading import add_loading
from .cli_output import add_output
from .cli_parser import FlagGroup
from .cli_rate import add_rate_limit
from .cli_reasoning import add_reasoning
from .cli_reuse import add_prompt_reuse
from .cli_shift import add_context_shift
from .cli_switch import switch
from .cli_templates import add_templates
from .cli_threads import add_threads

__all__ = ["add_completion"]

UNIFIED_FLAGS = ("-kvu", "--kv-unified")
PARTITIONED_FLAGS = ("-no-kvu", "--no-kv-unified")


def add_completion(group: FlagGroup) -> None:
    add_loading(group)
    add_templates(group)
    add_rate_limit(group)
    add_threads(group)
    _add_sizes(group)
    _add_layout(group)
    _add_steps(group)
    add_cells(group)
    add_rope(group)
    add_checkpoints(group)
    add_cache(group)
    add_context_shift(group)
    add_prompt_reuse(group)
    add_reasoning(group)
    add_output(group)
    add_control_vectors(group)
    group.absent(
        "-mm",
        "--mmproj",
        metavar="FILE",
        reason=AUDIO_AND_IMAGES,
        text="Projector of images and audio (refused: not in this build)",
    )
    group.absent(
        "--slot-save-path",
        metavar="PATH",
        reason="sessions have no slots of their own; --cache-disk keeps prefixes on disk",
        text="Path to save slots (refused: --cache-disk keeps prefixes on disk)",
    )


def _add_sizes(group: FlagGroup) -> None:
    sizes = (
        ("-c", "--ctx-size", "n_ctx", "Tokens of a session at most (default: 4096, 0 = model's)"),
        ("-np", "--parallel", "n_parallel", "Sessions that run at once (default: 4, also for -1)"),
        ("-b", "--batch-size", "n_batch", "Logical batch size (default: 2048)"),
        ("-ub", "--ubatch-size", "n_ubatch", "Physical batch size (default: 512)"),
    )
    for short, long, dest, text in sizes:
        group.value(short, long, dest=dest, type=int, metavar="N", help=text)
    group.value(
        "-n",
        "--predict",
        "--n-predict",
        dest="n_predict",
        type=int,
        metavar="N",
        help="Output tokens of a request that sets no limit (default: -1, no limit)",
    )


def _add_layout(group: FlagGroup) -> None:
    group.value(
        "--kv-layout",
        dest="kv_layout",
        choices=KV_LAYOUTS,
        metavar="|".join(KV_LAYOUTS),
        help="One pool of -c cells for all sessions, or -c cells for each of them\n"
        "(default: auto, by memory and by a trial at the start)",
    )
    for flags, layout in ((UNIFIED_FLAGS, "unified"), (PARTITIONED_FLAGS, "partitioned")):
        group.switch(*flags, dest="kv_layout", to=layout, text=f"As --kv-layout {layout}")


def _add_steps(group: FlagGroup) -> None:
    group.value(
        "-bs",
        "--backend-sampling",
        dest="backend_sampling",
        nargs="?",
        const="on",
        type=switch,
        metavar="[on|off|auto]",
        help="Let llama.cpp sample beside the model; auto: if a GPU computes the logits\n"
        "(default: auto)",
    )
    group.value(
        "--target-itl",
        dest="target_itl",
        type=_seconds,
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


def _seconds(milliseconds: str) -> float:
    try:
        return float(milliseconds) / 1e3
    except ValueError:
        raise argparse.ArgumentTypeError(f"{milliseconds!r} is not a number") from None
