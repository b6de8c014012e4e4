from .request import Request

class Outbox:
    fd: int
    n_open: int
    def __init__(self) -> None: ...
    def drain(
        self,
    ) -> list[
        tuple[
            Request,
            bytes,
            list[int],
            int,
            list[list[tuple[int, float]]] | None,
            tuple[int, int] | None,
        ]
    ]: ...
