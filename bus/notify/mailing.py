"""One mail: to an address that was looked at, encrypted before anything is said, unless the server is on this machine."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP as MAIL
from urllib.parse import urlsplit

from bus.notify.addresses import Resolve, SendError, checked, is_loopback, resolved
from bus.notify.connecting import STEP_S, WHOLE_S, Deadline, connected, tls
from bus.notify.shape import Channel, Network

_PORTS = {"smtp": 587, "smtps": 465}


def mail_of(channel: Channel, subject: str, text: str, id_: str, at: str) -> EmailMessage:
    """A mail.

    Args:
        channel: from whom, to whom.
        subject: one line.
        text: plain text.
        id_: of the delivery; the mail has the same id in every attempt.
        at: when it was made, as RFC 5322 writes it.
    """
    mail = EmailMessage(MAIL)
    mail["From"], mail["To"], mail["Subject"] = channel.sender, ", ".join(channel.to), subject
    mail["Date"] = at
    mail["Message-ID"] = f"<{id_}@{channel.sender.partition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text + "\n", cte="base64")
    return mail


def send_mail(
    channel: Channel,
    mail: EmailMessage,
    password: str | None,
    networks: Sequence[Network] = (),
    *,
    resolve: Resolve = resolved,
    context: ssl.SSLContext | None = None,
    step_s: float = STEP_S,
    whole_s: float = WHOLE_S,
) -> str:
    """Hand a mail to the server of a channel. Blocks; for a thread. Returns what came back, in words.

    Raises:
        SendError: with its reason; also where one of several was refused, as the mail is one.
    """
    parts = urlsplit(channel.address)
    host, is_tls = parts.hostname or "", parts.scheme == "smtps"
    port = parts.port or _PORTS[parts.scheme]
    addresses = checked(host, port, networks, resolve)
    secure = context or tls()
    with Deadline(whole_s).running() as deadline:

        class _Server(smtplib.SMTP):
            """Connects to what was looked at, whatever the name means by now."""

            def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
                sock = deadline.watch(connected(addresses, port, min(timeout, whole_s)))
                return deadline.watch(secure.wrap_socket(sock, server_hostname=host)) if is_tls else sock

        server = None
        try:
            server = _Server(host, port, local_hostname="localhost", timeout=step_s)
            if not is_tls:
                _encrypt(server, secure, deadline, is_near=all(map(is_loopback, addresses)))
            if password is not None:
                server.login(channel.user, password)
            refused = server.send_message(mail, channel.sender, list(channel.to))
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()  # the mail is taken, whatever is answered to this
        except SendError:
            raise
        except ssl.SSLError as exc:
            raise SendError(
                f"TLS fails: {getattr(exc, 'verify_message', '') or exc.reason or 'it was cut off'}",
                reason="notify-tls",
            ) from None
        except smtplib.SMTPAuthenticationError as exc:
            raise SendError(f"it refuses the password ({exc.smtp_code})", reason="notify-refused") from None
        except smtplib.SMTPRecipientsRefused as exc:
            codes = sorted({code for code, _ in exc.recipients.values()})
            raise SendError(
                f"it refuses all receivers ({', '.join(map(str, codes))})",
                reason="notify-refused",
                is_final=all(code >= 550 for code in codes),
            ) from None
        except smtplib.SMTPResponseException as exc:
            if exc.smtp_code < 200:
                raise SendError("what comes back is no SMTP", reason="notify-unreachable") from None
            final = exc.smtp_code in (552, 554)
            raise SendError(f"it answers {exc.smtp_code}", reason="notify-refused", is_final=final) from None
        except (smtplib.SMTPException, OSError, ValueError):
            what = "it does not answer in time" if deadline.is_over else "the connection breaks"
            raise SendError(what, reason="notify-unreachable") from None
        finally:
            if server is not None:
                server.close()
    taken = len(channel.to) - len(refused)
    return f"taken for {taken} of {len(channel.to)}"


def _encrypt(server: smtplib.SMTP, context: ssl.SSLContext, deadline: Deadline, *, is_near: bool) -> None:
    """Encrypt what follows; a server on this machine need not be able to.

    Raises:
        SendError: `notify-tls`, it cannot.
    """
    server.ehlo()
    if not server.has_extn("starttls"):
        if is_near:
            return
        raise SendError("the server offers no STARTTLS, so nothing is said to it", reason="notify-tls")
    server.starttls(context=context)
    if server.sock is not None:
        deadline.watch(server.sock)
    server.ehlo()
