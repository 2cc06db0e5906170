"""Figures on how the store is divided: the space of each authority, and the space for open batches. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bus.server.config import BATCH_S, BATCHES_EACH, BATCHES_OPEN
from bus.server.findings import Check, hard, soft
from bus.transport import (
    BATCH,
    BEAT_ROOM_BYTES,
    HEADS_EACH,
    MAX_MESSAGE_BYTES,
    StreamSpec,
    keeps_all,
    kept_s,
    status_of,
)

BULLETIN_BYTES = 4096
"""Bytes of a bulletin of common size, with its signature and the store's overhead."""
FEW_A_DAY = 5  # bulletins of common size from each authority, as long as they are kept
FEW_ANSWERS = 100  # from an authority that may only answer, for as long as they are kept
FEW_SUBJECTS = 16  # of an authority that publishes on few channels
_MB = 1_000_000
_DAY_S = 86_400


def room_checks(specs: Sequence[StreamSpec], store_bytes: int, kept_bytes: int = 0) -> list[Check]:
    """Check the space of each authority at each status and how long it lasts, whether all fits, and the space for open batches.

    Args:
        specs: every stream of the broker.
        store_bytes: the file store of the server, in bytes; 0 if unknown.
        kept_bytes: bytes that the streams of authorities that have left reserve.
    """
    origins = [spec for spec in specs if spec.bursts and spec.max_age_s and not spec.gives_way]
    beats = [spec for spec in specs if spec.subjects and not keeps_all(spec.name)]
    of: dict[str, list[StreamSpec]] = {}
    for spec in origins:
        if not spec.answers:
            of.setdefault(status_of(spec.name), []).append(spec)
    checks = [_share(status, streams) for status, streams in sorted(of.items())]
    if answers := [spec.max_bytes for spec in origins if spec.answers]:
        checks.append(_answers(answers))
    if beats:
        checks.append(_beats(beats))
    if heads := [spec for spec in specs if spec.sources and not spec.max_age_s]:
        least = min(spec.max_bytes for spec in heads)
        subjects = least // (HEADS_EACH * BULLETIN_BYTES)
        told = (
            f"{len(heads)} authorities, each {least / _MB:.1f} MB: {HEADS_EACH} bulletins of "
            f"{BULLETIN_BYTES // 1024} kB on {subjects} subjects"
        )
        checks.append(soft("room for heads", subjects >= FEW_SUBJECTS, told))
    whole = sum(spec.max_bytes for spec in specs)
    added = (
        f"{len(specs)} streams reserve {whole / _MB:.0f} MB and others {kept_bytes / _MB:.0f} MB "
        f"of {store_bytes / _MB:.0f} MB"
    )
    checks.append(hard("room for all", not store_bytes or whole + kept_bytes <= store_bytes, added))
    return checks


def batch_checks(limits: Mapping[str, int], streams: int) -> Iterator[Check]:
    """Whether uncommitted batches have the right bounds, and by how many bytes.

    Args:
        limits: the server's report of its limits, by the names of its configuration.
        streams: the number of streams that take batches.
    """
    wanted = {
        "max_batch_inflight_per_stream": BATCHES_EACH,
        "max_batch_inflight_total": BATCHES_OPEN,
        "max_batch_size": BATCH,
        "max_batch_timeout": BATCH_S * 1_000_000_000,
    }
    wrong = [
        f"{name} {limits.get(name)}, wanted {value}"
        for name, value in wanted.items()
        if limits.get(name) != value
    ]
    one = BATCH * MAX_MESSAGE_BYTES
    most = min(BATCHES_OPEN, streams * BATCHES_EACH) * one
    told = (
        f"{most / _MB:.0f} MB at the most beside the streams, {BATCHES_EACH * one / _MB:.0f} MB for each stream of an "
        f"authority, for {BATCH_S} s"
    )
    yield hard("open batches", not wrong, told, "; ".join(wrong))


def _beats(streams: Sequence[StreamSpec]) -> Check:
    """The number of heartbeats kept of each channel, and whether each of any size fits."""
    each = min(spec.each or 0 for spec in streams)
    channels = sum(len(spec.subjects) for spec in streams)
    needs, has = each * channels * BEAT_ROOM_BYTES, sum(spec.max_bytes for spec in streams)
    told = f"{len(streams)} authorities, {channels} channels: the newest {each} of each, {has / _MB:.1f} MB"
    return hard(
        "room for heartbeats", has >= needs, told, f"{told} of {needs / _MB:.1f} MB; make the store larger"
    )


def _answers(sizes: Sequence[int]) -> Check:
    """The number of answers that fit for an authority that may only answer at a status."""
    least = min(sizes)
    told = f"{len(sizes)} streams, each {least / _MB:.1f} MB: {least // BULLETIN_BYTES} answers of {BULLETIN_BYTES // 1024} kB"
    return soft("room for answers", least // BULLETIN_BYTES >= FEW_ANSWERS, told)


def _share(status: str, streams: Iterable[StreamSpec]) -> Check:
    sizes = [spec.max_bytes for spec in streams]
    least, days = min(sizes), kept_s(f"x_{status}") // _DAY_S
    bulletins = least // BULLETIN_BYTES
    told = (
        f"{len(sizes)} authorities, each {least / _MB:.1f} MB of its own: {bulletins} bulletins of "
        f"{BULLETIN_BYTES // 1024} kB, {bulletins / days:.1f} a day for {days} days"
    )
    return soft(f"room at {status}", bulletins >= FEW_A_DAY * days, told)
