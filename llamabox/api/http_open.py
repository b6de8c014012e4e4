"""HTTP requests for files: redirects that give no secrets away, proxies of the environment."""

from __future__ import annotations

import base64
import binascii
import contextlib
import dataclasses
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from email.message import Message
from typing import IO, Any

from ..errors import HubAccessDenied, HubError, HubNotFound, HubUnreachable

__all__ = ["Answer", "open_url", "refusal"]

_HEX = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """The head of a server's answer, with its body to read.

    :param first: headers of the answer of the server that was asked, which may have redirected.
    """

    status: int
    headers: Message
    first: Message
    body: IO[bytes]

    @classmethod
    def of(cls, error: urllib.error.HTTPError) -> Answer:
        return cls(error.code, error.headers, error.headers, error)

    def header(self, name: str) -> str:
        return str(self.headers.get(name, ""))

    @property
    def sha256(self) -> str | None:
        """The file's SHA-256 in hex, if the server that was asked tells it.

        ``X-Linked-Etag`` is the hub's, for large files; the others have a hash in base64
        (RFC 9530, RFC 3230, Amazon S3).
        """
        linked = str(self.first.get("X-Linked-Etag", "")).strip('"')
        if _HEX.fullmatch(linked):
            return linked
        for headers in (self.first, self.headers):
            for text in (
                *re.findall(r"sha-256=:([^:]+):", headers.get("Repr-Digest", "")),
                *re.findall(r"(?i)sha-256=([A-Za-z0-9+/=]+)", headers.get("Digest", "")),
                headers.get("X-Amz-Checksum-Sha256", ""),
            ):
                with contextlib.suppress(binascii.Error, ValueError):
                    digest = base64.b64decode(text, validate=True)
                    if len(digest) == 32:
                        return digest.hex()
        return None


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects; what is secret goes to the origin that it was meant for."""

    def __init__(self) -> None:
        self.first: Message | None = None

    def redirect_request(  # noqa: PLR0917
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if self.first is None:
            self.first = headers
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and _origin(newurl) != _origin(req.full_url):
            request.remove_header("Authorization")
        return request


@contextlib.contextmanager
def open_url(url: str, headers: dict[str, str], seconds: float) -> Iterator[Answer]:
    """Ask for a URL, through the proxy that the environment names, if it does.

    :param seconds: that the server may say nothing.
    :raises urllib.error.URLError: it answers with an error (`HTTPError`), or not.
    """
    redirects = _Redirects()
    opener = urllib.request.build_opener(redirects)
    request = urllib.request.Request(url, headers=headers)
    try:
        response = opener.open(request, timeout=seconds)
    except ValueError as error:
        # A redirect to what is no URL, or a host that is no name.
        raise urllib.error.URLError(str(error)) from None
    with response:
        first = redirects.first if redirects.first is not None else response.headers
        yield Answer(response.status, response.headers, first, response)


def refusal(what: str, status: int) -> HubError:
    """The error for a status that no further try will change."""
    if status in (401, 403):
        return HubAccessDenied(
            f"{what} is private or gated, or does not exist; a token may open it (-hft, HF_TOKEN)"
        )
    if status in (404, 410):
        return HubNotFound(f"{what} is not on the server")
    return HubUnreachable(f"{what}: the server answers with status {status}")


def _origin(url: str) -> tuple[str, str]:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.netloc.lower()
