"""The second tier of an engine's prefixes: RAM, files, and the thread that works for it."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from .._core.disk import PrefixFiles
from .._core.jobs import Jobs
from .._core.tier import Tier
from ..params import EngineParams
from .context import Layout, OwnedContext
from .fingerprint import fingerprint
from .model import Model

__all__ = ["SecondTier", "open_tier"]

BLOCKS = (64, 128, 256)
"""Tokens of a block: the fewest that make it large enough for a file of its own."""
BLOCK_BYTES = 256 << 10
DRAIN_SECONDS = 2.0
"""For which closing waits while blocks are still written to files."""
STUCK_SECONDS = 5.0

logger = logging.getLogger(__name__)


class SecondTier:
    """A `Tier` with its worker, which runs until `close`."""

    def __init__(self, core: Tier, jobs: Jobs, files: PrefixFiles | None) -> None:
        self.core = core
        self._jobs = jobs
        self._worker = threading.Thread(
            target=_serve, args=(jobs, files, core), name="llamabox-prefixes", daemon=True
        )
        self._worker.start()

    def close(self) -> None:
        """End the worker, in bounded time; once the step thread has ended."""
        self._jobs.close(round(DRAIN_SECONDS * 1e9))
        self._worker.join(DRAIN_SECONDS + STUCK_SECONDS)
        if self._worker.is_alive():
            logger.warning("the thread that keeps prefixes does not end; it is left alone")
        else:
            self.core.close()


def open_tier(
    model: Model, params: EngineParams, layout: Layout, context: OwnedContext
) -> SecondTier | None:
    """The second tier that `params` ask for, or None: if they ask for none, or there cannot be one;
    the log says why."""
    if params.cache_ram == 0:
        return None
    reason = _why_not(params, context)
    if reason:
        level = logging.WARNING if params.cache_disk else logging.DEBUG
        logger.log(level, "evicted prefixes are not kept: %s", reason)
        return None
    files = _open_files(model, params, layout, context)
    jobs = Jobs(files is not None)
    core = Tier(
        context.core,
        jobs,
        params.cache_ram << 20,
        n_block=n_block(context) if params.warmup or files else BLOCKS[0],
        min_tokens=params.cache_min_tokens,
    )
    return SecondTier(core, jobs, files)


def n_block(context: OwnedContext) -> int:
    """Tokens of a block."""
    n_cell = len(context.one_cell())
    fitting = [n for n in BLOCKS if n <= context.core.n_window]
    return next((n for n in fitting if n * n_cell >= BLOCK_BYTES), fitting[-1])


def _why_not(params: EngineParams, context: OwnedContext) -> str:
    """Why a context can have no second tier; empty if it can."""
    if context.core.kind != 0:
        return "this model's memory cannot be cut; it has checkpoints (checkpoint_ram)"
    if context.core.n_window < BLOCKS[0]:
        return "this model's sliding window is too short"
    if context.core.n_seq_max <= params.n_parallel:
        return f"with n_parallel={params.n_parallel} llama.cpp has no sequence to spare"
    return ""


def _open_files(
    model: Model, params: EngineParams, layout: Layout, context: OwnedContext
) -> PrefixFiles | None:
    if params.cache_disk is None:
        return None
    try:
        identity = fingerprint(model, params, layout, context)
    except OSError as error:
        logger.warning("evicted prefixes are not kept on disk: %s", error)
        return None
    return PrefixFiles(Path(params.cache_disk).expanduser(), params.cache_disk_max << 20, identity)


def _serve(jobs: Jobs, files: PrefixFiles | None, core: Tier) -> None:
    """The worker's life. It may die: then nothing is kept any more, and the engine goes on."""
    try:
        jobs.serve(files, core)
    except Exception:
        logger.exception("the thread that keeps prefixes has failed; no more are kept")
