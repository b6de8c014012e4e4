"""``python -m llamabox`` is the server's command line."""

from __future__ import annotations

import sys

from .server.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
