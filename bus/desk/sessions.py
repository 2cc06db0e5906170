"""Sessions: who is signed in where, until when; of a session's id the file has only the digest. Inside a transaction.

A session ends 12 hours after the sign-in, and after 30 minutes in which nothing was asked, the duty role excepted: a duty officer
looks at a page that nobody touches for hours. Each sign-in and each fresh password makes a new id. Roles and clearance are read
with each use, so that a change of a person holds at once. Who may look at no content has a clearance of nothing.

A wall is a session of a screen that shows one page, with a ceiling of its own, which is never above that of the duty officer who
opened it. The officer gets a key, which the screen exchanges once for its session: an id of a session stands in no address.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import msgspec

from bus.desk import feeds, trail
from bus.desk.refusals import MAX_ADDRESS, MAX_SESSIONS, MAX_WALLS, DeskError, check_room, cut
from bus.desk.roles import NO_CONTENT, Act, Action, Role, check_may, may, not_there, roles_may
from bus.desk.tokens import MAX_TOKEN, Random, hashed, new_secret
from bus.policy import Clearance
from bus.storage import single
from schemas.vocab import Tlp

SESSION_S = 12 * 3600.0
IDLE_S = 30 * 60.0
WALL_S = 30 * 86_400.0
AHEAD_S = 3600.0
"""A session that lasts longer than any by more than this was begun by a clock that was ahead, and is over."""
WALL_KEY_S = 15 * 60.0
"""The time for which the key of a wall that no screen shows yet is good."""
FRESH_S = 300.0
"""The time for which a password counts as just given, for an approval."""
USED_EACH_S = 60.0
"""When a session was used is written this often, and not with each request."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session as it may be shown: by its number, never by its id.

    Attributes:
        n: the number by which it is ended.
        person: whose it is; of a wall, who opened it.
        is_wall: a wall screen.
        is_begun: False for a wall that no screen shows yet.
        made_at: when it began.
        used_at: when it was last used, to the minute.
        ends_at: when it ends at the latest.
        address: from where it began.
    """

    n: int
    person: str
    is_wall: bool
    is_begun: bool
    made_at: float
    used_at: float
    ends_at: float
    address: str


def is_fresh(act: Act) -> bool:
    """Whether the password was given so shortly before that it counts for an approval."""
    return not act.is_wall and 0 <= act.at - act.fresh_at <= FRESH_S


def begin(
    db: sqlite3.Connection,
    person: str,
    at: float,
    address: str,
    random: Random,
    *,
    fresh_at: float | None = None,
) -> str:
    """Begin a session. Returns its id, for the cookie; the oldest of more than `MAX_SESSIONS` ends.

    `fresh_at` is when the person has shown who it is; None for now.
    """
    token = new_secret(random)
    db.execute(
        "DELETE FROM sessions WHERE n IN "
        "(SELECT n FROM sessions WHERE person = ? AND NOT is_wall ORDER BY n DESC LIMIT -1 OFFSET ?)",
        (person, MAX_SESSIONS - 1),
    )
    _insert(db, token, person, at, at + SESSION_S, address, fresh_at=fresh_at)
    return token


def open_wall(
    db: sqlite3.Connection, act: Act, ceiling: Tlp, audiences: Iterable[str], random: Random
) -> str:
    """Open a wall for a screen. Returns its key, with which `begin_wall` begins the session within `WALL_KEY_S`.

    Raises:
        DeskError: `desk-role`, `desk-wall`, `above-ceiling`, `desk-full`.
    """
    check_may(act, Action.OPEN_WALL)
    clearance = Clearance(Tlp(ceiling), frozenset(audiences))
    if not act.clearance.covers(clearance):
        raise DeskError(
            "a wall shows no more than the one who opens it may see; choose a lower ceiling, or fewer audiences",
            reason="above-ceiling",
        )
    check_room(
        single(db, "SELECT count(*) FROM sessions WHERE is_wall AND ends_at > ?", act.at), MAX_WALLS, "walls"
    )
    token = new_secret(random)
    _insert(db, token, act.who, act.at, act.at + WALL_KEY_S, act.address, clearance)
    trail.add(
        db, act, "wall-opened", "", f"up to {clearance.ceiling}; {' '.join(sorted(clearance.audiences))}"
    )
    return token


def begin_wall(db: sqlite3.Connection, key: str, at: float, address: str, random: Random) -> str:
    """Begin the session of a wall screen, for 30 days. Returns its id, for the cookie of that screen; the key is void.

    Raises:
        DeskError: `wall-key`, it was used, is over, or never was.
    """
    refused = DeskError(
        "this address of a wall screen is not good any more; have a duty officer open another",
        reason="wall-key",
    )
    try:
        act = _of(db, key, at, address)
    except DeskError:
        raise refused from None
    token = new_secret(random)
    begun = db.execute(
        "UPDATE sessions SET hash = ?, fresh_at = ?, used_at = ?, ends_at = ?, address = ? WHERE n = ? AND is_wall AND fresh_at = 0",
        (hashed(token), at, at, at + WALL_S, cut(address, MAX_ADDRESS), act.session),
    )
    if not begun.rowcount:
        raise refused
    trail.add(db, act, "wall-begun", act.who, f"session {act.session}")
    return token


def acting(db: sqlite3.Connection, token: str, at: float, address: str) -> Act:
    """The actor of a session; call it in the transaction of the act.

    Raises:
        DeskError: `session-ended`, it is over, was ended, or never was.
    """
    act = _of(db, token, at, address)
    if act.is_wall and not act.fresh_at:
        raise _ended()  # a key of a wall is no session yet
    return act


def _of(db: sqlite3.Connection, token: str, at: float, address: str) -> Act:
    row = None
    if len(token) <= MAX_TOKEN:
        row = db.execute(
            "SELECT s.*, p.roles, p.ceiling AS own_ceiling, p.audiences AS own_audiences, p.is_active "
            "FROM sessions s JOIN people p ON p.id = s.person WHERE s.hash = ?",
            (hashed(token),),
        ).fetchone()
    if row is None or not row["is_active"]:
        raise _ended()
    roles = frozenset(map(Role, row["roles"].split()))
    is_wall = bool(row["is_wall"])
    clearance = Clearance(Tlp(row["own_ceiling"]), frozenset(row["own_audiences"].split()))
    if not roles_may(roles, Action.LOOK):
        clearance = NO_CONTENT
    if is_wall:
        if not roles_may(roles, Action.OPEN_WALL):
            raise _ended()
        clearance = clearance.within(Clearance(Tlp(row["ceiling"]), frozenset(row["audiences"].split())))
    is_idle = not is_wall and Role.DUTY not in roles and at - row["used_at"] >= IDLE_S
    longest = (WALL_S if is_wall else SESSION_S) + AHEAD_S
    if is_idle or not at < row["ends_at"] <= at + longest:
        raise _ended()
    return Act(
        who=row["person"],
        roles=frozenset() if is_wall else roles,
        clearance=clearance,
        at=at,
        address=address,
        session=row["n"],
        fresh_at=row["fresh_at"],
        used_at=row["used_at"],
        is_wall=is_wall,
    )


def is_to_be_touched(act: Act) -> bool:
    """Whether `touch` is due."""
    return act.at - act.used_at >= USED_EACH_S


def touch(db: sqlite3.Connection, act: Act) -> None:
    """Note that a session is used; once a minute is enough."""
    db.execute("UPDATE sessions SET used_at = max(used_at, ?) WHERE n = ?", (act.at, act.session))


def renew(db: sqlite3.Connection, act: Act, random: Random, *, fresh_at: float | None = None) -> str:
    """Give a session another id, after its person has shown again who it is. Returns it; the old one is void.

    `fresh_at` is when that was; None for now.
    """
    token = new_secret(random)
    db.execute(
        "UPDATE sessions SET hash = ?, fresh_at = ?, used_at = ? WHERE n = ?",
        (hashed(token), act.at if fresh_at is None else fresh_at, act.at, act.session),
    )
    return token


def listed(db: sqlite3.Connection, act: Act, person: str = "") -> list[Session]:
    """Sessions that have not ended by their time, the newest first: of one person, or of all.

    Raises:
        DeskError: `desk-role`, `desk-wall`: one's own may be seen by everybody, others by an administrator.
    """
    check_may(act, Action.OWN_ACCOUNT if person == act.who else Action.SEE_PEOPLE)
    rows = db.execute(
        "SELECT n, person, is_wall, fresh_at > 0 AS is_begun, made_at, used_at, ends_at, address FROM sessions "
        "WHERE ends_at > :at AND (:person = '' OR person = :person) ORDER BY n DESC",
        {"at": act.at, "person": person},
    )
    return [msgspec.convert(dict(row), Session, strict=False) for row in rows]


def end(db: sqlite3.Connection, act: Act, n: int) -> None:
    """End one session by its number: one's own, or, as an administrator, any.

    Raises:
        DeskError: `not-there`, also for another's session; `desk-wall`.
    """
    row = db.execute("SELECT person FROM sessions WHERE n = ?", (n,)).fetchone()
    if row is None or not (row["person"] == act.who or may(act, Action.END_SESSIONS)):
        raise not_there("session")
    if row["person"] == act.who:
        check_may(act, Action.OWN_ACCOUNT)
    db.execute("DELETE FROM sessions WHERE n = ?", (n,))
    trail.add(db, act, "session-ended", row["person"], f"session {n}")


def end_all(db: sqlite3.Connection, act: Act, person: str, *, but_this: bool = False) -> int:
    """End all sessions of a person, walls too; with `but_this` all but the one that acts. Returns how many.

    Raises:
        DeskError: `desk-role`, `desk-wall`.
    """
    check_may(act, Action.OWN_ACCOUNT if person == act.who else Action.END_SESSIONS)
    kept = act.session if but_this else 0
    ended = db.execute("DELETE FROM sessions WHERE person = ? AND n <> ?", (person, kept)).rowcount
    trail.add(db, act, "sessions-ended", person, f"{ended} ended")
    return ended


def forget(db: sqlite3.Connection, at: float) -> None:
    """Take out sessions that have ended by their time."""
    db.execute("DELETE FROM sessions WHERE ends_at <= ?", (at,))


def distrust(db: sqlite3.Connection) -> None:
    """End all sessions and feed addresses and make all tokens void: the file is an older copy, and some had ended since."""
    db.execute("DELETE FROM sessions")
    feeds.distrust(db)
    db.execute("UPDATE people SET token = '', token_until = 0 WHERE token <> ''")


def _insert(
    db: sqlite3.Connection,
    token: str,
    person: str,
    at: float,
    ends_at: float,
    address: str,
    wall: Clearance | None = None,
    *,
    fresh_at: float | None = None,
) -> None:
    db.execute(
        "INSERT INTO sessions (hash, person, is_wall, made_at, used_at, fresh_at, ends_at, address, ceiling, audiences) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            hashed(token),
            person,
            wall is not None,
            at,
            at,
            0.0 if wall else at if fresh_at is None else fresh_at,
            ends_at,
            cut(address, MAX_ADDRESS),
            wall.ceiling.value if wall else "",
            " ".join(sorted(wall.audiences)) if wall else "",
        ),
    )


def _ended() -> DeskError:
    return DeskError("you are not signed in here any more; sign in again", reason="session-ended")
