"""How a message leaves by each kind of channel, and what came back.

A webhook is signed as the specification Standard Webhooks (version 1) has it: HMAC with SHA-256 over `ID.TIMESTAMP.BODY`, in
base64, in the header `webhook-signature` behind `v1,`. Matrix: client-server API, `PUT …/send/m.room.message/{txnId}`.
Mattermost: an incoming webhook. Mail: RFC 5321.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import ssl
from collections.abc import Sequence
from email.utils import format_datetime
from urllib.parse import quote

import msgspec

from bus import keys
from bus.notify.addresses import Resolve, SendError, resolved
from bus.notify.calling import call
from bus.notify.mailing import mail_of, send_mail
from bus.notify.shape import Channel, Network
from bus.notify.wording import Worded, escaped

LEAST_SECRET, MOST_SECRET = 16, 128
"""So many bytes the key of a webhook has."""
PREFIX = "whsec_"


def send(
    channel: Channel,
    worded: Worded,
    id_: str,
    made: dt.datetime,
    now: dt.datetime,
    networks: Sequence[Network] = (),
    *,
    resolve: Resolve = resolved,
    context: ssl.SSLContext | None = None,
) -> str:
    """Send a message once. Blocks; for a thread.

    Args:
        channel: where.
        worded: what is said.
        id_: of the delivery; the same in every attempt, so that the receiver recognises a repeat.
        made: when the message was made.
        now: the present, which a signature names.
        networks: own networks that are allowed.
        resolve: finds addresses.
        context: of TLS; None for one that verifies by the certificates of this machine.

    Returns:
        What came back, in words of this program.

    Raises:
        SendError: it was not taken.
        KeyFileError: the file of the secret.
    """
    secret = None if channel.secret is None else keys.read_line(channel.secret)
    if channel.kind == "smtp":
        mail = mail_of(channel, worded.subject, worded.text, id_, format_datetime(made))
        password = None if secret is None else _text(secret, blank=True)
        return send_mail(channel, mail, password, networks, resolve=resolve, context=context)
    base, headers, method = channel.address, {"Content-Type": "application/json"}, "POST"
    if channel.kind == "webhook":
        body = webhook_body(worded, made)
        headers |= signed(body, id_, now, webhook_key(secret or b""))
    elif channel.kind == "matrix":
        method = "PUT"
        room, txn = quote(channel.room, safe=""), quote(id_, safe="")
        base = f"{base.rstrip('/')}/_matrix/client/v3/rooms/{room}/send/m.room.message/{txn}"
        headers["Authorization"] = f"Bearer {_text(secret or b'')}"
        body = msgspec.json.encode({"msgtype": "m.text", "body": worded.text, "m.mentions": {}})
    else:
        base = f"{base.rstrip('/')}/hooks/{quote(_text(secret or b''), safe='')}"
        body = msgspec.json.encode({"text": escaped(worded.lines)})
    reply = call(method, base, body, headers, networks, resolve=resolve, context=context)
    return f"answered {reply.status}"


def webhook_body(worded: Worded, made: dt.datetime) -> bytes:
    """The JSON that a webhook gets: type, timestamp, data."""
    data: dict[str, object] = {
        "form": worded.form,
        "text": list(worded.lines),
        "count": worded.count,
        "told": worded.told,
    }
    return msgspec.json.encode({"type": "tocsin.notification", "timestamp": made, "data": data})


def webhook_key(secret: bytes) -> bytes:
    """The key in the file of a webhook's secret: base64, with `whsec_` before it or not.

    Raises:
        SendError: `notify-secret`.
    """
    try:
        key = base64.b64decode(_text(secret).removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not LEAST_SECRET <= len(key) <= MOST_SECRET:
        raise SendError(
            f"the secret of a webhook is {LEAST_SECRET} to {MOST_SECRET} bytes in base64; make one: openssl rand -base64 32",
            reason="notify-secret",
        )
    return key


def signed(body: bytes, id_: str, now: dt.datetime, key: bytes) -> dict[str, str]:
    """The headers with which a webhook proves who sent it, and when."""
    moment = str(int(now.timestamp()))
    mac = hmac.new(key, b".".join((id_.encode(), moment.encode(), body)), hashlib.sha256).digest()
    return {
        "webhook-id": id_,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


def _text(secret: bytes, *, blank: bool = False) -> str:
    """A secret as text for a header or an address.

    Raises:
        SendError: `notify-secret`, it has what no header may have.
    """
    text, least = secret.decode("ascii", "replace"), " " if blank else "!"
    if not text or not all(least <= character <= "~" for character in text):
        raise SendError("the secret in the file has characters that cannot be sent", reason="notify-secret")
    return text
