"""What a console asks of its hub, and what the hub answers, as they pass between the two processes.

The console has no key. A request says all of a deed; the hub decides by its own rules whether it is done. A deed that is asked for
twice in the same words is done once, so a console that got no answer asks again.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated

import msgspec

from bus.drafts import Egress
from schemas.bodies.coordination import Feedback
from schemas.vocab import FeedbackKind, Tlp

MOST = 1024 * 1024
"""A longer line is no message."""
_KEY = r"^[0-9a-f]{32}$(?!\n)"
Key = Annotated[str, msgspec.Meta(pattern=_KEY)]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
Who = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
Reason = Annotated[str, msgspec.Meta(max_length=500)]
"""As long as a reason at the desk is at most; it goes into the audit record."""
Bytes = Annotated[bytes, msgspec.Meta(max_length=131_072)]
"""As long as a draft at the desk is at most."""


class Acknowledge(msgspec.Struct, frozen=True, kw_only=True, tag="acknowledge"):
    """A person has read a bulletin: its author gets a signed receipt of the hub, which names no person.

    Attributes:
        bulletin: its id.
        by: the person, for the audit record.
    """

    bulletin: Id
    by: Who


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag="answer"):
    """An answer to a bulletin, for all who may read it.

    Attributes:
        key: names this answer; one with the same key is published once.
        bulletin: its id.
        body: the answer.
        lang: the language of its text.
        by: the person, for the audit record.
        reviewed: why it is published in spite of doubts; empty where none was said.
    """

    key: Key
    bulletin: Id
    body: Feedback
    lang: Annotated[str, msgspec.Meta(max_length=35)] = "en"
    by: Who
    reviewed: Reason = ""


class TakeBack(msgspec.Struct, frozen=True, kw_only=True, tag="take-back"):
    """The withdrawal of this authority's answers to a bulletin with one verdict; again, it changes nothing.

    Attributes:
        key: names this withdrawal; one with the same key is published once.
        bulletin: the id of what was answered.
        verdict: of the answers.
        upto: the narrowest marking that the person may read; a narrower answer stays.
        why: a sentence for their readers; empty for the usual one.
        lang: the language of the sentence.
        by: the person, for the audit record.
        reviewed: why it is published in spite of doubts; empty where none was said.
    """

    key: Key
    bulletin: Id
    verdict: FeedbackKind
    upto: Tlp
    why: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    lang: Annotated[str, msgspec.Meta(max_length=35)] = "en"
    by: Who
    reviewed: Reason = ""


class Preview(msgspec.Struct, frozen=True, kw_only=True, tag="preview"):
    """What the code that signs says of a draft; nothing is signed.

    Attributes:
        draft: any bytes, JSON or TOML.
    """

    draft: Bytes


class Publish(msgspec.Struct, frozen=True, kw_only=True, tag="publish"):
    """A draft to sign and publish, as it was shown and approved.

    Attributes:
        key: names this publication; one with the same key is published once.
        draft: its very bytes.
        digest: SHA-256 of them in base64url, as it was approved.
        by: the person who publishes, for the audit record.
        approved_by: the person who has approved; empty where nobody had to.
        reviewed: why it is published in spite of doubts; empty where none was said.
        is_over: whether its approval is over, so that it is only told what became of it.
    """

    key: Key
    draft: Bytes
    digest: Annotated[str, msgspec.Meta(max_length=64)]
    by: Who
    approved_by: Annotated[str, msgspec.Meta(max_length=80)] = ""
    reviewed: Reason = ""
    is_over: bool = False


class Way(msgspec.Struct, frozen=True, kw_only=True, tag="way"):
    """How far a bulletin of this hub has come.

    Attributes:
        bulletin: its id.
    """

    bulletin: Id


Request = Acknowledge | Answer | TakeBack | Preview | Publish | Way


class Doubt(msgspec.Struct, frozen=True):
    """A doubt about a draft: where it lies, and what it says."""

    path: str
    text: str


class Found(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A finding in a draft, as `bus.drafts.Finding`; `choice` are the allowed words in a sentence."""

    grade: str
    rule: str
    path: str
    text: str
    choice: str = ""


class Foreseen(msgspec.Struct, frozen=True, kw_only=True):
    """What a draft would become.

    Attributes:
        digest: of the bytes that were looked at.
        findings: faults, doubts and remarks, at most so many.
        more: how many more there are.
        payload: the bulletin as it would be stamped, as the first of its channel; empty while the draft is no bulletin.
        egress: what leaves and who reads it; None while the draft is no bulletin.
        before: the bulletin that it changes, as it was signed; empty where there is none.
        registry_version: of the registry by which all of that was computed.
    """

    digest: str
    findings: tuple[Found, ...] = ()
    more: int = 0
    payload: bytes = b""
    egress: Egress | None = None
    before: bytes = b""
    registry_version: int = 0


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """One hub that must have a bulletin: since when it has received it, and since when it was read there; `mute` cannot say so."""

    hub: str
    received: dt.datetime | None = None
    read: dt.datetime | None = None
    mute: bool = False


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a request.

    Attributes:
        id: of the bulletin or receipt that was signed; empty where none was.
        state: `stored`, the bus has it; `accepted`, it is safe on this disk and is sent when the bus answers; `waiting`, it is noted and
            not signed yet; `parked`, the broker refuses it; `previewed`; `refused`.
        notes: sentences for the person who asked.
        reason: of a refusal.
        doubts: of a draft that needs a reason to be published.
        foreseen: what a draft would become, of a `Preview`.
        hubs: which hubs must have a bulletin, of a `Way`; None where nobody follows that.
    """

    id: str = ""
    state: str
    notes: tuple[str, ...] = ()
    reason: str = ""
    doubts: tuple[Doubt, ...] = ()
    foreseen: Foreseen | None = None
    hubs: tuple[Held, ...] | None = None


class Numbered(msgspec.Struct, frozen=True):
    """A request, not yet read, with the number by which its outcome is found."""

    n: int
    request: msgspec.Raw


class Told(msgspec.Struct, frozen=True):
    """The outcome of a request with its number."""

    n: int
    outcome: Outcome


def is_key(text: str) -> bool:
    """Whether a text names a deed: 32 hexadecimal digits."""
    return re.match(_KEY, text) is not None


def asking(n: int, request: Request) -> bytes:
    """A request as a line."""
    return msgspec.json.encode(Numbered(n, msgspec.Raw(msgspec.json.encode(request)))) + b"\n"


def answering(n: int, outcome: Outcome) -> bytes:
    """An outcome as a line."""
    return msgspec.json.encode(Told(n, outcome)) + b"\n"


def asked(line: bytes) -> Numbered:
    """A request from its line.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return msgspec.json.decode(line, type=Numbered)


def request_of(numbered: Numbered) -> Request:
    """What is asked for.

    Raises:
        msgspec.DecodeError: no hub can do that.
    """
    request: Request = msgspec.json.decode(numbered.request, type=Request)
    return request


def told(line: bytes) -> Told:
    """An outcome from its line.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return msgspec.json.decode(line, type=Told)
