"""`/healthz` and `/metrics`: what is answered, where, and what a client may not do."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.errors import ConfigError
from bus.health import (
    Address,
    DiskFacts,
    Facts,
    KeyFacts,
    Level,
    OutboxFacts,
    ReaderFacts,
    Report,
    judge,
    metrics_text,
    parse_address,
    serve,
    serving,
)

NOW = dt.datetime(2027, 5, 1, 12, tzinfo=dt.UTC)
GOOD = judge(Facts(disk=DiskFacts(free=2**40)), NOW)
BAD = judge(Facts(disk=DiskFacts(free=1)), NOW)
ANY_PORT = Address(host="127.0.0.1", port=0)


@contextlib.contextmanager
def served(report: Report = GOOD, *, metrics: bool = False) -> Iterator[Address]:
    """A report, served at a free port."""
    with serve(ANY_PORT, lambda: report, (lambda: b"tocsin 1\n") if metrics else None) as at:
        yield at


def asked(at: Address, path: str, method: str = "GET") -> tuple[int, bytes]:
    """Status and body of one request."""
    connection = http.client.HTTPConnection(at.host, at.port, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("127.0.0.1:9180", Address(host="127.0.0.1", port=9180)),
        (":9180", Address(host="127.0.0.1", port=9180)),
        ("[::1]:9180", Address(host="::1", port=9180)),
        ("unix:/run/a.sock", Address(path=Path("/run/a.sock"))),
    ],
)
def test_an_address_is_a_port_or_a_path(text: str, wanted: Address) -> None:
    """Without a host it is the loopback's."""
    assert parse_address(text) == wanted


@pytest.mark.parametrize(
    "text", ["", "9180", "a b:1", "localhost:", "localhost:70000", "unix:", "http://x:1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """With what may be written."""
    with pytest.raises(ConfigError) as refused:
        parse_address(text)
    assert refused.value.reason == "health-address"


@pytest.mark.parametrize(("report", "status"), [(GOOD, 200), (BAD, 503)])
def test_the_report_is_json_and_its_verdict_the_status(report: Report, status: int) -> None:
    """A warning is 200: the program works."""
    with served(report) as at:
        found, body = asked(at, "/healthz")
    assert (found, json.loads(body)["verdict"]) == (status, str(report.verdict))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/healthz/x", 404),
        ("GET", "/healthz?a=b", 200),
        ("HEAD", "/healthz", 200),
        ("POST", "/healthz", 405),
        ("GET", "/metrics", 404),
    ],
)
def test_other_requests_have_their_status(method: str, path: str, status: int) -> None:
    """There is one page, and the metrics with the extra."""
    with served() as at:
        found, body = asked(at, path, method)
    assert found == status
    assert (method == "HEAD") is (body == b"")


def test_metrics_are_served_with_the_extra() -> None:
    """In the text format."""
    with served(metrics=True) as at:
        assert asked(at, "/metrics") == (200, b"tocsin 1\n")


def test_a_unix_socket_is_for_its_owner_and_goes_away(tmp_path: Path) -> None:
    """The socket of a killed program does not matter."""
    path = tmp_path / "h.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    with serve(Address(path=path), lambda: GOOD, None):
        assert path.stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            assert b"200 OK" in client.recv(65_536)
    assert not path.exists()


def test_a_file_that_is_no_socket_stays(tmp_path: Path) -> None:
    """It may belong to another program."""
    path = tmp_path / "notes"
    path.write_text("mine")
    with pytest.raises(ConfigError), serve(Address(path=path), lambda: GOOD, None):
        pass
    assert path.read_text() == "mine"


def test_a_port_that_is_taken_is_said() -> None:
    """Before anything else is done."""
    with served() as at, pytest.raises(ConfigError) as refused, serve(at, lambda: GOOD, None):
        pass
    assert refused.value.reason == "health-address"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"\xff\x00\r\n\r\n",
        b"GET " + b"/" * 70_000,
        b"GET /healthz HTTP/1.1\r\n",
    ],
)
def test_nonsense_and_silence_end_and_hold_up_nobody(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    """A client that says too much, or nothing, is left; the next is answered."""
    monkeypatch.setattr(serving, "LASTS_S", 0.05)
    with served() as at, socket.create_connection((at.host, at.port)) as client:
        client.sendall(sent)
        with contextlib.suppress(ConnectionResetError):
            while client.recv(65_536):
                pass
        assert asked(at, "/healthz")[0] == 200


def test_who_connects_and_says_nothing_keeps_nobody_from_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    """With too many connections the oldest is cut; a client with a request is always answered."""
    monkeypatch.setattr(serving, "LASTS_S", 600.0)
    with served() as at, contextlib.ExitStack() as stack:
        held = [
            stack.enter_context(socket.create_connection((at.host, at.port)))
            for _ in range(3 * serving.MOST_CONNECTIONS)
        ]
        assert asked(at, "/healthz")[0] == 200
        for early in held[: 2 * serving.MOST_CONNECTIONS]:
            with contextlib.suppress(ConnectionResetError):
                assert early.recv(1) == b""
        for each in held:
            each.close()
        assert asked(at, "/healthz")[0] == 200  # what was accepted before has been met by now


def test_headers_without_end_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would keep the thread busy for as long as a request may last."""
    monkeypatch.setattr(serving, "LASTS_S", 600.0)
    with (
        served() as at,
        socket.create_connection((at.host, at.port)) as client,
        contextlib.suppress(ConnectionResetError, BrokenPipeError),
    ):
        client.sendall(b"GET /healthz HTTP/1.1\r\n" + b"a: b\r\n" * serving.MOST_HEADERS)
        assert client.recv(1) == b""


def test_the_thread_ends_with_the_context() -> None:
    """Also while a client says nothing."""
    with served() as at:
        client = socket.create_connection((at.host, at.port))
    client.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "health"]


def test_the_metrics_tell_the_facts_with_units() -> None:
    """Counts, seconds and levels; nothing of what is not known."""
    facts = Facts(
        identity="xa-hub",
        reader=ReaderFacts(attached=True, behind=7, lag_s=20.5),
        outbox=OutboxFacts(waiting=2, oldest_at=NOW - dt.timedelta(seconds=30)),
        keys=(KeyFacts(use="signing", kid="k1", not_after=NOW + dt.timedelta(days=1)),),
    )
    text = metrics_text(lambda: (facts, judge(facts, NOW), NOW), "hub")
    assert text is not None
    lines = text().decode().splitlines()
    for line in (
        'tocsin_program_info{identity="xa-hub",program="hub"} 1.0',
        "tocsin_reader_behind_bulletins 7.0",
        "tocsin_reader_lag_seconds 20.5",
        "tocsin_outbox_waiting_bulletins 2.0",
        "tocsin_outbox_oldest_seconds 30.0",
        'tocsin_key_left_seconds{kid="k1",use="signing"} 86400.0',
        'tocsin_health_level{condition="reader"} 2.0',
        "tocsin_health_verdict 2.0",
    ):
        assert line in lines, text()
    assert not any(line.startswith("tocsin_disk") for line in lines)
    assert any(line.startswith("process_resident_memory_bytes") for line in lines)


def test_a_warning_is_no_503() -> None:
    """Nobody is woken for what still works."""
    report = judge(Facts(disk=DiskFacts(free=32 * 1024**2)), NOW)
    assert report.verdict is Level.WARNING
    with served(report) as at:
        assert asked(at, "/healthz")[0] == 200


def test_the_socket_of_a_program_that_runs_is_not_taken(tmp_path: Path) -> None:
    """Otherwise clients there would get another program's answer, and none after its end."""
    at = Address(path=tmp_path / "h.sock")
    with serve(at, lambda: BAD, None):
        with pytest.raises(ConfigError, match="in use"), serve(at, lambda: GOOD, None):
            pass
        assert b" 503 " in _asked_at(tmp_path / "h.sock")


def test_a_report_with_a_path_that_is_no_text_is_answered() -> None:
    """Bytes that are not text become escapes."""
    report = judge(Facts(disk=DiskFacts(free=1, folder="/srv/\udcff")), NOW)
    with served(report) as at:
        status, body = asked(at, "/healthz")
    assert (status, rb"/srv/\\udcff" in body) == (503, True)


def test_a_socket_that_another_has_put_there_stays(tmp_path: Path) -> None:
    """A program that ends takes away its own."""
    path = tmp_path / "h.sock"
    with serve(Address(path=path), lambda: BAD, None):
        path.unlink()
        other = socket.socket(socket.AF_UNIX)
        other.bind(str(path))
    assert path.is_socket()
    other.close()


def _asked_at(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        return client.recv(65_536)
