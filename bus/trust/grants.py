"""The ways that grants open: every (status, tlp, audience) on which an authority is heard, or hears. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from schemas.bodies.system import receipt_tlp
from schemas.registry import AuthorityRecord, PublishGrant, ReadGrant
from schemas.vocab import Status, Tlp

HUB = "hub"
"""The kind of an authority that is a country's reader: it must have what it may read, answers, and helps other hubs."""

Ways = frozenset[tuple[Status, Tlp, str]]


def spoken_by(record: AuthorityRecord) -> Ways:
    """Where an authority may speak, whatever the kind and area."""
    return granted(record.publish)


def read_by(name: str, record: AuthorityRecord) -> Ways:
    """What an authority may read; a hub also hears what others say to it, by its id, about what it reads."""
    ways = granted(record.read)
    return ways | _said_to(name, ways) if record.kind == HUB else ways


def answers_to(name: str, record: AuthorityRecord) -> Ways:
    """Where others answer an author, and ask it, by its id, about what it says; it reads that by no grant."""
    return _said_to(name, (way for way in spoken_by(record) if way[0] is not Status.SYSTEM))


def _said_to(name: str, ways: Iterable[tuple[Status, Tlp, str]]) -> Ways:
    return frozenset((Status.SYSTEM, receipt_tlp(tlp), name) for _, tlp, _ in ways)


def granted(grants: Iterable[PublishGrant | ReadGrant]) -> Ways:
    """The ways that grants open themselves."""
    return frozenset(way for grant in grants for way in product(grant.statuses, grant.tlps, grant.audiences))
