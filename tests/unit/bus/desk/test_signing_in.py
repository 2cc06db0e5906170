"""Signing in: passwords, waits, locks, tokens; what is said and recorded."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from bus.desk import Desk, DeskError, Role, at_command_line, people, sessions, signing_in, trail
from bus.desk import attempts as attempts_table
from bus.desk.attempts import (
    FORGOTTEN_AFTER_S,
    FREE_OF_ADDRESS,
    FREE_OF_NAME,
    LOCKED_AFTER,
    LONGEST_WAIT_S,
    wait_after,
)
from bus.desk.refusals import MAX_ATTEMPTS, MAX_PLACES
from bus.errors import KeyFileError
from bus.keys import Cost
from tests.support.desks import CHEAP, HOME, NOW, PASSWORD, add, bare, invite, open_desk, seeded

WRONG = "another long sentence here"


def bytes_in(folder: Path) -> bytes:
    """All that is in the files of a folder."""
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def refusal(desk: Desk, name: str, password: str, at: float = NOW, address: str = HOME) -> DeskError:
    """With what an attempt is refused."""
    with pytest.raises(DeskError) as refused:
        await desk.sign_in(name, password, at, address)
    return refused.value


async def issued(desk: Desk, id_: str, seed: int) -> str:
    """A new token for a person."""
    return await desk.write(lambda db: signing_in.issue_token(db, at_command_line(NOW), id_, seeded(seed)))


async def whats(desk: Desk) -> list[tuple[str, str]]:
    """Who did what, in order."""
    entries = await desk.read(lambda db: trail.read(db, at_command_line(NOW)))
    return [(entry.who, entry.what) for entry in reversed(entries)]


async def test_a_token_sets_a_password_once(tmp_path: Path) -> None:
    """Then it is void, and the password signs in."""
    async with open_desk(tmp_path) as desk:
        setup = await invite(desk, "ann")
        assert (await refusal(desk, "ann", PASSWORD)).reason == "sign-in-refused"
        await desk.set_first_password(setup, PASSWORD, NOW, HOME)
        with pytest.raises(DeskError) as again:
            await desk.set_first_password(setup, WRONG, NOW, HOME)
        assert again.value.reason == "setup-token"
        assert (await desk.sign_in(" ANN ", PASSWORD, NOW, HOME)).person.id == "ann"


async def test_a_weak_password_leaves_the_token_good(tmp_path: Path) -> None:
    """A person tries again."""
    async with open_desk(tmp_path) as desk:
        setup = await invite(desk, "ann")
        with pytest.raises(KeyFileError) as weak:
            await desk.set_first_password(setup, "short", NOW, HOME)
        assert weak.value.reason == "weak-passphrase"
        await desk.set_first_password(setup, PASSWORD, NOW, HOME)


@pytest.mark.parametrize("later", [signing_in.TOKEN_S, signing_in.TOKEN_S + 1])
async def test_a_token_ends(tmp_path: Path, later: float) -> None:
    """After a day."""
    async with open_desk(tmp_path) as desk:
        setup = await invite(desk, "ann")
        await desk.read(lambda db: signing_in.holder_of(db, setup, NOW + signing_in.TOKEN_S - 1))
        with pytest.raises(DeskError) as over:
            await desk.set_first_password(setup, PASSWORD, NOW + later, HOME)
        assert over.value.reason == "setup-token"


@pytest.mark.parametrize("setup", ["", "x", "A" * 43, "A" * 5_000, "\ud800" * 43])
async def test_what_is_no_token_is_refused(tmp_path: Path, setup: str) -> None:
    """Also where somebody has none, so that empty is not equal to empty."""
    async with open_desk(tmp_path) as desk:
        await add(desk, "ann")
        with pytest.raises(DeskError) as refused:
            await desk.set_first_password(setup, PASSWORD, NOW, HOME)
        assert refused.value.reason == "setup-token"


async def test_a_new_token_takes_password_sessions_and_the_earlier_token(tmp_path: Path) -> None:
    """Whoever had any of them has nothing."""
    async with open_desk(tmp_path) as desk:
        session = await add(desk, "ann")
        tokens = [await issued(desk, "ann", seed) for seed in (1, 2)]
        assert (await refusal(desk, "ann", PASSWORD)).reason == "sign-in-refused"
        with pytest.raises(DeskError):
            await desk.look(session, NOW, HOME, lambda _, act: act)
        with pytest.raises(DeskError):
            await desk.set_first_password(tokens[0], PASSWORD, NOW, HOME)
        await desk.set_first_password(tokens[1], WRONG, NOW, HOME)
        await desk.sign_in("ann", WRONG, NOW, HOME)


async def test_all_who_are_refused_hear_the_same(tmp_path: Path) -> None:
    """A wrong password, a name that nobody has, one without a password, one who is disabled."""
    async with open_desk(tmp_path) as desk:
        await add(desk, "ann")
        await invite(desk, "bob")
        await add(desk, "carl")
        await desk.write(lambda db: people.disable(db, at_command_line(NOW), "carl"))
        asked = (("ann", WRONG), ("nobody", PASSWORD), ("bob", PASSWORD), ("carl", PASSWORD), ("", ""))
        said = {
            (str(error), error.reason) for name, word in asked for error in [await refusal(desk, name, word)]
        }
        assert said == {("the name or the password is wrong", "sign-in-refused")}


async def test_each_attempt_costs_one_hash_whoever_it_is_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the same cost: time does not tell who is known."""
    from bus.desk import store
    from bus.keys import is_password
    from bus.keys.passwords import cost_of

    costs: list[Cost | None] = []

    def counted(password: str, hashed: str) -> bool:
        costs.append(cost_of(hashed))
        return is_password(password, hashed)

    monkeypatch.setattr(store, "is_password", counted)
    async with open_desk(tmp_path) as desk:
        await add(desk, "ann")
        await invite(desk, "bob")
        costs.clear()
        for name in ("ann", "bob", "nobody", "x" * 10_000):
            await refusal(desk, name, WRONG)
    assert costs == [CHEAP] * 4


async def test_a_hash_is_made_anew_when_its_cost_is_out_of_date(tmp_path: Path) -> None:
    """At the next sign-in, the only time at which the password is known."""
    dearer = Cost(memory_kib=128, passes=1, lanes=1)
    async with open_desk(tmp_path) as desk:
        await add(desk, "ann")
    async with Desk.open(tmp_path / "desk.db", seeded(1), cost=dearer) as desk:
        await refusal(desk, "ann", WRONG)
        for _ in range(2):
            await desk.sign_in("ann", PASSWORD, NOW, HOME)
        (row,) = await desk.query("SELECT password FROM people")
        assert "m=128," in row["password"]


async def test_a_name_waits_after_failures_and_begins_anew_after_success(tmp_path: Path) -> None:
    """While it waits the right password is not looked at either, and nothing is counted."""
    async with open_desk(tmp_path) as desk:
        await add(desk, "ann")
        for _ in range(FREE_OF_NAME):
            assert (await refusal(desk, "ann", WRONG)).reason == "sign-in-refused"
        for _ in range(3):
            assert (await refusal(desk, "ann", PASSWORD)).reason == "sign-in-wait"
        assert (await desk.sign_in("ann", PASSWORD, NOW + 31, HOME)).person.id == "ann"
        assert (await refusal(desk, "ann", WRONG, NOW + 31)).reason == "sign-in-refused"


async def test_strangers_elsewhere_keep_nobody_out_at_the_usual_desk(tmp_path: Path) -> None:
    """Neither by a wait nor by a lock; from an address that is new the person waits like a stranger."""
    async with open_desk(tmp_path) as desk:
        await add(desk, "ann")

        def strangers(db: sqlite3.Connection) -> float:
            at = NOW
            for n in range(LOCKED_AFTER):
                at += LONGEST_WAIT_S
                attempts_table.begin(db, "ann", f"198.51.100.{n}", at, is_known=True)
            return at

        at = await desk.write(strangers)
        assert (await refusal(desk, "ann", PASSWORD, at, "198.51.100.200")).reason == "sign-in-locked"
        assert (await desk.sign_in("ann", PASSWORD, at, HOME)).person.id == "ann"
        await desk.write(lambda db: signing_in.let_in(db, at_command_line(at), "ann"))
        await desk.sign_in("ann", PASSWORD, at, "198.51.100.200")


async def test_failures_at_the_usual_desk_wait_too(tmp_path: Path) -> None:
    """They are counted apart, not left out; being let in forgets them."""
    async with open_desk(tmp_path) as desk:
        await add(desk, "ann")
        reasons = [(await refusal(desk, "ann", WRONG)).reason for _ in range(FREE_OF_NAME + 1)]
        assert reasons[-1] == "sign-in-wait"
        assert (await refusal(desk, "ann", WRONG, address="198.51.100.1")).reason == "sign-in-refused"
        await desk.write(lambda db: signing_in.let_in(db, at_command_line(NOW), "ann"))
        await desk.sign_in("ann", PASSWORD, NOW, HOME)


def test_the_places_of_one_person_have_a_bound() -> None:
    """The oldest go, with their failures."""
    db = bare()
    people.add(db, at_command_line(NOW), "ann", "Ann", [Role.READER])
    for n in range(MAX_PLACES + 5):
        attempts_table.succeed(db, "ann", f"198.51.100.{n}", NOW + n)
    kept = [row["at"] - NOW for row in db.execute("SELECT at FROM places ORDER BY at")]
    assert kept == [float(n) for n in range(5, MAX_PLACES + 5)]


async def test_a_name_that_nobody_has_waits_alike(tmp_path: Path) -> None:
    """So a wait tells nothing."""
    async with open_desk(tmp_path) as desk:
        await add(desk, "ann")
        heard = {
            name: [
                (await refusal(desk, name, WRONG, address=f"192.0.2.{n}")).reason
                for n in range(FREE_OF_NAME + 2)
            ]
            for name in ("ann", "nobody")
        }
        assert heard["ann"] == heard["nobody"]


async def test_many_at_once_are_no_way_around(tmp_path: Path) -> None:
    """An attempt is counted before its password is looked at."""
    async with open_desk(tmp_path) as desk:
        await add(desk, "ann")
        many = (desk.sign_in("ann", WRONG, NOW, f"198.51.100.{n}") for n in range(20))
        reasons = [
            getattr(each, "reason", "") for each in await asyncio.gather(*many, return_exceptions=True)
        ]
        assert reasons.count("sign-in-refused") == FREE_OF_NAME
        assert reasons.count("sign-in-wait") == 20 - FREE_OF_NAME


async def test_an_address_waits_for_whatever_name(tmp_path: Path) -> None:
    """Another address does not."""
    async with open_desk(tmp_path) as desk:
        await add(desk, "ann")
        for n in range(FREE_OF_ADDRESS):
            await refusal(desk, f"nobody{n}", WRONG, address="192.0.2.99")
        assert (await refusal(desk, "ann", PASSWORD, address="192.0.2.99")).reason == "sign-in-wait"
        await desk.sign_in("ann", PASSWORD, NOW, HOME)


SAME = {
    "one household": ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
    "two households": ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
    "one address in two spellings": ("2001:db8::1", "2001:0db8:0:0::1", True),
    "an address of version 4 inside of 6": ("192.0.2.1", "::ffff:192.0.2.1", True),
    "two addresses of version 4": ("192.0.2.1", "192.0.2.2", False),
    "with a zone": ("fe80::1%eth0", "fe80::1", True),
    "no address": ("a socket", "another", False),
}


@pytest.mark.parametrize(("one", "other", "is_same"), SAME.values(), ids=SAME)
def test_which_addresses_count_as_one(one: str, other: str, is_same: bool) -> None:
    """Of IPv6 the first 64 bits."""
    db = bare()
    for n in range(FREE_OF_ADDRESS):
        attempts_table.begin(db, f"n{n}", one, NOW, is_known=False)
    if not is_same:
        attempts_table.begin(db, "x", other, NOW, is_known=False)
        return
    with pytest.raises(DeskError) as refused:
        attempts_table.begin(db, "x", other, NOW, is_known=False)
    assert refused.value.reason == "sign-in-wait"


def test_the_wait_doubles_up_to_a_quarter_of_an_hour() -> None:
    """And never overflows."""
    waits = [wait_after(n, 5) for n in range(4, 13)]
    assert waits == [0.0, 30.0, 60.0, 120.0, 240.0, 480.0, 900.0, 900.0, 900.0]
    assert wait_after(10**9, 5) == LONGEST_WAIT_S


def _fail(db: sqlite3.Connection, times: int) -> float:
    at = NOW
    for _ in range(times):
        at += LONGEST_WAIT_S
        attempts_table.begin(db, "ann", f"192.0.2.{times}", at, is_known=True)
    return at


def test_a_hundred_failures_lock_a_name_until_an_administrator_lets_in() -> None:
    """No time undoes it; being let in is recorded."""
    db = bare()
    people.add(db, at_command_line(NOW), "ann", "Ann", [Role.READER])
    at = _fail(db, LOCKED_AFTER)
    for later in (LONGEST_WAIT_S, 10 * FORGOTTEN_AFTER_S):
        with pytest.raises(DeskError) as refused:
            attempts_table.begin(db, "ann", HOME, at + later, is_known=True)
        assert refused.value.reason == "sign-in-locked"
    attempts_table.forget(db, at + 10 * FORGOTTEN_AFTER_S)
    assert attempts_table.is_locked(db, "ann", HOME)
    signing_in.let_in(db, at_command_line(at), "ann")
    attempts_table.begin(db, "ann", HOME, at, is_known=True)
    assert trail.read(db, at_command_line(at))[0].what == "let-in"


@pytest.mark.parametrize(("back", "waits"), [(0.0, True), (60.0, False), (1e6, False)])
def test_a_clock_that_was_set_back_keeps_nobody_out_for_long(back: float, waits: bool) -> None:
    """An end beyond the longest wait is none; failures still count, so the next wait begins now."""
    db = bare()
    at = _fail(db, 50) - back
    reasons = []
    for n in range(2):
        try:
            attempts_table.begin(db, "ann", f"198.51.100.{n}", at, is_known=True)
        except DeskError as refused:
            reasons.append(refused.reason)
    assert reasons == ["sign-in-wait"] * (2 if waits else 1)


def test_strangers_push_out_strangers_alone() -> None:
    """The table has a bound, and what is known of people here stays."""
    db = bare()
    _fail(db, 7)
    db.executemany(
        "INSERT INTO attempts VALUES (?, 0, 1, ?, ?)", [(f"k{n}", NOW + n, NOW) for n in range(MAX_ATTEMPTS)]
    )
    attempts_table.begin(db, "nobody", "192.0.2.200", NOW, is_known=False)
    (held,) = db.execute("SELECT count(*) FROM attempts WHERE is_known = 0").fetchone()
    assert held == MAX_ATTEMPTS
    assert db.execute("SELECT 1 FROM attempts WHERE key = ?", (f"k{MAX_ATTEMPTS - 1}",)).fetchone()
    (known,) = db.execute("SELECT failures FROM attempts WHERE is_known = 1").fetchone()
    assert known == 7


async def test_what_was_typed_as_a_name_is_never_kept(tmp_path: Path) -> None:
    """People type passwords into the field of the name."""
    async with open_desk(tmp_path) as desk:
        await refusal(desk, "my secret passphrase", "x")
        await refusal(desk, PASSWORD, PASSWORD)
        assert await whats(desk) == [("-", "sign-in-failed")] * 2
    files = bytes_in(tmp_path)
    assert b"secret" not in files
    assert b"brown" not in files


async def test_secrets_are_not_in_the_file(tmp_path: Path) -> None:
    """Neither passwords nor tokens nor the ids of sessions."""
    async with open_desk(tmp_path) as desk:
        setup = await invite(desk, "ann")
        await desk.set_first_password(setup, PASSWORD, NOW, HOME)
        session = (await desk.sign_in("ann", PASSWORD, NOW, HOME)).token
        second = await invite(desk, "bob")
    files = bytes_in(tmp_path)
    assert not any(secret.encode() in files for secret in (setup, second, session, PASSWORD))


async def test_strangers_cannot_fill_the_trail(tmp_path: Path) -> None:
    """A thousand of their failures are recorded in a day."""
    async with open_desk(tmp_path) as desk:

        def flood(db: sqlite3.Connection) -> None:
            for _ in range(1_500):
                trail.add_sign_in(db, NOW, "", "sign-in-failed", HOME)

        await desk.write(flood)
        (row,) = await desk.query("SELECT count(*) AS n FROM trail")
        assert 990 <= row["n"] <= 1_000


async def test_confirming_gives_the_session_a_new_id(tmp_path: Path) -> None:
    """And makes it fresh; the old id is void. A wrong password does neither, and is counted."""
    async with open_desk(tmp_path) as desk:
        token = await add(desk, "ann")
        later = NOW + 1_000
        with pytest.raises(DeskError) as wrong:
            await desk.confirm(token, WRONG, later, HOME)
        assert wrong.value.reason == "sign-in-refused"
        assert not sessions.is_fresh(await desk.look(token, later, HOME, lambda _, act: act))
        new = await desk.confirm(token, PASSWORD, later, HOME)
        assert new != token
        assert sessions.is_fresh(await desk.look(new, later, HOME, lambda _, act: act))
        with pytest.raises(DeskError):
            await desk.look(token, later, HOME, lambda _, act: act)


async def test_a_stolen_session_does_not_try_passwords(tmp_path: Path) -> None:
    """Confirming waits like signing in."""
    async with open_desk(tmp_path) as desk:
        token = await add(desk, "ann")
        reasons = []
        for _ in range(FREE_OF_NAME + 1):
            with pytest.raises(DeskError) as refused:
                await desk.confirm(token, WRONG, NOW, HOME)
            reasons.append(refused.value.reason)
        assert reasons == ["sign-in-refused"] * FREE_OF_NAME + ["sign-in-wait"]


async def test_a_new_password_ends_all_other_sessions(tmp_path: Path) -> None:
    """The one that changed it goes on under a new id."""
    async with open_desk(tmp_path) as desk:
        token = await add(desk, "ann")
        other = (await desk.sign_in("ann", PASSWORD, NOW, HOME)).token
        with pytest.raises(DeskError):
            await desk.change_password(token, WRONG, "yet another good sentence", NOW, HOME)
        new = await desk.change_password(token, PASSWORD, WRONG, NOW, HOME)
        await desk.look(new, NOW, HOME, lambda _, act: act)
        for old in (token, other):
            with pytest.raises(DeskError):
                await desk.look(old, NOW, HOME, lambda _, act: act)
        assert (await refusal(desk, "ann", PASSWORD)).reason == "sign-in-refused"
        await desk.sign_in("ann", WRONG, NOW, HOME)


async def test_who_is_disabled_while_the_password_is_looked_at_does_not_come_in(tmp_path: Path) -> None:
    """The person is read again in the transaction that begins the session."""
    async with open_desk(tmp_path) as desk:
        await add(desk, "ann")
        asked = await desk.write(lambda db: signing_in.challenge(db, "ann", HOME, NOW))
        await desk.write(lambda db: people.disable(db, at_command_line(NOW), "ann"))
        done = await desk.write(
            lambda db: signing_in.finish(db, asked, is_right=True, new_hash="", random=seeded())
        )
        assert done is None


async def test_a_password_that_ended_while_it_was_looked_at_lets_nobody_in(tmp_path: Path) -> None:
    """A token was issued meanwhile."""
    async with open_desk(tmp_path) as desk:
        await add(desk, "ann")
        asked = await desk.write(lambda db: signing_in.challenge(db, "ann", HOME, NOW))
        await issued(desk, "ann", 1)
        done = await desk.write(
            lambda db: signing_in.finish(db, asked, is_right=True, new_hash="", random=seeded())
        )
        assert done is None


async def test_each_step_is_recorded(tmp_path: Path) -> None:
    """Who, and what."""
    async with open_desk(tmp_path) as desk:
        await add(desk, "ann")
        await refusal(desk, "ann", WRONG)
        assert await whats(desk) == [
            ("command-line", "person-added"),
            ("command-line", "token-issued"),
            ("ann", "password-set"),
            ("ann", "signed-in"),
            ("ann", "sign-in-failed"),
        ]
