"""Remarks on what does not fit: windows of a calendar, marking and action, law and facts, codes and their systems."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType

from schemas.bodies.coordination import Rfi
from schemas.bodies.cyber import Vulnerability
from schemas.bodies.digital import PoliticalAd, SystemicRisk
from schemas.bodies.electoral import ElectionCalendar
from schemas.bulletin import Bulletin
from schemas.errors import Violation
from schemas.truth.law import GDPR
from schemas.truth.numbers import LIKELIHOODS
from schemas.vocab import (
    Certainty,
    MsgType,
    Pap,
    Phase,
    Severity,
    word_set,
)
from schemas.vocabularies import FRAMEWORKS, vocabulary

_FORMS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "nuts-2024": re.compile(r"[A-Z]{2}[A-Z0-9]{0,3}"),
        "iso3166-1": re.compile(r"[A-Z]{2}"),
        "iso3166-2": re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}"),
        "ocd-id": re.compile(r"ocd-division/country:[a-z]{2}(?:/[a-z_]+:[\w.~-]+)*"),
    }
)
"""The form of area codes in each system."""
_LONG_POLLS, _LONG_EMBARGO = dt.timedelta(days=7), dt.timedelta(days=60)
_LOUD = frozenset(
    {
        "block-indicator",
        "notify-platform",
        "public-attribution",
        "request-takedown-order",
        "request-account-measure",
        "block-access-order",
    }
)
"""Actions that an attacker can notice."""
_THREE_MONTHS = dt.timedelta(days=95)
_DEFAULT_LIFE = dt.timedelta(days=30)
_LONG_KEPT_YEARS = 15
_CRITICAL = 90
_OF_THE_SYSTEM = word_set(
    "svchost.exe explorer.exe rundll32.exe cmd.exe powershell.exe lsass.exe services.exe winlogon.exe csrss.exe regsvr32.exe "
    "taskhostw.exe chrome.exe firefox.exe msedge.exe outlook.exe winword.exe excel.exe notepad.exe setup.exe install.exe "
    "kernel32.dll ntdll.dll user32.dll index.html index.php favicon.ico bash sh systemd sshd python3"
)
"""Names of files and programs that exist on every machine."""


def misfits(b: Bulletin) -> Iterator[Violation]:
    """The remarks, each with a stable word as its `rule`."""
    yield from _calendar(b)
    yield from _marked(b)
    yield from _law(b)
    yield from _named(b)
    yield from _kept_apart(b)


def _calendar(b: Bulletin) -> Iterator[Violation]:
    body = b.body
    if not isinstance(body, ElectionCalendar):
        return
    polls = [each for each in body.windows if each.phase is Phase.POLLING]
    counts = [each for each in body.windows if each.phase is Phase.COUNTING]
    for n, window in enumerate(body.windows):
        path = f"$.body.windows[{n}]"
        if window in body.windows[:n]:
            yield Violation("twice", path, "stands above; once is enough")
        if window.phase is Phase.POLLING and window.end - window.start > _LONG_POLLS:
            yield Violation(
                "polling",
                path,
                f"polls stay open for {(window.end - window.start).days} days; are these several windows?",
            )
        first = [each.start for each in counts if each.round == window.round]
        if window.phase is Phase.CERTIFICATION and first and window.start < min(first):
            yield Violation("order", path, "certified before the count begins")
    embargo = body.results_embargo_until
    if embargo is not None and polls and embargo - max(each.end for each in polls) > _LONG_EMBARGO:
        yield Violation(
            "embargo", "$.body.results_embargo_until", "results are embargoed for months after the polls"
        )


def _marked(b: Bulletin) -> Iterator[Violation]:
    for n, action in enumerate(b.actions):
        path = f"$.actions[{n}]"
        if b.pap is Pap.RED and action.kind in _LOUD:
            yield Violation(
                "pap",
                f"{path}.kind",
                f"PAP:{b.pap.upper()} asks for silence, but others notice {action.kind}",
            )
        if b.msg_type is MsgType.CANCEL and action.kind in _LOUD:
            yield Violation(
                "cancel", f"{path}.kind", f"{action.kind} is asked for, but the bulletin is withdrawn"
            )
    if b.expires - b.issued == _DEFAULT_LIFE:
        return  # the author did not choose it
    for n, action in enumerate(b.actions):
        if action.due is not None and action.due > b.expires:
            yield Violation(
                "expired", f"$.actions[{n}].due", "the bulletin expires before that; set a later expires"
            )
    if isinstance(b.body, Rfi) and b.body.respond_by > b.expires:
        yield Violation(
            "expired", "$.body.respond_by", "the question expires before that; set a later expires"
        )


def _law(b: Bulletin) -> Iterator[Violation]:
    body = b.body
    if isinstance(body, SystemicRisk) and body.crisis == "mechanism-art36" and b.issuer.kind != "ec-digital":
        yield Violation(
            "crisis",
            "$.body.crisis",
            "the Commission decides on this mechanism (Regulation (EU) 2022/2065, Article 36(1))",
        )
    if isinstance(body, PoliticalAd) and "third-country-sponsor" in body.infringements:
        polls = b.election.polling_first if b.election else None
        last = body.period_end or body.period_start or b.issued.date()
        if polls is not None and polls - last > _THREE_MONTHS:
            yield Violation(
                "three-months",
                "$.body.infringements",
                f"it ended more than three months before the vote of {polls} (Regulation (EU) 2024/900, Article 5(2))",
            )
    if b.personal_data is None:
        return
    basis = b.personal_data.lawful_basis
    if re.fullmatch(rf"celex:{GDPR}#6\(?\.?1\)?\.?\(?f\)?", basis) and b.issuer.kind not in (
        "platform",
        "media",
        "ngo",
    ):
        yield Violation(
            "lawful-basis",
            "$.personal_data.lawful_basis",
            "an authority must not base its tasks on legitimate interests (GDPR, Article 6(1), last subparagraph)",
        )
    if b.personal_data.retention_until.year - b.issued.year > _LONG_KEPT_YEARS:
        yield Violation(
            "retention",
            "$.personal_data.retention_until",
            "the retention is longer than any purpose needs (GDPR, Article 5(1)(e))",
        )


@cache
def _labels(framework: str) -> Mapping[str, frozenset[str]]:
    """Letters of a label -> the ids in a framework with this label."""
    found: dict[str, set[str]] = {}
    for term in vocabulary(framework).terms:
        found.setdefault(_letters(term.label), set()).add(term.id)
    return {label: frozenset(ids) for label, ids in found.items()}


def _letters(label: str) -> str:
    return "".join(each for each in label.casefold() if each.isalnum())


def _named(b: Bulletin) -> Iterator[Violation]:
    """A technique with the name of another technique of its framework."""
    for n, each in enumerate(b.ttps):
        if each.name is None or each.framework not in FRAMEWORKS:
            continue
        ids = _labels(each.framework).get(_letters(each.name), frozenset())
        if ids and each.id not in ids:
            yield Violation(
                "technique", f"$.ttps[{n}].name", f"{each.name} is {', '.join(sorted(ids))}, not {each.id}"
            )


def _kept_apart(b: Bulletin) -> Iterator[Violation]:
    for n, area in enumerate(b.areas):
        form = _FORMS.get(area.system or "")
        if form is not None and area.code is not None and not form.fullmatch(area.code):
            yield Violation("area", f"$.areas[{n}].code", f"{area.code} is not a code of {area.system}")
    for n, each in enumerate(b.observables):
        if (
            each.actionable
            and each.type in ("file", "process", "software")
            and (each.value or "").lower() in _OF_THE_SYSTEM
        ):
            yield Violation(
                "everywhere",
                f"$.observables[{n}].value",
                f"{each.value} is on every machine; drop actionable",
            )
    for n, kept in enumerate(b.evidence):
        if len(set(kept.sha256)) == 1:
            yield Violation("digest", f"$.evidence[{n}].sha256", "is not the digest of a file; compute it")
    for n, info in enumerate(b.info):
        for m, other in enumerate(b.info[:n]):
            same = (info.headline, info.summary) == (other.headline, other.summary)
            if same and info.lang.partition("-")[0] != other.lang.partition("-")[0]:
                yield Violation(
                    "language",
                    f"$.info[{n}].lang",
                    f"the text is the same as in number {m}, which has another language",
                )
    flaw = b.body if isinstance(b.body, Vulnerability) and b.body.status == "known-affected" else None
    if flaw is not None and (flaw.score_x10 or 0) >= _CRITICAL and b.severity is Severity.MINOR:
        yield Violation(
            "severity", "$.severity", f"says minor, but the score is {(flaw.score_x10 or 0) / 10}"
        )
    score, word = b.confidence.score, LIKELIHOODS.get(b.confidence.likelihood or "")
    if b.certainty is Certainty.POSSIBLE and ((score or 0) >= 80 or (word is not None and word[0] >= 80)):
        yield Violation(
            "certainty",
            "$.certainty",
            "possible means at most one half (CAP 1.2), but the confidence is nearly certain",
        )
