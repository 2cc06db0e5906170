"""Lists what expires and when: one pure function of a registry, certificates and the present.

The keeper uses it for all items of a registry, `doctor` for the keys of one identity. A key with a successor expires as
planned and is not listed. A role expires with the key whose expiry leaves fewer keys than its threshold.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal

import msgspec

from bus.trust import RegisteredKey, VerifiedRegistry
from schemas.registry import KeyRecord, Role, SealKeyRecord

What = Literal["beacon", "registry", "root", "beacon-role", "signing-key", "seal-key", "certificate"]
Level = Literal["ok", "warning", "bad"]

_DAYS: Mapping[str, int] = {
    "registry": 30,
    "root": 60,
    "beacon-role": 60,
    "signing-key": 30,
    "seal-key": 14,
    "certificate": 30,
}
"""Days before expiry from which a warning is given; at most a third of the lifetime."""
_SHARE = 3
_REMEDIES: Mapping[str, str] = {
    "beacon": "check that the registrar's keeper runs: tocsin registry keep",
    "registry": "tocsin registry renew FILE, then sign and publish it",
    "root": "tocsin registry rotate FILE --root ... with keys that last longer",
    "beacon-role": "tocsin key new, then tocsin registry rotate FILE --beacon NEW.jwk",
    "signing-key": "tocsin key new, then a registrar: tocsin registry rotate FILE {whose} --key NEW.jwk",
    "seal-key": "tocsin key new --seal, then a registrar: tocsin registry seal-key FILE {whose} --key NEW.jwk",
    "certificate": "have your CA issue a new one, and replace the old one",
}


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate file and the window in which all its certificates are valid."""

    name: str
    not_before: dt.datetime
    not_after: dt.datetime


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """One item that expires.

    Attributes:
        what: its kind.
        whose: the authority, the domain, or the file.
        name: the id of the key, the version, or the file.
        ends: when it expires; None if it is missing, such as a beacon.
        level: `ok`, `warning` if it expires soon, `bad` if it has expired.
        remedy: what to do; empty if all is well.
    """

    what: What
    whose: str
    name: str
    ends: dt.datetime | None
    level: Level
    remedy: str


def terms(
    registry: VerifiedRegistry,
    certificates: Iterable[Certificate],
    now: dt.datetime,
    *,
    of: str | None = None,
    using: Collection[str] = (),
) -> tuple[Term, ...]:
    """All items that expire, the earliest first.

    Args:
        registry: the registry with its beacon.
        certificates: of connections and seals.
        now: the present.
        of: only the keys of this authority, with the registry and the beacon; all by default.
        using: ids of keys in use here, which are listed even if they have a successor.
    """
    found = [
        *_of_trust(registry, now),
        *_of_authorities(registry, now, of, using),
        *(_of_roles(registry, now) if of is None else ()),
        *(
            _term("certificate", one.name, one.name, one.not_before, one.not_after, now)
            for one in certificates
        ),
    ]
    begin = dt.datetime.min.replace(tzinfo=dt.UTC)
    return tuple(sorted(found, key=lambda term: (term.ends or begin, term.what, term.whose, term.name)))


def _of_trust(registry: VerifiedRegistry, now: dt.datetime) -> Iterator[Term]:
    document, beacon = registry.document, registry.beacon
    name = f"version {registry.version}"
    yield _term("registry", registry.domain, name, document.issued, document.expires, now)
    if beacon is None or beacon.version < registry.version:
        yield Term(
            what="beacon",
            whose=registry.domain,
            name=name,
            ends=None,
            level="bad",
            remedy=_REMEDIES["beacon"],
        )
    else:
        yield _term(
            "beacon", registry.domain, f"version {beacon.version}", beacon.issued, beacon.expires, now
        )


def _of_authorities(
    registry: VerifiedRegistry, now: dt.datetime, of: str | None, using: Collection[str]
) -> Iterator[Term]:
    by_authority: dict[str, list[RegisteredKey]] = {}
    for key in registry.bulletin_keys():
        by_authority.setdefault(key.authority_id, []).append(key)
    for name in sorted(registry.document.authorities) if of is None else (of,):
        listed = {key.public.kid: key.record for key in by_authority.get(name, ())}
        yield from _of_keys("signing-key", name, listed, now, using)
        yield from _of_keys("seal-key", name, registry.seal_keys(name), now, using)


def _of_keys(
    what: What,
    whose: str,
    keys: Mapping[str, KeyRecord] | Mapping[str, SealKeyRecord],
    now: dt.datetime,
    using: Collection[str],
) -> Iterator[Term]:
    standing: dict[str, KeyRecord | SealKeyRecord] = {
        kid: key for kid, key in keys.items() if key.revoked_since is None
    }
    for kid, key in standing.items():
        if kid in using or not any(_follows(other, key) for other in standing.values()):
            yield _term(what, whose, kid, key.not_before, key.not_after, now)


def _follows(later: KeyRecord | SealKeyRecord, key: KeyRecord | SealKeyRecord) -> bool:
    """Whether one key takes over from another before that one expires."""
    return later.alg == key.alg and key.not_before < later.not_before <= key.not_after < later.not_after


def _of_roles(registry: VerifiedRegistry, now: dt.datetime) -> Iterator[Term]:
    document = registry.document
    roles: tuple[tuple[What, Role], ...] = (("root", document.root), ("beacon-role", document.beacon))
    for what, role in roles:
        good = [
            (key.not_after, key.not_before, kid)
            for kid, key in role.keys.items()
            if key.revoked_since is None
        ]
        good.sort(reverse=True)
        if len(good) >= role.threshold:  # a registry with fewer is invalid
            ends, begins, kid = good[role.threshold - 1]
            yield _term(what, registry.domain, kid, begins, ends, now)


def _term(
    what: What, whose: str, name: str, begins: dt.datetime, ends: dt.datetime, now: dt.datetime
) -> Term:
    third = (ends - begins) / _SHARE
    lead = min(third, dt.timedelta(days=_DAYS[what])) if what in _DAYS else third
    level: Level = "bad" if ends <= now else "warning" if ends - now <= lead else "ok"
    remedy = "" if level == "ok" else _REMEDIES[what].format(whose=whose)
    return Term(what=what, whose=whose, name=name, ends=ends, level=level, remedy=remedy)
