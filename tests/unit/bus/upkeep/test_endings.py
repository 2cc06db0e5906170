"""The expiring items and their times."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from bus.keys.signatures import FileSigner
from bus.trust import ceremony
from bus.trust.registry import VerifiedRegistry
from bus.upkeep.endings import Certificate, Term, terms
from schemas.registry import KeyRecord, Registry, SealKeyRecord
from tests.support.world import NOW, key_record, shared_world, signed_registry

WORLD = shared_world()
DAY = dt.timedelta(days=1)
AUTHORITY = "xa-csirt"


def listed(**keys: KeyRecord) -> VerifiedRegistry:
    """A registry in which one authority has these keys and no other."""
    return registry(authority={"keys": {_kid(key): key for key in keys.values()}})


def registry(*, authority: dict[str, Any] | None = None, **fields: Any) -> VerifiedRegistry:
    """The world's registry with other fields."""
    document: Registry = msgspec.structs.replace(WORLD.registry.document, **fields)
    if authority is not None:
        record = msgspec.structs.replace(document.authorities[AUTHORITY], **authority)
        document = msgspec.structs.replace(document, authorities={**document.authorities, AUTHORITY: record})
    made = VerifiedRegistry.open(signed_registry(document, WORLD.roots[:2]))
    return made.with_beacon(ceremony.new_beacon(made, WORLD.beacon, NOW, 6 * DAY / 24), NOW)


def _kid(key: KeyRecord | SealKeyRecord) -> str:
    from bus.keys import thumbprint

    return thumbprint(key.jwk)


def key(begins: int, ends: int, **changes: Any) -> KeyRecord:
    """A key that is good from so many days from now until so many."""
    window = {"not_before": NOW + begins * DAY, "not_after": NOW + ends * DAY}
    return key_record(FileSigner.generate(), NOW, **{**window, **changes})


def found(terms_: tuple[Term, ...], what: str, whose: str | None = None) -> list[tuple[str, str]]:
    """Name and level of the terms of one sort."""
    return [(t.name, t.level) for t in terms_ if t.what == what and (whose is None or t.whose == whose)]


def test_all_is_well_in_a_fresh_world() -> None:
    """Registry, beacon, both roles and every key are listed, the first to end first, and none is warned of."""
    everything = terms(WORLD.registry, (), NOW)
    assert {term.what for term in everything} == {"beacon", "registry", "root", "beacon-role", "signing-key"}
    assert {term.level for term in everything} == {"ok"}
    assert {term.remedy for term in everything} == {""}
    assert everything[0].what == "beacon"
    ends = [term.ends for term in everything if term.ends]
    assert ends == sorted(ends)
    assert len(found(everything, "signing-key")) == len(WORLD.signers)


@pytest.mark.parametrize(
    ("ends", "level"), [(31, "ok"), (30, "warning"), (1, "warning"), (0, "bad"), (-1, "bad")]
)
def test_a_key_is_warned_of_before_it_ends(ends: int, level: str) -> None:
    """Thirty days before, with the command that does something about it."""
    only = key(-200, ends)
    (term,) = [t for t in terms(listed(only=only), (), NOW, of=AUTHORITY) if t.what == "signing-key"]
    assert (term.name, term.level) == (_kid(only), level)
    assert ("registry rotate FILE xa-csirt" in term.remedy) == (level != "ok")


def test_a_short_life_is_warned_of_in_its_last_third() -> None:
    """A key of nine days is no warning from its first day on."""
    short = listed(short=key(-1, 8))
    assert found(terms(short, (), NOW), "signing-key", AUTHORITY)[0][1] == "ok"
    assert found(terms(short, (), NOW + 5 * DAY), "signing-key", AUTHORITY)[0][1] == "warning"


def test_a_key_that_another_follows_is_not_listed_unless_it_is_in_use() -> None:
    """Its end was decided when the new one was registered; who still signs with it is warned all the same."""
    old, new = key(-300, 10), key(-20, 345)
    both = listed(old=old, new=new)
    assert found(terms(both, (), NOW), "signing-key", AUTHORITY) == [(_kid(new), "ok")]
    using = terms(both, (), NOW, of=AUTHORITY, using={_kid(old)})
    assert found(using, "signing-key") == [(_kid(old), "warning"), (_kid(new), "ok")]


def test_a_gap_between_two_keys_is_an_end() -> None:
    """One that begins only after the other has ended does not follow it."""
    old, later = key(-300, 10), key(20, 345)
    names = found(terms(listed(old=old, later=later), (), NOW), "signing-key", AUTHORITY)
    assert names == [(_kid(old), "warning"), (_kid(later), "ok")]


def test_a_revoked_key_does_not_end_again() -> None:
    """A key revoked by the registry is not listed, with any window."""
    gone, stays = key(-300, 10, revoked_since=NOW - DAY), key(-20, 345)
    document = listed(gone=gone, stays=stays)
    assert found(terms(document, (), NOW), "signing-key", AUTHORITY) == [(_kid(stays), "ok")]


def test_a_role_ends_with_the_key_that_leaves_too_few() -> None:
    """Of three roots with a threshold of two, the second to last decides."""
    first, second, third = WORLD.roots
    root = WORLD.registry.document.root
    windows = {first.kid: 500, second.kid: 40, third.kid: 3}
    keys = {kid: key_of(root.keys[kid], days) for kid, days in windows.items()}
    found_ = found(terms(registry(root=msgspec.structs.replace(root, keys=keys)), (), NOW), "root")
    assert found_ == [(second.kid, "warning")]


def key_of(record: KeyRecord, days: int) -> KeyRecord:
    """A record that ends so many days from now."""
    return msgspec.structs.replace(record, not_before=NOW - 300 * DAY, not_after=NOW + days * DAY)


def test_no_beacon_or_an_old_one_is_bad() -> None:
    """None at all, one that has run out, one of an earlier version."""
    without = VerifiedRegistry.open(WORLD.raw)
    assert found(terms(without, (), NOW), "beacon") == [("version 1", "bad")]
    assert found(terms(WORLD.registry, (), NOW + 7 * DAY / 24), "beacon") == [("version 1", "bad")]
    assert found(terms(WORLD.registry, (), NOW + 5 * DAY / 24), "beacon") == [("version 1", "warning")]


def test_certificates_and_the_registry_end_too() -> None:
    """Each under its own name."""
    pair = Certificate(name="client.pem", not_before=NOW - 300 * DAY, not_after=NOW + 20 * DAY)
    everything = terms(WORLD.registry, [pair], NOW + 70 * DAY, of=AUTHORITY)
    assert found(everything, "certificate") == [("client.pem", "bad")]
    assert found(everything, "registry") == [("version 1", "warning")]
    assert found(everything, "root") == []
