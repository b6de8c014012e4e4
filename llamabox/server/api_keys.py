"""The API key that a request brings."""

from __future__ import annotations

import hmac
from collections.abc import Collection

from .trace import AnyRequest

__all__ = ["brought_key", "is_accepted"]


def brought_key(request: AnyRequest) -> str:
    """Of ``Authorization: Bearer``, or else of ``X-API-Key``; empty if there is none."""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return bearer.strip()
    key: str = request.headers.get("x-api-key", "")
    return key


def is_accepted(request: AnyRequest, keys: Collection[str]) -> bool:
    """Whether it is one of these; the answer takes the same time wherever it differs."""
    # Header bytes that are not UTF-8 arrive as lone surrogates.
    key = brought_key(request).encode(errors="surrogateescape")
    matches = [hmac.compare_digest(key, accepted.encode()) for accepted in keys]
    return any(matches)
