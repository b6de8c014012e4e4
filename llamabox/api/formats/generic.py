"""Any model, also where its template knows no tools: they are described in a system message."""

from __future__ import annotations

import dataclasses

from .hermes import HERMES

GENERIC = dataclasses.replace(
    HERMES, name="generic", recognizes=lambda template: True, knows_tools=False
)
