"""The kit itself: an adapter with one fault fails exactly the tests that are there for it."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.conformance import AdapterConformance, Case
from adapters.conformance.rehearsal import Rehearsal
from adapters.sdk import FolderSource, RunLoop, StdinSource, sha256_hex
from bus.plugin import (
    AdapterError,
    Format,
    FormatError,
    Loss,
    Manifest,
    Network,
    Publishing,
    ReadContext,
    ReadResult,
    Sample,
    Source,
)
from schemas.bodies.cyber import CyberThreat
from schemas.bulletin import Draft
from schemas.parts import Info, Observable, Provenance
from schemas.vocab import Domain, Pap, PersonalFlag, Tlp

MANIFEST = Manifest(
    name="notes",
    authority_kind="csirt",
    domain=Domain.CYBER,
    formats=("note",),
    kinds=("cyber-threat",),
    tlp=Tlp.GREEN,
    pap=Pap.GREEN,
    audience="community",
    network=Network(tlp=Tlp.AMBER_STRICT, audience="eu-csirts"),
)


def read(data: bytes, context: ReadContext) -> ReadResult:
    """A faultless format: a title on one line of ASCII."""
    try:
        title = data.removeprefix(b"note: ").decode("ascii").strip()
    except UnicodeDecodeError:
        raise FormatError("not ASCII", reason="encoding") from None
    if not title.isprintable() or not 0 < len(title) <= 100:
        raise FormatError("no title", reason="malformed")
    draft = Draft(
        info=(Info(lang="en", headline=title, summary=title),),
        body=CyberThreat(title=title),
        tlp=Tlp.AMBER if "amber" in title else None,
        provenance=(
            Provenance(
                format="note",
                adapter=context.adapter,
                original_sha256=sha256_hex(data),
                received=context.received,
            ),
        ),
    )
    return ReadResult(drafts=(draft,), losses=(Loss("end", "the line's end"),))


class Notes:
    """An adapter whose format and way of running can be spoilt."""

    def __init__(self, reader: Callable[[bytes, ReadContext], ReadResult] = read, **manifest: Any) -> None:
        self.manifest = msgspec.structs.replace(MANIFEST, **manifest)
        self.formats = {
            "note": Format(
                id="note",
                title="Notes",
                media_types=("text/plain",),
                sniff=lambda data: data.startswith(b"note: "),
                read=reader,
            )
        }

    def samples(self, country: str, now: dt.datetime, serial: int) -> Iterator[Sample]:
        """One note."""
        yield Sample(name=f"note-{serial}", data=f"note: a flood in {country}, {serial}".encode())

    async def run(
        self, source: Source, publisher: Publishing, *, country: str, clock: Callable[[], dt.datetime]
    ) -> None:
        """Work as the kit's own adapters do."""
        await RunLoop(self.manifest, self.formats, publisher, country=country, clock=clock).run(source)

    def folder(self, spool: Path) -> FolderSource:
        """A spool."""
        return FolderSource(spool)

    def standard_input(self) -> StdinSource:
        """Standard input."""
        return StdinSource()


CASES = (
    Case(name="a note", data=b"note: a flood", kinds=("cyber-threat",), amended=b"note: a great flood"),
    Case(name="an amber note", data=b"note: amber", kinds=("cyber-threat",), tlps=(Tlp.AMBER_STRICT,)),
    Case(name="an empty note", data=b"note: ", reason="malformed"),
)
CHECKS = sorted(name for name in dir(AdapterConformance) if name.startswith("test_"))


def failures(adapter: Any, cases: tuple[Case, ...] = CASES) -> set[str]:
    """The kit's tests that an adapter fails."""

    class Kit(AdapterConformance):
        pass

    Kit.adapter, Kit.cases = adapter, cases
    failed = set()
    for name in CHECKS:
        try:
            getattr(Kit(), name)()
        except AssertionError:
            failed.add(name.removeprefix("test_"))
    return failed


def test_a_faultless_adapter_passes() -> None:
    """Nothing fails that should not."""
    assert failures(Notes()) == set()


def crashing(data: bytes, context: ReadContext) -> ReadResult:
    """A format that trusts its input."""
    return read(data, context) if data.isascii() else read(data[: 1 // 0], context)


def wandering(data: bytes, context: ReadContext) -> ReadResult:
    """A format that looks a name up."""
    with socket.socket() as way_out:
        way_out.connect_ex(("127.0.0.1", 9))
    return read(data, context)


_COUNT = iter(range(1_000_000))


def moody(data: bytes, context: ReadContext) -> ReadResult:
    """A format that does not give the same twice."""
    return ReadResult(drafts=read(data, context).drafts, losses=(Loss("mood", str(next(_COUNT))),))


def indiscreet(data: bytes, context: ReadContext) -> ReadResult:
    """A format that carries a person."""
    (draft,) = read(data, context).drafts
    person = Observable(type="email-addr", personal=PersonalFlag.PERSONAL, value="a@b.example")
    return ReadResult(drafts=(msgspec.structs.replace(draft, observables=(person,)),))


def anonymous(data: bytes, context: ReadContext) -> ReadResult:
    """A format that does not say where a draft comes from."""
    (draft,) = read(data, context).drafts
    return ReadResult(drafts=(msgspec.structs.replace(draft, provenance=()),))


def doubling(data: bytes, context: ReadContext) -> ReadResult:
    """A format that says everything twice."""
    result = read(data, context)
    return ReadResult(drafts=result.drafts * 2)


class Forgetful(Notes):
    """An adapter that publishes by itself and names no document, so that nothing is known again."""

    async def run(
        self, source: Source, publisher: Publishing, *, country: str, clock: Callable[[], dt.datetime]
    ) -> None:
        """Publish as if every document were new."""

        class Careless:
            async def publish(self, draft: Draft, **named: Any) -> Any:
                return await publisher.publish(draft, defaults=named["defaults"])

            async def publish_many(self, drafts: Sequence[Draft], **named: Any) -> Any:
                return await publisher.publish_many(drafts, defaults=named["defaults"])

        await super().run(source, Careless(), country=country, clock=clock)


class Stubborn(Notes):
    """An adapter that does not let go."""

    async def run(
        self, source: Source, publisher: Publishing, *, country: str, clock: Callable[[], dt.datetime]
    ) -> None:
        """Go on for a while after having been cancelled."""
        try:
            await super().run(source, publisher, country=country, clock=clock)
        except asyncio.CancelledError:
            await asyncio.sleep(1.2)  # a real delay: longer than the kit's second
            raise


class Stale(Notes):
    """An adapter whose samples are always the same."""

    def samples(self, country: str, now: dt.datetime, serial: int) -> Iterator[Sample]:
        """One note, whatever the serial."""
        yield from super().samples(country, now, 1)


FAULTS: dict[str, tuple[Any, set[str]]] = {
    "crashes on bad bytes": (Notes(crashing), {"damaged_documents_are_refused_or_stand"}),
    "leaves the process": (Notes(wandering), {"translation_is_pure"}),
    "is not pure": (Notes(moody), {"translation_is_pure"}),
    "carries persons": (Notes(indiscreet), {"it_keeps_to_its_manifest", "cases_become_what_they_should"}),
    "hides where it comes from": (Notes(anonymous), {"it_keeps_to_its_manifest"}),
    "says it twice": (Notes(doubling), {"cases_become_what_they_should"}),
    "publishes other kinds": (Notes(kinds=("fimi",)), {"it_keeps_to_its_manifest"}),
    "declares what does not exist": (
        Notes(kinds=("cyber-threat", "cyber-thret")),
        {"the_manifest_declares_what_exists"},
    ),
    "forgets": (
        Forgetful(),
        {
            "the_same_document_gives_no_second_bulletin",
            "a_crash_before_the_move_gives_no_second_bulletin",
            "an_amended_document_supersedes",
        },
    ),
    "does not let go": (Stubborn(), {"cancelling_ends_within_a_second"}),
    "has stale samples": (Stale(), {"samples_are_fresh_and_stand"}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str) -> None:
    """Each fault fails the tests that are there for it."""
    adapter, expected = FAULTS[name]
    assert expected <= failures(adapter)


def test_a_format_without_a_case_is_found() -> None:
    """An author cannot leave a format out."""
    adapter = Notes()
    adapter.formats["other"] = msgspec.structs.replace(
        adapter.formats["note"], id="other", sniff=lambda data: data.startswith(b"other: ")
    )
    assert "there_are_cases_for_every_format" in failures(adapter)


def test_a_wrong_expectation_is_found() -> None:
    """Cases are held to every word: kinds, TLP, reasons, losses, and what they say."""

    def says(_: object) -> None:
        raise AssertionError("something else")

    good = CASES[0]
    for changes in (
        {"kinds": ("fimi",)},
        {"tlps": (Tlp.CLEAR,)},
        {"reason": "other", "kinds": ()},
        {"lost": ("elsewhere",)},
        {"says": says},
    ):
        case = msgspec.structs.replace(good, **changes)
        assert "cases_become_what_they_should" in failures(Notes(), (good, case))


async def test_a_rehearsal_grants_no_more_than_the_manifest(tmp_path: Path) -> None:
    """What the manifest does not declare is refused by the registry, as in service."""
    (draft,) = read(
        b"note: a flood",
        ReadContext(received=dt.datetime(2027, 5, 23, tzinfo=dt.UTC), adapter="tocsin-notes"),
    ).drafts
    now = dt.datetime(2027, 5, 23, 18, 0, tzinfo=dt.UTC)
    async with Rehearsal.open(MANIFEST, tmp_path, country="XA", clock=lambda: now) as rehearsal:
        assert (await rehearsal.publisher.publish(draft)).seq == 1
        with pytest.raises(Exception, match="eu-emb") as refused:
            await rehearsal.publisher.publish(
                msgspec.structs.replace(draft, tlp=Tlp.AMBER_STRICT, audience="eu-emb")
            )
        assert getattr(refused.value, "reason", "") in ("not-permitted", "unknown-audience")
    assert not isinstance(refused.value, AdapterError)
