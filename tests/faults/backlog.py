"""A stream that has grown while a hub was away: authorities, a hub with its key, and many bulletins at a real broker."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import msgspec

from bus.keys import nkeys
from bus.keys.signatures import FileSigner
from bus.transport.connection import Connection
from bus.transport.interface import Outgoing
from bus.transport.jetstream import BATCH, publish_batch
from bus.trust import proposals, receipt_grants
from schemas.bodies.cyber import CyberThreat
from schemas.bulletin import Draft
from schemas.parts import Info
from schemas.registry import Audience, AuthorityRecord, PublishGrant, ReadGrant
from schemas.vocab import Domain, Scope, Status, Tlp
from tests.support.clocks import utc_now
from tests.support.countries import OFFICES
from tests.support.stage import Bus
from tests.support.waiting import longest
from tests.support.world import World, bulletin, found, key_record, sign

AUTHORS = tuple(f"xa-{office.kind}" for office in OFFICES)
HUB = "xa-hub"
LANGUAGES = [
    "bg",
    "cs",
    "da",
    "de",
    "el",
    "en",
    "es",
    "et",
    "fi",
    "fr",
    "ga",
    "hr",
    "hu",
    "it",
    "lt",
    "lv",
    "mt",
    "nl",
    "pl",
    "pt",
    "ro",
    "sk",
    "sl",
    "sv",
]
SAMPLE_S = 0.25
Size = Callable[[int], Draft]
"""What the bulletin of a number says."""


def backlog_world() -> World:
    """Four authorities that may say everything to the community, and a hub that reads it and answers."""
    now = utc_now()
    everybody = (*AUTHORS, HUB)
    transport = {name: nkeys.generate() for name in everybody}
    signers = {name: FileSigner.generate() for name in everybody}
    says = PublishGrant(
        statuses=(Status.ACTUAL,), tlps=(Tlp.GREEN,), audiences=("community",), kinds=("*",), areas=("*",)
    )
    answers = (
        *receipt_grants.grants(AUTHORS, (Tlp.GREEN,)),
        proposals.beat(Tlp.GREEN, "community"),
    )
    reads = ReadGrant(statuses=(Status.ACTUAL, Status.SYSTEM), tlps=(Tlp.GREEN,), audiences=("community",))
    records = {
        name: AuthorityRecord(
            name=name,
            kind=name.partition("-")[2],
            domain=office.domain if office else Domain.COORD,
            country="XA",
            keys={signers[name].kid: key_record(signers[name], now)},
            nkeys=(transport[name][1],),
            publish=(says, proposals.beat(Tlp.GREEN, "community")) if office else answers,
            read=() if office else (reads,),
        )
        for name, office in [*zip(AUTHORS, OFFICES, strict=True), (HUB, None)]
    }
    audiences = {"community": Audience(scope=Scope.UNION, members=everybody)}
    return found("test", records, audiences, signers=signers, transport=transport, now=now)


def small(number: int) -> Draft:
    """A bulletin of about a kilobyte."""
    title = f"Flood number {number} against results.example"
    return Draft(
        info=(Info(lang="en", headline=title, summary="Sources in 192.0.2.0/24. " * 12),),
        body=CyberThreat(title=title),
    )


def large(number: int) -> Draft:
    """A bulletin of about 180 kB."""
    title = f"Flood number {number} against results.example"
    infos = tuple(
        Info(lang=lang, headline=title, summary="ü" * 2000, public_line="ü" * 600, instruction="ü" * 1000)
        for lang in LANGUAGES
    )
    return Draft(info=infos, body=CyberThreat(title=title))


def said(world: World, issuer: str, count: int, size: Size = small) -> Iterator[Outgoing]:
    """So many signed bulletins of one channel, as they are published."""
    prev = None
    for seq in range(1, count + 1):
        made = sign(world, bulletin(world, issuer, seq=seq, prev=prev, say=size(seq), issued=utc_now()))
        prev = made.digest
        yield Outgoing(subject=made.subject, payload=made.payload, headers=dict(made.headers))


async def fill(bus: Bus, count: int, size: Size = small) -> int:
    """Publish so many bulletins of each author. Returns the bytes of their payloads."""
    total = 0
    for issuer in AUTHORS:
        most = BATCH if size is small else 20
        async with Connection.open(bus.endpoint(issuer)) as author:
            await author.until_connected(longest())
            messages = said(bus.world, issuer, count, size)
            while batch := await asyncio.to_thread(lambda: list(islice(messages, most))):  # noqa: B023
                await publish_batch(author, batch)
                total += sum(len(each.payload) for each in batch)
    return total


class Sample(msgspec.Struct, frozen=True):
    """What a process is at a moment: seconds since the beginning, bulletins admitted, resident memory."""

    seconds: float
    admitted: int
    rss_mb: float


def rss_mb(pid: int) -> float:
    """The memory that a process has in RAM."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def admitted(store: Path) -> int:
    """How many bulletins a store has admitted; 0 while there is none."""
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=30) as db:
            return int(db.execute("SELECT coalesce(max(row), 0) FROM admitted").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def watched(process: subprocess.Popen[bytes], store: Path, count: int) -> list[Sample]:
    """Samples until a store has admitted so many."""
    began, samples = time.monotonic(), list[Sample]()
    while not samples or samples[-1].admitted < count:
        assert process.poll() is None, f"the hub has ended with {process.returncode}"
        samples.append(Sample(time.monotonic() - began, admitted(store), rss_mb(process.pid)))
        time.sleep(SAMPLE_S)
    return samples


def curve(samples: list[Sample], points: int = 12) -> str:
    """The samples as a short table."""
    step = max(1, len(samples) // points)
    chosen = [*samples[::step], samples[-1]]
    return "\n".join(f"{each.seconds:7.1f} s {each.admitted:8d} {each.rss_mb:7.1f} MB" for each in chosen)
