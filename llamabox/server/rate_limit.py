"""How fast a request is answered: what its headers and the server's flags say of it."""

from __future__ import annotations

import re

from ..errors import InvalidRequest
from ..params import GenerationParams
from .api_keys import brought_key
from .config import ServerConfig
from .trace import AnyRequest

__all__ = ["RATE_HEADER", "TENANT_HEADER", "rate_limited"]

RATE_HEADER = "X-Request-Tokens-Per-Second"
TENANT_HEADER = "X-Request-Tenant"
MAX_TENANT_LENGTH = 256

_NUMBER = re.compile(r"[0-9]{1,18}(\.[0-9]{1,9})?")


def rate_limited(
    request: AnyRequest, params: GenerationParams, config: ServerConfig, most: float
) -> GenerationParams:
    """The parameters with the rate that the headers ask for, if the server heeds them.

    :param most: tokens per second that may be asked for; 0 if the server does not heed them.
    :raises InvalidRequest: a header is no positive number, or above that.
    """
    if most == 0:
        return params
    asked = _read_rate(request, most)
    if not config.tokens_per_second_per_key:
        return params if asked is None else params.replace(tokens_per_second=asked)
    key = f"key {brought_key(request)}" if config.api_keys else f"tenant {_read_tenant(request)}"
    return params.replace(tokens_per_second=asked or most, rate_key=key)


def _read_rate(request: AnyRequest, most: float) -> float | None:
    texts = request.headers.getall(RATE_HEADER, [])
    if not texts:
        return None
    if len(texts) > 1:
        raise _refusal(RATE_HEADER, "is there more than once")
    text = texts[0].strip(" \t")
    if not _NUMBER.fullmatch(text) or float(text) == 0:
        raise _refusal(RATE_HEADER, "not a number above 0")
    rate = float(text)
    if rate > most:
        raise _refusal(RATE_HEADER, f"{rate:g} is above the {most:g} that may be asked for")
    try:
        GenerationParams(tokens_per_second=rate)
    except InvalidRequest as error:
        raise _refusal(RATE_HEADER, str(error).partition(": ")[2]) from None
    return rate


def _read_tenant(request: AnyRequest) -> str:
    tenant: str = request.headers.get(TENANT_HEADER, "")
    if len(tenant) > MAX_TENANT_LENGTH:
        raise _refusal(TENANT_HEADER, f"has more than {MAX_TENANT_LENGTH} characters")
    return tenant


def _refusal(header: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"{header}: {reason}", param=header)
