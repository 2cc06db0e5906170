"""Requests over HTTP to real servers: what is checked before, during and after."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import socket
import ssl
import threading
from pathlib import Path

import pytest

from bus.keys import write_secret
from bus.notify.addresses import SendError
from bus.notify.calling import MOST_ANSWER, call
from bus.notify.shape import Channel, Message
from bus.notify.ways import send
from bus.notify.wording import Worded, worded
from schemas.vocab import Tlp
from tests.support.certificates import Ca
from tests.support.receivers import HOST, Receiver
from tests.unit.bus.notify.things import NOW, item, rule, settings

HERE = (ipaddress.ip_network("127.0.0.0/8"),)
KEY = base64.b64encode(b"k" * 32)


def words(**changes: object) -> Worded:
    """What is said of one bulletin."""
    said = Message(form="group", items=(item(**changes),), count=1, since=NOW, at=NOW)
    found = worded(said, Channel(name="a", kind="webhook", address="https://x.example"), rule(), settings())
    assert found is not None
    return found


def test_a_webhook_is_signed_over_id_time_and_body(tmp_path: Path) -> None:
    """As Standard Webhooks has it; whoever has the key can check it."""
    write_secret(tmp_path / "key", b"whsec_" + KEY)
    receiver = Receiver()
    with receiver.serving() as address:
        way = Channel(name="a", kind="webhook", address=f"{address}/in?x=1", secret=tmp_path / "key")
        assert send(way, words(), "ntf_1", NOW, NOW, HERE) == "answered 200"
    (got,) = receiver.requests
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.{got.body}".encode()
    mac = base64.b64encode(hmac.new(b"k" * 32, signed, hashlib.sha256).digest()).decode()
    assert got.headers["webhook-signature"] == f"v1,{mac}"
    assert (got.method, got.path, got.headers["webhook-id"]) == ("POST", "/in?x=1", "ntf_1")
    assert json.loads(got.body)["data"]["told"][0]["headline"] == "Flood against results"


def test_matrix_gets_the_delivery_as_transaction(tmp_path: Path) -> None:
    """So that a repeated one is one; nobody is called by it."""
    write_secret(tmp_path / "token", b"syt_abc")
    receiver = Receiver()
    with receiver.serving() as address:
        way = Channel(
            name="a", kind="matrix", address=address, secret=tmp_path / "token", room="!a/b:xa.example"
        )
        send(way, words(), "ntf_1", NOW, NOW, HERE)
    (got,) = receiver.requests
    path = "/_matrix/client/v3/rooms/%21a%2Fb%3Axa.example/send/m.room.message/ntf_1"
    assert (got.method, got.path, got.headers["authorization"]) == ("PUT", path, "Bearer syt_abc")
    body = json.loads(got.body)
    assert (body["msgtype"], body["m.mentions"]) == ("m.text", {})


def test_mattermost_gets_plain_text(tmp_path: Path) -> None:
    """The token stands in the address alone; markup and names are none."""
    write_secret(tmp_path / "token", b"hook1")
    receiver = Receiver()
    with receiver.serving() as address:
        way = Channel(name="a", kind="mattermost", address=address, secret=tmp_path / "token")
        send(way, words(headline="@all **now** [x](http://evil.example)"), "ntf_1", NOW, NOW, HERE)
    (got,) = receiver.requests
    assert got.path == "/hooks/hook1"
    text = json.loads(got.body)["text"]
    assert not any(each in text for each in ("@", "**", "](", "://evil"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """Wherever it leads."""
    inner = Receiver()
    with inner.serving() as secret:
        outer = Receiver(lambda _: (status, {"Location": f"{secret}/metadata"}, b""))
        with outer.serving() as address, pytest.raises(SendError) as refused:
            call("POST", address, b"{}", {}, HERE)
    assert refused.value.reason == "notify-redirected"
    assert (len(outer.requests), len(inner.requests)) == (1, 0)


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection goes to what was looked at."""
    proxy, receiver = Receiver(), Receiver()
    with proxy.serving() as by, receiver.serving() as address:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, by)
        call("POST", address, b"{}", {}, HERE)
    assert (len(proxy.requests), len(receiver.requests)) == (0, 1)


def test_a_name_that_changes_its_mind_is_connected_to_where_it_was_looked_at() -> None:
    """Resolved once: the second answer, which nobody may be sent to, is never asked for."""
    receiver, asked = Receiver(), []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    with receiver.serving():
        call("POST", f"http://rebinding.example:{receiver.port}/", b"{}", {}, HERE, resolve=resolve)
    assert asked == ["rebinding.example"]
    assert receiver.requests[0].headers["host"] == f"rebinding.example:{receiver.port}"


def test_nothing_reaches_this_machine_unless_it_is_listed() -> None:
    """Nor by http anything but this machine."""
    receiver = Receiver()
    with receiver.serving() as address, pytest.raises(SendError) as refused:
        call("POST", address, b"{}", {})
    assert (refused.value.reason, receiver.requests) == ("notify-address-refused", [])
    with pytest.raises(SendError) as refused:
        call("POST", "http://hooks.example/", b"{}", {}, resolve=lambda *_: ["8.8.8.8"])
    assert refused.value.reason == "notify-address-refused"


@pytest.mark.parametrize(
    ("status", "final", "after"),
    [
        (400, True, None),
        (410, True, None),
        (401, False, None),
        (404, False, None),
        (429, False, 7.0),
        (500, False, None),
        (503, False, 7.0),
    ],
)
def test_what_is_refused_for_good(status: int, final: bool, after: float | None) -> None:
    """Some refusals may be mended, and some say when to come again."""
    receiver = Receiver(lambda _: (status, {"Retry-After": "7"} if after else {}, b"no"))
    with receiver.serving() as address, pytest.raises(SendError) as refused:
        call("POST", address, b"{}", {}, HERE)
    assert (refused.value.is_final, refused.value.after_s) == (final, after)


def test_an_answer_is_read_so_far_and_no_further() -> None:
    """However much comes."""
    receiver = Receiver(lambda _: (200, {}, b"x" * 3_000_000))
    with receiver.serving() as address:
        assert len(call("POST", address, b"{}", {}, HERE).body) == MOST_ANSWER


def test_what_comes_back_is_told_in_words_of_this_program() -> None:
    """A server cannot write into the log."""
    receiver = Receiver(lambda _: (400, {"X": "evil"}, b"evil\nlines"))
    with receiver.serving() as address, pytest.raises(SendError) as refused:
        call("POST", address, b"{}", {}, HERE)
    assert "evil" not in str(refused.value)


@pytest.mark.parametrize(
    "said",
    [b"", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500, b"nonsense\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"],
)
def test_a_server_that_says_nonsense(said: bytes) -> None:
    """Nothing, too many headers, no HTTP, nothing but that one may go on: an error each time."""
    with _one_answer(said) as port, pytest.raises(SendError) as refused:
        call("POST", f"http://{HOST}:{port}/", b"{}", {}, HERE)
    assert refused.value.reason == "notify-unreachable"


def test_a_server_that_drips_is_left() -> None:
    """Each byte in time, and the whole never."""
    stop = threading.Event()
    listener = socket.create_server((HOST, 0))

    def drip() -> None:
        sock, _ = listener.accept()
        with sock:
            while not stop.wait(0.02):
                try:
                    sock.sendall(b"HTTP"[:1])
                except OSError:
                    return

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    with pytest.raises(SendError) as refused:
        call("POST", f"http://{HOST}:{listener.getsockname()[1]}/", b"{}", {}, HERE, whole_s=0.5)
    stop.set()
    thread.join()
    listener.close()
    assert "in time" in str(refused.value)


def test_certificates_are_verified(tmp_path: Path) -> None:
    """By name and by authority; what does not stand gets nothing."""
    ca = Ca(tmp_path / "ca")
    good, stranger = (
        ca.issue("good", hosts=("hooks.example",)),
        Ca(tmp_path / "other").issue("bad", hosts=("hooks.example",)),
    )
    trusted = ssl.create_default_context(cafile=str(ca.file))
    outcomes = []
    for files, name in ((good, "hooks.example"), (good, "else.example"), (stranger, "hooks.example")):
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(*files)
        receiver = Receiver()
        with receiver.serving(server):
            try:
                call(
                    "POST",
                    f"https://{name}:{receiver.port}/",
                    b"{}",
                    {},
                    HERE,
                    resolve=lambda *_: [HOST],
                    context=trusted,
                )
                outcomes.append(("sent", len(receiver.requests)))
            except SendError as exc:
                outcomes.append((exc.reason, len(receiver.requests)))
    assert outcomes == [("sent", 1), ("notify-tls", 0), ("notify-tls", 0)]


@pytest.mark.parametrize(
    "secret", [b"short", b"not base64 at all!!", base64.b64encode(b"x" * 15), base64.b64encode(b"x" * 129)]
)
def test_a_secret_that_is_none_sends_nothing(tmp_path: Path, secret: bytes) -> None:
    """Too short, too long, or not in base64."""
    write_secret(tmp_path / "key", secret)
    way = Channel(name="a", kind="webhook", address="https://x.example", secret=tmp_path / "key")
    with pytest.raises(SendError) as refused:
        send(way, words(), "ntf_1", NOW, NOW, resolve=lambda *_: pytest.fail("nothing is resolved"))
    assert refused.value.reason == "notify-secret"


def test_a_token_cannot_write_headers(tmp_path: Path) -> None:
    """Nor leave its place in an address."""
    (tmp_path / "token").touch(mode=0o600)
    (tmp_path / "token").write_bytes(b"a\rX: y")
    way = Channel(
        name="a", kind="matrix", address="https://x.example", secret=tmp_path / "token", room="!a:b"
    )
    with pytest.raises(SendError) as refused:
        send(way, words(), "ntf_1", NOW, NOW)
    assert refused.value.reason == "notify-secret"


def test_above_the_cap_a_real_receiver_gets_one_sentence(tmp_path: Path) -> None:
    """And nothing of the bulletin in any byte."""
    write_secret(tmp_path / "key", KEY)
    way = Channel(name="a", kind="webhook", address="http://x.example", secret=tmp_path / "key")
    said = Message(
        form="group",
        items=(item(tlp=Tlp.AMBER, headline="zq", issuer="zq", about="zq"),),
        count=1,
        since=NOW,
        at=NOW,
    )
    found = worded(said, way, rule(), settings())
    assert found is not None
    receiver = Receiver()
    with receiver.serving():
        url = f"http://x.example:{receiver.port}"
        send(
            Channel(name="a", kind="webhook", address=url, secret=tmp_path / "key"),
            found,
            "ntf_1",
            NOW,
            NOW,
            HERE,
            resolve=lambda *_: [HOST],
        )
    assert "zq" not in str(receiver.requests[0])
    assert json.loads(receiver.requests[0].body)["data"]["text"] == ["a bulletin at TLP:AMBER waits for you"]


class _one_answer:  # noqa: N801 (used like a function)
    """A server that says one thing to whoever connects, and hangs up."""

    def __init__(self, said: bytes) -> None:
        self.said = said

    def __enter__(self) -> int:
        self.listener = socket.create_server((HOST, 0))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        port: int = self.listener.getsockname()[1]
        return port

    def _serve(self) -> None:
        sock, _ = self.listener.accept()
        with sock:
            sock.recv(65536)
            sock.sendall(self.said)

    def __exit__(self, *_: object) -> None:
        self.thread.join()
        self.listener.close()
