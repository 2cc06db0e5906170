"""What a page is: where it stands, who may open it, how it is looked up, with which template it is shown; and what forms do."""

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
from bus.desk import Act, Action
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
    """Bytes to keep, as their author signed them.

    Attributes:
        payload: in base64url without padding.
        file: the name of the file.
        embargo: until when no file of them is given; None where one is.
    """

    payload: str
    file: str
    embargo: dt.datetime | None = None


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
        action: who may do this may open it; the navigation shows it to nobody else.
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
    action: Action = Action.LOOK
    looked: Callable[[Content], Looked | None] = lambda _: None
    has_incidents: bool = False
    forms: tuple[Form, ...] = ()
    desk: Callable[[Kept, str], Question | None] = lambda _, __: None
    of_desk: Callable[[Mapping[str, str]], Question | None] = lambda _: None
    beside: Callable[[Content], Callable[[sqlite3.Connection, Act], Content] | None] = lambda _: None
    of_hub: Callable[[Content], Request | None] = lambda _: None
    heard: Callable[[Content, Outcome, Present], Content] = lambda content, _, __: content


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What a form has led to.

    Attributes:
        address: where its sender is led.
        token: the new token of the session, for its cookie; empty where the old one stays.
        once: what is shown once and by no address, on the page of the form and instead of leading anywhere.
    """

    address: str = ""
    token: str = ""
    once: object = None


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """A form that was refused, for the page that it stands on: the sentence stands beside it, what was typed is kept.

    Attributes:
        form: which form: the last part of the path that it is sent to.
        words: what is wrong, and what to do.
        reason: the code.
        fields: what was sent, without passwords.
        is_translated: whether the sentence is in the language of the page; else it is English.
    """

    form: str
    words: str
    reason: str
    fields: Mapping[str, str]
    is_translated: bool


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """What a form does.

    Attributes:
        path: where it is sent to; the form is called by its last part.
        work: does it. Returns the address to which its sender is led, or what else it has led to, or what is shown in the place
            of a page, as a form that is shown again.
        on: the path of the page that the form stands on: a refusal is shown there; empty for a page of its own.
        template: which shows what is shown in the place of a page; empty where it is sent as JSON, or where there is none.
        at: the page in whose place that is shown.
        is_often: whether it is sent while somebody types, so that it has a rate of its own.
    """

    path: str
    work: Callable[[Doing], Awaitable[str | Done | Content]]
    on: str = ""
    template: str = ""
    at: str = "/"
    is_often: bool = False

    @property
    def form(self) -> str:
        """What the form is called."""
        return self.path.rpartition("/")[2]
