"""A hub on 127.0.0.1: what of its protocol a download needs, with faults on request."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

import orjson

COMMIT = hashlib.sha1(b"the only commit").hexdigest()


class FakeHub:
    """Repositories with files, served until the `with` block ends.

    :ivar files: contents by repository and path.
    :ivar tokens: what opens a repository; those that are not named are open.
    :ivar n_cut: so many of the next downloads end after `cut_after` bytes.
    :ivar said_sizes: sizes that are told instead of the true ones, by path.
    :ivar status: of every answer, if it is not 0.
    :ivar file_status: of every answer that concerns one file, if it is not 0.
    :ivar commit: of all files.
    :ivar redirect_to: URL of the server that has the files, to which downloads are sent.
    :ivar says_hash: downloads say the checksum of large files.
    :ivar knows_ranges: a part of a file can be asked for.
    :ivar wrong: contents that come instead of the true ones, by path.
    :ivar seen: ``Authorization`` of each request, or "".
    :ivar etags: ETags that are told, by path; that of the content if there is none.
    :ivar counts: requests by method and kind.
    :ivar ranges: where the downloads began.
    """

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.tokens: dict[str, str] = {}
        self.said_sizes: dict[str, int] = {}
        self.n_cut = 0
        self.cut_after = 0
        self.status = 0
        self.file_status = 0
        self.commit = COMMIT
        self.redirect_to = ""
        self.says_hash = True
        self.knows_ranges = True
        self.wrong: dict[str, bytes] = {}
        self.seen: list[str] = []
        self.etags: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self.ranges: list[int] = []
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> FakeHub:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Be unreachable from now on."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, *args: object) -> None:
        """Not to standard error."""

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        listing = re.fullmatch(r"/api/models/([^/]+/[^/]+)", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        match = listing or file
        repo = match[1] if match else ""
        self.hub.counts[f"{self.command} {'list' if listing else 'file'}"] += 1
        self.hub.seen.append(self.headers.get("Authorization", ""))
        status = self.hub.status or (file and self.hub.file_status)
        if status:
            self._refuse(status, "")
        elif repo not in self.hub.files:
            self._refuse(401, "RepoNotFound")
        elif self.hub.tokens.get(repo, "") not in self.headers.get("Authorization", ""):
            self._refuse(403, "GatedRepo")
        elif listing:
            self._list(repo)
        elif file and self.hub.redirect_to:
            self._redirect(self.hub.files[repo][file[3]])
        elif file and file[3] in self.hub.files[repo]:
            self._send_file(file[3], self.hub.files[repo][file[3]])
        else:
            self._refuse(404, "EntryNotFound")

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self._end_headers()

    def _end_headers(self) -> None:
        """A connection that is kept would outlive the hub."""
        self.send_header("Connection", "close")
        self.end_headers()

    def _list(self, repo: str) -> None:
        files = [
            {"rfilename": path, "size": self._said_size(path, content)}
            for path, content in self.hub.files[repo].items()
        ]
        body = orjson.dumps(
            {"id": repo, "modelId": repo, "sha": self.hub.commit, "siblings": files}
        )
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self._end_headers()
        self.wfile.write(body)

    def _said_size(self, path: str, content: bytes) -> int:
        return self.hub.said_sizes.get(path, len(content))

    def _redirect(self, content: bytes) -> None:
        self.send_response(302)
        self.send_header("Location", self.hub.redirect_to + self.path)
        self.send_header("X-Repo-Commit", self.hub.commit)
        self.send_header("X-Linked-Etag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Linked-Size", str(len(content)))
        self.send_header("Content-Length", "0")
        self._end_headers()

    def _send_file(self, path: str, content: bytes) -> None:
        etag = self.hub.etags.get(path, f'"{hashlib.sha256(content).hexdigest()}"')
        if self.headers.get("If-None-Match") == etag:
            self._refuse(304, "")
            return
        sent = self.hub.wrong.get(path, content)
        start = self._start(etag)
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self._end_headers()
            return
        is_part = "Range" in self.headers and start >= 0
        part = sent[max(start, 0) :]
        self.send_response(206 if is_part else 200)
        if is_part:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("X-Repo-Commit", self.hub.commit)
        self.send_header("ETag", etag)
        if self.hub.says_hash:
            self.send_header("X-Linked-Etag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Linked-Size", str(self._said_size(path, content)))
        self.send_header("Content-Length", str(len(part)))
        self._end_headers()
        if self.command == "HEAD":
            return
        self.hub.ranges.append(max(start, 0))
        if self.hub.n_cut > 0:
            self.hub.n_cut -= 1
            part = part[: self.hub.cut_after]
        self.wfile.write(part)

    def _start(self, etag: str) -> int:
        """The first byte that is wanted; -1 if the whole file is to be sent."""
        wanted = self.headers.get("Range", "")
        condition = self.headers.get("If-Range", etag)
        if not wanted or not self.hub.knows_ranges or condition != etag:
            return -1
        return int(wanted.removeprefix("bytes=").partition("-")[0])
