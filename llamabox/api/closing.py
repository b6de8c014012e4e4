"""The end of an engine, in the order in which its parts need one another."""

from __future__ import annotations

import threading

from .._core.scheduler import Scheduler
from .adapters import Adapters
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
    adapters: Adapters,
    draft: Draft | None,
    tier: SecondTier | None,
    owned_model: Model | None,
) -> None:
    """End what runs and free it; blocks for a step at most."""
    gate.close()
    scheduler.close()
    thread.join()
    if tier is not None:
        tier.close()
    orphans.sweep()
    context.close()
    adapters.close()
    if draft is not None:
        draft.close()
    if owned_model is not None:
        owned_model.close()
