from .batch import Batch
from .context import Context
from .drafter import Drafter
from .vocab import Vocab

class ModelDrafter(Drafter):
    context: Context
    batch: Batch
    n_offered: int
    n_readable: int
    n_forwards: int
    n_rows: int
    depth_ns: float
    row_ns: float
    def __init__(
        self, context: Context, vocab: Vocab, n_vocab: int, n_slots: int, n_cells: int
    ) -> None: ...
    def sequence_lengths(self) -> list[int]: ...
