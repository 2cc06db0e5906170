"""Finds the version that a command acts on, by the id or digest that a person types, and the lines that say so."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, NamedTuple

from bus import publishing, subscribing, threads
from bus.cli.frame.app import App
from bus.cli.frame.errors import NotFoundError
from bus.cli.frame.session import admitted_row, open_outbox, query_store, within
from bus.config import OUTBOX_FILE, STORE_FILE
from bus.hub import picture
from schemas.envelope import SIG_HEADER

if TYPE_CHECKING:
    from bus.publishing import Outbox
    from bus.threads import Thread


class Named(NamedTuple):
    """The bulletin and thread named by an id, the beginning of one, or a digest.

    Attributes:
        id: of the bulletin to act on: the newest version that is no cancel, or with `exact` the named bulletin.
        thread: its thread; None if unknown here.
    """

    id: str
    thread: Thread | None = None

    @classmethod
    def of(cls, thread: Thread | None, wanted: str, *, exact: bool = False) -> Named:
        """The bulletin to act on.

        Args:
            thread: thread of the named bulletin; None if unknown.
            wanted: the text that a person typed.
            exact: act on the named bulletin, even if a newer version exists.
        """
        if thread is None:
            return cls(wanted)
        return cls(thread.id if exact else thread.acted_on, thread)

    @property
    def words(self) -> list[str]:
        """Lines for the person: that the command acts on another version than the named one, and that it is withdrawn."""
        thread = self.thread
        said: list[str] = []
        if thread is None:
            return said
        if self.id != thread.id:
            said.append(f"acting on version {thread.versions}, {self.id}")
        elif not thread.is_newest and not thread.is_cancel:
            said.append(f"the newest is version {thread.versions}, {thread.living}")
        if thread.withdrawn_by not in (None, self.id):
            said.append(f"withdrawn, with its whole thread, by {thread.withdrawn_by}")
        return said


def ids_of(db: sqlite3.Connection, named: Named, most: int = 50, *, cancels: bool = True) -> list[str]:
    """The ids of all members of the thread, the one to act on first: an answer to one counts for all.

    Args:
        db: a store or an outbox.
        named: the named bulletin.
        most: the number of members to look at, newest first.
        cancels: whether to include cancels, which are no versions.
    """
    every = threads.in_thread(db, named.thread.key, most) if named.thread else []
    return list(dict.fromkeys((named.id, *(each.id for each in every if cancels or not each.is_cancel))))


class FoundBulletin(NamedTuple):
    """A bulletin that the context holds: its signature header and payload, and how it was named."""

    signature: str
    payload: bytes
    named: Named


def named_in_store(db: sqlite3.Connection, wanted: str, *, exact: bool = False) -> Named:
    """The bulletin of a store named by an id, the beginning of one, or a digest.

    Raises:
        AmbiguousIdError: ids of several threads have this beginning.
    """
    return Named.of(picture.versions.find(db, wanted), wanted, exact=exact)


async def named_in_outbox(box: Outbox, wanted: str, *, exact: bool = False) -> Named:
    """As `named_in_store`, in an outbox."""
    return Named.of(await box.read(lambda db: publishing.versions.find(db, wanted)), wanted, exact=exact)


def find_bulletin(app: App, wanted: str, *, exact: bool = False) -> FoundBulletin:
    """A bulletin of the context: from the store, or else from the outbox.

    Args:
        app: this invocation.
        wanted: an id, the beginning of one, or a digest; of any version of the thread.
        exact: return this version; else the newest, if it is held.

    Raises:
        NotFoundError: it was never here, or was deleted.
        AmbiguousIdError: ids of several threads have this beginning.
    """
    folder = app.state_folder()
    if (folder / STORE_FILE).exists():

        def question(
            db: sqlite3.Connection,
        ) -> tuple[sqlite3.Row | None, Named, subscribing.erasure.Tombstone | None]:
            named = named_in_store(db, wanted, exact=exact)
            row = admitted_row(db, named.id)
            if row is None and named.thread is not None and named.id != named.thread.id:
                # The newest version is deleted or never came; the named one may be here.
                row, named = admitted_row(db, named.thread.id), Named(named.thread.id, named.thread)
            return row, named, subscribing.erasure.of(db, named.id)

        row, named, gone = query_store(app, question)
        if row is not None:
            return FoundBulletin(row["signature"], row["payload"], named)
        if gone is not None:
            raise NotFoundError(
                f"{wanted} is not kept any more: {gone.channel} number {gone.seq} was deleted on {gone.at:%Y-%m-%d} "
                f"({gone.why.replace('-', ' ')})",
                remedy=f"see what is known of it: tocsin trace {wanted}",
            )
    if (folder / OUTBOX_FILE).exists():

        async def in_outbox(box: Outbox) -> FoundBulletin | None:
            named = await named_in_outbox(box, wanted, exact=exact)
            kept = await box.get(named.id)
            return None if kept is None else FoundBulletin(kept.header_map()[SIG_HEADER], kept.payload, named)

        found = within(open_outbox(app), in_outbox)
        if found is not None:
            return found
    raise NotFoundError(
        f"neither the store nor the outbox of this context holds {wanted}",
        remedy="list the ids: tocsin bulletin list",
    )
