from .context import Context
from .jobs import Jobs

class Tier:
    context: Context
    jobs: Jobs
    def __init__(
        self, context: Context, jobs: Jobs, limit: int, *, n_block: int, min_tokens: int
    ) -> None: ...
    def close(self) -> None: ...
    def gauges(self) -> dict[str, int]: ...
