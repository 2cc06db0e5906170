"""The world of the tests: two countries with four offices and a hub each. An office may say everything, and reads nothing.

It is plain on purpose, and does not follow the demonstration (`bus.demo.countries`), which follows real networks.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

from bus.trust import proposals, receipt_grants
from schemas.registry import Audience, AuthorityRecord, KeyRecord, PublishGrant, ReadGrant
from schemas.vocab import Domain, Scope, Status, Tlp


class Office(NamedTuple):
    """One sort of authority that both countries have; `kind` also ends the ids of its authorities."""

    kind: str
    domain: Domain
    network: str
    title: str
    adapter: str


OFFICES = (
    Office("emb", Domain.ELECTORAL, "eu-emb", "Electoral Commission", "electoral"),
    Office("csirt", Domain.CYBER, "eu-csirts", "National CSIRT", "cyber"),
    Office("dsc", Domain.DIGITAL, "eu-dsc", "Digital Services Coordinator", "digital"),
    Office("dpa", Domain.DATA, "eu-dpas", "Data Protection Authority", "data-protection"),
)
COUNTRIES = ("XA", "XB")
# What a hub may not read although the other one may: shows that a grant is a wall.
WITHHELD = {"xb-hub": frozenset({"eu-dpas"})}
SPOKEN = (Status.ACTUAL, Status.EXERCISE, Status.TEST)


class Member(NamedTuple):
    """One identity of the demonstration; a hub has no office."""

    id: str
    country: str
    office: Office | None


MEMBERS = tuple(
    Member(f"{country.lower()}-{office.kind}", country, office) for country in COUNTRIES for office in OFFICES
)
HUBS = tuple(Member(f"{country.lower()}-hub", country, None) for country in COUNTRIES)


def record_of(
    member: Member, keys: dict[str, KeyRecord], public: str, answers: tuple[PublishGrant, ...]
) -> AuthorityRecord:
    """The registry's record of a member: an office as its kind speaks, a hub as hubs read, with what it may answer."""
    office = member.office
    return AuthorityRecord(
        name=f"{member.country} {office.title if office else 'National Hub'}",
        kind=office.kind if office else "hub",
        domain=office.domain if office else Domain.COORD,
        country=member.country,
        keys=keys,
        nkeys=(public,),
        publish=publishes(office) if office else answers,
        read=() if office else hub_reads(member.id),
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


def networks_of(hub: str) -> tuple[str, ...]:
    """The networks that a hub may read."""
    return tuple(office.network for office in OFFICES if office.network not in WITHHELD.get(hub, ()))


def hub_reads(hub: str) -> tuple[ReadGrant, ...]:
    """What a hub reads: CLEAR, GREEN, and the networks that are not withheld from it."""
    every = (*SPOKEN, Status.SYSTEM)
    return (
        ReadGrant(statuses=every, tlps=(Tlp.CLEAR,), audiences=("public",)),
        ReadGrant(statuses=every, tlps=(Tlp.GREEN,), audiences=("community",)),
        ReadGrant(statuses=every, tlps=(Tlp.AMBER_STRICT,), audiences=networks_of(hub)),
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
    all_ids = tuple(member.id for member in (*MEMBERS, *HUBS))
    by_name = {
        "public": Audience(scope=Scope.PUBLIC, members=all_ids),
        "community": Audience(scope=Scope.UNION, members=all_ids),
    }
    for office in OFFICES:
        offices = (member.id for member in MEMBERS if member.office is office)
        hubs = (hub.id for hub in HUBS if office.network in networks_of(hub.id))
        by_name[office.network] = Audience(scope=Scope.UNION, members=(*offices, *hubs))
    return by_name
