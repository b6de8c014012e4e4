"""The end of an engine: what is freed, and in which order."""

from __future__ import annotations

import threading

from .._core.scheduler import Scheduler
from .context import OwnedContext
from .draft import Draft
from .gate import Gate
from .model import Model
from .stream import Orphans
from .tier import SecondTier


def shut_down(
    *,
    gate: Gate,
    scheduler: Scheduler,
    thread: threading.Thread,
    orphans: Orphans,
    context: OwnedContext,
    draft: Draft | None,
    tier: SecondTier | None,
    owned_model: Model | None,
) -> None:
    """End the step thread, then free what it used; blocks for a step at most."""
    gate.close()
    scheduler.close()
    thread.join()
    if tier is not None:
        tier.close()
    orphans.sweep()
    context.close()
    if draft is not None:
        draft.close()
    if owned_model is not None:
        owned_model.close()
