"""What a page is: where it stands, how it is looked up, with which template it is shown."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping

import msgspec

from bus.console.asked import Asked
from bus.console.forms import Form
from bus.console.incidents import Joined, Kept
from bus.console.people import Looked
from bus.desk import Act

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
    """

    path: str
    twin: str
    template: str
    look: Callable[[Asked], Content]
    looked: Callable[[Content], Looked | None] = lambda _: None
    has_incidents: bool = False
    forms: tuple[Form, ...] = ()
    desk: Callable[[Kept, str], Question | None] = lambda _, __: None


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """What a form does.

    Attributes:
        path: where it is sent to.
        work: what is done at the desk, from the incidents that are kept, the id in the path and the fields.
        back: where its sender goes then.
        changes_incidents: whether the incidents are then made anew before the next page is shown.
    """

    path: str
    work: Callable[[Joined, str, Mapping[str, str]], Question]
    back: str
    changes_incidents: bool = False
