"""The input of a sheet, and the sheet itself: plain structs, for a terminal, a page or JSON."""

from __future__ import annotations

import datetime as dt

import msgspec


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of what a bulletin says: an alert, an update, a withdrawal.

    Attributes:
        id: the bulletin's.
        issued: when it was issued.
        msg_type: what it does to the one before it.
        state: of the newest, the state of the thread: `in-force`, `updated`, `withdrawn` or `expired`; empty for the others.
    """

    id: str
    issued: dt.datetime
    msg_type: str
    state: str = ""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """One answer to a bulletin: who gave it and when, its verdict, and its words where they are known."""

    by: str
    at: dt.datetime
    verdict: str
    text: str = ""


class SealedPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a bulletin that is sealed to some readers.

    Attributes:
        label: what the part is called.
        recipients: the authorities that may open it.
        content: what was opened, as a struct of the wire; None where it stays closed.
        reason: why it stays closed, a reason code.
    """

    label: str
    recipients: tuple[str, ...]
    content: msgspec.Struct | None = None
    reason: str = ""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """The facts about a bulletin beside its own words: its arrival, its validity, its later history.

    Attributes:
        now: the present, aware.
        admitted_at: when it came in and was checked; None for one of the own outbox, or without a source.
        is_own: whether it was signed here.
        state: how far one's own has come: `accepted`, `stored`.
        kid: the key that it is signed with; empty where it is not known.
        trust: how current the registry was when it came in; empty where it is not known.
        labels: what admission and the chain found.
        endorsers: co-issuers who have signed.
        network: the domain of the registry; empty where none was asked.
        registry_version: its version.
        names_key: whether that version still names the key for the issuer.
        ended_how: `superseded`, `cancelled`, `withdrawal`, or empty while nothing has ended it.
        ended_by: the id of what ended it.
        versions: what is known of its thread, in the order of their times.
        answers: what was answered; None where answers are not kept.
        as_of: of one's own that the store need not hold: when the newest that the store holds came.
        is_unread: of an own bulletin: this context has received nothing from the bus yet, so its answers are unknown.
        is_settled: whether what is disputed was settled since.
        parts: what of it is sealed.
    """

    now: dt.datetime
    admitted_at: dt.datetime | None = None
    is_own: bool = False
    state: str = ""
    kid: str = ""
    trust: str = ""
    labels: tuple[str, ...] = ()
    endorsers: tuple[str, ...] = ()
    network: str = ""
    registry_version: int = 0
    names_key: bool = True
    ended_how: str = ""
    ended_by: str = ""
    versions: tuple[Version, ...] = ()
    answers: tuple[Answered, ...] | None = None
    as_of: dt.datetime | None = None
    is_unread: bool = False
    is_settled: bool = False
    parts: tuple[SealedPart, ...] = ()


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that a sheet says.

    Attributes:
        label: its subject; empty for a sentence without one.
        text: paragraphs, as the author or the catalogue has them; they are made safe when they are printed.
        depth: how many steps it is indented below the one before.
        lang: the language of the text where it is another than that of the sheet.
        own: whether the text is what the bulletin itself says in the language that was chosen for it.
    """

    label: str = ""
    text: tuple[str, ...] = ()
    depth: int = 0
    lang: str = ""
    own: bool = False


class Block(msgspec.Struct, frozen=True):
    """A part of a sheet with a heading; `name` is the same in every language."""

    name: str
    heading: str
    entries: tuple[Entry, ...]


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """A bulletin as a person reads it.

    Attributes:
        lang: the language of its labels.
        id: of the bulletin.
        marks: what comes before all else: TLP and PAP, then a sentence for each restriction.
        alert: that it is an exercise or a test, in capitals; empty for what is real.
        headline: in the reader's language where the bulletin has it.
        about: kind, priority, issuer and time, in a line.
        standing: whether it is in force, in a sentence.
        blocks: the rest, in the order in which it is read.
    """

    lang: str
    id: str
    marks: tuple[str, ...]
    alert: str
    headline: str
    about: str
    standing: str
    blocks: tuple[Block, ...]
