from .context import Context

class Backend:
    def __init__(self, context: Context, is_enabled: bool, is_set: bool = False) -> None: ...
    is_enabled: bool
    n_sampled: int
    n_changes: int
