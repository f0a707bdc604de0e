from __future__ import annotations

import hashlib
import os
import resource
import ssl
import subprocess
import threading
import time
from contextlib import suppress

import pytest
import urllib3

from motionseg_ros.core.errors import ConfigError, ModelError, OutputError
from motionseg_ros.io import connections
from motionseg_ros.io.download import BLOCK, download

NAME = "model.pt"
SIZE = 5 * BLOCK + 123


def content(seed: int = 0, size: int = SIZE) -> bytes:
    return hashlib.shake_256(bytes([seed])).digest(size)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


HASH = sha256(content())


@pytest.fixture
def server(file_server):
    file_server.files[NAME] = content()
    return file_server


@pytest.fixture
def target(tmp_path):
    return tmp_path / "store" / NAME


@pytest.fixture
def fetch(server, target):
    """Download the server's file, with no time between attempts; returns the notices."""

    def fetch(size=SIZE, hash_=HASH, url=None, **options) -> list[str]:
        notices: list[str] = []
        options = {"pauses": (0, 0), "notice": notices.append} | options
        download(url or f"{server.url}/{NAME}", target, size, hash_, **options)
        return notices

    return fetch


def begin(target, server, fault, fetch, cut=2 * BLOCK + 7) -> None:
    """Leave the first `cut` bytes behind, as a broken download does."""
    server.plan += [fault(cut=cut), fault(status=503)]
    with pytest.raises(ModelError, match="503"):
        fetch(pauses=(0,))
    assert part_of(target).read_bytes() == content()[:cut]
    server.requests.clear()


def part_of(target):
    return target.with_name(f"{NAME}.part")


def folder(target) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def ranges(server) -> list[str | None]:
    return [request.get("range") for request in server.requests]


def test_a_file_is_there_under_its_own_name_only(server, fetch, target):
    assert fetch() == []
    assert target.read_bytes() == content()
    assert folder(target) == [NAME]
    assert ranges(server) == [None]
    assert server.requests[0]["accept-encoding"] == "identity"


def test_progress_goes_from_nothing_to_everything(fetch):
    steps = []
    fetch(progress=lambda done, total: steps.append((done, total)))
    assert steps[0] == (0, SIZE)
    assert steps[-1] == (SIZE, SIZE)
    assert steps == sorted(steps)
    assert len(steps) > 5


def test_what_is_known_of_neither_size_nor_hash_comes_whole(server, fault, fetch, target):
    server.plan += [fault(cut=BLOCK)]
    fetch(None, None)
    assert target.read_bytes() == content()
    assert ranges(server) == [None, f"bytes={BLOCK}-"]


def test_a_complete_file_is_left_alone(server, fetch, target):
    target.parent.mkdir()
    target.write_bytes(b"x" * SIZE)
    fetch()
    assert server.requests == []
    assert target.read_bytes() == b"x" * SIZE


def test_a_file_of_another_size_is_replaced(fetch, target):
    target.parent.mkdir()
    target.write_bytes(b"half")
    fetch()
    assert target.read_bytes() == content()


def test_a_broken_transfer_goes_on_where_it_was(server, fault, fetch, target):
    server.plan += [fault(cut=BLOCK), fault(cut=2 * BLOCK + 1), fault(cut=3)]
    notices = fetch()
    assert target.read_bytes() == content()
    assert ranges(server) == [None, *(f"bytes={n}-" for n in (BLOCK, 3 * BLOCK + 1, 3 * BLOCK + 4))]
    assert notices == [f"{NAME}: the connection broke off; trying again"] * 3


def test_an_attempt_that_brings_something_is_no_failure(server, fault, fetch, target):
    server.plan += [fault(cut=100) for _ in range(20)]
    fetch(pauses=(0,))
    assert target.read_bytes() == content()
    assert len(server.requests) == 21


def test_a_server_that_never_gets_farther_is_given_up(server, fault, fetch, target):
    server.plan += [fault(cut=BLOCK, whole=True) for _ in range(20)]
    with pytest.raises(
        ModelError, match=rf"{NAME}: the connection broke off; the 65,536 bytes that came are kept"
    ):
        fetch()
    assert len(server.requests) == 3  # one that brings something, and one after each pause that does not
    assert not target.exists()


def test_the_next_call_goes_on(server, fault, fetch, target):
    begin(target, server, fault, fetch)
    steps = []
    fetch(progress=lambda done, total: steps.append(done))
    assert target.read_bytes() == content()
    assert ranges(server) == [f"bytes={2 * BLOCK + 7}-"]
    assert steps[0] == 2 * BLOCK + 7
    assert folder(target) == [NAME]


def test_a_file_that_changed_on_the_server_is_started_anew(server, fault, fetch, target):
    begin(target, server, fault, fetch)
    server.files[NAME] = content(1)
    fetch(SIZE, sha256(content(1)))
    assert target.read_bytes() == content(1)
    assert len(server.requests) == 1  # If-Range: the server sends the whole at once


def test_a_changed_file_is_noticed_where_the_server_does_not_look_at_the_version(
    server, fault, fetch, target
):
    begin(target, server, fault, fetch)
    server.files[NAME] = content(1)
    server.plan += [fault(whatever_version=True)]
    fetch(None, None)
    assert target.read_bytes() == content(1)
    assert ranges(server) == [f"bytes={2 * BLOCK + 7}-", None]


def test_a_changed_file_that_is_as_long_as_what_is_there_is_noticed(server, fault, fetch, target):
    begin(target, server, fault, fetch)
    server.files[NAME] = content(1, 2 * BLOCK + 7)
    server.plan += [fault(whatever_version=True)]
    fetch(None, None)
    assert target.read_bytes() == content(1, 2 * BLOCK + 7)


@pytest.mark.parametrize("etag", ["", 'W/"weak"', "unquoted"])
def test_without_a_strong_version_there_is_no_going_on(server, fault, fetch, target, etag):
    server.plan += [fault(cut=BLOCK, headers={"ETag": etag}), fault(headers={"ETag": etag})]
    fetch()
    assert target.read_bytes() == content()
    assert ranges(server) == [None, None]


def test_the_version_of_what_was_there_before_is_forgotten(server, fault, fetch, target):
    begin(target, server, fault, fetch)
    former = server.files[NAME]
    server.files[NAME] = content(1)
    server.plan += [fault(whole=True, cut=BLOCK, headers={"ETag": ""}), fault(status=404)]
    with pytest.raises(ModelError, match="404"):
        fetch(None, None)
    server.files[NAME] = former
    server.requests.clear()
    fetch(None, None)
    assert target.read_bytes() == content()
    assert ranges(server) == [None]


def test_a_server_without_ranges_starts_anew(server, fault, fetch, target):
    begin(target, server, fault, fetch)
    server.plan += [fault(whole=True)]
    fetch()
    assert target.read_bytes() == content()
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer", [f"bytes 5-{SIZE - 1}/{SIZE}", "", "bytes */*", f"items {2 * BLOCK + 7}-{SIZE - 1}/{SIZE}"]
)
def test_a_range_that_is_not_the_one_asked_for_is_not_taken(server, fault, fetch, target, answer):
    begin(target, server, fault, fetch)
    server.plan += [fault(headers={"Content-Range": answer})]
    notices = fetch(None, None)
    assert target.read_bytes() == content()
    assert ranges(server)[1:] == [None]
    assert "does not go on where we were" in notices[0]


def test_a_range_nobody_asked_for_is_refused(server, fault, fetch, target):
    server.plan += [fault(status=206)]
    with pytest.raises(ModelError, match="the server answers 206"):
        fetch()


def test_416_for_a_part_that_is_whole_already(server, fault, fetch, target):
    begin(target, server, fault, fetch)
    part_of(target).write_bytes(content())
    fetch(None, None)
    assert target.read_bytes() == content()
    assert ranges(server) == [f"bytes={SIZE}-"]


def test_416_for_a_part_that_is_too_long(server, fault, fetch, target):
    begin(target, server, fault, fetch)
    part_of(target).write_bytes(content(size=SIZE + 1))
    fetch(None, None)
    assert target.read_bytes() == content()
    assert ranges(server) == [f"bytes={SIZE + 1}-", None]


def test_a_part_that_is_too_long_for_the_table_is_not_asked_about(server, fault, fetch, target):
    begin(target, server, fault, fetch)
    part_of(target).write_bytes(content(size=SIZE + 1))
    fetch()
    assert ranges(server) == [None]


def test_a_part_that_is_whole_needs_no_server(server, fault, fetch, target):
    begin(target, server, fault, fetch)
    part_of(target).write_bytes(content())
    fetch()
    assert target.read_bytes() == content()
    assert server.requests == []


def test_another_length_than_the_table_says_is_refused_before_anything_is_sent(server, fetch, target):
    with pytest.raises(
        ModelError, match=rf"has 327,803 bytes, but {NAME} must have 327,804: it is another file"
    ):
        fetch(SIZE + 1)
    assert folder(target) == []


def test_a_length_that_is_not_kept_is_a_broken_transfer(server, fault, fetch, target):
    server.plan += [fault(headers={"Content-Length": str(SIZE + 5)}, cut=SIZE - 1)]
    fetch(None, None)
    assert target.read_bytes() == content()
    assert ranges(server) == [None, f"bytes={SIZE - 1}-"]


def test_a_server_that_tells_no_length(server, fault, fetch, target):
    server.plan += [fault(headers={"Content-Length": ""}, cut=10), fault(headers={"Content-Length": ""})]
    fetch()
    assert target.read_bytes() == content()
    assert ranges(server) == [None, "bytes=10-"]


def test_more_than_there_should_be_is_refused(server, fault, fetch, target):
    server.files[NAME] = content(size=SIZE + 5)
    server.plan += [fault(headers={"Content-Length": ""})]
    with pytest.raises(ModelError, match=r"has 327,808 bytes instead of 327,803, and was removed"):
        fetch()
    assert folder(target) == []


def test_another_hash_is_refused_and_nothing_is_left(server, fetch, target):
    server.files[NAME] = content(1)
    with pytest.raises(
        ModelError,
        match=rf"has the SHA-256 {sha256(content(1))} instead of {HASH}, and was removed",
    ):
        fetch()
    assert folder(target) == []


def test_an_empty_file_is_refused(server, fetch, target):
    server.files[NAME] = b""
    with pytest.raises(ModelError, match="is empty, and was removed"):
        fetch(None, None)
    assert folder(target) == []


def test_a_login_page_is_not_taken_for_the_file(server, fault, fetch, target):
    server.plan += [fault(headers={"Content-Type": "text/html; charset=utf-8"})]
    with pytest.raises(ModelError, match="gives a web page instead of the file: a login page"):
        fetch(None, None)
    assert folder(target) == []


def test_404(server, fetch, target):
    server.files.clear()
    with pytest.raises(
        ModelError, match=rf"cannot download {server.url}/{NAME}: the server answers 404 Not Found; "
    ):
        fetch()
    assert len(server.requests) == 1
    assert folder(target) == []


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_an_answer_that_can_be_better_next_time(server, fault, fetch, target, status):
    server.plan += [fault(status=status)] * 2
    notices = fetch()
    assert target.read_bytes() == content()
    assert all(f"the server answers {status} " in text for text in notices)
    assert len(notices) == 2


def test_the_pauses_are_kept_and_then_it_is_given_up(server, fault, fetch):
    server.plan += [fault(status=500)] * 9
    before = time.monotonic()
    with pytest.raises(
        ModelError, match=r"the server answers 500 .*; on a machine without network, bring the file to"
    ):
        fetch(pauses=(0.05, 0.1))
    assert time.monotonic() - before >= 0.15
    assert len(server.requests) == 3


def test_a_redirection_keeps_the_range(server, fault, fetch, target):
    begin(target, server, fault, fetch)
    server.plan += [fault(status=302, headers={"Location": f"{server.url}/{NAME}?signed=1"})]
    fetch()
    assert target.read_bytes() == content()
    assert [request["path"] for request in server.requests] == [f"/{NAME}", f"/{NAME}?signed=1"]
    assert ranges(server) == [f"bytes={2 * BLOCK + 7}-"] * 2


def test_a_redirection_without_end(server, fault, fetch):
    server.plan += [fault(status=302, headers={"Location": f"{server.url}/{NAME}"})] * 50
    with pytest.raises(ModelError, match="sends us in circles"):
        fetch(pauses=())


def test_nobody_is_there(fetch):
    with pytest.raises(ModelError, match="the server cannot be reached: no network"):
        fetch(url=f"http://127.0.0.1:1/{NAME}")


def test_a_server_that_goes_silent(server, fault, fetch, target, monkeypatch):
    monkeypatch.setattr(connections, "TIMEOUT", urllib3.Timeout(0.2))
    server.plan += [fault(cut=BLOCK, hold=threading.Event())]
    assert fetch() == [f"{NAME}: the server has gone silent; trying again"]
    assert target.read_bytes() == content()


def test_a_server_without_a_name(fetch):
    with pytest.raises(ModelError, match=r"weights\.invalid/model\.pt: the name of the server is not known"):
        fetch(url=f"http://weights.invalid/{NAME}", pauses=())


def test_the_proxy_of_the_environment_is_used(server, fetch, target, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//me:p%40ss@"))
    fetch(url=f"http://weights.invalid/{NAME}")
    assert target.read_bytes() == content()
    assert server.requests[0]["path"] == f"http://weights.invalid/{NAME}"
    assert server.requests[0]["proxy-authorization"] == "Basic bWU6cEBzcw=="


def test_a_proxy_is_often_given_without_its_scheme(server, fetch, target, monkeypatch):
    monkeypatch.setenv("all_proxy", server.url.removeprefix("http://"))
    fetch(url=f"http://weights.invalid/{NAME}")
    assert target.read_bytes() == content()


def test_no_proxy_for_what_the_environment_excepts(server, fetch, target, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    fetch()
    assert target.read_bytes() == content()


@pytest.mark.parametrize("address", ["socks5://me:secret@127.0.0.1:1", "http://me:secret@[::1"])
def test_a_proxy_that_cannot_be_used(fetch, monkeypatch, address):
    monkeypatch.setenv("http_proxy", address)
    with pytest.raises(
        ConfigError, match="proxy that the environment names for http cannot be used"
    ) as caught:
        fetch()
    assert "secret" not in str(caught.value)


def test_a_proxy_that_is_not_there(fetch, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with pytest.raises(ModelError, match="the proxy does not let us through"):
        fetch()


@pytest.fixture
def certificate(tmp_path):
    """A certificate for 127.0.0.1 that nobody has signed, with its key."""
    path = tmp_path / "certificate.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=here"
    )
    command += f" -addext subjectAltName=IP:127.0.0.1 -keyout {path} -out {path}.cert"
    try:
        subprocess.run(command.split(), check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs openssl")
    with path.open("a") as file:
        file.write(path.with_name(f"{path.name}.cert").read_text())
    return path


def test_certificates_are_checked_against_those_of_the_environment(
    server, fetch, target, certificate, monkeypatch
):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.encrypt(context)
    with pytest.raises(
        ModelError, match=r"its certificate is not trusted \(self.signed certificate.*SSL_CERT_FILE"
    ):
        fetch()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    fetch()
    assert target.read_bytes() == content()


def test_what_speaks_no_tls(server, fetch):
    with pytest.raises(ModelError, match="no secure connection comes about"):
        fetch(url=f"{server.url.replace('http:', 'https:')}/{NAME}")


def test_a_file_too_large_for_the_disk_is_not_begun(server, fault, fetch, target):
    server.plan += [fault(headers={"Content-Length": str(10**18)})]
    with pytest.raises(
        OutputError, match=r"1,000,000,000,000,000,000 bytes are to come, but only [\d,]+ are"
    ):
        fetch(10**18)
    assert folder(target) == []


def test_what_fits_is_kept_when_no_more_can_be_written(server, fetch, target):
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (BLOCK + 100, former[1]))
    try:
        with pytest.raises(
            OutputError, match=rf"cannot write .*{NAME}: file too large; .* with MOTIONSEG_WEIGHTS"
        ):
            fetch()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
    assert part_of(target).read_bytes() == content()[: BLOCK + 100]
    fetch()
    assert ranges(server) == [None, f"bytes={BLOCK + 100}-"]
    assert target.read_bytes() == content()


def test_a_file_in_place_of_the_folder(fetch, target):
    target.parent.write_text("")
    with pytest.raises(
        OutputError, match=r"a file is in the way; choose another place with MOTIONSEG_WEIGHTS"
    ):
        fetch()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_ours(fetch, target):
    target.parent.mkdir(0o555)
    with pytest.raises(OutputError, match="permission denied; choose a place that you may write to"):
        fetch()


def test_a_damaged_note_of_the_version_does_no_harm(server, fault, fetch, target):
    begin(target, server, fault, fetch)
    target.with_name(f"{NAME}.part.etag").write_bytes(b"\xff\r\nX-Evil: 1")
    fetch()
    assert target.read_bytes() == content()
    assert ranges(server) == [None]


@pytest.mark.parametrize("fails", [False, True])
def test_of_two_at_once_the_second_waits_for_the_first(server, fetch, target, fails):
    go_on, ended = threading.Event(), threading.Event()

    def hold(done: int, total: int | None) -> None:
        if done >= 2 * BLOCK:
            go_on.wait(10)
            if fails:
                raise KeyboardInterrupt

    def first() -> None:
        with suppress(KeyboardInterrupt):
            fetch(progress=hold)
        ended.set()

    notices: list[str] = []
    threads = [threading.Thread(target=first)]
    threads[0].start()
    wait_for(lambda: part_of(target).is_file() and part_of(target).stat().st_size >= 2 * BLOCK)
    threads.append(threading.Thread(target=fetch, kwargs={"notice": notices.append}))
    threads[1].start()
    wait_for(lambda: notices)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert ended.is_set()
    assert notices == [f"another process downloads {NAME}: waiting for it"]
    assert target.read_bytes() == content()
    assert folder(target) == [NAME]
    assert ranges(server) == [None, f"bytes={2 * BLOCK}-"][: 1 + fails]


def wait_for(condition, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)
