"""The run loop: placing, holding to the manifest, and what becomes of a document when something goes wrong."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.conformance.rehearsal import Rehearsal
from adapters.runloop import RunLoop, StuckError, hold_to, place, prove, recognise
from adapters.sources import FolderSource
from bus.cli.frame.exit_codes import FAILURE, exit_code
from bus.errors import PermitError, StoreError
from bus.plugin import (
    AdapterError,
    Format,
    FormatError,
    Kept,
    Loss,
    Manifest,
    Network,
    Observation,
    ReadContext,
    ReadResult,
    Verdict,
)
from schemas.bodies.cyber import CyberThreat
from schemas.bodies.electoral import ElectionCalendar, PhaseWindow
from schemas.bulletin import Defaults, Draft
from schemas.envelope import SIG_HEADER
from schemas.errors import TocsinError
from schemas.parts import Info, Observable, PersonalData
from schemas.sections import SectionDraft
from schemas.vocab import TLP_RANK, Domain, Pap, PersonalFlag, Phase, RefRel, Tlp
from tests.support.places import ROOT
from tests.support.waiting import eventually, longest

NOW = dt.datetime(2027, 5, 23, 18, 0, tzinfo=dt.UTC)
MANIFEST = Manifest(
    name="notes",
    authority_kind="csirt",
    domain=Domain.CYBER,
    formats=("note",),
    kinds=("cyber-threat", "election-calendar"),
    tlp=Tlp.GREEN,
    pap=Pap.GREEN,
    audience="community",
    network=Network(tlp=Tlp.AMBER_STRICT, audience="eu-csirts"),
    public_kinds=("election-calendar",),
    max_per_day=5,
)


def threat(title: str = "A flood", **changes: Any) -> Draft:
    """A draft that stands."""
    fields = {"info": (Info(lang="en", headline=title, summary=title),), "body": CyberThreat(title=title)}
    return Draft(**{**fields, **changes})


def calendar(**changes: Any) -> Draft:
    """A calendar that stands."""
    window = PhaseWindow(phase=Phase.POLLING, start=NOW, end=NOW + dt.timedelta(hours=12))
    return threat("A vote", body=ElectionCalendar(windows=(window,), tz="UTC"), **changes)


def read_note(data: bytes, context: ReadContext) -> ReadResult:
    """A format of lines: each a title; `crash`, `nothing` and `wrong` as they say; `bad` breaks a rule."""
    lines = data.decode().splitlines()[1:]
    if "crash" in lines:
        raise ZeroDivisionError("a format's own bug")
    if "wrong" in lines:
        return lines  # type: ignore[return-value]
    if "junk" in lines:
        return ReadResult(drafts=("no draft",))  # type: ignore[arg-type]
    if "refuse" in lines:
        raise FormatError("as it says", reason="refuse")
    drafts = tuple(
        threat(line, expires=context.received - dt.timedelta(days=1)) if line == "bad" else threat(line)
        for line in lines
        if line not in ("nothing", "told")
    )
    return ReadResult(drafts=drafts, losses=(Loss("all", "as it says"),) if "told" in lines else ())


NOTE = Format(
    id="note",
    title="Notes",
    media_types=("text/plain",),
    sniff=lambda data: data.startswith(b"note\n"),
    read=read_note,
)


@asynccontextmanager
async def desk(
    tmp_path: Path, manifest: Manifest = MANIFEST, clock: Callable[[], dt.datetime] = lambda: NOW
) -> AsyncIterator[tuple[Rehearsal, Callable[..., Any]]]:
    """A run loop over a spool and a real outbox; the second part drops documents and works them off."""
    async with Rehearsal.open(manifest, tmp_path, country="XA", clock=clock) as rehearsal:
        loop = RunLoop(manifest, {"note": NOTE}, rehearsal.publisher, country="XA", clock=clock)

        async def work(**documents: str) -> RunLoop:
            incoming = tmp_path / "in"
            incoming.mkdir(exist_ok=True)
            for name, text in documents.items():
                (incoming / name).write_text(text)
            await loop.run(FolderSource(tmp_path, once=True))
            return loop

        yield rehearsal, work


def refusal(tmp_path: Path, name: str) -> dict[str, Any]:
    """The reason file of a refused document."""
    found: dict[str, Any] = json.loads((tmp_path / "refused" / f"{name}.reason.json").read_text())
    return found


# -- placing -------------------------------------------------------------------------------------------------------------

PLACES: dict[str, tuple[Draft, Tlp, str, bool]] = {
    "unmarked": (threat(), Tlp.AMBER_STRICT, "eu-csirts", True),
    "unmarked, to the public": (threat(audience="public"), Tlp.AMBER_STRICT, "eu-csirts", True),
    "green": (threat(tlp=Tlp.GREEN), Tlp.GREEN, "community", False),
    "clear is raised": (threat(tlp=Tlp.CLEAR), Tlp.GREEN, "community", True),
    "clear to the public is raised and kept in": (
        threat(tlp=Tlp.CLEAR, audience="public"),
        Tlp.GREEN,
        "community",
        True,
    ),
    "amber has no channel": (threat(tlp=Tlp.AMBER), Tlp.AMBER_STRICT, "eu-csirts", True),
    "amber+strict": (threat(tlp=Tlp.AMBER_STRICT), Tlp.AMBER_STRICT, "eu-csirts", False),
    "a narrower audience is kept": (
        threat(tlp=Tlp.AMBER_STRICT, audience="xb-csirt"),
        Tlp.AMBER_STRICT,
        "xb-csirt",
        False,
    ),
    "a public kind": (calendar(), Tlp.CLEAR, "public", False),
    "a public kind, unmarked, for some": (calendar(audience="xb-csirt"), Tlp.GREEN, "xb-csirt", True),
    "a public kind marked green": (calendar(tlp=Tlp.GREEN), Tlp.GREEN, "community", False),
    "a public kind for some": (calendar(tlp=Tlp.CLEAR, audience="eu-emb"), Tlp.GREEN, "eu-emb", True),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_draft_is_placed_by_its_marking(name: str) -> None:
    """Where each marking goes, and whether the change is told."""
    draft, tlp, audience, told = PLACES[name]
    placed, losses = place(draft, MANIFEST)
    assert (placed.tlp, placed.audience, bool(losses)) == (tlp, audience, told)


def test_a_marking_above_every_channel_is_refused() -> None:
    """RED has no channel; it is never put on a wider one."""
    with pytest.raises(AdapterError) as refused:
        place(threat(tlp=Tlp.RED), MANIFEST)
    assert refused.value.reason == "marking"


def test_what_nothing_marks_is_refused_where_no_channel_is_narrow_enough() -> None:
    """Unmarked is AMBER+STRICT, whatever the widest network of a manifest is."""
    wide = msgspec.structs.replace(MANIFEST, network=Network(tlp=Tlp.AMBER, audience="eu-csirts"))
    with pytest.raises(AdapterError) as refused:
        place(threat(), wide)
    assert refused.value.reason == "marking"
    red = msgspec.structs.replace(MANIFEST, network=Network(tlp=Tlp.RED, audience="xb-csirt"))
    assert place(threat(), red)[0].tlp is Tlp.RED


@given(
    tlp=st.none() | st.sampled_from(Tlp),
    audience=st.none() | st.sampled_from(["public", "community", "xb-csirt"]),
    public=st.booleans(),
)
def test_placing_never_widens(tlp: Tlp | None, audience: str | None, *, public: bool) -> None:
    """No marking, audience or kind comes out wider than its source gave it."""
    draft = (calendar if public else threat)(tlp=tlp, audience=audience)
    try:
        placed, _ = place(draft, MANIFEST)
    except AdapterError:
        assert tlp is Tlp.RED
        return
    assert placed.tlp is not None
    assert tlp is None or TLP_RANK[placed.tlp] >= TLP_RANK[tlp]
    assert tlp is not None or public or placed.tlp is Tlp.AMBER_STRICT
    assert audience in (None, "public") or placed.audience == audience
    assert (placed.audience == "public") == (placed.tlp is Tlp.CLEAR)


# -- the manifest --------------------------------------------------------------------------------------------------------


def test_a_kind_outside_the_manifest_is_refused() -> None:
    """An adapter publishes the kinds it declares."""
    with pytest.raises(AdapterError) as refused:
        hold_to(threat(), msgspec.structs.replace(MANIFEST, kinds=("fimi",)))
    assert refused.value.reason == "kind"


@pytest.mark.parametrize("where", ["observable", "account", "section"])
def test_personal_data_above_the_statement_is_refused(where: str) -> None:
    """Both the flags of observables and the account of the whole count, in sections too."""
    account = PersonalData(
        flag=PersonalFlag.PERSONAL,
        lawful_basis="celex:32016R0679#6.1.e",
        purpose="warn",
        retention_until=NOW.date(),
        categories=("contact",),
        subjects=("voters",),
    )
    item = Observable(type="email-addr", personal=PersonalFlag.PERSONAL, value="a@b.example")
    draft = {
        "observable": threat(observables=(item,)),
        "account": threat(personal_data=account),
        "section": threat(sections=(SectionDraft(label="who", audience="few", observables=(item,)),)),
    }[where]
    hold_to(draft, msgspec.structs.replace(MANIFEST, max_personal=PersonalFlag.PERSONAL))
    with pytest.raises(AdapterError) as refused:
        hold_to(draft, MANIFEST)
    assert refused.value.reason == "personal-data"


def test_a_draft_is_proved_before_anything_is_kept() -> None:
    """A draft that would break a rule as a bulletin is refused by its rule's name."""
    with pytest.raises(TocsinError) as refused:
        prove(
            threat(tlp=Tlp.GREEN, audience="community", expires=NOW - dt.timedelta(days=1)),
            MANIFEST,
            "XA",
            NOW,
        )
    assert refused.value.reason == "rule:R5"
    empty = SectionDraft(label="who", audience="few")
    with pytest.raises(TocsinError) as refused:
        prove(threat(tlp=Tlp.GREEN, audience="community", sections=(empty,)), MANIFEST, "XA", NOW)
    assert refused.value.reason == "schema"


# -- recognising ---------------------------------------------------------------------------------------------------------


def _sniffing(id_: str, sniff: Callable[[bytes], bool]) -> Format:
    return msgspec.structs.replace(NOTE, id=id_, sniff=sniff)


def test_exactly_one_format_must_recognise_a_document() -> None:
    """None and several are refused; a format whose recognition fails recognises nothing."""
    one, other = _sniffing("one", lambda data: b"1" in data), _sniffing("two", lambda data: b"2" in data)
    broken = _sniffing("broken", lambda data: bool(1 // 0))
    assert recognise(b"1", (one, other, broken)) is one
    for data, reason in ((b"0", "unknown-format"), (b"12", "ambiguous-format")):
        with pytest.raises(FormatError) as refused:
            recognise(data, (one, other, broken))
        assert refused.value.reason == reason


# -- documents -----------------------------------------------------------------------------------------------------------

BAD = {
    "a format that crashes": ("note\ncrash", "format-failed"),
    "a format that gives something else": ("note\nwrong", "format-failed"),
    "a format whose drafts are none": ("note\njunk", "format-failed"),
    "a format that refuses": ("note\nrefuse", "refuse"),
    "a document of nothing, untold": ("note\nnothing", "nothing-read"),
    "an unknown format": ("letter\nhello", "unknown-format"),
    "more bulletins than a day may have": ("note\n" + "\n".join("abcdef"), "rate"),
    "one bad draft among good ones": ("note\ngood\nbad", "rule:R5"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_document_publishes_nothing_and_stops_no_other(name: str, tmp_path: Path) -> None:
    """It lies beside its reason; the document after it is published."""
    text, reason = BAD[name]
    async with desk(tmp_path) as (rehearsal, work):
        loop = await work(**{"0": text, "1": "note\nafter"})
        assert [each.info[0].headline for each in await rehearsal.bulletins()] == ["after"]
    assert refusal(tmp_path, "0")["reason"] == reason
    assert (loop.counts["seen"], loop.counts["refused"], loop.counts["published"]) == (2, 1, 1)


async def test_a_document_of_nothing_that_says_why_is_done(tmp_path: Path) -> None:
    """Nothing to tell is no error when the losses say so."""
    async with desk(tmp_path) as (rehearsal, work):
        await work(a="note\ntold")
        assert await rehearsal.bulletins() == ()
    assert (tmp_path / "done" / "a").is_file()


async def test_an_amended_file_supersedes_what_it_said_before(tmp_path: Path) -> None:
    """The same name with other words gives an update, each draft of its own predecessor."""
    async with desk(tmp_path, msgspec.structs.replace(MANIFEST, max_per_day=50)) as (rehearsal, work):
        await work(a="note\none\ntwo")
        loop = await work(a="note\nONE\nTWO")
        first, second, third, fourth = await rehearsal.bulletins()
        for old, new in ((first, third), (second, fourth)):
            assert [(ref.rel, ref.id) for ref in new.references] == [(RefRel.SUPERSEDES, old.id)]
        await work(b="note\none\ntwo")
        assert loop.counts["known"] == 2
        assert len(await rehearsal.bulletins()) == 4


async def test_a_flood_is_held_until_the_day_has_passed(tmp_path: Path) -> None:
    """Above the manifest's rate a document waits in `in/`; nothing is lost and nothing is refused."""
    moment = [NOW]
    async with desk(tmp_path, clock=lambda: moment[0]) as (rehearsal, work):
        loop = await work(a="note\n1\n2\n3\n4", b="note\n5\n6")
        assert loop.counts["held"] == 1
        assert (tmp_path / "in" / "b").is_file()
        moment[0] += dt.timedelta(days=1, seconds=1)
        await work()
        assert len(await rehearsal.bulletins()) == 6
    assert not (tmp_path / "in" / "b").exists()


class Failing:
    """A way to the publisher on which a draft has an error, a number of times; the port's own shape, around the real one."""

    def __init__(self, inner: Any, error: TocsinError, after: int = 0, times: int = 1) -> None:
        self._inner, self._error, self._after, self._left = inner, error, after, times

    async def publish(self, draft: Draft, **told: Any) -> Kept:
        """Publish."""
        kept: Kept = await self._inner.publish(draft, **told)
        return kept

    async def publish_many(
        self,
        drafts: Sequence[Draft],
        *,
        defaults: Defaults | None = None,
        once: Sequence[str | None] | None = None,
        origins: Sequence[str | None] | None = None,
    ) -> list[Kept | TocsinError]:
        """Publish, but for the draft that fails."""
        if isinstance(self._error, StoreError) and self._left > 0:
            self._left -= 1
            return [self._error] * len(drafts)  # what befalls a transaction befalls each draft in it
        outcomes: list[Kept | TocsinError] = []
        for draft, key, origin in zip(drafts, once or (), origins or (), strict=True):
            if self._after == 0 and self._left > 0:
                self._left -= 1
                outcomes.append(self._error)
                continue
            self._after = max(0, self._after - 1)
            outcomes.append(await self._inner.publish(draft, defaults=defaults, once=key, origin=origin))
        return outcomes


async def test_a_full_disk_holds_the_document_and_doubles_nothing(tmp_path: Path) -> None:
    """A store's fault is no document's; once it is over, each draft is published exactly once."""
    async with Rehearsal.open(MANIFEST, tmp_path, country="XA", clock=lambda: NOW) as rehearsal:
        publisher = Failing(rehearsal.publisher, StoreError("disk full", reason="disk-full"))
        loop = RunLoop(MANIFEST, {"note": NOTE}, publisher, country="XA", clock=lambda: NOW)
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "a").write_text("note\none\ntwo")
        await loop.run(FolderSource(tmp_path, once=True))
        assert (tmp_path / "in" / "a").is_file()
        assert loop.counts["held"] == 1
        await loop.run(FolderSource(tmp_path, once=True))
        assert [each.info[0].headline for each in await rehearsal.bulletins()] == ["one", "two"]


async def test_a_refusal_half_way_names_what_went_out(tmp_path: Path) -> None:
    """When the registry refuses a later draft, the reason file says which bulletins stand."""
    async with Rehearsal.open(MANIFEST, tmp_path, country="XA", clock=lambda: NOW) as rehearsal:
        publisher = Failing(rehearsal.publisher, PermitError("no grant"), after=1)
        loop = RunLoop(MANIFEST, {"note": NOTE}, publisher, country="XA", clock=lambda: NOW)
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "a").write_text("note\none\ntwo")
        await loop.run(FolderSource(tmp_path, once=True))
        (kept,) = await rehearsal.bulletins()
    told = refusal(tmp_path, "a")
    assert (told["reason"], told["bulletins"]) == ("not-permitted", [kept.id])


async def test_what_one_document_says_is_one_group(tmp_path: Path) -> None:
    """One transaction and one signature, however many bulletins it becomes; one that is refused keeps out no other."""
    async with Rehearsal.open(MANIFEST, tmp_path, country="XA", clock=lambda: NOW) as rehearsal:
        publisher = Failing(rehearsal.publisher, PermitError("no grant"), after=1)
        loop = RunLoop(MANIFEST, {"note": NOTE}, publisher, country="XA", clock=lambda: NOW)
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "a").write_text("note\none\ntwo\nthree")
        await loop.run(FolderSource(tmp_path, once=True))
        (tmp_path / "in" / "b").write_text("note\nfour\nfive\nsix")
        whole = RunLoop(MANIFEST, {"note": NOTE}, rehearsal.publisher, country="XA", clock=lambda: NOW)
        await whole.run(FolderSource(tmp_path, once=True))
        kept = await rehearsal.bulletins()
        rows = await rehearsal.publisher.outbox.rows()
    assert [each.info[0].headline for each in kept] == ["one", "three", "four", "five", "six"]
    assert refusal(tmp_path, "a")["bulletins"] == [each.id for each in kept[:2]]
    heads = [row.header_map()[SIG_HEADER].split(".")[1] for row in sorted(rows, key=lambda row: row.n)]
    assert (heads[:2], len(set(heads[2:])), "" in heads[2:]) == (["", ""], 1, False)


class Waiting:
    """A source whose documents have all come: it offers what it has not settled, once more after one that has to wait."""

    def __init__(self, *documents: str) -> None:
        self._left = list(documents)
        self._offered: set[str] = set()
        self.settled: list[tuple[str, str]] = []

    async def observe(self) -> AsyncIterator[Observation]:
        """All of them in their order, twice."""
        for _ in range(2):
            for document in [each for each in self._left if each not in self._offered]:
                self._offered.add(document)
                yield Observation(
                    name=document, data=document.encode(), settle=partial(self._settle, document)
                )

    def _settle(self, document: str, verdict: Verdict) -> None:
        self._offered.discard(document)
        self.settled.append((document, "read" if verdict.accepted else verdict.reason))
        if not verdict.later:
            self._left.remove(document)


class Groups:
    """A way to the publisher that notes how many drafts come together."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.publish = inner.publish
        self.sizes: list[int] = []

    async def publish_many(self, drafts: Sequence[Draft], **told: Any) -> Any:
        """Publish."""
        self.sizes.append(len(drafts))
        return await self._inner.publish_many(drafts, **told)


async def test_documents_that_wait_are_published_together(tmp_path: Path) -> None:
    """Each has its own verdict; one that is refused keeps out no other."""
    async with Rehearsal.open(MANIFEST, tmp_path, country="XA", clock=lambda: NOW) as rehearsal:
        groups, source = Groups(rehearsal.publisher), Waiting("note\none", "poison", "note\ntwo\nthree")
        loop = RunLoop(MANIFEST, {"note": NOTE}, groups, country="XA", clock=lambda: NOW)
        await loop.run(source)
        assert [each.info[0].headline for each in await rehearsal.bulletins()] == ["one", "two", "three"]
    assert groups.sizes == [3]
    assert source.settled == [
        ("note\none", "read"),
        ("poison", "unknown-format"),
        ("note\ntwo\nthree", "read"),
    ]
    assert (loop.counts["seen"], loop.counts["read"], loop.counts["refused"]) == (3, 2, 1)


async def test_nothing_overtakes_a_document_that_has_to_wait(tmp_path: Path) -> None:
    """What was asked for before it was held waits with it, and all of it comes in its order when it is offered again."""
    moment = [NOW]
    first, second, third = "note\n1\n2\n3", "note\n4\n5\n6", "note\n7"
    async with Rehearsal.open(MANIFEST, tmp_path, country="XA", clock=lambda: moment[0]) as rehearsal:
        source = Waiting(first, second, third)
        loop = RunLoop(MANIFEST, {"note": NOTE}, rehearsal.publisher, country="XA", clock=lambda: moment[0])
        settle = source._settle

        def tomorrow(document: str, verdict: Verdict) -> None:
            settle(document, verdict)
            if document == third and verdict.later:
                moment[0] += dt.timedelta(days=1, seconds=1)

        source._settle = tomorrow  # type: ignore[method-assign]  # time passes while they wait
        await loop.run(source)
        said = [each.info[0].headline for each in await rehearsal.bulletins()]
    assert said == ["1", "2", "3", "4", "5", "6", "7"]
    assert source.settled == [
        (first, "read"), (second, "rate"), (third, "later"), (second, "read"), (third, "read"),
    ]  # fmt: skip


async def test_one_adapter_s_end_is_not_another_s(tmp_path: Path) -> None:
    """Two loops on one outbox: one is cancelled in mid-air, the other goes on."""
    async with Rehearsal.open(MANIFEST, tmp_path, country="XA", clock=lambda: NOW) as rehearsal:
        loops = [
            RunLoop(MANIFEST, {"note": NOTE}, rehearsal.publisher, country="XA", clock=lambda: NOW)
            for _ in range(2)
        ]
        spools = [tmp_path / name for name in ("one", "two")]
        tasks = [
            asyncio.create_task(loop.run(FolderSource(spool, poll_s=0.01)))
            for loop, spool in zip(loops, spools, strict=True)
        ]
        tasks[0].cancel()
        await eventually((spools[1] / "in").is_dir)
        (spools[1] / "in" / "a").write_text("note\nstill here")
        await eventually((spools[1] / "done" / "a").is_file)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert len(await rehearsal.bulletins()) == 1


async def test_times_without_a_zone_are_read_in_the_loop_s(tmp_path: Path) -> None:
    """The zone that the operator names is the one a format is told."""
    zones: list[str] = []

    def read(data: bytes, context: ReadContext) -> ReadResult:
        zones.append(context.tz)
        return read_note(data, context)

    format_ = msgspec.structs.replace(NOTE, read=read)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("note\na")
    async with Rehearsal.open(MANIFEST, tmp_path, country="XA", clock=lambda: NOW) as rehearsal:
        loop = RunLoop(
            MANIFEST,
            {"note": format_},
            rehearsal.publisher,
            country="XA",
            clock=lambda: NOW,
            tz="Europe/Vienna",
        )
        await loop.run(FolderSource(tmp_path, once=True))
    assert zones == ["Europe/Vienna"]


# -- reading beside the event loop ---------------------------------------------------------------------------------------


@asynccontextmanager
async def one_document(
    tmp_path: Path, read: Callable[[bytes, ReadContext], ReadResult], **options: Any
) -> AsyncIterator[tuple[Rehearsal, RunLoop]]:
    """A loop whose one format reads as it is told, and one document in its spool."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("note\none")
    format_ = msgspec.structs.replace(NOTE, read=read)
    async with Rehearsal.open(MANIFEST, tmp_path, country="XA", clock=lambda: NOW) as rehearsal:
        yield (
            rehearsal,
            RunLoop(
                MANIFEST, {"note": format_}, rehearsal.publisher, country="XA", clock=lambda: NOW, **options
            ),
        )


async def test_a_long_reading_holds_up_nothing_else(tmp_path: Path) -> None:
    """While a document is being read the same event loop publishes, as heartbeats are, and reading can be cancelled."""
    begun, go_on = threading.Event(), threading.Event()

    def read(data: bytes, context: ReadContext) -> ReadResult:
        begun.set()
        go_on.wait(longest())
        return read_note(data, context)

    try:
        async with one_document(tmp_path, read) as (rehearsal, loop):
            task = asyncio.create_task(loop.run(FolderSource(tmp_path, once=True)))
            await eventually(begun.is_set)
            kept = await rehearsal.publisher.publish(threat("meanwhile"), defaults=MANIFEST.defaults())
            assert [each.id for each in await rehearsal.bulletins()] == [kept.id]
            assert not task.done()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert (tmp_path / "in" / "a").is_file()
    finally:
        go_on.set()


async def test_a_document_that_is_never_read_to_its_end_is_refused_and_ends_the_program(
    tmp_path: Path,
) -> None:
    """The next process begins with the next document."""
    go_on = threading.Event()

    def read(data: bytes, context: ReadContext) -> ReadResult:
        go_on.wait(longest())
        return read_note(data, context)

    try:
        async with one_document(tmp_path, read, most_s=0.05) as (rehearsal, loop):
            with pytest.raises(StuckError) as ended:
                await loop.run(FolderSource(tmp_path, once=True))
            assert exit_code(ended.value) == FAILURE
            assert not await rehearsal.bulletins()
    finally:
        go_on.set()
    assert refusal(tmp_path, "a")["reason"] == "format-stuck"


async def test_a_document_for_which_memory_is_short_is_tried_again(tmp_path: Path) -> None:
    """It waits twice; then it is refused, so that others are read."""

    def read(data: bytes, context: ReadContext) -> ReadResult:
        raise MemoryError

    async with one_document(tmp_path, read) as (_, loop):
        for _ in range(2):
            await loop.run(FolderSource(tmp_path, once=True))
            assert (tmp_path / "in" / "a").is_file()
        await loop.run(FolderSource(tmp_path, once=True))
    assert loop.counts == {"seen": 3, "held": 2, "refused": 1}
    assert refusal(tmp_path, "a")["reason"] == "no-memory"


async def test_memory_that_was_short_for_a_moment_costs_nothing(tmp_path: Path) -> None:
    """The document is read the next time."""
    short = [MemoryError()]

    def read(data: bytes, context: ReadContext) -> ReadResult:
        if short:
            raise short.pop()
        return read_note(data, context)

    async with one_document(tmp_path, read) as (rehearsal, loop):
        await loop.run(FolderSource(tmp_path, once=True))
        await loop.run(FolderSource(tmp_path, once=True))
        assert len(await rehearsal.bulletins()) == 1


def test_types_are_built_before_the_reading_thread_uses_them() -> None:
    """Msgspec 0.22 ends a process in which one thread builds a type and another uses it: tried in a process of its own."""
    code = """
import asyncio, sys
import msgspec
from adapters.reading_thread import in_reading_thread

sys.setswitchinterval(1e-6)

def made():
    last = msgspec.defstruct("last", [("x", int, 0)])
    for n in range(20):
        last = msgspec.defstruct(f"t{n}", [(f"f{k}", last | None, None) for k in range(10)])
    return last

def use(type_):
    for _ in range(10):
        msgspec.json.decode(b'{"f0":{"f1":{"f2":null}}}', type=type_)

async def main():
    for _ in range(100):
        type_ = made()
        beside = asyncio.ensure_future(in_reading_thread(lambda: use(type_)))
        await asyncio.sleep(0)
        use(type_)
        await beside

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
