"""Mail to a real server: encrypted before anything is said, one mail in one form, whatever stands in it."""

from __future__ import annotations

import ipaddress
import ssl
from email import message_from_string
from pathlib import Path
from typing import Any

import pytest

from bus.keys import write_secret
from bus.notify.addresses import SendError
from bus.notify.mailing import mail_of, send_mail
from bus.notify.shape import Channel
from bus.notify.ways import send
from tests.support.certificates import Ca
from tests.support.receivers import HOST, Mailbox, text_of
from tests.unit.bus.notify.test_calling import words
from tests.unit.bus.notify.things import NOW

HERE = (ipaddress.ip_network("127.0.0.0/8"),)
DATE = "Sun, 23 May 2027 09:00:00 +0000"


def way(port: int, scheme: str = "smtp", **changes: Any) -> Channel:
    """A mail server on this machine, by a name."""
    fields: dict[str, Any] = {
        "name": "mail", "kind": "smtp", "address": f"{scheme}://mail.example:{port}", "sender": "tocsin@xa.example",
        "to": ("duty@xa.example", "deputy@xa.example"),
    }  # fmt: skip
    return Channel(**{**fields, **changes})


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS of the server, and of whoever trusts it."""
    ca = Ca(tmp_path_factory.mktemp("ca"))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*ca.issue("mail", hosts=("mail.example",)))
    return server, ssl.create_default_context(cafile=str(ca.file))


def deliver(
    box: Mailbox, context: ssl.SSLContext, scheme: str = "smtp", password: str | None = None, **changes: Any
) -> str:
    """One mail."""
    with box.serving() as port:
        channel = way(port, scheme, **changes)
        mail = mail_of(channel, "subject", "text", "ntf_1", DATE)
        return send_mail(channel, mail, password, HERE, resolve=lambda *_: [HOST], context=context)


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_mail_is_handed_over_within_tls(
    scheme: str, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    """By STARTTLS or from the beginning: password, receivers and text are said in it."""
    server, trusted = contexts
    box = Mailbox(server, wrapped=scheme == "smtps")
    said = deliver(box, trusted, scheme, "secret", user="tocsin")
    assert said == "taken for 2 of 2"
    assert [each.partition(" ")[0] for each in box.lines if not each.startswith("TLS ")] in (
        [],
        ["ehlo", "STARTTLS"],
    )
    assert any(each.startswith("TLS AUTH PLAIN") for each in box.lines)
    mail = message_from_string(box.mails[0])
    assert (mail["Message-ID"], mail["Auto-Submitted"]) == ("<ntf_1@xa.example>", "auto-generated")


def test_a_server_elsewhere_without_starttls_hears_nothing(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes STARTTLS out of the offers gets no mail."""
    monkeypatch.setattr("bus.notify.mailing.is_loopback", lambda _: False)
    box = Mailbox()
    with pytest.raises(SendError) as refused:
        deliver(box, contexts[1])
    assert refused.value.reason == "notify-tls"
    assert (box.mails, [each.partition(" ")[0] for each in box.lines]) == ([], ["ehlo"])


def test_a_server_on_this_machine_need_not_encrypt(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """Nobody is between."""
    box = Mailbox()
    assert deliver(box, contexts[1]) == "taken for 2 of 2"


def test_a_certificate_of_another_gets_nothing(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """The name must stand in it."""
    box = Mailbox(contexts[0])
    with box.serving() as port:
        channel = way(port, address=f"smtp://else.example:{port}")
        mail = mail_of(channel, "subject", "text", "ntf_1", DATE)
        with pytest.raises(SendError) as refused:
            send_mail(channel, mail, None, HERE, resolve=lambda *_: [HOST], context=contexts[1])
    assert (refused.value.reason, box.mails) == ("notify-tls", [])


REPLIES: dict[str, tuple[dict[str, str], str, bool]] = {
    "no password": ({"AUTH": "535 zq"}, "notify-refused", False),
    "nobody known": ({"RCPT": "550 zq"}, "notify-refused", True),
    "come later": ({"MAIL": "451 zq"}, "notify-refused", False),
    "no mail ever": ({"DATA": "554 zq"}, "notify-refused", True),
    "busy": ({"banner": "421 zq"}, "notify-refused", False),
    "no mail at all": ({"banner": "nonsense"}, "notify-unreachable", False),
}


@pytest.mark.parametrize(("replies", "reason", "final"), REPLIES.values(), ids=REPLIES.keys())
def test_what_a_server_refuses(
    replies: dict[str, str], reason: str, final: bool, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    """Told in words of this program, with whether it may be tried again."""
    with pytest.raises(SendError) as refused:
        deliver(Mailbox(contexts[0], replies=replies), contexts[1], password="secret", user="tocsin")
    assert refused.value.is_final is final
    assert refused.value.reason == reason
    assert "zq" not in str(refused.value)


def test_a_mail_that_was_taken_is_taken_whatever_follows(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    """A bad answer to the goodbye sends it no second time."""
    assert deliver(Mailbox(contexts[0], replies={"QUIT": "500 what"}), contexts[1]) == "taken for 2 of 2"


def test_words_of_others_are_no_headers(
    tmp_path: Path, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    """A headline with line ends is one line of the text, and of the subject."""
    write_secret(tmp_path / "pass", b"two words")
    box = Mailbox(contexts[0])
    with box.serving() as port:
        channel = way(port, user="tocsin", secret=tmp_path / "pass")
        said = words(headline="x\r\nBcc: all@xa.example\r\n\r\n.\r\nMAIL FROM:<a@b>", priority="p1")
        send(channel, said, "ntf_1", NOW, NOW, HERE, resolve=lambda *_: [HOST], context=contexts[1])
    (mail,) = box.mails
    assert "Bcc" not in message_from_string(mail)
    assert sum(each.lower().startswith("tls mail") for each in box.lines) == 1
    assert text_of(mail).splitlines()[0].startswith("TLP:GREEN priority 1: x Bcc: all(at)xa")
