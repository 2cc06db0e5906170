"""From what a person types to the version of its thread that a command acts on, and the lines that say so."""

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
    """What is meant by an id, the beginning of one, or a digest.

    Attributes:
        id: of the bulletin to act on: the newest version, but for a cancel, and where that very bulletin is wanted.
        thread: the thread that it belongs to; None where it is not known here.
    """

    id: str
    thread: Thread | None = None

    @classmethod
    def of(cls, thread: Thread | None, wanted: str, *, exact: bool = False) -> Named:
        """What to act on.

        Args:
            thread: of what was named; None where nothing is known of it.
            wanted: what a person has typed.
            exact: that very bulletin, whatever has become of it.
        """
        if thread is None:
            return cls(wanted)
        return cls(thread.id if exact else thread.acted_on, thread)

    @property
    def words(self) -> list[str]:
        """What is to be said of it: that another version is acted on than was named, and that it is withdrawn."""
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
    """The ids of all members of the thread of what is meant, the one to act on first: what was answered to one was answered to it.

    Args:
        db: a store or an outbox.
        named: what is meant.
        most: so many members are looked at, the newest.
        cancels: whether cancels, which are no versions, are among them.
    """
    every = threads.in_thread(db, named.thread.key, most) if named.thread else []
    return list(dict.fromkeys((named.id, *(each.id for each in every if cancels or not each.is_cancel))))


class FoundBulletin(NamedTuple):
    """A bulletin that the context holds: its signature header and payload, and what was meant by its name."""

    signature: str
    payload: bytes
    named: Named


def named_in_store(db: sqlite3.Connection, wanted: str, *, exact: bool = False) -> Named:
    """What is meant by an id, the beginning of one or a digest, in a store.

    Raises:
        AmbiguousIdError: bulletins of several threads begin so.
    """
    return Named.of(picture.versions.find(db, wanted), wanted, exact=exact)


async def named_in_outbox(box: Outbox, wanted: str, *, exact: bool = False) -> Named:
    """As `named_in_store`, in an outbox."""
    return Named.of(await box.read(lambda db: publishing.versions.find(db, wanted)), wanted, exact=exact)


def find_bulletin(app: App, wanted: str, *, exact: bool = False) -> FoundBulletin:
    """A bulletin that the context holds: of the store, or else of the outbox.

    Args:
        app: this invocation.
        wanted: an id, the beginning of one, or a digest, of any version of its thread.
        exact: that very version; else the newest, if it is held.

    Raises:
        NotFoundError: it is not here, or not any more.
        AmbiguousIdError: bulletins of several threads begin so.
    """
    folder = app.state_folder()
    if (folder / STORE_FILE).exists():

        def question(
            db: sqlite3.Connection,
        ) -> tuple[sqlite3.Row | None, Named, subscribing.erasure.Tombstone | None]:
            named = named_in_store(db, wanted, exact=exact)
            row = admitted_row(db, named.id)
            if row is None and named.thread is not None and named.id != named.thread.id:
                # The newest is let go of, or never came; what was named may be here.
                row, named = admitted_row(db, named.thread.id), Named(named.thread.id, named.thread)
            return row, named, subscribing.erasure.of(db, named.id)

        row, named, gone = query_store(app, question)
        if row is not None:
            return FoundBulletin(row["signature"], row["payload"], named)
        if gone is not None:
            raise NotFoundError(
                f"{wanted} is not kept any more: {gone.channel} number {gone.seq} was let go of on {gone.at:%Y-%m-%d} "
                f"({gone.why.replace('-', ' ')})",
                remedy=f"what is known of it: tocsin trace {wanted}",
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
        f"neither the store nor the outbox of this context holds {wanted}", remedy="ids: tocsin bulletin list"
    )
