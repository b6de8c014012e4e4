from .request import Request

class Outbox:
    fd: int
    n_open: int
    def __init__(self) -> None: ...
    def drain(
        self,
    ) -> list[tuple[Request, bytes, int, int, list[list[tuple[int, float]]] | None]]: ...
