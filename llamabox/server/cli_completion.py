"""The flags of the engine: its sizes, threads, cells and caches."""

from __future__ import annotations

from ..params import BACKEND_SAMPLING, FLASH_ATTENTION, KV_LAYOUTS
from .cli_cache import add_cache
from .cli_checkpoints import add_checkpoints
from .cli_parser import FlagGroup
from .cli_reuse import add_prompt_reuse
from .cli_shift import add_context_shift
from .cli_templates import add_templates

__all__ = ["add_completion"]

UNIFIED_FLAGS = ("-kvu", "--kv-unified")
PARTITIONED_FLAGS = ("-no-kvu", "--no-kv-unified")


def add_completion(group: FlagGroup) -> None:
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
    add_checkpoints(group)
    add_cache(group)
    add_context_shift(group)
    add_prompt_reuse(group)
    group.value(
        "-n",
        "--predict",
        "--n-predict",
        dest="n_predict",
        type=int,
        metavar="N",
        help="Output tokens of a request that sets no limit (default: -1, no limit)",
    )
    add_templates(group)


def _seconds(milliseconds: str) -> float:
    return float(milliseconds) / 1e3
