from typing import Any

from .backend import Backend
from .batch import Batch
from .context import Context
from .drafter import Drafter
from .output import Output
from .request import Request
from .speculation import Speculation
from .tier import Tier
from .vocab import Vocab

class Scheduler:
    context: Context
    batch: Batch
    output: Output
    speculation: Speculation
    backend: Backend
    def __init__(
        self,
        context: Context,
        vocab: Vocab,
        n_slots: int,
        n_cells: int,
        target_ns: int = 0,
        n_spare_bytes: int = 0,
        n_chunk: int = 16,
        n_checkpoints: int = 0,
        n_checkpoint_bytes: int = 0,
        checkpoint_step: int = 8192,
        n_sampling_threads: int = 1,
        n_draft_rows: int = 0,
        ngram_min: int = 0,
        drafter: Drafter | None = None,
        backend: Backend | None = None,
        tier: Tier | None = None,
        has_adapters: bool = False,
    ) -> None: ...
    def run(self) -> None: ...
    def submit(self, request: Request, *others: Request) -> bool: ...
    def n_queued(self, n_more: int = 0) -> int: ...
    def sequence_lengths(self) -> list[int]: ...
    def close(self) -> None: ...
    def stats(self) -> dict[str, Any]: ...
