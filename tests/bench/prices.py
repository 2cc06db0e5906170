"""`make prices`: what single steps cost, in one process: medians of CPU time, beside a bare Ed25519 verification.

The ratio to that verification tells about the code, the microseconds about this machine.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import Any

import msgspec

from bus import ceremony, nkey
from bus.admission import admit
from bus.demo.world import Member
from bus.revocation import ReceivedLink, rule
from bus.sealing import OpeningKey, open_sealed, seal
from bus.signing import FileSigner, sign_entry
from bus.trust import VerifiedRegistry
from bus.unsealing import context_of
from schemas.codec import encode
from schemas.envelope import SIG_HEADER, TYP_BULLETIN, format_header, hints, signing_input
from schemas.registry import Registry
from schemas.subject import subject_for
from tests.sealed_world import file_of
from tests.worlds import (
    NOW,
    World,
    bulletin,
    key_record,
    make_world,
    record_of,
    sign,
    signed_registry,
)

ROUNDS = 7
DAY = dt.timedelta(days=1)


@dataclasses.dataclass(frozen=True)
class Price:
    """One step: its name, what to run, and how often in a round."""

    name: str
    run: Callable[[], object]
    times: int


def main() -> None:
    """Measure every price, interleaved, and print a table, or JSON with `--json`."""
    prices = list(_prices(make_world()))
    found: dict[str, list[float]] = {price.name: [] for price in prices}
    for _ in range(ROUNDS):
        for price in prices:
            began = time.process_time()
            for _ in range(price.times):
                price.run()
            found[price.name].append((time.process_time() - began) / price.times * 1e6)
    medians = {name: median(each) for name, each in found.items()}
    if "--json" in sys.argv:
        sys.stdout.write(json.dumps(medians) + "\n")
        return
    base = medians["verify Ed25519"]
    sys.stdout.write(f"{'step':<44}{'microseconds':>14}{'x verify':>10}\n")
    for name, each in medians.items():
        sys.stdout.write(f"{name:<44}{each:>14.0f}{each / base:>10.1f}\n")
    sys.stdout.write(f"medians of {ROUNDS} interleaved rounds, CPU time of one process\n")


def _prices(world: World) -> Iterator[Price]:
    signer = world.signers["xa-csirt"]
    payload = encode(bulletin(world))
    entry = sign_entry(signer, payload, typ=TYP_BULLETIN)
    data = signing_input(entry.protected, payload)
    yield Price("verify Ed25519", lambda: signer.public.verify(entry.signature, data), 200)
    yield Price("sign Ed25519", lambda: signer.sign(data), 200)
    for name, algorithms in {
        "Ed25519": ("Ed25519",),
        "ES256": ("ES256",),
        "hybrid (Ed25519 and ML-DSA-65)": ("Ed25519", "ML-DSA-65"),
    }.items():
        yield Price(f"admit, {name}", _admit(world, algorithms), 100)
    inner = bulletin(world)
    raw, context = file_of(world, inner), context_of(inner)
    for count in (1, 10, 30):
        keys = [OpeningKey(random.Random(n).randbytes(32)) for n in range(count)]
        public = [key.public for key in keys]
        sealed = seal(raw, public, context, random.Random(1).randbytes)
        yield Price(f"seal for {count}", partial(seal, raw, public, context, random.Random(2).randbytes), 10)
        yield Price(f"open, of {count}", partial(open_sealed, sealed, keys[-1:], context), 20)
    for count in (60, 2000):
        large = signed_registry(_registry_of(world, count), world.roots[:2])
        yield Price(f"open a registry of {count} authorities", partial(VerifiedRegistry.open, large), 1)
    yield Price("rule on a chain of 10 000 when a key ends", _ruling(10_000), 1)


def _admit(world: World, algorithms: tuple[str, ...]) -> Callable[[], object]:
    """Admission whole, for an issuer that must sign with these algorithms."""
    signers = [FileSigner.generate(alg) for alg in algorithms]
    record = msgspec.structs.replace(
        world.registry.document.authorities["xa-csirt"],
        keys={each.kid: key_record(each) for each in signers},
        require=algorithms,
    )
    document = world.registry.document
    document = msgspec.structs.replace(document, authorities={**document.authorities, "xa-csirt": record})
    registry = VerifiedRegistry.open(signed_registry(document, world.roots[:2]))
    made = bulletin(world)
    payload, subject = encode(made), subject_for(made)
    entries = tuple(sign_entry(each, payload, typ=TYP_BULLETIN) for each in signers)
    pairs = list({SIG_HEADER: format_header(entries), **hints(made, sign(world, made).digest)}.items())
    return lambda: admit(subject, pairs, payload, registry=registry, now=NOW)


def _registry_of(world: World, count: int) -> Registry:
    """A registry of so many authorities, all as the demonstration's cyber agency is."""
    from bus.demo.world import MEMBERS

    like = next(each for each in MEMBERS if each.id == "xa-csirt")
    authorities: dict[str, Any] = {}
    for n in range(count):
        member = Member(id=f"xa-a{n:04d}", country="XA", office=like.office)
        record = record_of(member, FileSigner.generate(), nkey.generate()[1])
        authorities[member.id] = msgspec.structs.replace(record, publish=record.publish[:1])
    document = msgspec.structs.replace(
        world.registry.document,
        authorities=authorities,
        audiences={
            name: msgspec.structs.replace(each, members=())
            for name, each in world.registry.document.audiences.items()
        },
    )
    return ceremony.next_version(document, world.registry.digest, NOW, 90 * DAY)


def _ruling(count: int) -> Callable[[], object]:
    """A chain that a thief left in the middle."""
    links = [
        ReceivedLink(
            channel="c",
            seq=n,
            digest=f"{n}",
            prev=f"{n - 1}" if n > 1 else None,
            kid="old" if n < count // 2 else "new",
            received_at=NOW,
        )
        for n in range(1, count + 1)
    ]
    return lambda: rule(links, {"old": NOW - DAY})


if __name__ == "__main__":
    main()
