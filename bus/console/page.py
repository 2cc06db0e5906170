"""What a page is: where it stands, how it is looked up, with which template it is shown."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from bus.console.asked import Asked
from bus.console.doing import Doing
from bus.console.forms import Form
from bus.console.incidents import Kept
from bus.console.people import Looked
from bus.console.voices import Voice
from bus.desk import Act
from bus.hub.acting import Outcome, Request
from bus.policy import Clearance
from bus.trust import VerifiedRegistry

Question = Callable[[sqlite3.Connection, Act], object]


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What a page says; also its twin in JSON. Each page has a struct of its own.

    Attributes:
        marking: the narrowest marking of what it was made from, as a TLP word.
        note: a sentence beside the marking; empty for the usual one.
        is_exercise: whether everything on it is part of an exercise.
    """

    marking: str
    note: str = ""
    is_exercise: bool = False


class Bytes(Content, frozen=True, kw_only=True):
    """Bytes to keep, as their author signed them: `payload` in base64url without padding, under a file name."""

    payload: str
    file: str


class Present(msgspec.Struct, frozen=True, kw_only=True):
    """For whom, in which language, when and by which registry something is shown."""

    clearance: Clearance
    voice: Voice
    registry: VerifiedRegistry
    now: dt.datetime


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page.

    Attributes:
        path: where it stands, with names in braces.
        twin: where the same stands as JSON.
        template: which shows it; empty where its path gives bytes to keep (`Bytes`).
        look: what it says, from a snapshot.
        looked: what is put on record before it is shown; None where nothing is.
        has_incidents: whether it is made from the incidents that are kept, too.
        forms: the other forms of a list.
        desk: what it asks of the desk, from the incidents and the id in the path; None where it asks nothing.
        of_desk: what it asks of the desk before, from the parameters in its path; the answer is `Asked.desk`.
        beside: what it asks of the desk when it is known what it says: the answer is the same content with what the desk told in it.
        of_hub: what it asks of the hub, which signs, when it is known what it says; None where it asks nothing.
        heard: the same content with what the hub has answered in it; a hub that does not answer has an outcome, too.
    """

    path: str
    twin: str
    template: str
    look: Callable[[Asked], Content]
    looked: Callable[[Content], Looked | None] = lambda _: None
    has_incidents: bool = False
    forms: tuple[Form, ...] = ()
    desk: Callable[[Kept, str], Question | None] = lambda _, __: None
    of_desk: Callable[[Mapping[str, str]], Question | None] = lambda _: None
    beside: Callable[[Content], Callable[[sqlite3.Connection, Act], Content] | None] = lambda _: None
    of_hub: Callable[[Content], Request | None] = lambda _: None
    heard: Callable[[Content, Outcome, Present], Content] = lambda content, _, __: content


class Once(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown once, and by no address: a template, and what it shows."""

    template: str
    values: Mapping[str, object]


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """What a form does.

    Attributes:
        path: where it is sent to.
        work: does it. Returns the address to which its sender is led, or what is shown once, or what is shown in the place of a
            page, as a form that is shown again.
        template: which shows the last; empty where it is sent as JSON, or where there is none.
        at: the page in whose place that is shown.
        is_often: whether it is sent while somebody types, so that it has a rate of its own.
    """

    path: str
    work: Callable[[Doing], Awaitable[str | Once | Content]]
    template: str = ""
    at: str = "/"
    is_often: bool = False
