"""The demonstration's countries: their offices and hubs, and what each may publish and read. Pure.

Only the names are special to a demonstration: every identity has exactly its grants. An office publishes the usual
kinds of its sort of authority to the community, to its peers in both countries, and to the election network of its
own country.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from itertools import product
from typing import NamedTuple

import msgspec

from bus.demo.offices import AT_HOME, OF_STORY, OFFICES, SAID_BY_ALL, Office
from bus.keys import FileSigner
from bus.trust import proposals, receipt_grants
from schemas.registry import Audience, AuthorityRecord, KeyRecord, PublishGrant, ReadGrant, SealKeyRecord
from schemas.vocab import Domain, Scope, Status, Tlp

REGISTRY_LIFETIME = dt.timedelta(days=90)
KEY_LIFETIME = dt.timedelta(days=365)
SEAL_LIFETIME = dt.timedelta(days=90)
CLOCK_SLACK = dt.timedelta(hours=1)
COUNTRIES = ("XA", "XB")
# Networks that one hub may not read although the other may; they show that grants are enforced.
WITHHELD = {"xb-hub": frozenset({"eu-dpas"})}
SPOKEN = (Status.ACTUAL, Status.EXERCISE, Status.TEST)
HEARD = (*SPOKEN, Status.SYSTEM)


class Member(NamedTuple):
    """An identity of the demonstration; a hub has no office."""

    id: str
    country: str
    office: Office | None


MEMBERS = tuple(
    Member(f"{country.lower()}-{office.name}", country, office) for country in COUNTRIES for office in OFFICES
)
HUBS = tuple(Member(f"{country.lower()}-hub", country, None) for country in COUNTRIES)
CAST = tuple(
    Member(f"{country.lower()}-{office.name}", country, office)
    for country in COUNTRIES
    for office in OF_STORY
)
"""The offices of the story."""
EVERYBODY = (*MEMBERS, *HUBS, *CAST)
ROBBED = "xb-media"
"""The office whose key is stolen in the story; it has a reserve key."""
ELSEWHERE = "xb-region"
"""The office of the story at the second broker, where the hubs' answers would not reach it."""


def nation(country: str) -> str:
    """The name of a country's election network."""
    return f"{country.lower()}-election-network"


def key_record(signer: FileSigner, now: dt.datetime, hurry: int = 1) -> KeyRecord:
    """A registry record for a key of the demonstration, valid since shortly before `now`; its lifetime is divided by `hurry`."""
    begin = (now - CLOCK_SLACK).replace(microsecond=0)
    window = {"not_before": begin, "not_after": begin + KEY_LIFETIME / hurry}
    return msgspec.convert({"alg": signer.alg, "jwk": signer.jwk, **window}, KeyRecord)


def seal_record(jwk: Mapping[str, str], now: dt.datetime, hurry: int = 1) -> SealKeyRecord:
    """A registry record for a seal key of the demonstration, valid since shortly before `now`; its lifetime is divided by `hurry`."""
    begin = (now - CLOCK_SLACK).replace(microsecond=0)
    return SealKeyRecord(
        alg="HPKE-9-KE", jwk=dict(jwk), not_before=begin, not_after=begin + SEAL_LIFETIME / hurry
    )


def record_of(
    member: Member,
    keys: dict[str, KeyRecord],
    public: str,
    *,
    publish: tuple[PublishGrant, ...],
    read: tuple[ReadGrant, ...],
    seal_keys: Mapping[str, SealKeyRecord] | None = None,
) -> AuthorityRecord:
    """The registry's record of a member, with its keys and grants."""
    office = member.office
    return AuthorityRecord(
        name=f"{member.country} {office.title if office else 'National Hub'}",
        kind=office.kind if office else "hub",
        domain=office.domain if office else Domain.COORD,
        country=member.country,
        keys=keys,
        nkeys=(public,),
        seal_keys=dict(seal_keys or {}),
        contacts=(
            f"duty desk of {member.id}, tel:{telephone(member)}",
            f"{member.id} office, {mailbox(member)}",
        ),
        publish=publish,
        read=read,
    )


def telephone(member: Member) -> str:
    """The telephone number of a member's duty desk; fictitious."""
    number = EVERYBODY.index(member) if member in EVERYBODY else 99
    return f"+99-555-01{number:02}"


def mailbox(member: Member) -> str:
    """The mail address of a member's duty desk; fictitious."""
    country, _, name = member.id.partition("-")
    return f"mailto:duty@{name}.{country}.example"


def ways_of(office: Office, *networks: str) -> tuple[tuple[Tlp, str], ...]:
    """(TLP, audience) pairs of an office: GREEN to all, AMBER+STRICT to its peers and networks; an electoral body also CLEAR to the public."""
    ways = [(Tlp.GREEN, "community")]
    ways += [(Tlp.AMBER_STRICT, audience) for audience in (office.network, *office.also, *networks)]
    if office.domain is Domain.ELECTORAL:
        ways.append((Tlp.CLEAR, "public"))
    return tuple(ways)


def publishes(office: Office, country: str, *networks: str) -> tuple[PublishGrant, ...]:
    """The publish grants of an office of a country, with those for its heartbeats."""
    ways = ways_of(office, *networks)
    anywhere = tuple(kind for kind in office.says if kind not in AT_HOME) + SAID_BY_ALL
    at_home = tuple(kind for kind in office.says if kind in AT_HOME)
    spoken = [
        PublishGrant(statuses=SPOKEN, tlps=(tlp,), audiences=(audience,), kinds=kinds, areas=areas)
        for tlp, audience in ways
        for kinds, areas in ((anywhere, ("*",)), (at_home, (country,)))
        if kinds
    ]
    return (*spoken, *(proposals.beat(tlp, audience) for tlp, audience in ways))


def story_grants(office: Office) -> tuple[tuple[PublishGrant, ...], tuple[ReadGrant, ...]]:
    """(publish grants, read grants) of an office of the story: to the community and from it, without exercises and tests."""
    kinds = (*office.says, "situation-report", "feedback", proposals.REANCHOR)
    says = PublishGrant(
        statuses=(Status.ACTUAL,), tlps=(Tlp.GREEN,), audiences=("community",), kinds=kinds, areas=("*",)
    )
    heard = (Status.ACTUAL, Status.SYSTEM)
    hears = ReadGrant(statuses=heard, tlps=(Tlp.GREEN,), audiences=("community",))
    return (says, proposals.beat(Tlp.GREEN, "community")), (hears,)


def office_reads(office: Office, *networks: str) -> tuple[ReadGrant, ...]:
    """The read grants of an office: the public, the community, its peers and its networks, and so the answers to it."""
    return _reads(office.network, *networks)


def _reads(*networks: str) -> tuple[ReadGrant, ...]:
    return (
        ReadGrant(statuses=HEARD, tlps=(Tlp.CLEAR,), audiences=("public",)),
        ReadGrant(statuses=HEARD, tlps=(Tlp.GREEN,), audiences=("community",)),
        ReadGrant(statuses=HEARD, tlps=(Tlp.AMBER_STRICT,), audiences=networks),
    )


def networks_of(hub: str) -> tuple[str, ...]:
    """The networks of peers that a hub may read."""
    return tuple(office.network for office in OFFICES if office.network not in WITHHELD.get(hub, ()))


def hub_reads(hub: str, *networks: str) -> tuple[ReadGrant, ...]:
    """The read grants of a hub: CLEAR, GREEN, the networks of peers that are not withheld from it, and the networks named here."""
    return _reads(*networks_of(hub), *networks)


def hub_answers(hub: str, reads: tuple[ReadGrant, ...]) -> tuple[PublishGrant, ...]:
    """The publish grants of a hub: reports and questions to all, its holdings, and receipts, requests and copies to single authorities."""
    spoken = PublishGrant(
        statuses=SPOKEN, tlps=(Tlp.GREEN,), audiences=("community",), kinds=SAID_BY_ALL, areas=("*",)
    )
    others = [member.id for member in EVERYBODY if member.id not in (hub, ELSEWHERE)]
    beats = [
        proposals.beat(tlp, audience)
        for read in reads
        for tlp, audience in product(read.tlps, read.audiences)
    ]
    return (spoken, *receipt_grants.grants(others, (Tlp.GREEN, Tlp.AMBER_STRICT)), *beats)


def grants_of(member: Member) -> tuple[tuple[PublishGrant, ...], tuple[ReadGrant, ...]]:
    """(publish grants, read grants) of a member."""
    network = nation(member.country)
    if member.office is None:
        reads = hub_reads(member.id, network)
        return hub_answers(member.id, reads), reads
    if not member.office.network:
        return story_grants(member.office)
    return publishes(member.office, member.country, network), office_reads(member.office, network)


def audiences() -> dict[str, Audience]:
    """The public, the community, a network for each sort of office, and each country's election network."""
    all_ids = tuple(member.id for member in EVERYBODY)
    by_name = {
        "public": Audience(scope=Scope.PUBLIC, members=all_ids),
        "community": Audience(scope=Scope.UNION, members=all_ids),
    }
    for office in OFFICES:
        offices = (member.id for member in MEMBERS if member.office is office)
        hubs = (hub.id for hub in HUBS if office.network in networks_of(hub.id))
        by_name[office.network] = Audience(scope=Scope.UNION, members=(*offices, *hubs))
    for country in COUNTRIES:
        own = tuple(member.id for member in (*MEMBERS, *HUBS) if member.country == country)
        by_name[nation(country)] = Audience(scope=Scope.NATIONAL, members=own)
    return by_name
