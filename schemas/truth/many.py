"""Remarks: more people than a country has. Only remarks, because users have several accounts or live abroad."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from schemas.bodies.cyber import CyberIncident
from schemas.bodies.data import DataBreach
from schemas.bodies.electoral import ElectionIncident
from schemas.bulletin import Bulletin
from schemas.errors import Violation

_MILLION = 1_000_000
PEOPLE: Mapping[str, int] = MappingProxyType(
    {
        code: int(count) * _MILLION
        for code, count in (
            each.split(":")
            for each in [
                "AL:4",
                "AT:10",
                "BA:4",
                "BE:13",
                "BG:8",
                "CH:10",
                "CY:2",
                "CZ:12",
                "DE:90",
                "DK:7",
                "EE:2",
                "EL:12",
                "ES:52",
                "FI:6",
                "FR:75",
                "GB:72",
                "GE:5",
                "GR:12",
                "HR:5",
                "HU:11",
                "IE:6",
                "IS:1",
                "IT:62",
                "LI:1",
                "LT:4",
                "LU:1",
                "LV:3",
                "MD:5",
                "ME:1",
                "MK:3",
                "MT:1",
                "NL:19",
                "NO:6",
                "PL:42",
                "PT:12",
                "RO:22",
                "RS:8",
                "SE:12",
                "SI:3",
                "SK:6",
                "TR:92",
                "UA:50",
                "UK:72",
                "XK:3",
                "EU:470",
                "INT:8300",
                "CN:1500",
                "IN:1500",
                "US:360",
                "ID:300",
                "PK:260",
                "NG:240",
                "BR:220",
                "BD:180",
                "RU:150",
            ]
        )
    }
)
"""An upper bound of the population of a country (Eurostat, demo_pjan, 2025; United Nations, World Population Prospects 2024), in whole millions."""
_ELSEWHERE = 150 * _MILLION
"""An upper bound for countries that are not listed."""


def many(b: Bulletin) -> Iterator[Violation]:
    """Numbers above the population of the named country or countries."""
    body = b.body
    if isinstance(body, ElectionIncident) and body.voters_affected is not None:
        country = b.election.id[:2].upper() if b.election is not None else b.issuer.country
        yield from _above("voters_affected", body.voters_affected, (country,))
    elif (
        isinstance(body, CyberIncident)
        and body.users_affected is not None
        and (body.countries or not body.cross_border)
    ):
        yield from _above("users_affected", body.users_affected, body.countries or (b.issuer.country,))
    elif isinstance(body, DataBreach) and body.subjects_approx is not None and body.cross_border is False:
        yield from _above("subjects_approx", body.subjects_approx, (b.issuer.country,))


def _above(name: str, count: int, countries: tuple[str, ...]) -> Iterator[Violation]:
    most = sum(PEOPLE.get(each, _ELSEWHERE) for each in set(countries))
    if count > most:
        yield Violation(
            "count",
            f"$.body.{name}",
            f"{count}, but {', '.join(sorted(set(countries)))} has fewer than {most} people",
        )
