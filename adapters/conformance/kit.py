"""The conformance kit: the author of an adapter inherits the tests, and supplies the adapter and cases.

    from adapters.conformance import AdapterConformance, Case

    class TestHotline(AdapterConformance):
        adapter = ADAPTER
        cases = (Case(name="a false date", data=b"...", kinds=("election-incident",)),)

The tests need no broker, no network and no plug-in of pytest. They really publish, into an outbox in a temporary
folder, with a registry that grants exactly what the manifest declares.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from adapters.conformance.damage import POISON, damaged, no_way_out
from adapters.conformance.rehearsal import Rehearsal
from adapters.runloop import hold_to, place, recognise
from adapters.sources import FolderSource
from bus.plugin import Adapter, AdapterError, ReadContext, ReadResult, translate
from schemas.bodies import KINDS
from schemas.bulletin import Bulletin
from schemas.errors import TocsinError
from schemas.vocab import TLP_RANK, RefRel, Tlp

NOW = dt.datetime(2027, 5, 23, 18, 0, tzinfo=dt.UTC)
COUNTRY = "XA"
CANCEL_S = 1.0
CANCEL_TRIES = 3


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One native document and its expected result.

    Attributes:
        name: describes the case.
        data: the document.
        kinds: the kinds of the resulting bulletins, in order.
        reason: or else, the reason code of its refusal.
        tlps: the TLP of each bulletin, if that matters.
        lost: source paths that the loss report must name.
        amended: a later correction of the document; its bulletin must supersede the first.
        says: checks the bulletins, and raises if their content differs from the document.
    """

    name: str
    data: bytes
    kinds: tuple[str, ...] = ()
    reason: str = ""
    tlps: tuple[Tlp, ...] = ()
    lost: tuple[str, ...] = ()
    amended: bytes | None = None
    says: Callable[[tuple[Bulletin, ...]], None] | None = None


class AdapterConformance:
    """The tests for every adapter; inherit them in a class whose name begins with `Test`."""

    adapter: ClassVar[Adapter]
    cases: ClassVar[tuple[Case, ...]]

    # -- what it declares --------------------------------------------------------------------------------------------

    def test_the_manifest_declares_what_exists(self) -> None:
        """Formats and kinds exist, public kinds are among the kinds, and the network is no wider than the default."""
        manifest = self.adapter.manifest
        _expect(set(manifest.formats) == set(self.adapter.formats), "the manifest names other formats")
        _expect(all(key == each.id for key, each in self.adapter.formats.items()), "a format has another id")
        unknown = sorted(set(manifest.kinds) - set(KINDS))
        _expect(bool(manifest.kinds) and not unknown, f"kinds that do not exist: {unknown}")
        _expect(set(manifest.public_kinds) <= set(manifest.kinds), "public kinds that it does not publish")
        _expect(TLP_RANK[manifest.network.tlp] > TLP_RANK[manifest.tlp], "the network is no narrower")
        _expect(
            TLP_RANK[manifest.network.tlp] >= TLP_RANK[Tlp.AMBER_STRICT],
            "the network takes no AMBER+STRICT, at which what its source does not mark is held",
        )
        _expect(0 < manifest.poll_interval_s <= 3600 and manifest.max_per_day > 0, "no sensible rate")

    def test_there_are_cases_for_every_format(self) -> None:
        """Each format has a case that is read."""
        read = {recognise(case.data, self.adapter.formats.values()).id for case in self._good()}
        _expect(read == set(self.adapter.formats), f"no case for {sorted(set(self.adapter.formats) - read)}")

    # -- what it says ------------------------------------------------------------------------------------------------

    def test_cases_become_what_they_should(self) -> None:
        """Every case gives bulletins that satisfy every rule and grant, or is refused with its reason."""
        for case in self.cases:
            with _named(case.name):
                verdicts, bulletins = self._publish(case.data)
                _expect(len(verdicts) == 1, "not exactly one verdict")
                _expect(verdicts[0]["reason"] == case.reason, f"refused: {verdicts[0]}")
                kinds = tuple(each.kind for each in bulletins)
                tlps = tuple(each.tlp for each in bulletins)
                _expect(kinds == case.kinds, f"became {kinds}")
                _expect(not case.tlps or tlps == case.tlps, f"published at {tlps}")
                lost = {loss["path"] for loss in verdicts[0]["losses"]}
                _expect(set(case.lost) <= lost, f"losses not reported: {sorted(set(case.lost) - lost)}")
                if case.says is not None:
                    case.says(bulletins)

    def test_translation_is_pure(self) -> None:
        """The same bytes and context give the same result, with no connection and no other process."""
        for case in self._good():
            with _named(case.name), no_way_out():
                first, second = self.read(case.data), self.read(case.data)
                _expect(first == second, "two readings differ")

    def test_it_keeps_to_its_manifest(self) -> None:
        """Kinds and personal data stay within the manifest; provenance names the format and the document."""
        for case in self._good():
            with _named(case.name):
                for draft in self.read(case.data).drafts:
                    hold_to(draft, self.adapter.manifest)
                    formats = {each.format for each in draft.provenance}
                    _expect(bool(formats & set(self.adapter.formats)), "provenance does not name the format")

    def test_markings_are_never_widened(self) -> None:
        """A bulletin has the marking of its source or a narrower one, and a loss reports a narrower one."""
        for case in self._good():
            with _named(case.name):
                for draft in self.read(case.data).drafts:
                    placed, told = place(draft, self.adapter.manifest)
                    if draft.tlp is None or placed.tlp is None:
                        continue
                    _expect(TLP_RANK[placed.tlp] >= TLP_RANK[draft.tlp], "a marking was weakened")
                    _expect(placed.tlp is draft.tlp or bool(told), "a raised marking was not reported")

    # -- once, and again ---------------------------------------------------------------------------------------------

    def test_the_same_document_gives_no_second_bulletin(self) -> None:
        """A document that arrives again, under another name or after a restart, gives no second bulletin."""

        async def twice(data: bytes) -> None:
            async with self._desk() as desk:
                await desk.drop("first", data)
                before = await desk.bulletins()
                await desk.drop("second", data)
                async with desk.restarted() as again:
                    await again.drop("third", data)
                    _expect(await again.bulletins() == before, "a second bulletin")

        for case in self._good():
            with _named(case.name):
                asyncio.run(twice(case.data))

    def test_a_crash_before_the_move_gives_no_second_bulletin(self) -> None:
        """A file that was published but not moved is offered again, and gives the first bulletins."""

        async def crash(data: bytes) -> None:
            async with self._desk() as desk:
                await desk.drop("document", data)
                before = await desk.bulletins()
                settled = desk.spool / "done" / "document"
                _expect(settled.is_file(), f"it was not published: {desk.verdicts()}")
                settled.rename(desk.spool / "in" / "document")
                async with desk.restarted() as again:
                    await again.work()
                    _expect(await again.bulletins() == before, "a second bulletin")
                _expect(not any((desk.spool / "in").iterdir()), "the file was left")

        for case in self._good():
            with _named(case.name):
                asyncio.run(crash(case.data))

    def test_an_amended_document_supersedes(self) -> None:
        """A corrected document becomes an update that names the bulletin it replaces."""

        async def amend(case: Case, amended: bytes) -> None:
            async with self._desk() as desk:
                await desk.drop("document", case.data)
                before = await desk.bulletins()
                await desk.drop("document", amended)
                after = (await desk.bulletins())[len(before) :]
                replaced = {
                    ref.id for each in after for ref in each.references if ref.rel is RefRel.SUPERSEDES
                }
                _expect(replaced == {each.id for each in before}, f"superseded {replaced}")

        for case in self._good():
            if case.amended is not None:
                with _named(case.name):
                    asyncio.run(amend(case, case.amended))

    # -- bad input is normal input -----------------------------------------------------------------------------------

    def test_damaged_documents_are_refused_or_stand(self) -> None:
        """Cut, flipped, re-encoded or enlarged bytes give either valid drafts or a refusal with a reason."""
        for case in self._good():
            for what, data in damaged(case.data):
                with _named(f"{case.name}, {what}"):
                    try:
                        self.read(data)
                    except AdapterError as refused:
                        _expect(bool(refused.reason), "refused without a reason")
                        _expect(refused.reason != "format-failed", f"the format failed: {refused.detail}")

    def test_what_cannot_be_read_is_refused(self) -> None:
        """Empty files, noise and markup bombs publish nothing, and are kept beside their reason."""
        for what, data in POISON.items():
            with _named(what):
                verdicts, bulletins = self._publish(data)
                _expect(not bulletins, "something was published")
                _expect(len(verdicts) == 1 and bool(verdicts[0]["reason"]), f"{verdicts}")

    def test_a_poisonous_document_stops_no_other(self) -> None:
        """The document after it is published, and both have a report."""

        async def both(data: bytes) -> None:
            async with self._desk() as desk:
                await desk.write("0-poison", b"\x00\xff poison")
                await desk.drop("1-good", data)
                _expect(bool(await desk.bulletins()), "the good one was not published")
                _expect((desk.spool / "refused" / "0-poison.reason.json").is_file(), "no reason beside it")

        asyncio.run(both(self._good()[0].data))

    def test_an_oversized_document_is_refused_unread(self) -> None:
        """A file above the spool's bound is set aside with `too-large`."""

        async def swollen(data: bytes) -> None:
            async with self._desk() as desk:
                await desk.write("swollen", data)
                await desk.work(max_bytes=len(data) - 1)
                _expect(not await desk.bulletins(), "it was published")
                _expect([each["reason"] for each in desk.verdicts()] == ["too-large"], f"{desk.verdicts()}")

        asyncio.run(swollen(self._good()[0].data))

    # -- in service --------------------------------------------------------------------------------------------------

    def test_cancelling_ends_within_a_second(self) -> None:
        """A waiting adapter ends within a second."""

        async def cancel() -> float:
            async with self._desk() as desk:
                task = asyncio.create_task(desk.serve(self.adapter.folder(desk.spool)))
                await asyncio.sleep(0)
                began = time.monotonic()
                task.cancel()
                await asyncio.wait((task,), timeout=2 * CANCEL_S)
                return time.monotonic() - began

        # A busy machine may be slow once; an adapter that does not end is slow every time.
        _expect(any(asyncio.run(cancel()) < CANCEL_S for _ in range(CANCEL_TRIES)), "it took too long")

    def test_samples_are_fresh_and_stand(self) -> None:
        """Every sample is published; another serial gives other documents and other bulletins."""

        async def rounds() -> None:
            async with self._desk() as desk:
                for serial in (1, 2):
                    for sample in self.adapter.samples(COUNTRY, NOW, serial):
                        count = len(await desk.bulletins())
                        await desk.drop(sample.name, sample.data)
                        _expect(len(await desk.bulletins()) > count, f"{sample.name}: {desk.verdicts()}")
                updates = [each.id for each in await desk.bulletins() if each.references]
                _expect(not updates, "another serial superseded the one before")

        asyncio.run(rounds())

    # -- the bench ---------------------------------------------------------------------------------------------------

    def _good(self) -> tuple[Case, ...]:
        good = tuple(case for case in self.cases if not case.reason)
        _expect(bool(good), "no case that is read")
        return good

    def read(self, data: bytes) -> ReadResult:
        """The adapter's result for a document, for an author's own tests."""
        context = ReadContext(received=NOW, adapter=f"tocsin-{self.adapter.manifest.name}", country=COUNTRY)
        return translate(recognise(data, self.adapter.formats.values()), data, context)

    def _publish(self, data: bytes) -> tuple[list[dict[str, Any]], tuple[Bulletin, ...]]:
        async def once() -> tuple[list[dict[str, Any]], tuple[Bulletin, ...]]:
            async with self._desk() as desk:
                await desk.drop("document", data)
                return desk.verdicts(), await desk.bulletins()

        return asyncio.run(once())

    @asynccontextmanager
    async def _desk(self) -> AsyncIterator[_Desk]:
        with tempfile.TemporaryDirectory(prefix="tocsin-conformance-") as folder:
            async with _Desk.open(self.adapter, Path(folder)) as desk:
                yield desk


class _Desk:
    """An adapter with a spool for input, and a rehearsal authority for output."""

    def __init__(self, adapter: Adapter, folder: Path, rehearsal: Rehearsal) -> None:
        self.spool = folder / "spool"
        self._adapter = adapter
        self._folder = folder
        self._rehearsal = rehearsal

    @classmethod
    @asynccontextmanager
    async def open(cls, adapter: Adapter, folder: Path) -> AsyncIterator[_Desk]:
        """A desk in a folder; the same folder again simulates a restart."""
        async with Rehearsal.open(adapter.manifest, folder, country=COUNTRY, clock=_clock) as rehearsal:
            yield cls(adapter, folder, rehearsal)

    def restarted(self) -> Any:
        """The same desk as after a restart: only the files on the disk are kept."""
        return _Desk.open(self._adapter, self._folder)

    async def write(self, name: str, data: bytes) -> None:
        """Put a document into the spool in the right way: write, then rename."""
        incoming = self.spool / "in"
        incoming.mkdir(parents=True, exist_ok=True)
        partial = incoming / f"{name}.part"
        partial.write_bytes(data)
        partial.rename(incoming / name)

    async def drop(self, name: str, data: bytes) -> None:
        """Put a document into the spool, and let the adapter process it."""
        await self.write(name, data)
        await self.work()

    async def work(self, **settings: int) -> None:
        """Process the whole spool once."""
        await self.serve(FolderSource(self.spool, once=True, **settings))

    async def serve(self, source: Any) -> None:
        """Run the adapter over a source."""
        await self._adapter.run(source, self._rehearsal.publisher, country=COUNTRY, clock=_clock)

    async def bulletins(self) -> tuple[Bulletin, ...]:
        """The published bulletins."""
        return await self._rehearsal.bulletins()

    def verdicts(self) -> list[dict[str, Any]]:
        """The reports beside the processed documents."""
        reports = [*self.spool.glob("done/*.report.json"), *self.spool.glob("refused/*.reason.json")]
        return [json.loads(path.read_text("utf-8")) for path in sorted(reports)]


def _clock() -> dt.datetime:
    return NOW


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except (AssertionError, TocsinError) as exc:
        raise AssertionError(f"{name}: {exc}") from exc
