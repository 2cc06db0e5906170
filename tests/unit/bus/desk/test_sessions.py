"""Sessions: when they end, by time and by hand; walls; and a machine that tries all of it in any order."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bus.desk import Act, Action, DeskError, Role, at_command_line, may, people, sessions
from bus.desk.refusals import MAX_SESSIONS, MAX_WALLS
from bus.desk.sessions import FRESH_S, IDLE_S, SESSION_S, WALL_KEY_S, WALL_S, is_fresh
from bus.policy import Clearance
from schemas.vocab import Tlp
from tests.support.desks import HOME, NOW, act_of, bare, person, seeded, signed_in

OPERATOR = at_command_line(NOW)


def is_over(db: sqlite3.Connection, token: str, at: float) -> bool:
    """Whether a session has ended."""
    try:
        sessions.acting(db, token, at, HOME)
    except DeskError as refused:
        assert refused.reason == "session-ended"
        return True
    return False


ENDS: dict[str, tuple[Role, float, float, bool]] = {
    "a reader who did nothing for almost half an hour": (Role.READER, 0, IDLE_S - 1, False),
    "a reader who did nothing for half an hour": (Role.READER, 0, IDLE_S, True),
    "a reader after a look": (Role.READER, 1_700, 1_700 + IDLE_S - 1, False),
    "an administrator who did nothing": (Role.ADMINISTRATOR, 0, IDLE_S, True),
    "a duty officer who did nothing": (Role.DUTY, 0, SESSION_S - 1, False),
    "a duty officer after twelve hours": (Role.DUTY, SESSION_S - 1, SESSION_S, True),
}


@pytest.mark.parametrize(("role", "used", "later", "ended"), ENDS.values(), ids=ENDS)
def test_when_a_session_ends(role: Role, used: float, later: float, ended: bool) -> None:
    """Twelve hours, and half an hour without use outside of the duty role."""
    db = bare()
    token = signed_in(db, "ann", role)
    sessions.touch(db, act_of(db, token, NOW + used))
    assert is_over(db, token, NOW + later) is ended


def test_a_session_of_a_clock_that_was_ahead_is_none() -> None:
    """It would last for a year; one that began before the clock was set back by some seconds goes on."""
    db = bare()
    token = signed_in(db, "ann", Role.DUTY)
    assert not is_over(db, token, NOW - 60)
    assert is_over(db, token, NOW - 365 * 86_400)


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "A" * 10_000, "\ud800", "' OR 1=1 --"])
def test_what_is_no_session_is_none(token: str) -> None:
    """Said alike for all."""
    db = bare()
    person(db, "ann")
    assert is_over(db, token, NOW)


def test_the_file_has_a_digest_alone() -> None:
    """And each session has another id."""
    db = bare()
    random = seeded(3)
    people.add(db, OPERATOR, "ann", "Ann", [Role.READER])
    tokens = {sessions.begin(db, "ann", NOW, HOME, random) for _ in range(5)}
    kept = {row["hash"] for row in db.execute("SELECT hash FROM sessions")}
    assert (len(tokens), len(kept), tokens & kept) == (5, 5, set())
    assert all(len(token) == 43 for token in tokens)


def test_the_oldest_of_too_many_ends() -> None:
    """The newest ones stay, and walls are not counted among them."""
    db = bare()
    random = seeded(3)
    people.add(db, OPERATOR, "ann", "Ann", [Role.DUTY])
    tokens = [sessions.begin(db, "ann", NOW, HOME, random)]
    wall = wall_of(db, act_of(db, tokens[0]))
    tokens += [sessions.begin(db, "ann", NOW, HOME, random) for _ in range(MAX_SESSIONS)]
    assert [is_over(db, token, NOW) for token in tokens] == [True] + [False] * MAX_SESSIONS
    assert not is_over(db, wall, NOW)


def test_use_is_written_once_a_minute() -> None:
    """Not with each request."""
    db = bare()
    token = signed_in(db, "ann")
    assert not sessions.is_to_be_touched(act_of(db, token, NOW + 59))
    assert sessions.is_to_be_touched(act_of(db, token, NOW + 60))


@pytest.mark.parametrize(("later", "fresh"), [(-1, False), (0, True), (FRESH_S, True), (FRESH_S + 1, False)])
def test_how_long_a_password_is_fresh(later: float, fresh: bool) -> None:
    """Five minutes; one from ahead of the clock is not."""
    db = bare()
    assert is_fresh(act_of(db, signed_in(db, "ann"), NOW + later)) is fresh


def test_a_new_id_makes_the_old_one_void() -> None:
    """It is the same session."""
    db = bare()
    token = signed_in(db, "ann")
    act = act_of(db, token)
    new = sessions.renew(db, act, seeded(9))
    assert is_over(db, token, NOW)
    assert act_of(db, new).session == act.session


def test_one_ends_ones_own_sessions_and_no_others() -> None:
    """Of another's nobody learns that it is there."""
    db = bare()
    ann, bob = person(db, "ann"), person(db, "bob")
    with pytest.raises(DeskError) as refused:
        sessions.end(db, ann, bob.session)
    assert refused.value.reason == "not-there"
    sessions.end(db, ann, ann.session)
    assert [each.n for each in sessions.listed(db, bob, "bob")] == [bob.session]
    assert sessions.listed(db, bob, "bob")[0].person == "bob"


def test_all_but_the_one_that_acts_end() -> None:
    """Or all of them."""
    db = bare()
    token = signed_in(db, "ann")
    act = act_of(db, token)
    others = [sessions.begin(db, "ann", NOW, HOME, seeded(n)) for n in (1, 2)]
    assert sessions.end_all(db, act, "ann", but_this=True) == 2
    assert [is_over(db, each, NOW) for each in (token, *others)] == [False, True, True]
    assert sessions.end_all(db, OPERATOR, "ann") == 1
    assert is_over(db, token, NOW)


def key_of(db: sqlite3.Connection, act: Act, ceiling: Tlp = Tlp.GREEN) -> str:
    """The key of a wall that a duty officer has opened."""
    return sessions.open_wall(db, act, ceiling, ["community"], seeded(1 + sum(act.who.encode())))


def wall_of(db: sqlite3.Connection, act: Act, ceiling: Tlp = Tlp.GREEN) -> str:
    """The same, begun on a screen."""
    return sessions.begin_wall(db, key_of(db, act, ceiling), NOW, HOME, seeded(2 + sum(act.who.encode())))


def test_a_key_of_a_wall_begins_one_session_once() -> None:
    """The key is no session itself, and is void when it was used or its time is over."""
    db = bare()
    duty = person(db, "ann", Role.DUTY)
    key = key_of(db, duty)
    assert [each.is_begun for each in sessions.listed(db, duty, "ann") if each.is_wall] == [False]
    assert is_over(db, key, NOW)
    wall = sessions.begin_wall(db, key, NOW, "192.0.2.9", seeded(3))
    assert act_of(db, wall).is_wall
    assert [each.address for each in sessions.listed(db, duty, "ann") if each.is_wall] == ["192.0.2.9"]
    late = sessions.open_wall(db, duty, Tlp.GREEN, ["community"], seeded(4))
    own = signed_in(db, "bob")
    for at, void in ((NOW, key), (NOW, wall), (NOW, own), (NOW, "x"), (NOW + WALL_KEY_S, late)):
        with pytest.raises(DeskError) as refused:
            sessions.begin_wall(db, void, at, HOME, seeded(5))
        assert refused.value.reason == "wall-key"


def test_a_wall_shows_its_page_and_does_nothing_else() -> None:
    """With the ceiling it was opened with."""
    db = bare()
    duty = person(db, "ann", Role.DUTY, ceiling=Tlp.AMBER)
    wall = act_of(db, wall_of(db, duty), NOW + WALL_S - 1)
    assert wall.clearance == Clearance(Tlp.GREEN, frozenset({"community"}))
    assert [action for action in Action if may(wall, action)] == [Action.SEE_WALL]
    assert wall.roles == frozenset()
    assert not is_fresh(act_of(db, wall_of(db, person(db, "carl", Role.DUTY)), NOW))
    assert is_over(db, wall_of(db, person(db, "bob", Role.DUTY)), NOW + WALL_S)


@pytest.mark.parametrize(("ceiling", "audiences"), [(Tlp.AMBER, ["community"]), (Tlp.GREEN, ["eu-csirts"])])
def test_a_wall_shows_no_more_than_its_opener_may_see(ceiling: Tlp, audiences: list[str]) -> None:
    """Neither by marking nor by audience."""
    db = bare()
    with pytest.raises(DeskError) as refused:
        sessions.open_wall(db, person(db, "ann", Role.DUTY), ceiling, audiences, seeded())
    assert refused.value.reason == "above-ceiling"


def test_a_wall_follows_its_opener() -> None:
    """It shows less when the opener may see less, and ends when the opener has another role or is disabled."""
    db = bare()
    wall = wall_of(db, person(db, "ann", Role.DUTY))
    people.change(db, OPERATOR, "ann", ceiling=Tlp.CLEAR)
    assert act_of(db, wall).clearance.ceiling is Tlp.CLEAR
    people.change(db, OPERATOR, "ann", roles=[Role.ANALYST])
    assert is_over(db, wall, NOW)


def test_a_session_of_a_disabled_person_is_none_even_when_it_is_still_there() -> None:
    """As when a file was put together from two."""
    db = bare()
    token = signed_in(db, "ann")
    db.execute("UPDATE people SET is_active = 0")
    assert is_over(db, token, NOW)


def test_walls_have_a_bound() -> None:
    """All together."""
    db = bare()
    act = person(db, "ann", Role.DUTY)
    random = seeded(2)
    for _ in range(MAX_WALLS):
        sessions.open_wall(db, act, Tlp.GREEN, ["community"], random)
    with pytest.raises(DeskError) as refused:
        sessions.open_wall(db, act, Tlp.GREEN, ["community"], random)
    assert refused.value.reason == "desk-full"


def test_what_has_ended_is_forgotten() -> None:
    """And no session that holds."""
    db = bare()
    signed_in(db, "ann", Role.DUTY)
    sessions.forget(db, NOW + SESSION_S - 1)
    assert len(sessions.listed(db, OPERATOR)) == 1
    sessions.forget(db, NOW + SESSION_S)
    assert db.execute("SELECT count(*) FROM sessions").fetchone()[0] == 0


class Sessions(RuleBasedStateMachine):
    """Sessions in any order, beside what is known of each without the file."""

    def __init__(self) -> None:
        super().__init__()
        self.db = bare()
        self.random = seeded(11)
        self.at = NOW
        self.people: dict[str, tuple[Role, bool]] = {}
        self.held: dict[str, tuple[str, float, float]] = {}  # id of the session: whose, begun, used
        self.gone: set[str] = set()
        for id_, role in (("ann", Role.READER), ("bob", Role.DUTY)):
            people.add(self.db, OPERATOR, id_, id_, [role])
            self.people[id_] = (role, True)

    def is_good(self, token: str) -> bool:
        """Whether a session is to hold now."""
        who, begun, used = self.held[token]
        role, is_active = self.people[who]
        idles = role is not Role.DUTY and self.at - used >= IDLE_S
        return is_active and self.at < begun + SESSION_S and not idles

    @rule(who=st.sampled_from(["ann", "bob"]))
    def begin(self, who: str) -> None:
        """Sign in; the oldest of too many goes."""
        if not self.people[who][1]:
            return
        mine = [token for token, (person_, _, _) in self.held.items() if person_ == who]
        for token in mine[: max(0, len(mine) - MAX_SESSIONS + 1)]:
            self.lose(token)
        self.held[sessions.begin(self.db, who, self.at, HOME, self.random)] = (who, self.at, self.at)

    def lose(self, token: str) -> None:
        """It must never hold again."""
        del self.held[token]
        self.gone.add(token)

    @rule(seconds=st.sampled_from([1.0, 59.0, 60.0, IDLE_S - 60, IDLE_S, 4 * 3600.0]))
    def wait(self, seconds: float) -> None:
        """Time goes by."""
        self.at += seconds

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def use(self, data: st.DataObject) -> None:
        """Ask for something."""
        token = data.draw(st.sampled_from(sorted(self.held)))
        if not self.is_good(token):
            return
        act = act_of(self.db, token, self.at)
        if sessions.is_to_be_touched(act):
            sessions.touch(self.db, act)
            who, begun, _ = self.held[token]
            self.held[token] = (who, begun, self.at)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        """A fresh password."""
        token = data.draw(st.sampled_from(sorted(self.held)))
        if not self.is_good(token):
            return
        new = sessions.renew(self.db, act_of(self.db, token, self.at), self.random)
        who, begun, _ = self.held[token]
        # The place among the others stays: sessions are counted by when they began.
        self.held = {new if each == token else each: kept for each, kept in self.held.items()}
        self.held[new] = (who, begun, self.at)
        self.gone.add(token)

    @rule(who=st.sampled_from(["ann", "bob"]))
    def disable(self, who: str) -> None:
        """All sessions go, for good."""
        people.disable(self.db, OPERATOR, who)
        self.people[who] = (self.people[who][0], False)
        for token in [token for token, kept in self.held.items() if kept[0] == who]:
            self.lose(token)

    @rule(who=st.sampled_from(["ann", "bob"]))
    def enable(self, who: str) -> None:
        """May sign in again."""
        people.enable(self.db, OPERATOR, who)
        self.people[who] = (self.people[who][0], True)

    @rule(who=st.sampled_from(["ann", "bob"]), role=st.sampled_from([Role.READER, Role.DUTY]))
    def change(self, who: str, role: Role) -> None:
        """Another role, another rule of idleness, at once."""
        people.change(self.db, OPERATOR, who, roles=[role])
        self.people[who] = (role, self.people[who][1])

    @rule()
    def tidy(self) -> None:
        """Takes out what is over by its time alone."""
        sessions.forget(self.db, self.at)
        for token in [token for token, kept in self.held.items() if self.at >= kept[1] + SESSION_S]:
            self.lose(token)

    @invariant()
    def holds_what_is_to_hold(self) -> None:
        """And nothing else."""
        for token in self.held:
            assert is_over(self.db, token, self.at) is not self.is_good(token)
        assert all(is_over(self.db, token, self.at) for token in self.gone)


TestSessions = Sessions.TestCase
TestSessions.settings = settings(max_examples=25, stateful_step_count=25)
