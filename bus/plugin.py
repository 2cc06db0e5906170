"""The whole extension surface on one page: what an adapter is, and how it is found.

A *format* translates bytes into drafts, purely. A *source* observes an authority's system and yields such bytes. A
*manifest* says what the adapter is for, as data; the run loop holds it to that. An adapter never sees the broker,
keys, retries, ids or sequence numbers. Ours come through the same door as a stranger's: the entry-point group
`tocsin.adapters`.
"""

from __future__ import annotations

import datetime as dt
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from operator import attrgetter
from pathlib import Path
from typing import Any, Protocol

import msgspec

from bus.logs import load, logger
from schemas.bulletin import Defaults, Draft
from schemas.errors import TocsinError
from schemas.scalars import AudienceName, Slug
from schemas.vocab import TLP_RANK, Domain, Pap, PersonalFlag, Tlp

ENTRY_POINTS = "tocsin.adapters"
PUBLIC = "public"

log = logger()


class AdapterError(TocsinError):
    """An adapter, or what it was given, is at fault; the bus is not."""

    reason = "adapter"


class FormatError(AdapterError):
    """A native document that is refused; nothing of it is published."""

    reason = "malformed"


class ReadContext(msgspec.Struct, frozen=True, kw_only=True):
    """What a translation may know beside the bytes."""

    received: dt.datetime
    adapter: str
    country: str = "XA"
    tz: str = "UTC"


class Loss(msgspec.Struct, frozen=True):
    """A part of the source that was not carried over, and why."""

    path: str
    why: str


class ReadResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a document became. No drafts only with a loss that says why."""

    drafts: tuple[Draft, ...] = ()
    losses: tuple[Loss, ...] = ()


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """A native format: how it is recognised and read."""

    id: str
    title: str
    media_types: tuple[str, ...]
    sniff: Callable[[bytes], bool]
    read: Callable[[bytes, ReadContext], ReadResult]


def translate(format_: Format, data: bytes, context: ReadContext) -> ReadResult:
    """What a format makes of a document; whatever goes wrong inside a format comes out as an error of ours.

    Raises:
        FormatError: the document is refused; `format-failed` when the fault is the format's own.
        MemoryError: the system gives no more memory.
    """
    try:
        result = format_.read(data, context)
    except (TocsinError, MemoryError):  # that memory is short is no fault of a document
        raise
    except Exception as exc:
        said = note_failure(format_, exc)
        raise FormatError(f"the format {format_.id} failed: {said}", reason="format-failed") from exc
    if not isinstance(result, ReadResult):
        raise FormatError(f"the format {format_.id} gave no ReadResult", reason="format-failed")
    if not result.drafts and not result.losses:
        raise FormatError(f"the format {format_.id} read nothing and does not say why", reason="nothing-read")
    return result


def note_failure(format_: Format, exc: Exception) -> str:
    """Log where a format failed, and all that it says of it for whoever asks for everything: that may quote the document.

    Returns:
        Its kind and place, without a word of the document.
    """
    frame = traceback.extract_tb(exc.__traceback__)[-1]
    error, where = type(exc).__name__, f"{frame.filename}:{frame.lineno}"
    log.error("format_failed", format=format_.id, error=error, where=where)
    log.debug("format_failed_so", format=format_.id, exc_info=exc)
    return f"{error} at {Path(frame.filename).name}:{frame.lineno} (-v shows all of it)"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a document. `later`: the fault is not the document's; it is to be offered again."""

    accepted: bool
    later: bool = False
    reason: str = ""
    detail: str = ""
    bulletins: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ()


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One native document as a source found it.

    `settle` is called once: its drafts are kept, or it is refused, or it is to be offered again later. Until then the
    source may offer the same document again after a crash.
    """

    name: str
    data: bytes
    settle: Callable[[Verdict], None]


class Source(Protocol):
    """Where native documents come from."""

    def observe(self) -> AsyncIterator[Observation]:
        """Documents as they turn up; ends within a second when cancelled.

        The next one may be asked for before the one before it is settled, so that those that wait are published together;
        none is offered again before it is settled.
        """


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A synthetic document in a true native format, for a demonstration or a test."""

    name: str
    data: bytes


class Network(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where bulletins go that their source marks narrower than the default, or does not mark."""

    tlp: Tlp
    audience: AudienceName


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an adapter is for; data beside its code."""

    name: Slug
    authority_kind: Slug
    domain: Domain
    formats: tuple[str, ...]
    kinds: tuple[str, ...]
    tlp: Tlp
    pap: Pap
    audience: AudienceName
    network: Network
    public_kinds: tuple[str, ...] = ()
    lifetime_days: int = 30
    max_personal: PersonalFlag = PersonalFlag.NONE
    personal_statement: str = ""
    max_per_day: int = 10_000
    poll_interval_s: float = 1.0

    def defaults(self) -> Defaults:
        """What its drafts leave out."""
        return Defaults(tlp=self.tlp, pap=self.pap, audience=self.audience, lifetime_days=self.lifetime_days)

    def of_unmarked(self, kind: str) -> tuple[Tlp, AudienceName]:
        """Marking and audience of a draft whose source marks nothing: the own network at AMBER+STRICT or narrower.

        Nothing gets wider by itself. Only a kind that the manifest calls public, such as a calendar, which is a public act,
        goes to the public.
        """
        if kind in self.public_kinds:
            return Tlp.CLEAR, PUBLIC
        return max(Tlp.AMBER_STRICT, self.network.tlp, key=TLP_RANK.__getitem__), self.network.audience


class Publishing(Protocol):
    """What an adapter's run loop needs of a publisher."""

    async def publish(
        self,
        draft: Draft,
        *,
        defaults: Defaults | None = None,
        once: str | None = None,
        origin: str | None = None,
    ) -> Kept:
        """Keep a draft as a signed bulletin; raises what the bus refuses.

        Args:
            draft: what to say.
            defaults: what the draft leaves out.
            once: the same key gives no second bulletin, but the first one again.
            origin: what the draft is about in its own system; a later draft of one origin supersedes the earlier.
        """

    async def publish_many(
        self,
        drafts: Sequence[Draft],
        *,
        defaults: Defaults | None = None,
        once: Sequence[str | None] | None = None,
        origins: Sequence[str | None] | None = None,
    ) -> Sequence[Kept | TocsinError]:
        """Keep drafts together; gives for each what `publish` would give, or its error. One that is refused hinders no other.

        Args:
            drafts: what to say, in this order.
            defaults: what the drafts leave out.
            once: the key of each.
            origins: the origin of each.
        """


class Kept(Protocol):
    """A kept bulletin, as far as a run loop needs to know it."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def state(self) -> str:
        """`accepted`, or `known` when the same was kept before."""


class Adapter(Protocol):
    """One authority's way onto the bus."""

    @property
    def manifest(self) -> Manifest:
        """What it is for."""

    @property
    def formats(self) -> Mapping[str, Format]:
        """The formats it reads, by id."""

    def samples(self, country: str, now: dt.datetime, serial: int) -> Iterator[Sample]:
        """Fresh synthetic documents for a demonstration; another serial gives other documents."""

    async def run(
        self,
        source: Source,
        publisher: Publishing,
        *,
        country: str,
        clock: Callable[[], dt.datetime],
        tz: str = "UTC",
    ) -> None:
        """Read a source and publish until the source ends; `tz` is the zone of times that name none."""

    def folder(self, spool: Path) -> Source:
        """A source over a spool folder."""

    def standard_input(self) -> Source:
        """A source of the one document on standard input."""


class Discovered(msgspec.Struct, frozen=True, kw_only=True):
    """An installed adapter, or why it could not be loaded."""

    name: str
    adapter: Adapter | None
    problem: str = ""


def discover() -> tuple[Discovered, ...]:
    """Every installed adapter, by name; a broken one is reported and hinders no other."""
    entries = sorted(set(entry_points(group=ENTRY_POINTS)), key=attrgetter("name", "value"))
    offers = Counter(entry.name for entry in entries)
    return tuple(_load(entry, offers[entry.name]) for entry in entries)


def _load(entry: EntryPoint, offers: int) -> Discovered:
    adapter = None
    try:
        if offers > 1:
            problem = f"{entry.value}: several packages offer this name; remove one"
        else:
            load()  # an adapter of others may log by itself
            adapter = entry.load()
            problem = _problem_of(adapter, entry.value)
    except (Exception, SystemExit) as exc:  # noqa: BLE001 (a stranger's module may fail in any way)
        problem = f"{type(exc).__name__}: {exc}"
    return Discovered(name=entry.name, adapter=None if problem else adapter, problem=problem)


_PARTS = ("manifest", "formats", "samples", "run", "folder", "standard_input")


def _problem_of(adapter: Any, value: str) -> str:
    """What is wrong with a loaded adapter, or nothing; `value` is what its entry point names."""
    if missing := [name for name in _PARTS if not hasattr(adapter, name)]:
        return f"{value} has no {', '.join(missing)}"
    parts_fit = isinstance(adapter.manifest, Manifest) and all(
        isinstance(format_, Format) for format_ in adapter.formats.values()
    )
    return "" if parts_fit else f"{value}: a manifest or format of another type"


def adapter_named(name: str) -> Adapter:
    """One installed adapter.

    Raises:
        AdapterError: `unknown-adapter`, or `broken-adapter`.
    """
    known = {installed.name: installed for installed in discover()}
    if name not in known:
        raise AdapterError(
            f"there is no adapter {name!r}; installed: {', '.join(known) or 'none'}", reason="unknown-adapter"
        )
    adapter = known[name].adapter
    if adapter is None:
        raise AdapterError(f"adapter {name} does not load: {known[name].problem}", reason="broken-adapter")
    return adapter
