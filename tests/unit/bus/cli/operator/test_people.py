"""`tocsin people` as an operator meets it: people, tokens, sessions, the trail; and no secret where it does not belong."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bus.console import read_oidc
from bus.desk import About, Act, Desk, DeskError, SignedIn, at_command_line, duty, feeds, people
from schemas.vocab import Tlp
from tests.support.desks import CHEAP, HOME, PASSWORD
from tests.support.office import TOCSIN
from tests.support.office import Desk as Office
from tests.support.waiting import longest
from tests.support.world import make_world

FILE = "registry.tocsin.json"
T = TypeVar("T")


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """A hub's folder with one context."""
    world = make_world(dt.datetime.now(dt.UTC).replace(microsecond=0))
    made = Office(tmp_path, monkeypatch)
    (tmp_path / FILE).write_bytes(world.raw)
    made.run(
        "context", "add", "xa-hub", "--authority", "xa-hub", "--domain", world.registry.domain, "--pin", world.pin,
        "--registry", FILE, "--state", "state", "--use",
    )  # fmt: skip
    return made


def now() -> float:
    """As the commands have it."""
    return dt.datetime.now(dt.UTC).timestamp()


def console(office: Office, work: Callable[[Desk], Awaitable[T]]) -> T:
    """What a console does with the same file."""

    async def run() -> T:
        async with Desk.open(office.folder / "state" / "desk.db", os.urandom, cost=CHEAP) as desk:
            return await work(desk)

    return asyncio.run(run())


def told(office: Office, *arguments: str) -> Any:
    """What a command says with --json."""
    return json.loads(office.run("people", *arguments, "--json"))


def signed_in(office: Office, id_: str, *roles: str) -> SignedIn:
    """A person who was added, has set a password and signed in."""
    office.run(
        "people",
        "add",
        id_,
        "--name",
        f"Name of {id_}",
        *(word for role in roles for word in ("--role", role)),
    )
    token = office.run("people", "token", id_).strip()

    async def work(desk: Desk) -> SignedIn:
        await desk.set_first_password(token, PASSWORD, now(), HOME)
        return await desk.sign_in(id_, PASSWORD, now(), HOME)

    return console(office, work)


def test_a_person_is_added_listed_changed_and_disabled(office: Office) -> None:
    """With the usual sight until another is given; the console follows at once."""
    session = signed_in(office, "ann", "analyst", "duty-officer")
    (ann,) = told(office, "list")
    assert (ann["roles"], ann["tlp"], ann["audiences"], ann["state"]) == (
        ["analyst", "duty-officer"],
        "green",
        ["community", "public"],
        "active",
    )
    office.run("people", "role", "ann", "reader", "--tlp", "amber", "--audience", "eu-csirts")
    act = console(office, lambda desk: desk.look(session.token, now(), HOME, lambda _, act: act))
    assert (
        [role.value for role in act.roles],
        act.clearance.ceiling.value,
        set(act.clearance.audiences),
    ) == (
        ["reader"],
        "amber",
        {"eu-csirts"},
    )
    assert "ann is disabled" in office.run("people", "disable", "ann")
    assert told(office, "list")[0]["state"] == "disabled"
    office.run("people", "disable", "ann", "--undo")
    assert told(office, "list")[0]["state"] == "active"
    assert told(office, "sessions") == []


def test_an_audience_that_this_hub_does_not_read_is_refused(office: Office) -> None:
    """As on the page of a person; what the person has already, from a registry of before, stays."""
    beyond = ("--audience", "community", "--audience", "comunity")
    added = office.look("people", "add", "ann", "--name", "Ann", "--role", "reader", *beyond)
    assert (added.code, "does not read what is for comunity" in added.err) == (5, True)
    assert told(office, "list") == []
    office.run("people", "add", "ann", "--name", "Ann", "--role", "reader", "--audience", "community")
    changed = office.look("people", "role", "ann", *beyond)
    assert (changed.code, "does not read what is for comunity" in changed.err) == (5, True)

    async def of_before(desk: Desk) -> None:
        act = at_command_line(now())
        await desk.write(lambda db: people.change(db, act, "ann", audiences=["community", "was-there"]))

    console(office, of_before)
    office.run("people", "role", "ann", "--audience", "was-there")
    assert told(office, "list")[0]["audiences"] == ["was-there"]


def test_the_single_sign_on_is_in_the_backup(office: Office) -> None:
    """Its secret only with the keys; it comes back beside the settings, for their owner alone, wherever its files were before."""
    home = office.folder / "home"
    office.run("people", "add", "ann", "--name", "Ann", "--role", "reader")
    (office.folder / "elsewhere").mkdir()
    for name, text in (("secret", "a secret"), ("ca.pem", "certificates")):
        (office.folder / "elsewhere" / name).touch(mode=0o600)
        (office.folder / "elsewhere" / name).write_text(f"{text}\n")
    (home / "oidc.toml").write_text(
        'issuer = "https://id.example"\nclient = "a"\nname = "the \\"ministry\\" of XÄ"\nnetworks = ["10.0.0.0/8"]\n'
        'secret_file = "../elsewhere/secret"\nca_file = "../elsewhere/ca.pem"\n'
    )
    before = read_oidc(home / "oidc.toml")
    office.run("backup", "whole.tar", "--with-keys")
    assert "the secret of oidc.toml is not in it" in office.look("backup", "open.tar").err
    assert b"a secret" not in (office.folder / "open.tar").read_bytes()
    (home / "oidc.toml").unlink()
    shutil.rmtree(office.folder / "elsewhere")
    office.run("restore", "whole.tar", "--force")
    after = read_oidc(home / "oidc.toml")
    assert (after.secret_file.parent, after.secret(), after.ca_file) == (
        home,
        "a secret",
        home / "oidc-ca.pem",
    )
    assert (home / "oidc-ca.pem").read_text() == "certificates\n"
    assert (after.issuer, after.client, after.name, after.networks) == (
        before.issuer, before.client, 'the "ministry" of XÄ', before.networks
    )  # fmt: skip
    assert {stat.S_IMODE(path.stat().st_mode) for path in home.glob("oidc*")} == {0o600}
    (home / "oidc.toml").write_text('issuer = "')
    assert "oidc.toml is not in it: " in office.look("backup", "another.tar").err


def test_a_person_is_linked_to_a_subject(office: Office) -> None:
    """By the issuer of the settings or another; once in all; a link that is removed lets nobody in, and ends the sessions."""
    signed_in(office, "ann", "analyst")
    signed_in(office, "bob", "reader")
    assert "name the issuer" in office.look("people", "link", "ann", "--oidc", "s-1").err
    (office.folder / "home" / "secret").touch(mode=0o600)
    (office.folder / "home" / "secret").write_text("a secret\n")
    settings = 'issuer = "https://id.example"\nclient = "a"\nsecret_file = "secret"\n'
    (office.folder / "home" / "oidc.toml").write_text(settings)
    (link,) = told(office, "link", "ann", "--oidc", "s-1")
    assert (link["person"], link["issuer"], link["subject"]) == ("ann", "https://id.example", "s-1")
    assert "linked to ann already" in office.look("people", "link", "bob", "--oidc", "s-1").err
    told(office, "link", "bob", "--oidc", "s-1", "--issuer", "https://other.example")
    assert [each["subject"] for each in told(office, "link", "ann")] == ["s-1"]

    async def by_link(desk: Desk) -> str:
        at = now()
        begun = await desk.sign_in_linked("https://id.example", "s-1", fresh_at=0.0, at=at, address=HOME)
        return begun.person.id

    assert console(office, by_link) == "ann"
    assert told(office, "link", "ann", "--oidc", "s-1", "--remove") == []
    assert [each["person"] for each in told(office, "sessions")] == ["bob"]
    with pytest.raises(DeskError) as refused:
        console(office, by_link)
    assert refused.value.reason == "link-missing"
    assert "there is no such link" in office.look("people", "link", "ann", "--oidc", "s-1", "--remove").err
    assert "name the subject" in office.look("people", "link", "ann", "--remove").err
    whats = [
        each["what"]
        for each in (json.loads(line) for line in office.run("people", "audit", "--json").splitlines())
    ]
    assert {"link-added", "link-removed"} <= set(whats)


def test_a_list_of_nobody_makes_no_file(office: Office) -> None:
    """It says how to begin."""
    assert told(office, "list") == []
    assert "people add" in office.look("people", "list").err
    assert not (office.folder / "state" / "desk.db").exists()


def test_a_token_is_shown_once_and_takes_the_password_away_after_a_yes(office: Office) -> None:
    """Without a person to ask it needs --yes; nothing but standard output has it."""
    signed_in(office, "ann", "reader")
    assert "--yes" in office.run("people", "token", "ann", code=2)
    assert told(office, "list")[0]["state"] == "active"
    token = told(office, "token", "ann", "--yes")["token"]
    assert told(office, "list")[0]["state"] == "no password"
    files = b"".join(path.read_bytes() for path in office.folder.rglob("*") if path.is_file())
    assert token.encode() not in files
    assert token not in office.run("people", "audit")


def test_sessions_are_ended_one_by_one_and_all(office: Office) -> None:
    """By their numbers: the id of a session is shown nowhere."""
    first = signed_in(office, "ann", "reader")
    console(office, lambda desk: desk.sign_in("ann", PASSWORD, now(), HOME))
    listed = told(office, "sessions", "ann")
    assert [each["person"] for each in listed] == ["ann", "ann"]
    assert first.token not in json.dumps(listed)
    office.run("people", "end-session", str(listed[-1]["n"]))
    assert [each["n"] for each in told(office, "sessions")] == [listed[0]["n"]]
    assert told(office, "end-session", "--all", "ann") == {"ended": 1}
    assert told(office, "sessions") == []


def test_feed_addresses_are_listed_and_ended(office: Office) -> None:
    """By their numbers: the secret of one is shown nowhere."""
    session = signed_in(office, "ann", "reader")
    secret = console(
        office,
        lambda desk: desk.act(
            session.token,
            now(),
            HOME,
            lambda db, act: feeds.add(db, act, "calendar", "/e.ics", "show=own", 30, os.urandom),
        ),
    )
    (listed,) = told(office, "feeds", "ann")
    assert {each: listed[each] for each in ("n", "person", "name", "list", "filter", "used")} == {
        "n": 1,
        "person": "ann",
        "name": "calendar",
        "list": "/e.ics",
        "filter": "show=own",
        "used": None,
    }
    assert secret not in office.run("people", "feeds")
    assert "never" in office.run("people", "feeds")
    assert told(office, "end-feed", "1") == {"ended": 1}
    assert told(office, "feeds") == []
    assert "no feed address" in office.look("people", "feeds").err


def test_the_trail_is_read_and_verified(office: Office) -> None:
    """The newest first; with the head of before, later."""
    signed_in(office, "ann", "reader")
    lines = [json.loads(line) for line in office.run("people", "audit", "--json").splitlines()]
    assert [(line["who"], line["what"]) for line in lines] == [
        ("ann", "signed-in"),
        ("ann", "password-set"),
        ("command-line", "token-issued"),
        ("command-line", "person-added"),
    ]
    assert len(office.run("people", "audit", "--who", "ann", "--since", "1h", "--json").splitlines()) == 2
    standing = told(office, "audit", "--verify")
    assert (standing["first"], standing["last"], standing["head"]) == (1, 4, lines[0]["chain"])
    office.run("people", "disable", "ann")
    office.run("people", "audit", "--verify", "--head", standing["head"])
    assert "audit-head" in office.run("people", "audit", "--verify", "--head", "A" * 43, code=6)


REFUSED = {
    "an id that is none": (("add", "Ann", "--name", "Ann", "--role", "reader"), 5, "person-malformed"),
    "an id that is given": (("add", "bob", "--name", "Bob", "--role", "reader"), 5, "person-exists"),
    "a name that steers a terminal": (
        ("add", "ann", "--name", "\x1b[2J", "--role", "reader"),
        5,
        "text-unseen",
    ),
    "no role": (("add", "ann", "--name", "Ann"), 2, "--role"),
    "a role that there is not": (("add", "ann", "--name", "Ann", "--role", "root"), 2, "root"),
    "nothing to change": (("role", "bob"), 2, "nothing to change"),
    "nobody to change": (("role", "ann", "reader"), 3, "not-there"),
    "nobody to disable": (("disable", "ann"), 3, "not-there"),
    "nobody to give a token": (("token", "ann"), 3, "not-there"),
    "sessions of nobody": (("sessions", "ann"), 3, "not-there"),
    "feed addresses of nobody": (("feeds", "ann"), 3, "not-there"),
    "no feed address to end": (("end-feed", "7"), 3, "not-there"),
    "no session to end": (("end-session", "7"), 3, "not-there"),
    "neither session nor person": (("end-session",), 2, "--all"),
    "all sessions of nobody": (("end-session", "--all", "ann"), 3, "not-there"),
    "a head without --verify": (("audit", "--head", "x"), 2, "--verify"),
}


@pytest.mark.parametrize(("arguments", "code", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(office: Office, arguments: tuple[str, ...], code: int, said: str) -> None:
    """With its exit code, and a sentence."""
    office.run("people", "add", "bob", "--name", "Bob", "--role", "reader")
    assert said in office.run("people", *arguments, code=code)


def test_no_command_takes_a_password(office: Office) -> None:
    """Neither as an option nor asked for: what stands on a command line stands in a history and a list of processes."""
    helps = [office.run("people", verb, "--help") for verb in ("add", "role", "disable", "token")]
    assert not any("--password" in text for text in helps)


def test_other_contexts_have_other_people(office: Office) -> None:
    """The file lies with the state of a context."""
    office.run("people", "add", "ann", "--name", "Ann", "--role", "reader")
    pin, domain = (told_of(office, name) for name in ("pin", "domain"))
    office.run(
        "context", "add", "other", "--authority", "xb-hub", "--domain", domain, "--pin", pin,
        "--registry", FILE, "--state", "elsewhere",
    )  # fmt: skip
    assert told(office, "list", "--context", "other") == []


def told_of(office: Office, setting: str) -> str:
    """A setting of the context."""
    return str(json.loads(office.run("context", "show", "--json"))[setting])


@pytest.mark.short_faults
def test_commands_work_while_a_console_has_the_file_open_and_writes(office: Office) -> None:
    """Neither waits for the other to end, nothing of either is lost, and the trail of both is one."""
    session = signed_in(office, "ann", "duty-officer")

    async def work(desk: Desk) -> int:
        done = 0
        ended = asyncio.create_task(asyncio.to_thread(commands, office))
        while not ended.done():
            await desk.act(session.token, now(), HOME, partial(acknowledges, name=f"a{done}"))
            done += 1
            await asyncio.sleep(0)
        await ended
        with pytest.raises(DeskError) as refused:
            await desk.sign_in("bob", PASSWORD, now(), HOME)
        assert refused.value.reason == "sign-in-refused"
        return done

    done = console(office, work)
    whats = [
        json.loads(line)["what"]
        for line in office.run("people", "audit", "--limit", "10000", "--json").splitlines()
    ]
    assert whats.count("acknowledged") == done > 0
    assert whats.count("person-changed") == 3
    assert told(office, "audit", "--verify")["last"] == len(whats)


def acknowledges(db: sqlite3.Connection, act: Act, name: str) -> None:
    """One thing more."""
    duty.acknowledge(db, act, About("alarm", name, Tlp.GREEN, "community"))


def commands(office: Office) -> None:
    """What an operator does meanwhile, each in a process of its own."""
    for arguments in (
        ("add", "bob", "--name", "Bob", "--role", "reader"),
        *(("role", "bob", "reader", "--tlp", tlp) for tlp in ("red", "amber", "green")),
        ("disable", "bob"),
    ):
        done = subprocess.run(
            [TOCSIN, "people", *arguments],
            cwd=office.folder,
            env=office.env,
            capture_output=True,
            timeout=longest(),
        )
        assert done.returncode == 0, done.stderr
