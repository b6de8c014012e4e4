import numpy as np
import numpy.typing as npt

class WordTable:
    n_most: int
    n_pieces: int
    def __init__(self, n_most: int) -> None: ...
    def read(
        self, text: bytes, add_special: bool
    ) -> tuple[bytes, list[tuple[int, int, bool, int]]]: ...
    def add(self, piece: bytes, add_special: bool, tokens: bytes) -> None: ...

def token_ends(
    tokens: npt.NDArray[np.int32], n_bytes: npt.NDArray[np.int32], texts: list[bytes]
) -> list[int] | None: ...
