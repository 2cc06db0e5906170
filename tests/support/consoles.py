"""Consoles for tests: a store filled with an election night through the intake, and a client that is signed in."""

from __future__ import annotations

import datetime as dt
import random
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from bus import desk
from bus.console import NOBODY, Demonstration, Hub, People, Reading, Shelf, app
from bus.console.desks import DeskPeople
from bus.console.voices import Voices
from bus.hub.picture import Contact, clocked, index, ringing
from bus.hub.picture.projection import open_store
from bus.policy import Clearance
from bus.storage import lease
from bus.trust import VerifiedRegistry
from schemas.bodies.coordination import Feedback, Rfi
from schemas.bodies.electoral import ElectionCalendar, PhaseWindow
from schemas.parts import Action, Area, Info, Observable, Ref
from schemas.vocab import (
    Certainty,
    Dimension,
    FeedbackKind,
    MsgType,
    PersonalFlag,
    Phase,
    RefRel,
    Severity,
    Status,
    Tlp,
    Urgency,
)
from tests.support import desks
from tests.support.elections import election
from tests.support.hubs import STREAM, beat, judged
from tests.support.world import NOW, Message, bulletin, draft, shared_world, sign

HUB = "xa-hub"
HOST = "console.example"
WORLD = shared_world()
ALL_OF_CONTENT = ("analyst", "duty-officer", "publisher", "approver")
"""The roles of who may open every page but those of people."""
AUDIENCES = frozenset({"public", "community", "eu-emb", "eu-csirts", "eu-dsc", "eu-dpas"})
EVERYTHING = Clearance(ceiling=Tlp.RED, audiences=AUDIENCES)
HOSTILE = (
    "<script>window.hit=1</script>",
    '"><img src=x onerror="window.hit=1">',
    "javascript:window.hit=1//{{7*7}}",
    "'+window.hit+'<svg/onload=window.hit=1>",
    "Polls \u202eesolc\u202c at 20:00",
    "a\u2066b\u2069c",
    "=HYPERLINK(1)\t@x",
    "</title></style><script src=//evil.example></script>",
    "&lt;b&gt; &#x3c;script&#x3e;",
    "{% include 'base.html' %}",
)
"""Texts that would do something in a page that shows them otherwise than as text."""


def at(age_s: float) -> dt.datetime:
    """So many seconds before the present of the tests."""
    return NOW - dt.timedelta(seconds=age_s)


class Speaker:
    """The bulletins of one channel, each after the one before it."""

    def __init__(self, issuer: str, **always: Any) -> None:
        self.made: list[Message] = []
        self._issuer, self._always = issuer, always

    def say(self, text: str, age_s: float = 0.0, summary: str = "", **of: Any) -> Message:
        """One more; so many seconds old."""
        prev = self.made[-1].digest if self.made else None
        said = {**self._always, **of}
        info = (Info(lang="en", headline=text, summary=summary or f"{text}. Sources in 192.0.2.0/24."),)
        made = bulletin(
            WORLD,
            self._issuer,
            say=draft("A flood", **{"info": info, **said}),
            seq=len(self.made) + 1,
            prev=prev,
            issued=at(age_s),
        )
        self.made.append(sign(WORLD, made))
        return self.made[-1]

    def answer(self, to: Message, verdict: FeedbackKind, text: str, age_s: float = 0.0) -> Message:
        """One that answers another."""
        refs = (Ref(id=to.bulletin.id, rel=RefRel.ANSWERS, issuer=to.bulletin.issuer.id),)
        return self.say(str(verdict), age_s, references=refs, body=Feedback(verdict=verdict, text=text))


def _window(phase: Phase, start_h: float, end_h: float) -> PhaseWindow:
    return PhaseWindow(phase=phase, start=at(-start_h * 3600), end=at(-end_h * 3600))


CALENDAR = ElectionCalendar(
    windows=(
        _window(Phase.CAMPAIGN, -24 * 40, -48),
        _window(Phase.ADVANCE_VOTING, -24 * 10, -72),
        _window(Phase.SILENCE, -42, 2),
        _window(Phase.POLLING, -12, 2),
        _window(Phase.COUNTING, 2, 40),
        _window(Phase.CERTIFICATION, 72, 240),
        _window(Phase.DISPUTE, 240, 600),
    ),
    tz="Europe/Vienna",
)


def night() -> list[Message]:
    """An election night in XA: a false date, a flood, an answer, a question, a withdrawal, an exercise, words that attack."""
    area = (Area(scope="national", country="XA"),)
    both = (Area(scope="national", country="XA"), Area(scope="national", country="XB"))
    where = election("xa-parl-2027", Phase.POLLING)
    emb, csirt = Speaker("xa-emb"), Speaker("xa-csirt")
    narrow = Speaker("xa-csirt", tlp=Tlp.AMBER_STRICT, audience="eu-csirts")
    dsc = Speaker("xb-dsc", tlp=Tlp.AMBER_STRICT, audience="eu-dsc")
    public = Speaker("xa-emb", tlp=Tlp.CLEAR, audience="public")
    drill = Speaker("xa-csirt", status=Status.EXERCISE, exercise_id="false-date-2027")
    replies = Speaker("xb-csirt", status=Status.EXERCISE, exercise_id="false-date-2027")
    other = Speaker("xb-csirt")
    seen = (
        Observable(type="domain-name", personal=PersonalFlag.NONE, value="polls-xa.example", actionable=True),
        Observable(
            type="url", personal=PersonalFlag.NONE, value="https://polls-xa.example/nordby", role="content"
        ),
        Observable(type="ipv4-addr", personal=PersonalFlag.NONE, value="192.0.2.41"),
    )
    public.say("Calendar of the parliamentary election", 86_000, body=CALENDAR, election=where, areas=area)
    root = emb.say(
        "Network of 212 accounts pushes the Monday claim",
        18_000,
        areas=area,
        dimensions=(Dimension.DISINFORMATION,),
    )
    same = {"incident_id": root.bulletin.id}
    false_date = emb.say(
        "False message says polling in Nordby continues on Monday",
        420,
        "About 31 000 phones received it. Polling ends today at 20:00 UTC everywhere.",
        severity=Severity.EXTREME,
        urgency=Urgency.IMMEDIATE,
        certainty=Certainty.OBSERVED,
        areas=area,
        election=where,
        dimensions=(Dimension.DISINFORMATION, Dimension.ELECTORAL_PROCESS),
        observables=seen,
        actions=(Action(kind="monitor", text="Look for its siblings.", to=("csirt",), due=at(-1800)),),
        **same,
    )
    csirt.say(
        "Results portal slow for 12 minutes, stable on the static mirror",
        900,
        severity=Severity.SEVERE,
        urgency=Urgency.IMMEDIATE,
        areas=both,
        dimensions=(Dimension.CYBERCRIME,),
        **same,
    )
    csirt.say(
        "One botnet floods the results portals of XA and XB",
        1600,
        severity=Severity.SEVERE,
        areas=both,
        dimensions=(Dimension.CYBERCRIME, Dimension.ELECTORAL_PROCESS),
        observables=seen[2:],
        **same,
    )
    hoax = csirt.say("A threat against a polling place", 9000, areas=area, dimensions=(Dimension.PHYSICAL,))
    csirt.say(
        "It was a hoax call",
        8000,
        msg_type=MsgType.CANCEL,
        references=(Ref(id=hoax.bulletin.id, rel=RefRel.CANCELS),),
        areas=area,
    )
    csirt.say(
        "Which servers are hit?",
        1200,
        body=Rfi(question="Which servers of yours are hit?", respond_by=at(-3600), to=("xa-hub", "xb-csirt")),
    )
    for n, text in enumerate(HOSTILE):
        csirt.say(
            text,
            20_000 + 600 * n,
            text,
            observables=(
                Observable(type="url", personal=PersonalFlag.NONE, value=f"https://evil.example/{n}"),
            ),
            areas=both if n % 2 else area,
            dimensions=(Dimension.AI_MISUSE,),
        )
    narrow.say("Flaw in a tabulation viewer, patch available", 5000, severity=Severity.SEVERE, areas=area)
    dsc.say(
        "Cloned news site carries a forged interview about the count",
        1300,
        severity=Severity.SEVERE,
        areas=both,
    )
    other.say(
        "Phishing of election officials, third wave", 7200, areas=(Area(scope="national", country="XB"),)
    )
    other.answer(false_date, FeedbackKind.SIGHTING, "2 600 messages in our border towns", 200)
    inject = drill.say("A forged notice moves the polling date", 4000)
    drill.say("It was a test; all is withdrawn", 3000)
    replies.answer(inject, FeedbackKind.SIGHTING, "Seen here too.", 3900)
    spoken = (emb, csirt, narrow, dsc, public, drill, replies, other)
    return [*(message for each in spoken for message in each.made), beat()]


async def fill(
    path: Path,
    messages: Sequence[Message],
    now: dt.datetime = NOW,
    registry: VerifiedRegistry = WORLD.registry,
) -> None:
    """Settle messages into a store, index them, and hold the lease as a hub does that reads."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with open_store(path, hold_s=0.0) as store:
        verdicts = [judged(each, registry, now) for each in messages]
        await store.settle(verdicts, STREAM, None, now)
        await store.release(now)
        while await store.write(index.advance):
            pass
        law = clocked.law_of(lambda: registry, HUB)()
        while await store.write(lambda db: ringing.advance(db, law, now)):
            pass
        await store.write(lambda db: lease.take(db, lease.owner_name(), now.timestamp()))


def shelf(**of: Any) -> Shelf:
    """What pages are made from beside a store, in the tests' world."""
    contacts = (
        Contact(authority="xa-emb", role="duty desk", reach=("tel:+99-555-0100",), confirmed=NOW.date()),
        Contact(authority="xb-csirt", role="duty desk", reach=("tel:+99-555-0107",), confirmed=NOW.date()),
    )
    return Shelf(**{"authority": HUB, "registry": lambda: WORLD.registry, "contacts": contacts, **of})


def numbers(seed: int = 7) -> Callable[[int], bytes]:
    """Random bytes that are the same in each run."""
    return random.Random(seed).randbytes


@asynccontextmanager
async def client(
    path: Path,
    clearance: Clearance = EVERYTHING,
    *,
    scheme: str = "http",
    clock: Callable[[], dt.datetime] = lambda: NOW,
    registry: VerifiedRegistry = WORLD.registry,
    voices: Voices | None = None,
    roles: tuple[str, ...] = ("reader",),
    held: desk.Desk | None = None,
    hub: Hub = NOBODY,
    people: People | None = None,
    authority: str = HUB,
    files: Path | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a console over a store, that is not signed in; with a desk and a hub, what is done there is done."""
    place = shelf(registry=lambda: registry, authority=authority, files=files)
    async with Reading.open(path, place) as reading:
        people = people or Demonstration(clearance, numbers(), roles, held)
        made = app(reading, people, clock, numbers(8), hub=hub, hosts=(HOST,), voices=voices)
        transport = httpx.ASGITransport(app=made, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://{HOST}") as opened:
            yield opened


async def sign_in(to: httpx.AsyncClient, name: str = "Mara Lind") -> None:
    """Sign in by the page, as a browser does."""
    page = await to.get("/sign-in")
    answer = await to.post("/sign-in", data={"form": form_of(page.text), "name": name, "next": "/"})
    assert answer.status_code == 303, answer.text


def form_of(html: str) -> str:
    """The token of the first form of a page."""
    found = re.search(r'name="form" value="([0-9a-f]+)"', html)
    assert found is not None
    return found[1]


@asynccontextmanager
async def signed_in(
    path: Path, clearance: Clearance = EVERYTHING, **of: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """A client that is signed in, with every role but the administrator's."""
    async with client(path, clearance, **{"roles": ALL_OF_CONTENT, **of}) as opened:
        await sign_in(opened)
        yield opened


@asynccontextmanager
async def with_desk(
    path: Path, folder: Path, **of: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, desk.Desk]]:
    """A client of a console with accounts, that is not signed in; and the desk with the accounts."""
    async with (
        desks.open_desk(folder) as held,
        client(path, people=DeskPeople(held, numbers(9)), **of) as opened,
    ):
        yield opened, held


async def sign_in_as(to: httpx.AsyncClient, id_: str, password: str = desks.PASSWORD) -> httpx.Response:
    """Sign in with a password by the page, in the place of whoever was signed in. Returns the answer."""
    to.cookies.clear()
    page = await to.get("/sign-in")
    data = {"form": form_of(page.text), "name": id_, "password": password, "next": "/"}
    return await to.post("/sign-in", data=data)


async def send(to: httpx.AsyncClient, page: str, path: str, **fields: str) -> httpx.Response:
    """Send a form of a page."""
    token = form_of((await to.get(page)).text)
    return await to.post(
        path, data={"form": token, **{name.replace("__", "."): each for name, each in fields.items()}}
    )
