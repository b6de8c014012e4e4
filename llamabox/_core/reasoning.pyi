import numpy as np
import numpy.typing as npt

class Reasoning:
    def __init__(
        self,
        closing: bytes,
        *,
        opening: bytes = b"",
        closing_token: int = -1,
        opening_token: int = -1,
        is_open: bool = False,
        budget: int = -1,
        forced: npt.NDArray[np.int32] | None = None,
    ) -> None: ...
    def accept(self, token: int, piece: bytes) -> None: ...
    @property
    def forced_token(self) -> int: ...
    @property
    def n_reasoning(self) -> int: ...
    @property
    def is_over(self) -> bool: ...
