"""A web server on this machine that gives files, and can be told what to do wrong."""

from __future__ import annotations

import hashlib
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Fault:
    """What goes wrong with one answer; the default is nothing."""

    status: int | None = None
    """Answer this, without content."""
    headers: dict[str, str] = field(default_factory=dict)
    """Send these as well, or instead; an empty value leaves the header out."""
    cut: int | None = None
    """Send so many bytes of the content, then close the connection."""
    whole: bool = False
    """Send the whole file, whatever range was asked for."""
    whatever_version: bool = False
    """Send the range without a look at If-Range."""
    hold: threading.Event | None = None
    """After what `cut` leaves of the content, wait for this and send the rest."""


class FileServer:
    """``with FileServer() as server``; then `server.url` + a name of `server.files`."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.plan: list[Fault] = []
        """Faults of the next answers, in order; after these, all goes well."""
        self.requests: list[dict[str, str]] = []
        """Headers of the requests that came, names in lower case, and "path"."""
        server = self

        class Handler(_Handler):
            owner = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._http.handle_error = lambda *_: None  # a client that goes away is no error
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self.scheme = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self._http.server_port}"

    def encrypt(self, context: Any) -> None:
        """Speak TLS from now on."""
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.scheme = "https"

    def __enter__(self) -> FileServer:
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: FileServer

    def do_GET(self) -> None:
        # To a proxy comes the whole address; this one has every file of every server.
        name = urlsplit(self.path).path.lstrip("/")
        self.owner.requests.append({"path": self.path} | {k.lower(): v for k, v in self.headers.items()})
        fault = self.owner.plan.pop(0) if self.owner.plan else Fault()
        status, headers, content = self._answer(name, fault)
        self.send_response(status)
        for key, value in (headers | fault.headers).items():
            if value:
                self.send_header(key, value)
        self.end_headers()
        self._send(content, fault)

    def _answer(self, name: str, fault: Fault) -> tuple[int, dict[str, str], bytes]:
        data = self.owner.files.get(name)
        if fault.status or data is None:
            return fault.status or 404, {"Content-Length": "0"}, b""
        headers = {
            "ETag": f'"{hashlib.sha256(data).hexdigest()[:16]}"',
            "Content-Type": "application/octet-stream",
        }
        headers |= {key: value for key, value in fault.headers.items() if key == "ETag"}
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = fault.whatever_version or self.headers.get("If-Range") in (None, headers["ETag"])
        if not asked or not same or fault.whole:
            return 200, headers | {"Content-Length": str(len(data))}, data
        start = int(asked[1])
        if start >= len(data):
            return 416, headers | {"Content-Length": "0", "Content-Range": f"bytes */{len(data)}"}, b""
        headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        return 206, headers | {"Content-Length": str(len(data) - start)}, data[start:]

    def _send(self, content: bytes, fault: Fault) -> None:
        cut = len(content) if fault.cut is None else fault.cut
        # Without its length, only the end of the connection ends the content.
        self.close_connection |= (cut < len(content) and not fault.hold) or fault.headers.get(
            "Content-Length"
        ) == ""
        try:
            self.wfile.write(content[:cut])
            if fault.hold:
                fault.hold.wait(10)
                self.wfile.write(content[cut:])
        except OSError:  # the other side has gone
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
