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
    """End what runs and free it; blocks for a step at most.

    The garbage collector may run this on a thread that is inside the gate. That thread has to get
    out first, so another one does the work.
    """
    if gate.is_passed_by_caller:
        threading.Thread(target=shut_down, kwargs=locals(), name="llamabox-close").start()
        return
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
