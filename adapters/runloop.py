"""The run loop: turns documents into bulletins; a fault in one document does not stop the others.

Each document is recognised, translated, placed on a channel by its marking, checked against the manifest and every
rule, and published. A refused document is set aside with its reason and not tried again. A fault outside the
document, such as a full disk, leaves it in its place. The bus may be unreachable, because publishing needs only the
disk.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, repeat
from typing import NamedTuple

import msgspec

from adapters.ahead import Ahead
from adapters.reading_thread import in_reading_thread
from adapters.translation.reading import sha256_hex
from bus.errors import OutboxError, StoreError, TrustError, UnreachableError
from bus.logs import logger
from bus.plugin import (
    PUBLIC,
    AdapterError,
    Format,
    FormatError,
    Kept,
    Loss,
    Manifest,
    Observation,
    Publishing,
    ReadContext,
    ReadResult,
    Source,
    Verdict,
    note_failure,
    translate,
)
from bus.sealing import sections
from schemas import rules
from schemas.bulletin import Draft, new_id, stamp
from schemas.codec import decode, encode
from schemas.errors import TocsinError
from schemas.parts import Authority
from schemas.sections import SectionDraft
from schemas.vocab import PERSONAL_RANK, TLP_RANK, Tlp

DAY_S = 86_400.0
LONG_S = 30.0
"""Seconds of reading after which the log gets a line."""
MOST_S = 600.0
"""Seconds of reading after which it is given up."""
TOGETHER = 512
"""Number of bulletins after which a group gets no further document,"""
TOGETHER_BYTES = 1024 * 1024
"""or number of bytes of its documents: the next one is not requested while they are read."""
MEMORY_TRIES = 3
"""Number of tries for a document that needs too much memory; then it is refused, so that others are read."""


class StuckError(AdapterError):
    """A format does not finish a document; this process cannot read another."""

    reason = "format-stuck"


class RateError(AdapterError):
    """The day's number of bulletins is reached; the document waits."""

    reason = "rate"


class MemoryShortError(AdapterError):
    """The memory is not enough to read the document; it waits."""

    reason = "no-memory"


HELD = (RateError, MemoryShortError, StoreError, OutboxError, TrustError, UnreachableError)
"""Errors outside a document: it stays in its place and is offered again."""

log = logger()


class Reading(NamedTuple):
    """The result for a document: its format, its drafts on their channels, the losses, its digest."""

    format: Format
    drafts: list[Draft]
    losses: tuple[Loss, ...]
    digest: str


_LATER = Verdict(accepted=False, later=True, reason="later", detail="an earlier one has to wait")


@dataclass
class _Document:
    """A document in the loop: its reading (None if it was not read), and its verdict so far."""

    observation: Observation
    reading: Reading | None = None
    verdict: Verdict = _LATER


def _held(exc: TocsinError) -> Verdict:
    return Verdict(accepted=False, later=True, reason=exc.reason, detail=str(exc))


class RunLoop:
    """One adapter at work."""

    def __init__(
        self,
        manifest: Manifest,
        formats: Mapping[str, Format],
        publisher: Publishing,
        *,
        country: str,
        clock: Callable[[], dt.datetime],
        tz: str = "UTC",
        most_s: float = MOST_S,
    ) -> None:
        """Prepare; `run` works.

        Args:
            manifest: what the adapter is for.
            formats: its formats, by id.
            publisher: publishes the drafts.
            country: the authority's country.
            clock: the present, aware.
            tz: time zone of times without one, a name of the IANA list.
            most_s: the most seconds for reading a document.
        """
        self._most_s = most_s
        self._short: Counter[str] = Counter()  # number of failed tries for lack of memory, by document
        self.counts: Counter[str] = Counter()
        self._manifest = manifest
        self._formats = formats
        self._publisher = publisher
        self._country = country
        self._clock = clock
        self._tz = tz
        self._today: list[float] = []

    async def run(self, source: Source) -> None:
        """Work until the source ends.

        Waiting documents are published together. After a document that has to wait, already requested ones are not
        processed: the source offers them again, in its order.

        Raises:
            StuckError: a format does not finish. Its document is refused; only another process can read the next.
        """
        async with Ahead.of(source) as documents:
            is_late = False  # requested before the last document was held
            while (first := await documents.take()) is not None:
                if is_late:
                    is_late = False
                    self._settle(_Document(first))
                    continue
                group = await self._gather(first, documents)
                await self._publish(group)
                for document in group:
                    self._settle(document)
                    if document.verdict.reason == StuckError.reason:
                        raise StuckError(document.verdict.detail)
                is_late = documents.is_asked and any(document.verdict.later for document in group)
        log.info("source_ended", adapter=self._manifest.name, **self.counts)

    async def _gather(self, first: Observation, documents: Ahead) -> list[_Document]:
        """Read a document and the others that have arrived, up to one that has to wait."""
        group: list[_Document] = []
        observation: Observation | None = first
        drafts = size = 0
        while observation is not None:
            if size < TOGETHER_BYTES:
                documents.ask()
            document = await self._opened(observation, drafts)
            group.append(document)
            size += len(observation.data)
            if document.reading is not None:
                drafts += len(document.reading.drafts)
            elif document.verdict.later or document.verdict.reason == StuckError.reason:
                break
            if drafts >= TOGETHER or not documents.has_one:
                break
            observation = await documents.take()
        return group

    async def _opened(self, observation: Observation, before: int) -> _Document:
        """Read a document. Every draft is checked before the first is kept. `before` is the number of drafts to publish first."""
        now = self._clock()
        try:
            reading = await self._read(observation, now)
            self._hold_rate(len(reading.drafts), before, now)
        except HELD as exc:
            return _Document(observation, verdict=_held(exc))
        except TocsinError as exc:
            return _Document(observation, verdict=Verdict(accepted=False, reason=exc.reason, detail=str(exc)))
        return _Document(observation, reading=reading)

    async def _publish(self, group: Sequence[_Document]) -> None:
        """Publish the drafts of several documents together, and give each document its verdict."""
        read = [(each, each.reading) for each in group if each.reading is not None]
        drafts = [draft for _, reading in read for draft in reading.drafts]
        if not drafts:
            outcomes: Iterator[Kept | TocsinError] = iter(())
        else:
            try:
                outcomes = iter(
                    await self._publisher.publish_many(
                        drafts,
                        defaults=self._manifest.defaults(),
                        once=[
                            f"{reading.digest}/{n}" for _, reading in read for n in range(len(reading.drafts))
                        ],
                        origins=[
                            origin
                            for each, reading in read
                            for origin in self._origins(reading.format, reading.drafts, each.observation.name)
                        ],
                    )
                )
            except HELD as exc:
                outcomes = repeat(exc)
        for document, reading in read:
            document.verdict = self._verdict(reading, islice(outcomes, len(reading.drafts)))

    def _verdict(self, reading: Reading, outcomes: Iterable[Kept | TocsinError]) -> Verdict:
        """The verdict on a document.

        Here only the registry can refuse some of several drafts; then the verdict is a refusal that names the
        published bulletins. An error of `HELD` is not the document's fault: the document waits, and its kept
        bulletins are known the next time.
        """
        now = self._clock().timestamp()
        ids: list[str] = []
        refused: TocsinError | None = None
        held: TocsinError | None = None
        for outcome in outcomes:
            if isinstance(outcome, HELD):
                held = held or outcome
            elif isinstance(outcome, TocsinError):
                refused = refused or outcome
            else:
                ids.append(outcome.id)
                self.counts["known" if outcome.state == "known" else "published"] += 1
                if outcome.state != "known":
                    self._today.append(now)
        if held is not None:
            return _held(held)
        if refused is not None:
            return Verdict(
                accepted=False,
                reason=refused.reason,
                detail=str(refused),
                bulletins=tuple(ids),
                losses=reading.losses,
            )
        return Verdict(accepted=True, bulletins=tuple(ids), losses=reading.losses)

    def _settle(self, document: _Document) -> None:
        """Report the verdict on a document to the source and the log."""
        observation, verdict = document.observation, document.verdict
        known = {"adapter": self._manifest.name, "document": observation.name}
        self.counts["seen"] += 1
        self.counts["read" if verdict.accepted else "held" if verdict.later else "refused"] += 1
        if verdict.accepted and document.reading is not None:
            told = {"format": document.reading.format.id, "bulletins": len(verdict.bulletins)}
            log.info("document_read", **known, **told, losses=len(verdict.losses))
        elif verdict is not _LATER:
            what = "document_held" if verdict.later else "document_refused"
            log.warning(what, **known, reason=verdict.reason, detail=verdict.detail)
        try:
            observation.settle(verdict)
        except OSError as exc:
            # The document is offered again, but gives no second bulletin: the publisher knows its digest.
            log.warning("document_not_settled", document=observation.name, problem=str(exc))

    def _origins(self, format_: Format, drafts: Iterable[Draft], name: str) -> list[str]:
        """The origin of each draft in its own system; equal origins in one document are numbered."""
        told: Counter[str] = Counter()
        origins = []
        for draft in drafts:
            origin = f"{self._manifest.name}:{format_.id}:{_origin(draft, name)}"
            origins.append(f"{origin}:{told[origin]}")
            told[origin] += 1
        return origins

    async def _read(self, observation: Observation, now: dt.datetime) -> Reading:
        """Read a document in a separate thread, so that heartbeats and sending continue.

        Raises:
            TocsinError: the fault of the document.
            MemoryShortError: the memory is not enough, and tries are left.
            StuckError: the reading takes too long.
        """
        reading = asyncio.ensure_future(in_reading_thread(partial(self._translated, observation.data, now)))
        known = {"adapter": self._manifest.name, "document": observation.name}
        try:
            await asyncio.wait({reading}, timeout=min(LONG_S, self._most_s))
            if not reading.done():
                log.warning("document_takes_long", **known)
                await asyncio.wait({reading}, timeout=self._most_s - LONG_S)
            if not reading.done():
                raise StuckError(
                    f"it was not read within {self._most_s:.0f} s; this program ends, because it cannot read more"
                )
            found = reading.result()
        except MemoryError:
            self._short[observation.name] += 1
            if self._short[observation.name] < MEMORY_TRIES:
                raise MemoryShortError("not enough memory to read it") from None
            raise FormatError("not enough memory to read it", reason=MemoryShortError.reason) from None
        finally:
            reading.cancel()
        self._short.pop(observation.name, None)
        return found

    def _translated(self, data: bytes, now: dt.datetime) -> Reading:
        """In the reading thread: recognise, translate, place and prove."""
        context = ReadContext(
            received=now, adapter=f"tocsin-{self._manifest.name}", country=self._country, tz=self._tz
        )
        format_ = recognise(data, self._formats.values())
        result = translate(format_, data, context)
        try:
            drafts, losses = self._checked(result, now)
        except (TocsinError, MemoryError):
            raise
        except Exception as exc:
            # The result may not be a draft, or may have fields of wrong types: a foreign format may return anything.
            said = note_failure(format_, exc)
            raise FormatError(
                f"the format {format_.id} gave no draft: {said}", reason="format-failed"
            ) from exc
        return Reading(format_, drafts, losses, sha256_hex(data))

    def _checked(self, result: ReadResult, now: dt.datetime) -> tuple[list[Draft], tuple[Loss, ...]]:
        """(drafts on their channels, losses); each draft is checked against the manifest and the rules."""
        drafts, losses = [], list(result.losses)
        for draft in result.drafts:
            placed, more = place(draft, self._manifest)
            hold_to(placed, self._manifest)
            prove(placed, self._manifest, self._country, now)
            drafts.append(placed)
            losses += more
        return drafts, tuple(losses)

    def _hold_rate(self, count: int, before: int, now: dt.datetime) -> None:
        """Limit the rate: a faulty adapter must not flood its authority's readers. `before` bulletins are not published yet."""
        most = self._manifest.max_per_day
        if count > most:
            raise AdapterError(
                f"{count} bulletins in one document; the manifest allows {most} in a day", reason="rate"
            )
        earliest = now.timestamp() - DAY_S
        self._today = [each for each in self._today if each > earliest]
        if len(self._today) + before + count > most:
            raise RateError(f"{most} bulletins in a day are the most that the manifest allows")


def recognise(data: bytes, formats: Iterable[Format]) -> Format:
    """The one format that recognises a document.

    Raises:
        FormatError: `unknown-format` or `ambiguous-format`.
    """
    offered = list(formats)
    found = [each for each in offered if _sniffs(each, data)]
    if not found:
        raise FormatError(f"none of {', '.join(each.id for each in offered)}", reason="unknown-format")
    if len(found) > 1:
        raise FormatError(f"it could be {' or '.join(each.id for each in found)}", reason="ambiguous-format")
    return found[0]


def _sniffs(format_: Format, data: bytes) -> bool:
    try:
        return bool(format_.sniff(data))
    except MemoryError:
        raise
    except Exception as exc:  # noqa: BLE001 (a stranger's format may fail in any way; this one recognises nothing)
        note_failure(format_, exc)
        return False


def place(draft: Draft, manifest: Manifest) -> tuple[Draft, tuple[Loss, ...]]:
    """Put a draft on a channel of the manifest, never a wider one than the marking of its source.

    Raises:
        AdapterError: `marking`, if no channel is narrow enough.
    """
    tlp = draft.tlp or manifest.of_unmarked(draft.kind)[0]
    named = draft.audience if draft.audience != PUBLIC else None
    if tlp is Tlp.CLEAR and draft.kind in manifest.public_kinds and named is None:
        return msgspec.structs.replace(draft, tlp=tlp, audience=PUBLIC), ()
    if TLP_RANK[tlp] <= TLP_RANK[manifest.tlp]:
        target, usual = manifest.tlp, manifest.audience
    elif TLP_RANK[tlp] <= TLP_RANK[manifest.network.tlp]:
        target, usual = manifest.network.tlp, manifest.network.audience
    else:
        raise AdapterError(f"{manifest.name} has no channel for TLP:{tlp.upper()}", reason="marking")
    # An audience named by the source is kept, because the usual one may be wider. The registry decides whether it exists.
    placed = msgspec.structs.replace(draft, tlp=target, audience=named or usual)
    if draft.tlp is None:
        return placed, (
            Loss("tlp", f"the source has no marking: the draft goes to {placed.audience} at {target}"),
        )
    if target is tlp:
        return placed, ()
    return placed, (Loss("tlp", f"raised from {tlp} to {target}: {manifest.name} has no channel at {tlp}"),)


def hold_to(draft: Draft, manifest: Manifest) -> None:
    """Refuse a draft that the manifest does not allow.

    Raises:
        AdapterError: `kind` or `personal-data`.
    """
    if draft.kind not in manifest.kinds:
        raise AdapterError(f"{manifest.name} does not publish {draft.kind}", reason="kind")
    parts: tuple[Draft | SectionDraft, ...] = (draft, *draft.sections)
    flags = [seen.personal for part in parts for seen in part.observables]
    flags += [part.personal_data.flag for part in parts if part.personal_data is not None]
    worst = max((PERSONAL_RANK[each] for each in flags), default=0)
    if worst > PERSONAL_RANK[manifest.max_personal]:
        raise AdapterError(
            f"{manifest.name} declares no personal data above {manifest.max_personal}", reason="personal-data"
        )


def prove(draft: Draft, manifest: Manifest, country: str, now: dt.datetime) -> None:
    """Stamp a draft as its authority does, decode the bytes, and check every rule; nothing is kept.

    Raises:
        SchemaError, RuleError: the draft is not a valid bulletin.
    """
    kind, domain = manifest.authority_kind, manifest.domain
    issuer = Authority(id=f"{country.lower()}-{kind}", kind=kind, domain=domain, country=country)
    bulletin = stamp(
        draft,
        id=new_id(now, bytes(10)),
        seq=1,
        prev=None,
        issuer=issuer,
        issued=now,
        defaults=manifest.defaults(),
    )
    bulletin = decode(encode(bulletin))
    rules.check(bulletin)
    sections.judge_section(bulletin, draft.sections, None)


def _origin(draft: Draft, name: str) -> str:
    first = draft.provenance[0] if draft.provenance else None
    return (first.original_id if first else None) or name
