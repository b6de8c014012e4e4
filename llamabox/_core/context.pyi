from .lib import Library

class Context:
    library: Library
    owner: object
    n_ctx: int
    n_batch: int
    n_ubatch: int
    n_seq_max: int
    kind: int
    n_window: int
    is_recurrent: bool
    is_partitioned: bool
    can_shift: bool
    def __init__(
        self, library: Library, address: int, *, owner: object = None, swa_full: bool = False
    ) -> None: ...
    def positions(self, seq: int) -> tuple[int, int]: ...
