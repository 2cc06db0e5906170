"""Elections as a hub's people see them: which calendar counts, which phase it is, and whether a country is ready."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import sqlite3
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.delivery import TABLES
from bus.publishing.outbox import Outbox
from schemas.bodies.electoral import ElectionCalendar, PhaseWindow
from schemas.parts import Ref
from schemas.vocab import MsgType, Phase, RefRel, Status, Tlp
from tests.support import elections
from tests.support.hubs import hub_desk, store_of, take_in
from tests.support.office import Desk
from tests.support.outboxes import add_stored, store_all
from tests.support.world import Message, World, bulletin, draft, make_world, sign

HOUR = dt.timedelta(hours=1)
DAY = 24 * HOUR
PUBLIC = {"tlp": Tlp.CLEAR, "audience": "public"}


@cache
def world() -> World:
    """Two countries whose registry stands as of the real clock."""
    return make_world(dt.datetime.now(dt.UTC).replace(microsecond=0))


class Channel:
    """An authority that goes on speaking on one channel."""

    def __init__(self, issuer: str, **way: Any) -> None:
        self.issuer, self.way = issuer, way or PUBLIC
        self.seq = 0
        self.prev: str | None = None

    def say(self, body: Any, *, age: dt.timedelta = dt.timedelta(0), **changes: Any) -> Message:
        """One more bulletin, `age` ago."""
        self.seq += 1
        made = bulletin(
            world(), self.issuer, seq=self.seq, prev=self.prev, issued=world().now - age,
            say=draft(f"number {self.seq}", body=body, **self.way), **changes,
        )  # fmt: skip
        said = sign(world(), made)
        self.prev = said.digest
        return said

    def calendar(
        self, election: str, *windows: tuple[Phase, dt.timedelta, dt.timedelta],
        tz: str = "Europe/Vienna", confirmed: bool = True, **more: Any,
    ) -> Message:  # fmt: skip
        """A calendar whose windows are told from now on."""
        now = world().now
        made = tuple(PhaseWindow(phase=p, start=now + start, end=now + end) for p, start, end in windows)
        body = ElectionCalendar(windows=made, tz=tz, confirmed=confirmed)
        return self.say(body, election=elections.election(election), **{**elections.put_off(), **more})


CAMPAIGN = (Phase.CAMPAIGN, -DAY, 5 * DAY)
POLLS = (Phase.POLLING, -HOUR, 9 * HOUR)
COMING = (Phase.POLLING, 5 * DAY, 5 * DAY + 14 * HOUR)


@pytest.fixture(autouse=True)
def present() -> None:
    """Each test has a world of its own moment: what is live and late depends on the real clock."""
    world.cache_clear()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """xa-hub's desk."""
    return hub_desk(tmp_path, monkeypatch, world(), "xa-hub")


def take(desk: Desk, *messages: Message) -> None:
    """Into xa-hub's store."""
    asyncio.run(take_in(store_of(desk.folder, "xa-hub"), world(), messages))


def listed(desk: Desk) -> dict[str, Any]:
    """`election list --json`."""
    found: dict[str, Any] = json.loads(desk.run("election", "list", "--json"))
    return found


def phases(desk: Desk) -> dict[tuple[str, str], str]:
    """The phase of each election in each country."""
    return {(each["election"], each["country"]): each["phase"] for each in listed(desk)["elections"]}


def test_several_elections_in_several_countries_each_have_their_phase(desk: Desk) -> None:
    """An election of the Union has a calendar in each country; a country's phase is the gravest of its elections."""
    xa, xb = Channel("xa-emb"), Channel("xb-emb")
    take(
        desk,
        xa.calendar("xa-parl-2027", CAMPAIGN, COMING),
        xa.calendar("eu-ep-2029", (Phase.ANNOUNCED, -DAY, DAY)),
        xb.calendar("eu-ep-2029", (Phase.SILENCE, -HOUR, HOUR), POLLS, tz="Etc/GMT+3"),
    )
    assert phases(desk) == {
        ("xa-parl-2027", "XA"): "campaign",
        ("eu-ep-2029", "XA"): "announced",
        ("eu-ep-2029", "XB"): "polling",
    }
    assert [(each["country"], each["phase"], each["coarse"]) for each in listed(desk)["countries"]] == [
        ("XA", "campaign", "before"),
        ("XB", "polling", "during"),
    ]


def test_a_newer_calendar_takes_the_place_of_an_older_one(desk: Desk) -> None:
    """Whichever came first, the one issued last counts; a withdrawn one leaves the field to the one before."""
    xa = Channel("xa-emb")
    old, new = (
        xa.calendar("xa-parl-2027", CAMPAIGN, age=2 * HOUR),
        xa.calendar("xa-parl-2027", POLLS, age=HOUR),
    )
    take(desk, new, old)
    assert phases(desk) == {("xa-parl-2027", "XA"): "polling"}
    gone = xa.say(
        ElectionCalendar(windows=new.bulletin.body.windows, tz="UTC"),  # type: ignore[union-attr]
        msg_type=MsgType.CANCEL,
        references=(Ref(id=new.bulletin.id, rel=RefRel.CANCELS),),
    )
    take(desk, gone)
    assert phases(desk) == {("xa-parl-2027", "XA"): "campaign"}


def test_nobody_dates_the_election_of_another_country(desk: Desk) -> None:
    """A newer calendar from abroad, and one of an authority that is not electoral, change nothing."""
    csirt = Channel("xa-csirt", tlp=Tlp.GREEN, audience="community")
    take(
        desk,
        Channel("xa-emb").calendar("xa-parl-2027", CAMPAIGN, age=HOUR),
        Channel("xb-emb").calendar("xa-parl-2027", POLLS),
        csirt.calendar("xa-parl-2027", POLLS),
    )
    assert phases(desk) == {("xa-parl-2027", "XA"): "campaign"}


def test_an_exercise_moves_no_election(desk: Desk) -> None:
    """A calendar of a drill is in no list; the election itself is not found."""
    drill = Channel("xa-emb")
    take(desk, drill.calendar("xa-parl-2027", POLLS, status=Status.EXERCISE, exercise_id="xa-drill"))
    assert phases(desk) == {}
    assert "no calendar of xa-parl-2027" in desk.run("election", "show", "xa-parl-2027", code=3)


def test_a_calendar_that_has_run_out_still_counts_and_says_so(desk: Desk) -> None:
    """Channels must not slow down in the middle of a vote; `show` fails the calendar's check."""
    old = Channel("xa-emb").calendar(
        "xa-parl-2027", POLLS, age=2 * HOUR, expires=world().now - HOUR, confirmed=False
    )
    take(desk, old)
    (found,) = listed(desk)["elections"]
    assert (found["phase"], found["expired"], found["confirmed"]) == ("polling", True, False)
    shown = json.loads(desk.run("election", "show", "xa-parl-2027", "--json"))
    assert {each["name"]: each["verdict"] for each in shown["checks"]}["calendar"] == "fail"


def test_windows_are_told_in_the_elections_own_time_and_in_utc(desk: Desk) -> None:
    """Three hours behind UTC under a name of the database that has a sign in it."""
    take(desk, Channel("xb-emb").calendar("xb-pres-2027", COMING, CAMPAIGN, tz="Etc/GMT+3"))
    shown = json.loads(desk.run("election", "show", "xb-pres-2027", "--json"))
    campaign, polls = shown["windows"]
    assert (campaign["state"], polls["state"]) == ("open", "to come")
    start = dt.datetime.fromisoformat(polls["start"])
    assert polls["local_start"] == f"{start - 3 * HOUR:%Y-%m-%d %H:%M} -03"
    text = desk.run("election", "show", "xb-pres-2027")
    assert polls["local_start"] in text
    assert f"{start:%Y-%m-%d %H:%M}" in text


CONTACTS = """
[[contact]]
authority = "{authority}"
role = "duty desk"
reach = ["tel:+99-555-0100"]
confirmed = {confirmed}
"""


def test_readiness_names_what_passes_what_fails_and_what_nobody_knows(desk: Desk) -> None:
    """Live and never heard channels, a fresh and an old contact, a drill: each check with its own verdict."""
    now = world().now
    (desk.folder / "contacts.toml").write_text(
        CONTACTS.format(authority="xa-emb", confirmed=now.date())
        + CONTACTS.format(authority="xa-dsc", confirmed=now.date() - 40 * DAY)
        + CONTACTS.format(authority="xb-emb", confirmed=now.date())
    )
    settings = desk.folder / "home" / "config.toml"
    settings.write_text(settings.read_text() + 'contacts = "../contacts.toml"\n')
    csirt = Channel("xa-csirt", tlp=Tlp.GREEN, audience="community")
    take(
        desk,
        Channel("xa-emb").calendar("xa-parl-2027", CAMPAIGN, COMING),
        Channel("xa-emb", tlp=Tlp.GREEN, audience="community").say(draft().body),
        Channel("xa-emb", tlp=Tlp.AMBER_STRICT, audience="eu-emb").say(draft().body),
        csirt.say(draft().body, age=2 * HOUR),
        Channel("xa-dpa", tlp=Tlp.GREEN, audience="community").say(
            draft().body, status=Status.EXERCISE, exercise_id="xa-drill", age=3 * DAY
        ),
    )
    shown = json.loads(desk.run("election", "show", "xa-parl-2027", "--json"))
    verdicts = {(each["name"], each["about"]): each["verdict"] for each in shown["checks"]}
    assert {key: verdicts[key] for key in verdicts if key[0] != "beacon"} == {
        ("calendar", ""): "pass",
        ("registry", ""): "pass",
        ("root-keys", ""): "pass",
        ("beacon-keys", ""): "pass",
        ("drill", ""): "pass",
        ("channels", "xa-emb"): "pass",
        ("channels", "xa-csirt"): "fail",
        ("channels", "xa-dsc"): "unknown",
        ("channels", "xa-dpa"): "unknown",
        ("channels", "xa-hub"): "unknown",
        ("signing-key", "xa-hub"): "pass",
        **{("signing-key", f"xa-{office}"): "pass" for office in ("emb", "csirt", "dsc", "dpa")},
        ("contacts", "xa-emb"): "pass",
        ("contacts", "xa-dsc"): "fail",
        ("contacts", "xa-csirt"): "fail",
        ("contacts", "xa-dpa"): "fail",
        ("contacts", "xa-hub"): "fail",
    }
    assert verdicts["beacon", ""] == "fail"  # nobody has brought this hub a beacon
    assert shown["ready"] is False
    assert [each["authority"] for each in shown["contacts"]] == ["xa-emb", "xa-dsc"]
    assert desk.run("election", "show", "xa-parl-2027", "--require-ready", code=1) == ""
    late = desk.run("election", "show", "xa-parl-2027", "--json", "--drill-days", "2")
    assert {each["name"]: each["verdict"] for each in json.loads(late)["checks"]}["drill"] == "fail"


def test_a_registry_that_ends_before_the_vote_is_no_readiness(desk: Desk) -> None:
    """Keys stand a year and the registry 90 days; a vote after that fails both, and one without polls is unknown."""
    far = (Phase.POLLING, 380 * DAY, 380 * DAY + HOUR)
    take(
        desk,
        Channel("xa-emb").calendar("xa-parl-2028", far, expires=world().now + 399 * DAY),
        Channel("xb-emb").calendar("xb-parl-2028", CAMPAIGN),
    )
    for election, verdict in (("xa-parl-2028", "fail"), ("xb-parl-2028", "unknown")):
        checks = json.loads(desk.run("election", "show", election, "--json"))["checks"]
        found = {
            each["verdict"] for each in checks if each["name"] in ("registry", "root-keys", "signing-key")
        }
        assert found == {verdict}, checks


BAD_CONTACTS = {
    "no TOML": "[[contact",
    "a person it does not know": CONTACTS.format(authority="XA", confirmed="2027-05-01"),
    "a day that is none": CONTACTS.format(authority="xa-emb", confirmed='"soon"'),
    "an address that is none": CONTACTS.format(authority="xa-emb", confirmed="2027-05-01").replace(
        "tel:", ""
    ),
    "a word it does not know": CONTACTS.format(authority="xa-emb", confirmed="2027-05-01") + 'name = "x"\n',
}


@pytest.mark.parametrize("text", BAD_CONTACTS.values(), ids=BAD_CONTACTS)
def test_a_contacts_file_that_is_none_is_said(desk: Desk, text: str) -> None:
    """One sentence with the file, exit 2."""
    (desk.folder / "contacts.toml").write_text(text)
    settings = desk.folder / "home" / "config.toml"
    settings.write_text(settings.read_text() + 'contacts = "../contacts.toml"\n')
    said = desk.run("election", "show", "xa-parl-2027", code=2)
    assert "contacts.toml" in said
    assert said.count("\n") == 1


def test_an_unknown_election_is_not_found_with_the_nearest(desk: Desk) -> None:
    """Exit 3, and a hint."""
    take(desk, Channel("xa-emb").calendar("xa-parl-2027", COMING))
    assert "did you mean 'xa-parl-2027'" in desk.run("election", "show", "xa-parl-2028", code=3)
    assert "in XB" in desk.run("election", "show", "xa-parl-2027", "--country", "xb", code=3)
    assert msgspec.json.decode(desk.run("election", "show", "xa-parl-2027", "--country", "xa", "--json"))


def test_what_was_said_of_an_election_is_kept_until_it_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old heartbeat goes when there is no election, stays until one of its country has been over for 30 days, then goes."""
    desk = hub_desk(tmp_path, monkeypatch, world(), "xa-emb")
    outbox = store_of(desk.folder, "xa-emb").with_name("outbox.db")
    arguments = ("outbox", "prune", "--dry-run", "--json")
    assert json.loads(desk.run(*arguments))["pruned"] == 0

    async def begin() -> None:
        async with Outbox.open(outbox, tables=TABLES):
            pass

    asyncio.run(begin())
    with contextlib.closing(sqlite3.connect(outbox)) as db, db:
        at = (world().now - 40 * DAY).timestamp()
        place = {"channel": "system.clear.public", "seq": 1, "status": "system", "kept_at": at}
        add_stored(db, [{"id": "i", "digest": "d", **place}], at)
    assert json.loads(desk.run(*arguments))["pruned"] == 1
    emb, other = Channel("xa-emb"), Channel("xb-emb")

    def pruned_with(said: Message) -> int:
        asyncio.run(take_in(store_of(desk.folder, "xa-emb"), world(), [said]))
        return int(json.loads(desk.run(*arguments))["pruned"])

    assert pruned_with(other.calendar("xb-parl-2027", CAMPAIGN, COMING)) == 1  # of another country
    assert pruned_with(emb.calendar("xa-parl-2027", CAMPAIGN, COMING)) == 0
    assert pruned_with(emb.calendar("xa-parl-2027", (Phase.POLLING, -21 * DAY, -20 * DAY))) == 0
    assert pruned_with(emb.calendar("xa-parl-2027", (Phase.POLLING, -33 * DAY, -32 * DAY))) == 1


def test_answers_are_overdue_by_the_calendar_in_the_authors_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A p4 that names no election is overdue after two hours when its country voted then, and is not when another did."""
    desk = hub_desk(tmp_path, monkeypatch, world(), "xa-csirt")
    say = msgspec.json.encode(draft("by hand", tlp=Tlp.GREEN, pap="green", audience="community"))
    (desk.folder / "draft.json").write_bytes(say)
    said = json.loads(desk.run("publish", "draft.json", "--wait", "accepted", "--json"))
    store = store_of(desk.folder, "xa-csirt")
    ago = (world().now - 2 * HOUR).timestamp()
    with contextlib.closing(sqlite3.connect(store.with_name("outbox.db"))) as db, db:
        db.execute("UPDATE bulletins SET kept_at = ?", (ago,))
        store_all(db)

    def overdue_with(country: str) -> list[dict[str, Any]]:
        vote = Channel(f"{country}-emb").calendar(f"{country}-parl-2027", (Phase.POLLING, -9 * HOUR, HOUR))
        asyncio.run(take_in(store, world(), [vote]))
        found = desk.run("outbox", "receipts", "--offline", "--overdue", "--json")
        return [json.loads(line) for line in found.splitlines()]

    assert overdue_with("xb") == []
    late = overdue_with("xa")
    assert {(each["id"], each["priority"], each["phase"]) for each in late} == {(said["id"], "p4", "during")}
