"""Downloads that go on where they were broken off."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from urllib3 import BaseHTTPResponse, PoolManager
from urllib3 import exceptions as http

from ..core.errors import ModelError
from .checksum import sha256_of
from .connections import open_pool
from .part_file import PartFile
from .weights import STORE_VARIABLE

BLOCK = 1 << 16
"""Bytes read at a time: what a broken connection or an interrupt can lose."""
PAUSES = (1.0, 2.0, 4.0)
"""Seconds before each further attempt, as long as none brings anything new."""

_TRY_AGAIN = (408, 425, 429)
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (http.NameResolutionError, "the name of the server is not known: no network?"),
    (http.ProxyError, "the proxy does not let us through"),
    (http.NewConnectionError, "the server cannot be reached: no network?"),
    (http.ConnectTimeoutError, "the server cannot be reached: no network?"),
    (http.ReadTimeoutError, "the server has gone silent"),
    (http.ResponseError, "the server sends us in circles"),
    (http.SSLError, "no secure connection comes about"),
)
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")


class _AttemptError(Exception):
    """An attempt that failed, but the next one may not."""


def download(
    url: str,
    target: Path,
    size: int | None = None,
    sha256: str | None = None,
    *,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
    notice: Callable[[str], None] = lambda text: None,
    pauses: Sequence[float] = PAUSES,
) -> None:
    """Download `url` to `target`, which is there in the end, whole and verified, or not at all.

    Until then it grows as `<target>.part`; what has come stays there after an error or Ctrl-C, and the next call goes
    on from there if the server still has the same version. A file at `target` is left alone if its size is right.

    Args:
        url: http or https.
        target: the file; its folder is made if need be.
        size: bytes that it must have; None: unknown, then as many as the server announces.
        sha256: its hash, lower-case hexadecimal; None: unknown.
        progress: called with the bytes there are, and those of the whole file or None.
        notice: called with a line of text about something that takes time.
        pauses: seconds before each further attempt after one that brought nothing new.

    Raises:
        ModelError: the server does not give the file, or another one; or there is no connection.
        ConfigError: the proxy's address cannot be used.
        OutputError: `target` cannot be written.
    """
    if is_complete(target, size):
        return

    def on_wait() -> None:
        notice(f"another process downloads {target.name}: waiting for it")

    with PartFile.opened(target, STORE_VARIABLE, on_wait) as part:
        if is_complete(target, size):  # the other process brought it
            part.restart()
            return
        _fetch(url, part, size, progress, notice, pauses)
        _verify(url, part, size, sha256)
        part.finish()


def is_complete(target: Path, size: int | None) -> bool:
    """Whether the file is there with its size, as far as that is known."""
    return target.is_file() and size in (None, target.stat().st_size)


def _fetch(
    url: str,
    part: PartFile,
    size: int | None,
    progress: Callable[[int, int | None], None],
    notice: Callable[[str], None],
    pauses: Sequence[float],
) -> None:
    """Attempts until all is there, or until the one after the last pause has brought nothing new either."""
    farthest, failures = part.size, 0
    with open_pool(url) as pool:
        while size is None or part.size != size:
            try:
                _attempt(pool, url, part, size, progress)
                break
            except _AttemptError as error:
                # What a server sends again after a fresh start is not new: one that never gets farther ends, too.
                if part.size > farthest:
                    farthest, failures = part.size, 0
                if failures == len(pauses):
                    raise ModelError(f"cannot download {url}: {error}; {_remedy(part)}") from error
                notice(f"{part.target.name}: {error}; trying again")
                time.sleep(pauses[failures])
                failures += 1


def _attempt(
    pool: PoolManager, url: str, part: PartFile, size: int | None, progress: Callable[[int, int | None], None]
) -> None:
    """One request, for what is missing if the server still has the same version, else for everything."""
    if not _strong(part.etag) or part.size > (size or part.size):
        part.restart()
    # No compression on the way: sizes and ranges are those of the file itself.
    headers = {**pool.headers, "Accept-Encoding": "identity"}
    if part.size:
        headers |= {"Range": f"bytes={part.size}-", "If-Range": part.etag}
    try:
        with pool.request("GET", url, headers=headers, preload_content=False) as response:
            total = _begin(response, url, part)
            if total is None:
                total = size
            elif size not in (None, total):
                part.restart()
                raise ModelError(
                    f"{url} has {total:,} bytes, but {part.target.name} must have {size:,}: it is another file; "
                    "choose another address with --mirror"
                )
            part.reserve(total or 0)
            progress(part.size, total)
            while (total is None or part.size < total) and (
                block := response.read(BLOCK, decode_content=False)
            ):
                part.append(block)
                progress(part.size, total)
    except http.HTTPError as error:
        raise _explained(error, url) from error
    if part.size < (total or 0):  # the end of the connection was all that marked the end
        raise _AttemptError("the connection broke off")


def _begin(response: BaseHTTPResponse, url: str, part: PartFile) -> int | None:
    """Judge the answer and prepare `part` for what comes; returns the size of the whole file, if the server says it."""
    status = response.status
    etag = _strong(response.headers.get("ETag"))
    if part.size and status in (206, 416):
        start, total = _content_range(response.headers.get("Content-Range", ""))
        # 416: nothing is missing, which is right if we have as much as there is.
        if etag in (None, part.etag) and part.size == (start if status == 206 else total):
            return total
        part.restart()
        raise _AttemptError("the server does not go on where we were")
    if status == 200:
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise ModelError(
                f"{url} gives a web page instead of the file: a login page of the network, or a wrong address; open "
                "it in a browser, or choose another address with --mirror"
            )
        part.restart(etag)
        return response.length_remaining
    answer = f"the server answers {status} {response.reason or ''}".rstrip()
    if status in _TRY_AGAIN or status >= 500:
        raise _AttemptError(answer)
    raise ModelError(f"cannot download {url}: {answer}; check the address, or choose another with --mirror")


def _content_range(text: str) -> tuple[int | None, int | None]:
    """First byte and size of the whole file of a Content-Range; None for what it does not say."""
    match = _CONTENT_RANGE.fullmatch(text.strip())
    first, total = match.groups() if match else (None, None)
    return (int(first) if first else None), (int(total) if total and total != "*" else None)


def _strong(etag: str | None) -> str | None:
    """An entity tag with which a download can go on; None for a weak one, which does not promise the same bytes."""
    return etag if etag and re.fullmatch(r'"[^"\s]*"', etag) else None


def _explained(error: http.HTTPError, url: str) -> Exception:
    """What to raise instead."""
    reason = error.reason if isinstance(error, http.MaxRetryError) and error.reason else error
    cause = reason.args[0] if reason.args else None
    if isinstance(cause, ssl.SSLCertVerificationError):
        return ModelError(
            f"cannot download {url}: its certificate is not trusted ({cause.verify_message}); if that is right here, "
            "name a file with the trusted certificates in SSL_CERT_FILE"
        )
    return _AttemptError(
        next((text for kind, text in _REASONS if isinstance(reason, kind)), "the connection broke off")
    )


def _remedy(part: PartFile) -> str:
    if part.size:
        return f"the {part.size:,} bytes that came are kept, and the same command goes on from there"
    return f"on a machine without network, bring the file to {part.target}"


def _verify(url: str, part: PartFile, size: int | None, sha256: str | None) -> None:
    """Empty `part` and raise a `ModelError` unless it is the file that it must be."""
    if not part.size:
        problem = "is empty"
    elif size not in (None, part.size):
        problem = f"has {part.size:,} bytes instead of {size:,}"
    elif sha256 and (found := sha256_of(part.path)) != sha256:
        problem = f"has the SHA-256 {found} instead of {sha256}"
    else:
        return
    part.restart()
    raise ModelError(
        f"what came from {url} {problem}, and was removed; download it again, or from another address with --mirror"
    )
