"""`tocsin people`: who may use the console of this hub, what each may do and see, where they are signed in, and the trail of it.

An operator on the machine keeps people and sees no content. No password ever stands on a command line: a person sets one with a
token that is shown once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from bus import desk, storage
from bus.cli import frame
from bus.cli.frame import TLPS, Answer, App, Group, Since, Table, command, repeatable, yes_option
from bus.desk import Role
from schemas.vocab import Tlp

if TYPE_CHECKING:
    import sqlite3

    from bus.desk import Person

T = TypeVar("T")

ROLES = click.Choice([role.value for role in Role])
MAX_ROWS = 10_000

_tlp = click.option(
    "--tlp", type=click.Choice(TLPS), help="the narrowest marking this person may see; green without it"
)
_audience = repeatable("--audience", "audiences", metavar="ID", help="whose bulletins this person may see")


@click.group(cls=Group)
def people() -> None:
    """People of the console: roles, clearance, tokens, sessions, and what they did."""


@command(people, "list")
def list_(app: App) -> Answer:
    """List the people of this hub's console, by id."""
    act = _operator(app)
    found = _read(app, lambda db: desk.people.listed(db, act))
    rows = [
        (
            person.id,
            person.name,
            " ".join(person.role_names),
            person.clearance.ceiling.value,
            " ".join(sorted(person.clearance.audiences)),
            person.state,
        )
        for person in found
    ]
    columns = ("id", "name", "roles", "tlp", "audiences", "state")
    return Answer(
        [_told(person) for person in found],
        table=Table(columns, rows, ("audiences", "name")),
        notes=[]
        if found
        else ["nobody is here yet; begin with: tocsin people add ID --name NAME --role administrator"],
    )


@command(people, "add")
@click.argument("id_", metavar="ID")
@click.option("--name", required=True, help="as pages show it")
@repeatable("--role", "roles", type=ROLES, required=True, help="what this person is there for")
@_tlp
@_audience
@click.option("--lang", default="en", show_default=True, metavar="TAG", help="the language of pages")
@click.option("--email", default="", metavar="ADDRESS", help="where told of what needs an answer")
def add(
    app: App,
    id_: str,
    *,
    name: str,
    roles: Sequence[str],
    tlp: str | None,
    audiences: Sequence[str],
    lang: str,
    email: str,
) -> Answer:
    """Add the person ID, who signs in once a token was handed over (people token ID).

    Without --audience the person sees what is for community and public; an audience that this hub does not read is refused. An
    administrator sees people and no content; give a second role to one who is to see both.
    """
    act = _operator(app)
    readable = _readable(app) if audiences else frozenset()

    def work(db: sqlite3.Connection) -> Person:
        desk.people.check_readable(audiences, readable)
        return desk.people.add(
            db,
            act,
            id_,
            name,
            map(Role, roles),
            ceiling=Tlp(tlp or Tlp.GREEN),
            audiences=audiences or desk.people.AUDIENCES,
            lang=lang,
            email=email,
        )

    person = _write(app, work)
    return Answer(_told(person), notes=[f"{id_} is added; next: tocsin people token {id_}"])


@command(people, "role")
@click.argument("id_", metavar="ID")
@click.argument("roles", metavar="ROLE...", nargs=-1, type=ROLES)
@_tlp
@_audience
def role(app: App, id_: str, *, roles: Sequence[str], tlp: str | None, audiences: Sequence[str]) -> Answer:
    """Give the person ID these roles, and no others; with --tlp and --audience what may be seen. It holds at once."""
    if not (roles or tlp or audiences):
        raise click.UsageError("nothing to change: name ROLE, --tlp or --audience")
    act = _operator(app)
    readable = _readable(app) if audiences else frozenset()

    def work(db: sqlite3.Connection) -> Person:
        before = desk.people.get(db, id_).clearance.audiences
        desk.people.check_readable(audiences, readable | before)
        return desk.people.change(
            db,
            act,
            id_,
            roles=[Role(each) for each in roles] if roles else None,
            ceiling=Tlp(tlp) if tlp else None,
            audiences=audiences or None,
        )

    person = _write(app, work)
    sees = f"up to {person.clearance.ceiling}, of {' '.join(sorted(person.clearance.audiences)) or 'nobody'}"
    return Answer(_told(person), lines=[f"{id_}: {' '.join(person.role_names)}; sees {sees}"])


@command(people, "disable")
@click.argument("id_", metavar="ID")
@click.option("--undo", is_flag=True, help="let this person sign in again")
def disable(app: App, id_: str, *, undo: bool) -> Answer:
    """Let the person ID in no more, and end all sessions at once. What the person did stays, under that name."""
    act = _operator(app)

    def work(db: sqlite3.Connection) -> Person:
        (desk.people.enable if undo else desk.people.disable)(db, act, id_)
        return desk.people.get(db, id_)

    person = _write(app, work)
    return Answer(_told(person), lines=[f"{id_} {'may sign in again' if undo else 'is disabled'}"])


@command(people, "token")
@click.argument("id_", metavar="ID")
@yes_option
def token(app: App, id_: str, *, yes: bool) -> Answer:
    """Print a token with which the person ID sets a password, once, within a day.

    Hand it over in person or by telephone: its holder can sign in as that person. The old password, passkeys, all sessions, feed
    addresses and an earlier token end at once. A person locked out by failed attempts can sign in with it.
    """
    act = _operator(app)
    known = _read(app, lambda db: desk.people.get(db, id_))
    if known.has_password:
        app.confirm(f"{id_} has a password, which ends with a new token; go on?", yes=yes)

    secret = _write(app, lambda db: desk.signing_in.issue_token(db, act, id_, os.urandom))
    return Answer(
        {"id": id_, "token": secret, "until": storage.utc(act.at + desk.signing_in.TOKEN_S)},
        lines=[secret],
        notes=[f"good once, for a day; it is not shown again. {id_} sets a password with it at the console"],
    )


@command(people, "sessions")
@click.argument("id_", metavar="[ID]", required=False, default="")
def sessions(app: App, id_: str) -> Answer:
    """List where people are signed in, the newest first; of the person ID alone, or of all."""
    act = _operator(app)

    def question(db: sqlite3.Connection) -> list[desk.sessions.Session]:
        if id_:
            desk.people.get(db, id_)
        return desk.sessions.listed(db, act, id_)

    found = _read(app, question)
    rows = []
    for each in found:
        times = [frame.at(storage.utc(moment)) for moment in (each.made_at, each.used_at, each.ends_at)]
        rows.append((each.n, each.person, "wall" if each.is_wall else "person", *times, each.address))
    columns = ("n", "person", "kind", "since", "used", "until", "address")
    return Answer(
        [
            {
                "n": each.n,
                "person": each.person,
                "wall": each.is_wall,
                "made": storage.utc(each.made_at),
                "used": storage.utc(each.used_at),
                "ends": storage.utc(each.ends_at),
                "address": each.address,
            }
            for each in found
        ],
        table=Table(columns, rows, ("kind", "address", "since")),
        notes=[] if found else ["nobody is signed in"],
    )


@command(people, "end-session")
@click.argument("number", metavar="[N]", required=False, type=click.IntRange(min=1))
@click.option("--all", "person", metavar="ID", help="all sessions of this person, walls too")
def end_session(app: App, *, number: int | None, person: str | None) -> Answer:
    """End the session N of `people sessions`, or with --all all of one person."""
    if (number is None) == (person is None):
        raise click.UsageError("name one session by its number, or a person with --all")
    act = _operator(app)

    def work(db: sqlite3.Connection) -> int:
        if person is None:
            desk.sessions.end(db, act, number or 0)
            return 1
        desk.people.get(db, person)
        return desk.sessions.end_all(db, act, person)

    ended = _write(app, work)
    return Answer({"ended": ended}, lines=[f"{ended} session(s) ended"])


@command(people, "feeds")
@click.argument("id_", metavar="[ID]", required=False, default="")
def feeds(app: App, id_: str) -> Answer:
    """List the feed addresses by which programs read lists, the newest first; of the person ID alone, or of all."""
    act = _operator(app)

    def question(db: sqlite3.Connection) -> list[desk.feeds.Feed]:
        if id_:
            desk.people.get(db, id_)
        return desk.feeds.listed(db, act, id_)

    found = _read(app, question)
    rows = []
    for each in found:
        times = [_time(moment) for moment in (each.made_at, each.used_at, each.ends_at)]
        rows.append((each.n, each.person, each.name, each.path, each.query, *times))
    columns = ("n", "person", "name", "list", "filter", "since", "read", "until")
    return Answer(
        [
            {
                "n": each.n,
                "person": each.person,
                "name": each.name,
                "list": each.path,
                "filter": each.query,
                "made": storage.utc(each.made_at),
                "used": None if each.used_at is None else storage.utc(each.used_at),
                "ends": storage.utc(each.ends_at),
            }
            for each in found
        ],
        table=Table(columns, rows, ("filter", "since")),
        notes=[] if found else ["no feed address is in use"],
    )


@command(people, "end-feed")
@click.argument("number", metavar="N", type=click.IntRange(min=1))
def end_feed(app: App, *, number: int) -> Answer:
    """End the feed address N of `people feeds`: the program that reads by it gets nothing more."""
    act = _operator(app)
    _write(app, lambda db: desk.feeds.end(db, act, number))
    return Answer({"ended": number}, lines=[f"feed address {number} ended"])


@command(people, "audit")
@click.option("--since", type=Since(), default="all", help="a span such as 2h or 7d; all without it")
@click.option("--who", default="", metavar="ID", help="what this person did")
@click.option("--limit", type=click.IntRange(1, MAX_ROWS), default=100, show_default=True)
@click.option("--verify", is_flag=True, help="check every row instead, and print the head")
@click.option("--head", metavar="DIGEST", help="with --verify: a head that was written down")
def audit(app: App, *, since: object, who: str, limit: int, verify: bool, head: str | None) -> Answer:
    """Print who did or looked at what in the console, the newest first; or, with --verify, whether the trail is whole.

    Exits 6 when a row was changed or is missing. Write the head down where nobody here can change it: with --head it shows that
    nothing up to it was cut off.
    """
    if head is not None and not verify:
        raise click.UsageError("--head goes with --verify")
    act = _operator(app)
    if verify:
        standing = _read(app, lambda db: desk.trail.verify_audit(db, head=head))
        lines = [
            f"verified: rows {standing.first} to {standing.last}, each chained to the one before",
            f"  head     {standing.head or '-'}",
        ]
        return Answer(standing, lines=lines)
    start = 0.0 if since is None else act.at - getattr(since, "total_seconds", lambda: 0.0)()
    found = _read(app, lambda db: desk.trail.read(db, act, since=start, who=who, limit=limit))
    rows = [
        (each.n, frame.at(storage.utc(each.at)), each.who, each.what, each.about, each.detail, each.address)
        for each in found
    ]
    columns = ("n", "time", "who", "what", "about", "detail", "address")
    values = [
        {"n": each.n, "time": storage.utc(each.at), "who": each.who, "what": each.what, "about": each.about}
        | {"detail": each.detail, "address": each.address, "chain": each.chain}
        for each in found
    ]
    return Answer(*values, table=Table(columns, rows, ("address", "detail")))


def _operator(app: App) -> desk.Act:
    return desk.at_command_line(app.now().timestamp())


def _readable(app: App) -> frozenset[str]:
    """The audiences that this hub reads, by its registry."""
    ways = frame.open_registry(app).read_prefixes(app.identity.authority)
    return frozenset(audience for _, _, audience in ways)


def _read(app: App, question: Callable[[sqlite3.Connection], T]) -> T:
    return frame.within(frame.open_desk(app), lambda store: store.read(question))


def _write(app: App, work: Callable[[sqlite3.Connection], T]) -> T:
    return frame.within(frame.open_desk(app, make=True), lambda store: store.write(work))


def _time(moment: float | None) -> str:
    return "never" if moment is None else frame.at(storage.utc(moment))


def _told(person: Person) -> dict[str, object]:
    return {
        "id": person.id,
        "name": person.name,
        "roles": person.role_names,
        "tlp": person.clearance.ceiling.value,
        "audiences": sorted(person.clearance.audiences),
        "lang": person.lang,
        "email": person.email,
        "state": person.state,
        "made": storage.utc(person.made_at),
    }
