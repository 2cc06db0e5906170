"""The demonstration's countries: their offices and hubs, and what each may publish and read. Pure.

Only the names are special to a demonstration: every identity has exactly its grants.
"""

from __future__ import annotations

import datetime as dt
from itertools import product

import msgspec

from bus.keys import FileSigner
from bus.trust import proposals, receipt_grants
from schemas.registry import Audience, AuthorityRecord, KeyRecord, PublishGrant, ReadGrant
from schemas.vocab import Domain, Scope, Status, Tlp

REGISTRY_LIFETIME = dt.timedelta(days=90)
KEY_LIFETIME = dt.timedelta(days=365)
CLOCK_SLACK = dt.timedelta(hours=1)


class Office(msgspec.Struct, frozen=True, kw_only=True):
    """One sort of authority that both countries have."""

    suffix: str
    kind: str
    domain: Domain
    network: str
    title: str
    adapter: str


OFFICES = (
    Office(
        suffix="emb",
        kind="emb",
        domain=Domain.ELECTORAL,
        network="eu-emb",
        title="Electoral Commission",
        adapter="electoral",
    ),
    Office(
        suffix="csirt",
        kind="csirt",
        domain=Domain.CYBER,
        network="eu-csirts",
        title="National CSIRT",
        adapter="cyber",
    ),
    Office(
        suffix="dsc",
        kind="dsc",
        domain=Domain.DIGITAL,
        network="eu-dsc",
        title="Digital Services Coordinator",
        adapter="digital",
    ),
    Office(
        suffix="dpa",
        kind="dpa",
        domain=Domain.DATA,
        network="eu-dpas",
        title="Data Protection Authority",
        adapter="data-protection",
    ),
)
COUNTRIES = ("XA", "XB")
# What a hub may not read although the other one may: shows that a grant is a wall.
WITHHELD = {"xb-hub": frozenset({"eu-dpas"})}
SPOKEN = (Status.ACTUAL, Status.EXERCISE, Status.TEST)


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One identity of the demonstration."""

    id: str
    country: str
    office: Office | None


MEMBERS = tuple(
    Member(id=f"{country.lower()}-{office.suffix}", country=country, office=office)
    for country in COUNTRIES
    for office in OFFICES
)
HUBS = tuple(Member(id=f"{country.lower()}-hub", country=country, office=None) for country in COUNTRIES)


def key_record(signer: FileSigner, now: dt.datetime) -> KeyRecord:
    """A registry record for a key of the demonstration, valid from a little ago."""
    begin = (now - CLOCK_SLACK).replace(microsecond=0)
    fields: dict[str, object] = {
        "alg": signer.alg,
        "jwk": signer.jwk,
        "not_before": begin,
        "not_after": begin + KEY_LIFETIME,
    }
    return msgspec.convert(fields, KeyRecord)


def record_of(
    member: Member, keys: dict[str, KeyRecord], public: str, answers: tuple[PublishGrant, ...]
) -> AuthorityRecord:
    """The registry's record of a member: an office as its kind speaks, a hub as hubs read, with what it may answer."""
    office = member.office
    if office is None:
        return AuthorityRecord(
            name=f"{member.country} National Hub",
            kind="hub",
            domain=Domain.COORD,
            country=member.country,
            keys=keys,
            nkeys=(public,),
            publish=answers,
            read=hub_reads(member.id),
        )
    return AuthorityRecord(
        name=f"{member.country} {office.title}",
        kind=office.kind,
        domain=office.domain,
        country=member.country,
        keys=keys,
        nkeys=(public,),
        publish=publishes(office),
    )


def publishes(office: Office) -> tuple[PublishGrant, ...]:
    """GREEN to all, AMBER+STRICT to the own network, and for electoral bodies CLEAR to the public."""
    ways = [(Tlp.GREEN, "community"), (Tlp.AMBER_STRICT, office.network)]
    if office.domain is Domain.ELECTORAL:
        ways.append((Tlp.CLEAR, "public"))
    spoken = [
        PublishGrant(statuses=SPOKEN, tlps=(tlp,), audiences=(audience,), kinds=("*",), areas=("*",))
        for tlp, audience in ways
    ]
    beats = [proposals.beat(tlp, audience) for tlp, audience in ways]
    return (*spoken, *beats)


def hub_reads(hub: str) -> tuple[ReadGrant, ...]:
    """What a hub reads: CLEAR, GREEN, and the networks that are not withheld from it."""
    every = (*SPOKEN, Status.SYSTEM)
    networks = tuple(o.network for o in OFFICES if o.network not in WITHHELD.get(hub, frozenset()))
    return (
        ReadGrant(statuses=every, tlps=(Tlp.CLEAR,), audiences=("public",)),
        ReadGrant(statuses=every, tlps=(Tlp.GREEN,), audiences=("community",)),
        ReadGrant(statuses=every, tlps=(Tlp.AMBER_STRICT,), audiences=networks),
    )


def hub_answers(hub: str) -> tuple[PublishGrant, ...]:
    """A hub says what it holds of what it reads, and to each other what is between the two: receipts, requests, copies."""
    others = [member.id for member in (*MEMBERS, *HUBS) if member.id != hub]
    beats = [
        proposals.beat(tlp, audience)
        for read in hub_reads(hub)
        for tlp, audience in product(read.tlps, read.audiences)
    ]
    return (*receipt_grants.grants(others, (Tlp.GREEN, Tlp.AMBER_STRICT)), *beats)


def audiences() -> dict[str, Audience]:
    """The public, the community, and a network for each sort of office."""
    all_ids = tuple(m.id for m in (*MEMBERS, *HUBS))
    made = {
        "public": Audience(scope=Scope.PUBLIC, members=all_ids),
        "community": Audience(scope=Scope.UNION, members=all_ids),
    }
    for office in OFFICES:
        authorities = tuple(m.id for m in MEMBERS if m.office is office)
        hubs = tuple(h.id for h in HUBS if office.network not in WITHHELD.get(h.id, frozenset()))
        made[office.network] = Audience(scope=Scope.UNION, members=(*authorities, *hubs))
    return made
