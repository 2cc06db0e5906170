"""The whole extension interface on one page: the parts of an adapter, and its discovery.

A *format* is a pure translation of bytes into drafts. A *source* observes an authority's system and yields such
bytes. A *manifest* declares the adapter's purpose as data; the run loop enforces it. An adapter never sees the
broker, keys, retries, ids or sequence numbers. Built-in and foreign adapters are found in the same way: by the
entry-point group `tocsin.adapters`.
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
    """A fault of an adapter or of its input, not of the bus."""

    reason = "adapter"


class FormatError(AdapterError):
    """A native document is refused; no part of it is published."""

    reason = "malformed"


class ReadContext(msgspec.Struct, frozen=True, kw_only=True):
    """The facts besides the bytes that a translation may use."""

    received: dt.datetime
    adapter: str
    country: str = "XA"
    tz: str = "UTC"


class Loss(msgspec.Struct, frozen=True):
    """A part of the source that is left out, and the reason."""

    path: str
    why: str


class ReadResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of translating a document. Without drafts, a loss must give the reason."""

    drafts: tuple[Draft, ...] = ()
    losses: tuple[Loss, ...] = ()


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """A native format: recognises and reads its documents."""

    id: str
    title: str
    media_types: tuple[str, ...]
    sniff: Callable[[bytes], bool]
    read: Callable[[bytes, ReadContext], ReadResult]


def translate(format_: Format, data: bytes, context: ReadContext) -> ReadResult:
    """Translate a document by a format. Every failure inside the format is raised as `FormatError`.

    Raises:
        FormatError: the document is refused; `format-failed` when the fault is the format's own.
        MemoryError: memory is exhausted.
    """
    try:
        result = format_.read(data, context)
    except (TocsinError, MemoryError):  # lack of memory is not a fault of the document
        raise
    except Exception as exc:
        said = note_failure(format_, exc)
        raise FormatError(f"the format {format_.id} failed: {said}", reason="format-failed") from exc
    if not isinstance(result, ReadResult):
        raise FormatError(f"the format {format_.id} returned no ReadResult", reason="format-failed")
    if not result.drafts and not result.losses:
        raise FormatError(f"the format {format_.id} read nothing and gives no reason", reason="nothing-read")
    return result


def note_failure(format_: Format, exc: Exception) -> str:
    """Log the place where a format failed; with -v also the full message, which may quote the document.

    Returns:
        Kind and place of the failure, without text of the document.
    """
    frame = traceback.extract_tb(exc.__traceback__)[-1]
    error, where = type(exc).__name__, f"{frame.filename}:{frame.lineno}"
    log.error("format_failed", format=format_.id, error=error, where=where)
    log.debug("format_failed_so", format=format_.id, exc_info=exc)
    return f"{error} at {Path(frame.filename).name}:{frame.lineno} (-v shows all of it)"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome for a document. `later`: the fault is not in the document; offer it again."""

    accepted: bool
    later: bool = False
    reason: str = ""
    detail: str = ""
    bulletins: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ()


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One native document from a source.

    `settle` is called once, with the outcome: the drafts are kept, the document is refused, or it must be offered
    again. Before that, the source may offer the same document again after a crash.
    """

    name: str
    data: bytes
    settle: Callable[[Verdict], None]


class Source(Protocol):
    """A source of native documents."""

    def observe(self) -> AsyncIterator[Observation]:
        """Yield documents as they arrive; ends within a second when cancelled.

        The caller may ask for the next document before the last one is settled, to publish waiting ones together. A
        document is not offered again before it is settled.
        """


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A synthetic document in a true native format, for a demonstration or a test."""

    name: str
    data: bytes


class Network(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The audience of bulletins whose source has a narrower marking than the default, or none."""

    tlp: Tlp
    audience: AudienceName


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The purpose of an adapter, as data beside its code."""

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
        """The values for fields that its drafts leave out."""
        return Defaults(tlp=self.tlp, pap=self.pap, audience=self.audience, lifetime_days=self.lifetime_days)

    def of_unmarked(self, kind: str) -> tuple[Tlp, AudienceName]:
        """(marking, audience) of a draft whose source has no marking: the own network at AMBER+STRICT or narrower.

        No bulletin becomes wider by itself. Only a kind that the manifest lists as public, such as a calendar, goes
        to the public.
        """
        if kind in self.public_kinds:
            return Tlp.CLEAR, PUBLIC
        return max(Tlp.AMBER_STRICT, self.network.tlp, key=TLP_RANK.__getitem__), self.network.audience


class Publishing(Protocol):
    """The part of a publisher that an adapter's run loop uses."""

    async def publish(
        self,
        draft: Draft,
        *,
        defaults: Defaults | None = None,
        once: str | None = None,
        origin: str | None = None,
    ) -> Kept:
        """Keep a draft as a signed bulletin; raises the refusals of the bus.

        Args:
            draft: the content.
            defaults: values for fields that the draft leaves out.
            once: a key; a second call with it returns the first bulletin.
            origin: the id of the subject in its own system; a later draft of the same origin supersedes the earlier.
        """

    async def publish_many(
        self,
        drafts: Sequence[Draft],
        *,
        defaults: Defaults | None = None,
        once: Sequence[str | None] | None = None,
        origins: Sequence[str | None] | None = None,
    ) -> Sequence[Kept | TocsinError]:
        """Keep drafts together. Returns for each the result of `publish`, or its error. A refused draft does not stop the others.

        Args:
            drafts: the contents, in this order.
            defaults: values for fields that the drafts leave out.
            once: the key of each.
            origins: the origin of each.
        """


class Kept(Protocol):
    """A kept bulletin, with the facts that a run loop needs."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def state(self) -> str:
        """`accepted`, or `known` if the same bulletin was kept before."""


class Adapter(Protocol):
    """An adapter: connects one authority's systems to the bus."""

    @property
    def manifest(self) -> Manifest:
        """Its manifest."""

    @property
    def formats(self) -> Mapping[str, Format]:
        """The formats it reads, by id."""

    def samples(self, country: str, now: dt.datetime, serial: int) -> Iterator[Sample]:
        """New synthetic documents for a demonstration; another serial gives other documents."""

    async def run(
        self,
        source: Source,
        publisher: Publishing,
        *,
        country: str,
        clock: Callable[[], dt.datetime],
        tz: str = "UTC",
    ) -> None:
        """Read a source and publish until the source ends; `tz` is the zone of times without one."""

    def folder(self, spool: Path) -> Source:
        """A source over a spool folder."""

    def standard_input(self) -> Source:
        """A source with the one document on standard input."""


class Discovered(msgspec.Struct, frozen=True, kw_only=True):
    """An installed adapter, or the reason why it cannot be loaded."""

    name: str
    adapter: Adapter | None
    problem: str = ""


def discover() -> tuple[Discovered, ...]:
    """Every installed adapter, by name. A broken one is reported and does not stop the others."""
    entries = sorted(set(entry_points(group=ENTRY_POINTS)), key=attrgetter("name", "value"))
    offers = Counter(entry.name for entry in entries)
    return tuple(_load(entry, offers[entry.name]) for entry in entries)


def _load(entry: EntryPoint, offers: int) -> Discovered:
    adapter = None
    try:
        if offers > 1:
            problem = f"{entry.value}: several packages offer this name; remove one"
        else:
            load()  # a foreign adapter may log by itself
            adapter = entry.load()
            problem = _problem_of(adapter, entry.value)
    except (Exception, SystemExit) as exc:  # noqa: BLE001 (a stranger's module may fail in any way)
        problem = f"{type(exc).__name__}: {exc}"
    return Discovered(name=entry.name, adapter=None if problem else adapter, problem=problem)


_PARTS = ("manifest", "formats", "samples", "run", "folder", "standard_input")


def _problem_of(adapter: Any, value: str) -> str:
    """The fault of a loaded adapter; empty if none. `value` is the target of its entry point."""
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
