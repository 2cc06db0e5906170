"""The run loop: documents in, bulletins out, and nothing an adapter meets may stop another one.

Each document is recognised, translated, placed on a channel by its marking, held to the manifest, and published. A
document that is refused is set aside with its reason and is not tried again; the bus being unreachable is no concern
here, because publishing only needs the disk.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import msgspec
import structlog

from adapters.reading import sha256_hex
from bus.plugin import (
    AdapterError,
    Format,
    FormatError,
    Loss,
    Manifest,
    Observation,
    Publishing,
    ReadContext,
    ReadResult,
    Source,
    Verdict,
)
from schemas.bulletin import Draft
from schemas.errors import TocsinError
from schemas.vocab import PERSONAL_RANK, TLP_RANK, Tlp

DAY_S = 86_400.0

log = structlog.get_logger()


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
    ) -> None:
        """Prepare; `run` works.

        Args:
            manifest: what the adapter is for.
            formats: what it reads, by id.
            publisher: where drafts go.
            country: the authority's country.
            clock: the present, aware.
        """
        self.counts: Counter[str] = Counter()
        self._manifest = manifest
        self._formats = formats
        self._publisher = publisher
        self._country = country
        self._clock = clock
        self._today: list[float] = []

    async def run(self, source: Source) -> None:
        """Work until the source ends."""
        async for observation in source.observe():
            self.counts["seen"] += 1
            try:
                verdict = await self.handle(observation)
            except TocsinError as exc:
                self.counts["refused"] += 1
                verdict = Verdict(accepted=False, reason=exc.reason, detail=exc.detail)
                log.warning(
                    "document_refused",
                    adapter=self._manifest.name,
                    document=observation.name,
                    reason=exc.reason,
                    detail=exc.detail,
                )
            observation.settle(verdict)

    async def handle(self, observation: Observation) -> Verdict:
        """One document, whole: either all its drafts are kept or it is refused.

        Raises:
            TocsinError: what is wrong with it, with its reason.
        """
        now = self._clock()
        context = ReadContext(received=now, adapter=f"tocsin-{self._manifest.name}", country=self._country)
        format_ = recognise(observation.data, self._formats.values())
        result = _read(format_, observation.data, context)
        losses = list(result.losses)
        drafts = []
        for draft in result.drafts:
            placed, more = place(draft, self._manifest)
            hold_to(placed, self._manifest)
            drafts.append(placed)
            losses += more
        self._hold_rate(len(drafts), now)
        digest = sha256_hex(observation.data)
        ids = []
        for n, draft in enumerate(drafts):
            kept = await self._publisher.publish(
                draft,
                defaults=self._manifest.defaults(),
                once=f"{digest}/{n}",
                origin=f"{self._manifest.name}:{format_.id}:{_origin(draft, observation.name)}:{n}",
            )
            ids.append(kept.id)
            self.counts["known" if kept.state == "known" else "published"] += 1
        log.info(
            "document_read",
            adapter=self._manifest.name,
            document=observation.name,
            format=format_.id,
            bulletins=len(ids),
            losses=len(losses),
        )
        return Verdict(accepted=True, bulletins=tuple(ids), losses=tuple(losses))

    def _hold_rate(self, count: int, now: dt.datetime) -> None:
        """Refuse a flood: an adapter that goes mad must not drown its authority's readers."""
        moment = now.timestamp()
        self._today = [each for each in self._today if each > moment - DAY_S]
        if len(self._today) + count > self._manifest.max_per_day:
            raise AdapterError(
                f"more than {self._manifest.max_per_day} bulletins in a day; the manifest allows no more",
                reason="rate",
            )
        self._today += [moment] * count


def recognise(data: bytes, formats: Iterable[Format]) -> Format:
    """The one format that recognises a document.

    Raises:
        FormatError: `unknown-format` or `ambiguous-format`.
    """
    offered = list(formats)
    found = [each for each in offered if each.sniff(data)]
    if not found:
        raise FormatError(f"none of {', '.join(each.id for each in offered)}", reason="unknown-format")
    if len(found) > 1:
        raise FormatError(f"it could be {' or '.join(each.id for each in found)}", reason="ambiguous-format")
    return found[0]


def _read(format_: Format, data: bytes, context: ReadContext) -> ReadResult:
    try:
        return format_.read(data, context)
    except TocsinError:
        raise
    except Exception as exc:  # a format's own bug is contained here and named, with the document kept
        log.exception("format_failed", format=format_.id)
        raise FormatError(
            f"the format module {format_.id} failed: {type(exc).__name__}", reason="format-failed"
        ) from exc


def place(draft: Draft, manifest: Manifest) -> tuple[Draft, tuple[Loss, ...]]:
    """Put a draft on a channel that the manifest knows, never a wider one than its source's marking.

    Raises:
        AdapterError: `marking`, when there is no channel narrow enough.
    """
    public = draft.kind in manifest.public_kinds
    tlp = draft.tlp or (Tlp.CLEAR if public else manifest.tlp)
    if tlp is Tlp.CLEAR and public:
        return msgspec.structs.replace(draft, tlp=tlp, audience="public"), ()
    if TLP_RANK[tlp] <= TLP_RANK[manifest.tlp]:
        target, audience = (
            manifest.tlp,
            draft.audience if draft.audience not in (None, "public") else manifest.audience,
        )
    elif TLP_RANK[tlp] <= TLP_RANK[manifest.network.tlp]:
        target, audience = manifest.network.tlp, manifest.network.audience
    else:
        raise AdapterError(f"{manifest.name} has no channel for TLP:{tlp.upper()}", reason="marking")
    placed = msgspec.structs.replace(draft, tlp=target, audience=audience)
    if draft.tlp is None or target is tlp:
        return placed, ()
    return placed, (Loss("tlp", f"raised from {tlp} to {target}: {manifest.name} has no channel at {tlp}"),)


def hold_to(draft: Draft, manifest: Manifest) -> None:
    """Refuse what the manifest does not say this adapter publishes.

    Raises:
        AdapterError: `kind` or `personal-data`.
    """
    if draft.kind not in manifest.kinds:
        raise AdapterError(f"{manifest.name} does not publish {draft.kind}", reason="kind")
    worst = max((PERSONAL_RANK[each.personal] for each in draft.observables), default=0)
    if worst > PERSONAL_RANK[manifest.max_personal]:
        raise AdapterError(
            f"{manifest.name} declares no personal data above {manifest.max_personal}", reason="personal-data"
        )


def _origin(draft: Draft, name: str) -> str:
    first = draft.provenance[0] if draft.provenance else None
    return (first.original_id if first else None) or name
