"""Regimes: a report of an incident or a breach has the content and the clocks that its law requires."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from schemas.bodies.cyber import CyberIncident, Vulnerability
from schemas.bodies.data import DataBreach
from schemas.bulletin import Bulletin
from schemas.errors import Broken
from schemas.truth.reasons import is_of_nothing
from schemas.truth.times import SKEW
from schemas.vocab import Nis2Stage

CLOCKS_OF: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "gdpr": frozenset({"eudpr-34", "led-30"}),
        "eea": frozenset({"eudpr-34", "led-30"}),
        "eudpr": frozenset({"gdpr-33", "led-30"}),
        "led": frozenset({"gdpr-33", "eudpr-34"}),
        "national": frozenset({"gdpr-33", "eudpr-34", "led-30"}),
    }
)
"""Clocks of laws other than the one of a breach report."""
_NIS2 = "nis2"


def r81(b: Bulletin) -> Broken:
    """A report under NIS2 has the content that its stage requires (Directive (EU) 2022/2555, Articles 6(5), 23(4) and 30)."""
    if not isinstance(b.body, CyberIncident):
        return
    body, stage = b.body, b.body.stage
    if body.near_miss:
        if body.significant:
            yield "$.body.significant", "a near miss did no harm (Article 6(5)), so it is not significant"
        if body.users_affected or body.downtime_s:
            yield "$.body.near_miss", "users were affected, so it was an incident; correct one of the two"
        if stage not in (Nis2Stage.EARLY_WARNING, Nis2Stage.VOLUNTARY_REPORT):
            yield "$.body.stage", "a near miss needs stage voluntary-report (Article 30)"
    if stage is Nis2Stage.FINAL_REPORT and body.regime == _NIS2:
        wanted = (
            ("description", body.description, "the severity and impact in detail"),
            ("root_cause", body.root_cause or body.threat_type, "the root cause, or threat_type"),
            ("mitigation", body.mitigation, "what was done and is being done against it"),
        )
        for name, said, what in wanted:
            if not said or is_of_nothing(said):
                yield f"$.body.{name}", f"a final report needs {what} (Article 23(4)(d)); add it"
    steps = (
        ("early_warning_at", body.detected, body.early_warning_at, "detected"),
        ("notified_at", body.early_warning_at or body.detected, body.notified_at, "what comes before it"),
    )
    for name, earlier, later, before in steps:
        if later is not None and later < earlier:
            yield f"$.body.{name}", f"is before {before}; correct one of the two"
        elif later is not None and later - b.issued > SKEW:
            yield f"$.body.{name}", "is after the issue of the bulletin; give the actual time"


def r82(b: Bulletin) -> Broken:
    """A report has only the clocks of its own law."""
    if isinstance(b.body, DataBreach) and b.body.regime is not None:
        for n, clock in enumerate(b.deadlines):
            if clock.clock in CLOCKS_OF.get(b.body.regime, ()):
                yield (
                    f"$.deadlines[{n}].clock",
                    f"{clock.clock} belongs to another law than regime {b.body.regime}; correct one of the two",
                )
    if isinstance(b.body, CyberIncident):
        free = b.body.stage is Nis2Stage.VOLUNTARY_REPORT
        other = b.body.regime not in (None, _NIS2)
        for n, clock in enumerate(b.deadlines):
            if clock.clock.startswith("nis2-") and (free or other):
                why = (
                    "a voluntary report has no deadline (Article 30)"
                    if free
                    else f"regime is {b.body.regime}"
                )
                yield f"$.deadlines[{n}].clock", f"{clock.clock} belongs to NIS2, but {why}; remove it"
    if (
        isinstance(b.body, Vulnerability)
        and b.body.status in ("fixed", "first-fixed")
        and b.body.patch_at is not None
        and b.body.patch_at - b.issued > SKEW
    ):
        yield "$.body.patch_at", f"{b.body.status}, but the remedy is in the future; correct one of the two"


RULES = ((81, r81), (82, r82))
