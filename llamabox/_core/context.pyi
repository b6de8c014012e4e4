from .lib import Library

class Context:
    library: Library
    owner: object
    n_ctx: int
    n_batch: int
    n_ubatch: int
    n_seq_max: int
    can_shift: bool
    def __init__(
        self, library: Library, address: int, *, owner: object = None, may_shift: bool = False
    ) -> None: ...
    def positions(self, seq: int) -> tuple[int, int]: ...
