from collections.abc import Sequence

from .costs import Costs

class Lengths:
    costs: Costs
    def __init__(self, costs: Costs, n_rows: int, is_partitioned: bool = False) -> None: ...
    def chosen(
        self,
        histories: Sequence[Sequence[bool]],
        *,
        n_decode: int,
        n_most: int,
        n_matched: int = 4,
        n_least: int = 0,
        depth_ns: float = 0,
    ) -> list[int]: ...
