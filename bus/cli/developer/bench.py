"""`tocsin bench`: the cost of single steps on this machine: medians of CPU time over interleaved rounds, beside a bare Ed25519 verification.

The ratio to that verification measures the code; the microseconds measure the machine.
"""

from __future__ import annotations

import datetime as dt
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import median

import click
import msgspec

from bus import admission, drafts, sealing, trust
from bus import keys as keyring
from bus.cli.frame import Answer, App, Table, command
from schemas.bodies.cyber import CyberThreat
from schemas.bulletin import Bulletin, Defaults, Draft
from schemas.codec import digest, encode
from schemas.envelope import (
    SIG_HEADER,
    TYP_BULLETIN,
    TYP_SEALED_BULLETIN,
    Context,
    format_header,
    hints,
    signing_input,
    write_signed,
)
from schemas.parts import Info
from schemas.registry import Audience, AuthorityRecord, KeyRecord, PublishGrant
from schemas.subject import subject_for
from schemas.vocab import Domain, Pap, Scope, Status, Tlp

VERIFY = "verify Ed25519"
FEW, MANY = 60, 2000  # authorities: a federation of today, and one larger than any
DAY = dt.timedelta(days=1)
_ISSUER = "xa-a0000"
_DOMAIN = "prices"
_ALGORITHMS = {
    "Ed25519": ("Ed25519",),
    "ES256": ("ES256",),
    "hybrid (Ed25519 and ML-DSA-65)": ("Ed25519", "ML-DSA-65"),
}


@command()
@click.option(
    "--rounds",
    type=click.IntRange(1, 1000),
    default=7,
    show_default=True,
    help="how often each step runs; the medians are shown",
)
def bench(app: App, *, rounds: int) -> Answer:
    """Measure signing, admitting, sealing, opening, and loading a registry. Nothing is kept; no bus is needed.

    Shows CPU time of this one process, in microseconds and as a multiple of one bare Ed25519 verification. The
    multiple measures the code; the microseconds measure this machine.
    """
    prices = measure(rounds, now=app.now(), rng=secrets.token_bytes, cpu=time.process_time)
    rows = ((price.step, f"{price.microseconds:.0f}", f"{price.verifications:.1f}") for price in prices)
    return Answer(
        {"rounds": rounds, "prices": prices},
        table=Table(("step", "microseconds", "x verify"), rows),
        notes=[f"medians of {rounds} interleaved rounds, CPU time of one process"],
    )


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of one step: CPU time in microseconds, and as a multiple of a bare verification."""

    step: str
    microseconds: float
    verifications: float


class _Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step, and how often it runs in a round."""

    name: str
    run: Callable[[], object]
    times: int


def measure(
    rounds: int, *, now: dt.datetime, rng: Callable[[int], bytes], cpu: Callable[[], float]
) -> tuple[Price, ...]:
    """Measure every step.

    Args:
        rounds: their number; every step runs in each round.
        now: the present, aware.
        rng: random bytes.
        cpu: seconds of CPU time this process has used.
    """
    steps = list(_steps(now, rng))
    costs: dict[str, list[float]] = {step.name: [] for step in steps}
    for _ in range(rounds):
        for step in steps:
            began = cpu()
            for _ in range(step.times):
                step.run()
            costs[step.name].append((cpu() - began) / step.times * 1e6)
    medians = {name: median(taken) for name, taken in costs.items()}
    return tuple(
        Price(step=name, microseconds=cost, verifications=cost / medians[VERIFY])
        for name, cost in medians.items()
    )


def _steps(now: dt.datetime, rng: Callable[[int], bytes]) -> Iterator[_Step]:
    signer = keyring.FileSigner.generate()
    raw = _registry(FEW, [signer], now)
    registry = trust.VerifiedRegistry.open(raw)
    bulletin = _bulletin(registry, now)
    payload = encode(bulletin)
    entry = keyring.sign_entry(signer, payload, Context(TYP_BULLETIN, _DOMAIN))
    data = signing_input(entry.protected, payload)
    yield _Step(name=VERIFY, run=lambda: signer.public.verify(entry.signature, data), times=200)
    yield _Step(name="sign Ed25519", run=lambda: signer.sign(data), times=200)
    for name, algorithms in _ALGORITHMS.items():
        signers = [keyring.FileSigner.generate(algorithm) for algorithm in algorithms]
        yield _Step(name=f"admit, {name}", run=_admission(signers, now), times=100)
    inside = keyring.sign_entry(signer, payload, Context(TYP_SEALED_BULLETIN, _DOMAIN))
    signed, context = write_signed(payload, (inside,)), sealing.context_of(bulletin, _DOMAIN)
    for count in (1, 10, 30):
        keys = [keyring.OpeningKey(rng(32)) for _ in range(count)]
        public = [key.public for key in keys]
        sealed = keyring.seal(signed, public, context, rng)
        yield _Step(
            name=f"seal for {count}", run=partial(keyring.seal, signed, public, context, rng), times=10
        )
        yield _Step(
            name=f"open, of {count}", run=partial(keyring.open_sealed, sealed, keys[-1:], context), times=20
        )
    for count in (FEW, MANY):
        large = raw if count == FEW else _registry(count, [signer], now)
        opened = partial(trust.VerifiedRegistry.open, large)
        yield _Step(name=f"open a registry of {count} authorities", run=opened, times=1)
    yield _Step(name="judge a chain of 10 000 when a key is revoked", run=_ruling(10_000, now), times=1)


def _admission(signers: Sequence[keyring.FileSigner], now: dt.datetime) -> Callable[[], object]:
    """The whole admission of a bulletin whose issuer must sign with these keys."""
    registry = trust.VerifiedRegistry.open(_registry(FEW, signers, now))
    bulletin = _bulletin(registry, now)
    payload, subject = encode(bulletin), subject_for(bulletin)
    entries = tuple(keyring.sign_entry(signer, payload, Context(TYP_BULLETIN, _DOMAIN)) for signer in signers)
    pairs = list({SIG_HEADER: format_header(entries), **hints(digest(payload))}.items())
    return lambda: admission.admit(subject, pairs, payload, registry=registry, now=now)


def _bulletin(registry: trust.VerifiedRegistry, now: dt.datetime) -> Bulletin:
    title = "Flood against results.example"
    info = Info(lang="en", headline=title, summary="Sources in 192.0.2.0/24.")
    draft = Draft(info=(info,), body=CyberThreat(title=title))
    given = Defaults(tlp=Tlp.GREEN, pap=Pap.GREEN, audience="community")
    return drafts.stamped(draft, registry.issuer(_ISSUER), given, now)


def _registry(count: int, signers: Sequence[keyring.FileSigner], now: dt.datetime) -> bytes:
    """A registry of `count` authorities, signed by two roots; the first authority signs with these keys."""
    roots = [keyring.FileSigner.generate() for _ in range(2)]
    grant = PublishGrant(
        statuses=(Status.ACTUAL,),
        tlps=(Tlp.GREEN,),
        audiences=("community",),
        kinds=("cyber-threat",),
        areas=("*",),
    )
    authorities = {}
    for n in range(count):
        speaks = signers if n == 0 else [keyring.FileSigner.generate()]
        keys = {signer.kid: _record(signer, now) for signer in speaks}
        authorities[f"xa-a{n:04d}"] = AuthorityRecord(
            name=f"Authority {n}",
            kind="csirt",
            domain=Domain.CYBER,
            country="XA",
            keys=keys,
            require=tuple(key.alg for key in keys.values()),
            nkeys=(keyring.nkeys.generate()[1],),
            publish=(grant,),
        )
    document = trust.ceremony.new_registry(
        domain=_DOMAIN,
        root_keys=[_record(root, now) for root in roots],
        root_threshold=2,
        beacon_keys=[_record(keyring.FileSigner.generate(), now)],
        beacon_threshold=1,
        audiences={"community": Audience(scope=Scope.UNION, members=())},
        now=now,
        lifetime=90 * DAY,
    )
    raw = trust.ceremony.unsigned(msgspec.structs.replace(document, authorities=authorities))
    for root in roots:
        raw = trust.ceremony.sign_registry(raw, root)
    return raw


def _record(signer: keyring.FileSigner, now: dt.datetime) -> KeyRecord:
    begin = now.replace(microsecond=0)
    window = {"not_before": begin - DAY, "not_after": begin + 90 * DAY}
    return msgspec.convert({"alg": signer.alg, "jwk": signer.jwk, **window}, KeyRecord)


def _ruling(count: int, now: dt.datetime) -> Callable[[], object]:
    """A chain that a thief left in the middle."""
    links = [
        admission.ReceivedLink(
            channel="c",
            seq=n,
            digest=f"{n}",
            prev=f"{n - 1}" if n > 1 else None,
            kid="old" if n < count // 2 else "new",
            received_at=now,
            issued=now,
        )
        for n in range(1, count + 1)
    ]
    return lambda: admission.standing(links, {"old": trust.Ending(since=now - DAY)})
