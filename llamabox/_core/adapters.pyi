from collections.abc import Sequence
from typing import Any

class AdapterSet:
    owner: Any
    def __init__(
        self, key: int, adapters: Sequence[tuple[int, float]], *, owner: object = None
    ) -> None: ...
    @property
    def key(self) -> int: ...
