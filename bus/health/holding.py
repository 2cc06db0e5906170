"""Judges the holdings of an identity: trust, keys, grants, outbox, disk, and its refused bulletins. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from bus.health.facts import DiskFacts, Facts, GrantFacts, KeyFacts, OutboxFacts, RefusedFacts, TrustFacts
from bus.health.report import Condition, Level, moment_text

DAY_S = 86_400.0
WARNING_DAYS = {"registry": 30, "signing": 30, "seal": 14, "certificate": 30}
"""Days before expiry from which a warning is given; at most a third of the lifetime, as in `bus.upkeep`."""
WAITING_WARNING_S = 60.0
WAITING_BAD_S = 3600.0
DAYS_FREE = 3
"""Days for which the disk should have room."""
LEAST_FREE = 64 * 1024 * 1024
FULL_AT = 1024 * 1024


def trust(facts: TrustFacts | None, now: dt.datetime) -> Iterator[Condition]:
    """Whether the registry in force is current, and how long that is proven."""
    if facts is None:
        return
    renew = "tocsin registry keep where the root keys are; else ask your registrar for a current beacon"
    if facts.reason:
        yield Condition(name="trust", level=Level.BAD, code=facts.reason, detail=facts.problem, remedy=renew)
        return
    what = f"{facts.domain} version {facts.version}"
    if facts.is_forgetful:
        yield _trust(
            Level.BAD,
            "revocation-not-in-force",
            "the file of a revocation has changed since it was taken in: a revoked key may count here",
            "take it in again: tocsin registry accept FILE; the log names the file that was altered",
        )
    if facts.state == "expired":
        detail = f"the registry {what} has expired at {moment_text(facts.expires)}"
        yield _trust(
            Level.BAD, "registry-expired", detail, "ask your registrar for the next version", facts.expires
        )
    elif facts.state == "stale":
        since = facts.beacon_until
        until = (
            f"the last word that it is current held until {moment_text(since)}"
            if since
            else "no beacon has come yet"
        )
        yield _trust(Level.BAD, "trust-stale", f"trust is stale: {what}; {until}", renew, since)
    elif facts.state == "behind":
        detail = f"a version after {what} is in force, and has not come"
        yield _trust(Level.BAD, "trust-behind", detail, "ask your registrar for the current registry")
    elif not facts.is_forgetful:
        yield _fresh(facts, what, now)


def _fresh(facts: TrustFacts, what: str, now: dt.datetime) -> Condition:
    if _ends_soon(facts.issued, facts.expires, WARNING_DAYS["registry"], now):
        detail = f"the registry {what} expires at {moment_text(facts.expires)}"
        return _trust(Level.WARNING, "registry-ends-soon", detail, "ask your registrar for the next version")
    if _ends_soon(facts.beacon_issued, facts.beacon_until, None, now):
        detail = f"{what}: the beacon holds until {moment_text(facts.beacon_until)} and was not renewed"
        return _trust(
            Level.WARNING,
            "beacon-ends-soon",
            detail,
            "is the registrar's keeper running? tocsin registry keep",
        )
    return _trust(Level.OK, "ok", f"{what}, fresh, {_left(facts.expires, now)}")


def _trust(
    level: Level, code: str, detail: str, remedy: str = "", since: dt.datetime | None = None
) -> Condition:
    return Condition(name="trust", level=level, code=code, detail=detail, remedy=remedy, since=since)


def keys(held: Sequence[KeyFacts], now: dt.datetime) -> Iterator[Condition]:
    """Whether each key and certificate may be used, and until when."""
    for key in held:
        name = key.use if key.use == "certificate" else f"{key.use} key"
        remedy = (
            "have your CA issue a new one"
            if key.use == "certificate"
            else "tocsin key new, then your registrar: tocsin registry rotate"
        )
        if key.use == "signing" and not key.kid:  # it could not be opened and may still be valid
            remedy = "correct the fault named there; make a new key only if this one is lost for good"
        has_ended = key.not_after is not None and key.not_after <= now
        if key.reason:
            yield Condition(
                name=name,
                level=Level.BAD,
                code=key.reason,
                detail=key.problem,
                remedy=remedy,
                since=key.since,
            )
        elif has_ended:
            yield Condition(
                name=name,
                # An identity without a seal key receives nothing sealed; all else works.
                level=Level.WARNING if key.use == "seal" else Level.BAD,
                code="key-not-valid",
                detail=f"{key.kid} expired at {moment_text(key.not_after)}",
                remedy=remedy,
                since=key.not_after,
            )
        elif _ends_soon(key.not_before, key.not_after, WARNING_DAYS[key.use], now):
            detail = f"{key.kid} ends at {moment_text(key.not_after)}"
            yield Condition(
                name=name, level=Level.WARNING, code="key-ends-soon", detail=detail, remedy=remedy
            )
        else:
            detail = f"{key.kid}, {_left(key.not_after, now)}"
            yield Condition(name=name, level=Level.OK, code="ok", detail=detail)


def grants(facts: GrantFacts | None) -> Iterator[Condition]:
    """Whether this identity may publish or read at all, and whether a hub may send receipts."""
    if facts is None:
        return
    ask = "ask your registrar: tocsin registry grant"
    if facts.reason:
        yield Condition(name="grants", level=Level.BAD, code=facts.reason, detail=facts.problem, remedy=ask)
    elif not facts.publishes and not facts.reads:
        detail = "the registry lets this identity neither publish nor read anything"
        yield Condition(name="grants", level=Level.BAD, code="not-permitted", detail=detail, remedy=ask)
    elif facts.answers == 0:
        detail = "this hub has no grant for receipts, so no author learns what it has received"
        yield Condition(name="grants", level=Level.WARNING, code="no-receipts", detail=detail, remedy=ask)
    else:
        detail = f"may publish on {facts.publishes} channels, read {facts.reads}"
        yield Condition(name="grants", level=Level.OK, code="ok", detail=detail)


def outbox(facts: OutboxFacts | None, now: dt.datetime) -> Iterator[Condition]:
    """Whether accepted bulletins are sent, and whether more may be signed."""
    if facts is None:
        return
    if facts.behind:
        remedy = (
            "tocsin outbox recover; if the key may be stolen: tocsin key revoke, then tocsin outbox reanchor"
        )
        yield _outbox(Level.BAD, "outbox-behind", facts.behind, remedy)
        return
    waits = 0.0 if facts.oldest_at is None else max(0.0, (now - facts.oldest_at).total_seconds())
    if facts.reason and (facts.reason.startswith("store") or facts.reason.startswith("outbox")):
        remedy = "tocsin outbox recover" if facts.reason.startswith("outbox") else "tocsin outbox status"
        yield _outbox(Level.BAD, facts.reason, facts.problem, remedy, facts.oldest_at)
    elif facts.damaged:
        detail = f"{facts.damaged} bulletins in it are not as they were signed, and are not sent"
        remedy = "tocsin outbox scrub; publish again what the bus lacks too, then tocsin outbox recover"
        yield _outbox(Level.BAD, "row-damaged", detail, remedy)
    elif facts.parked:
        detail = f"{facts.parked} bulletins were refused by the broker and wait for a decision"
        yield _outbox(Level.BAD, "outbox-parked", detail, "tocsin outbox retry")
    elif facts.waiting and waits >= WAITING_WARNING_S:
        why = f": {facts.problem}" if facts.problem else ""
        detail = f"{facts.waiting} bulletins wait to be sent since {moment_text(facts.oldest_at)}{why}"
        level = Level.BAD if waits >= WAITING_BAD_S else Level.WARNING
        yield _outbox(level, "outbox-waiting", detail, "tocsin outbox status", facts.oldest_at)
    else:
        seen = {
            True: "compared with the bus",
            False: "not yet compared with the bus",
            None: "not compared with the bus",
        }
        yield _outbox(Level.OK, "ok", f"{facts.waiting} waiting, {seen[facts.compared]}")


def _outbox(
    level: Level, code: str, detail: str, remedy: str = "", since: dt.datetime | None = None
) -> Condition:
    return Condition(name="outbox", level=level, code=code, detail=detail, remedy=remedy, since=since)


def disk(facts: Facts) -> Iterator[Condition]:
    """Whether the disk has room for the coming days; a failed write counts more than the free bytes."""
    told = [seen.state.facts.disk for seen in facts.programs if seen.alive and seen.state.ended_at is None]
    found: list[DiskFacts] = [each for each in (facts.disk, *told) if each is not None]
    if not found:
        return
    first = found[0]
    free = first.free // 1024**2
    full = next((each for each in found if each.full), None)
    name, remedy = "disk", f"make room: df -h {first.folder}"
    if full is not None or first.free < FULL_AT:
        problem = full.problem if full is not None and full.problem else f"{first.folder} has {free} MiB left"
        detail = f"the disk is full: {problem}"
        yield Condition(name=name, level=Level.BAD, code="store-full", detail=detail, remedy=remedy)
    elif first.problem:
        yield Condition(name=name, level=Level.BAD, code="state-folder", detail=first.problem, remedy=remedy)
    elif first.free < max(LEAST_FREE, DAYS_FREE * first.a_day):
        detail = f"{free} MiB free; a day needs {max(1, first.a_day // 1024**2)} MiB"
        yield Condition(name=name, level=Level.WARNING, code="disk-short", detail=detail, remedy=remedy)
    else:
        yield Condition(name=name, level=Level.OK, code="ok", detail=f"{first.folder}, {free} MiB free")


def refused(facts: RefusedFacts | None) -> Iterator[Condition]:
    """Whether hubs have refused bulletins of this identity."""
    if facts is None:
        return
    if not facts.count:
        yield Condition(
            name="quarantine", level=Level.OK, code="ok", detail="no hub reports a refused bulletin of yours"
        )
        return
    last = f", the last one {facts.last_by}" if facts.last_by else ""
    detail = f"hubs hold {facts.count} of your bulletins that they did not admit{last}"
    yield Condition(
        name="quarantine",
        level=Level.WARNING,
        code="own-refused",
        detail=detail,
        remedy="tocsin outbox status; tocsin outbox scrub sends again what was damaged on the way",
        since=facts.last_at,
    )


def _ends_soon(
    begins: dt.datetime | None, ends: dt.datetime | None, days: int | None, now: dt.datetime
) -> bool:
    """Whether the last third of a lifetime has begun, or the last `days` days if these are fewer."""
    if ends is None:
        return False
    leads = [dt.timedelta(days=days)] if days is not None else []
    if begins is not None:
        leads.append((ends - begins) / 3)
    return bool(leads) and ends - now <= min(leads)


def _left(moment: dt.datetime | None, now: dt.datetime) -> str:
    if moment is None:
        return "without an end"
    days = int((moment - now).total_seconds() // DAY_S)
    return f"{days} days left" if days else f"until {moment_text(moment)}"
