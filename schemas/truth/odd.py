"""What is odd in a bulletin as a whole: words beside figures, codes that nobody gave, fields that do not go together.

For remarks alone: each may yet be right.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from schemas.bodies.coordination import Feedback, Rfi, SituationReport
from schemas.bodies.cyber import CyberIncident, Vulnerability
from schemas.bodies.data import DataBreach
from schemas.bodies.digital import PlatformMeasure, PoliticalAd, SystemicRisk
from schemas.bodies.electoral import ElectionCalendar, ElectionIncident
from schemas.bodies.foreign import Fimi, SanctionsListing
from schemas.bulletin import Bulletin
from schemas.errors import Violation
from schemas.open_vocab import OPEN
from schemas.truth.law import EUDPR, GDPR, act_of, cited
from schemas.truth.numbers import LIKELIHOODS
from schemas.truth.wording import words
from schemas.vocab import (
    BROAD_AUDIENCES,
    AttributionLevel,
    BreachRisk,
    Certainty,
    ElectionType,
    FeedbackKind,
    MsgType,
    Pap,
    PersonalFlag,
    Phase,
    Posture,
    Severity,
    Status,
    Tlp,
    Urgency,
)


def _set(words_: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(words_.split())


COUNTRIES = _set(
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC "
    "CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD "
    "GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH "
    "KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW "
    "MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC "
    "SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY "
    "UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW XK EU INT AA ZZ"
)
"""ISO 3166-1 alpha-2, and what is used beside it; codes from QM to QZ and XA to XZ are anybody's."""
_ANYBODYS = re.compile(r"Q[M-Z]|X[A-Z]")
_STYLE = MappingProxyType({"UK": "GB", "EL": "GR"})

LANGUAGES = _set(
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo es "
    "et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj "
    "kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv "
    "ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss st su sv sw ta te tg th "
    "ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
"""ISO 639-1."""

_CELEX = re.compile(
    r"[0-9CE][0-9]{4}[A-Z]{1,3}(?:[0-9]{1,4}(?:\([0-9]{1,2}\))?|/[0-9A-Z/]+|[0-9/]{2,})?(?:R\([0-9]{2}\))?|[CL]/?[0-9]{4}/[0-9]+"
)
_MOJIBAKE = re.compile(
    "Ã[\u0080-\u00bf]|Ã[©¨ªƒ¶¼¤Ÿ±³¡«§¢®´¹º]|â€[™œ“”˜¢¦]|â\u0080[\u0090-\u00bf]|Â[\u00a0°§«»©®·]|[ÐÑ][\u0080-\u00bf][ÐÑ]|\ufffd"
)
_IS_PLAYED = re.compile(
    r"exer[cs]|ejercicio|esercita|eserciz|übung|ćwicz|oefening|harjoit|övning|øvelse|øving|cvičen|cvičn|gyakorl|vaje?|mokym|mācīb|"
    r"õppus|drill|test|simul|учени|учебн|навчан|[άα]σκησ|[ΆΑ]ΣΚΗΣ|вежб|vežb|vježb|tatbikat|תרגיל|تمرين|演習|训练|演练|훈련",
    re.IGNORECASE,
)
_SPANS_OF_A_VOTE = frozenset(
    {Phase.REGISTRATION, Phase.CAMPAIGN, Phase.SILENCE, Phase.ADVANCE_VOTING, Phase.POLLING}
)
_LONG_OVER = dt.timedelta(days=60)
_NATIONWIDE = frozenset(
    {ElectionType.PARLIAMENTARY, ElectionType.PRESIDENTIAL, ElectionType.EUROPEAN_PARLIAMENT}
)
_LEAST_ROLL, _MOST_ROLL = 1_000, 1_100_000_000
_LISTS_OF: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "us-treasury": frozenset({"US"}),
        "uk-fcdo": frozenset({"GB", "UK"}),
        "ch-seco": frozenset({"CH", "LI"}),
    }
)
"""Whose list it is; the lists of the Union and of the United Nations are carried on by many."""


def oddities(b: Bulletin) -> Iterator[Violation]:
    """What is odd, each with a stable word as its `rule`."""
    yield from _codes(b)
    yield from _garbled(b)
    yield from _played(b)
    yield from _kept(b)
    yield from _over(b)
    yield from _figures(b)
    yield from _listing(b)
    yield from _incident(b)
    yield from _calendar(b)
    yield from _marked(b)
    yield from _law(b)
    yield from _kept_apart(b)
    yield from _of_a_kind(b)


def _codes(b: Bulletin) -> Iterator[Violation]:
    named = [(f"$.areas[{n}].country", area.country) for n, area in enumerate(b.areas)]
    if isinstance(b.body, CyberIncident):
        named += [(f"$.body.countries[{n}]", each) for n, each in enumerate(b.body.countries)]
    for path, code in named:
        if code is None or code in COUNTRIES or _ANYBODYS.fullmatch(code):
            continue
        right = f"; write {_STYLE[code]}" if code in _STYLE else ""
        yield Violation("country", path, f"{code} is no code of ISO 3166-1{right}")
    for n, info in enumerate(b.info):
        lang = info.lang.partition("-")[0]
        if len(lang) == 2 and lang not in LANGUAGES:
            yield Violation("language", f"$.info[{n}].lang", f"{lang} is no language of ISO 639-1")
    asked = [(f"$.actions[{n}].to", word) for n, action in enumerate(b.actions) for word in action.to]
    if isinstance(b.body, Rfi):
        asked += [("$.body.to", word) for word in b.body.to]
    kinds = OPEN["authority-kind"].values
    for path, word in asked:
        if word in kinds or word in BROAD_AUDIENCES:
            continue
        meant = next((kind for kind in sorted(kinds) if _is_slip(word, kind)), None)
        if meant is not None:
            yield Violation("authority-kind", path, f"{word} is no kind of authority; {meant} is")
    for path, ref in cited(b):
        act = ref.removeprefix("celex:").partition("#")[0].partition("-")[0]
        if ref.startswith("celex:") and not _CELEX.fullmatch(act) and act not in ("12012P", "12016P"):
            yield Violation(
                "celex", path, f"{act} has not the form of a CELEX number: sector, year, type, number"
            )
    if b.personal_data is not None and b.personal_data.flag is PersonalFlag.SPECIAL_CATEGORY:
        act, article = act_of(b.personal_data.lawful_basis)
        if (act, article) in ((GDPR, 6), (EUDPR, 5)):
            yield Violation(
                "lawful-basis",
                "$.personal_data.lawful_basis",
                "special categories need a ground of their own beside it (GDPR, Article 9(2); Regulation (EU) 2018/1725, Article 10(2))",
            )


def _is_slip(word: str, right: str) -> bool:
    """Whether a word is another with two letters exchanged, or one letter more, less or wrong."""
    if word == right or min(len(word), len(right)) < 4 or abs(len(word) - len(right)) > 1:
        return False
    if len(word) == len(right):
        wrong = [n for n, (one, other) in enumerate(zip(word, right, strict=True)) if one != other]
        if len(wrong) == 1:
            return True
        return (
            len(wrong) == 2
            and wrong[1] == wrong[0] + 1
            and word[wrong[0]] == right[wrong[1]]
            and word[wrong[1]] == right[wrong[0]]
        )
    longer, shorter = (word, right) if len(word) > len(right) else (right, word)
    return any(longer[:n] + longer[n + 1 :] == shorter for n in range(len(longer)))


def _garbled(b: Bulletin) -> Iterator[Violation]:
    for path, text in words(b):
        found = _MOJIBAKE.search(text)
        if found is not None:
            yield Violation(
                "garbled", path, f"{found[0]!r} is UTF-8 that was read as another encoding; write it again"
            )


def _played(b: Bulletin) -> Iterator[Violation]:
    if b.status is not Status.EXERCISE or b.tlp is not Tlp.CLEAR:
        return
    for n, info in enumerate(b.info):
        line = info.public_line
        if line and not _IS_PLAYED.search(line):
            yield Violation(
                "exercise",
                f"$.info[{n}].public_line",
                "the public reads it alone: say in it that it is an exercise",
            )


def _kept(b: Bulletin) -> Iterator[Violation]:
    days = b.handling.retention_days
    if b.personal_data is None or days is None:
        return
    if b.issued.date() + dt.timedelta(days=days) > b.personal_data.retention_until:
        yield Violation(
            "retention",
            "$.handling.retention_days",
            f"{days} days are longer than its personal data may be kept ({b.personal_data.retention_until})",
        )


def _over(b: Bulletin) -> Iterator[Violation]:
    election = b.election
    if election is None or election.polling_last is None or isinstance(b.body, ElectionCalendar):
        return
    if election.phase in _SPANS_OF_A_VOTE and b.issued.date() - election.polling_last > _LONG_OVER:
        yield Violation(
            "phase", "$.election.phase", f"{election.phase}, and the polls closed on {election.polling_last}"
        )


def _figures(b: Bulletin) -> Iterator[Violation]:
    body = b.body
    if (
        isinstance(body, Fimi)
        and body.channel_count is not None
        and body.channel_count < len(set(body.channels))
    ):
        yield Violation(
            "count",
            "$.body.channel_count",
            f"{body.channel_count} on {len(set(body.channels))} platforms; each has at least one",
        )
    if isinstance(body, ElectionIncident) and body.voters_affected and body.electorate_share_ppm:
        roll = body.voters_affected * 1_000_000 // body.electorate_share_ppm
        is_small = roll < _LEAST_ROLL and b.election is not None and b.election.type in _NATIONWIDE
        if is_small or roll > _MOST_ROLL:
            yield Violation(
                "share",
                "$.body.electorate_share_ppm",
                f"by these figures the whole roll has {roll} voters; mend one of the two",
            )


def _listing(b: Bulletin) -> Iterator[Violation]:
    body = b.body
    if not isinstance(body, SanctionsListing):
        return
    owners = _LISTS_OF.get(body.authority)
    if owners is not None and b.issuer.country not in owners:
        yield Violation(
            "listing",
            "$.body.authority",
            f"{body.authority} lists by itself; {b.issuer.id} can only tell of its own lists",
        )
    known: set[str] = set()
    for n, each in enumerate(body.listed):
        names = {name.whole.casefold() for name in each.names} | ({each.eu_ref} if each.eu_ref else set())
        if known & names:
            yield Violation("twice", f"$.body.listed[{n}]", "is listed above; once is enough")
        known |= names
        if each.subject == "enterprise" and (each.birth or each.citizenship):
            yield Violation(
                "listing",
                f"$.body.listed[{n}].subject",
                "an enterprise is neither born nor has a citizenship",
            )
        if each.subject == "enterprise" and "travel-ban" in body.measures and len(body.listed) == 1:
            yield Violation("listing", "$.body.measures", "a travel ban binds persons, and none is listed")


def _incident(b: Bulletin) -> Iterator[Violation]:
    body = b.body
    if not isinstance(body, CyberIncident):
        return
    if body.impact == "very-large" and b.severity is Severity.MINOR:
        yield Violation("severity", "$.severity", "minor, and its impact is very large")
    since = (b.issued - body.detected).total_seconds()
    if body.downtime_s is not None and 0 < since * 2 + 86_400 < body.downtime_s:
        yield Violation(
            "downtime",
            "$.body.downtime_s",
            f"down for {body.downtime_s // 86_400} days, and detected {int(since // 86_400)} days ago",
        )


def short_digest(value: str) -> bool:
    """Whether a value is of hexadecimal digits alone, and too short for any digest."""
    return re.fullmatch(r"(?=.*[0-9])(?=.*[a-f])[0-9a-f]{8,27}", value) is not None


_FORMS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "nuts-2024": re.compile(r"[A-Z]{2}[A-Z0-9]{0,3}"),
        "iso3166-1": re.compile(r"[A-Z]{2}"),
        "iso3166-2": re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}"),
        "ocd-id": re.compile(r"ocd-division/country:[a-z]{2}(?:/[a-z_]+:[\w.~-]+)*"),
    }
)
"""How each system writes the code of an area."""
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
"""Actions that an attacker notices."""
_THREE_MONTHS = dt.timedelta(days=95)
_DEFAULT_LIFE = dt.timedelta(days=30)
_LONG_KEPT_YEARS = 15
_CRITICAL = 90
_OF_THE_SYSTEM = _set(
    "svchost.exe explorer.exe rundll32.exe cmd.exe powershell.exe lsass.exe services.exe winlogon.exe csrss.exe regsvr32.exe "
    "taskhostw.exe chrome.exe firefox.exe msedge.exe outlook.exe winword.exe excel.exe notepad.exe setup.exe install.exe "
    "kernel32.dll ntdll.dll user32.dll index.html index.php favicon.ico bash sh systemd sshd python3"
)
"""Names of files and programs that every machine has."""


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
            yield Violation("order", path, "certified before anything is counted")
    embargo = body.results_embargo_until
    if embargo is not None and polls and embargo - max(each.end for each in polls) > _LONG_EMBARGO:
        yield Violation(
            "embargo", "$.body.results_embargo_until", "results are kept back for months after the polls"
        )


def _marked(b: Bulletin) -> Iterator[Violation]:
    for n, action in enumerate(b.actions):
        path = f"$.actions[{n}]"
        if b.pap is Pap.RED and action.kind in _LOUD:
            yield Violation(
                "pap", f"{path}.kind", f"PAP:{b.pap.upper()} keeps still, and {action.kind} is noticed"
            )
        if b.msg_type is MsgType.CANCEL and action.kind in _LOUD:
            yield Violation(
                "cancel", f"{path}.kind", f"{action.kind} is asked for, and the bulletin is withdrawn"
            )
    if b.expires - b.issued == _DEFAULT_LIFE:
        return  # nobody chose it
    for n, action in enumerate(b.actions):
        if action.due is not None and action.due > b.expires:
            yield Violation(
                "expired", f"$.actions[{n}].due", "the bulletin has expired by then; let it live longer"
            )
    if isinstance(b.body, Rfi) and b.body.respond_by > b.expires:
        yield Violation(
            "expired", "$.body.respond_by", "the question has expired by then; let it live longer"
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
            "an authority does not rest its tasks on legitimate interests (GDPR, Article 6(1), last subparagraph)",
        )
    if b.personal_data.retention_until.year - b.issued.year > _LONG_KEPT_YEARS:
        yield Violation(
            "retention",
            "$.personal_data.retention_until",
            "kept for longer than any purpose needs (GDPR, Article 5(1)(e))",
        )


def _kept_apart(b: Bulletin) -> Iterator[Violation]:
    for n, area in enumerate(b.areas):
        form = _FORMS.get(area.system or "")
        if form is not None and area.code is not None and not form.fullmatch(area.code):
            yield Violation("area", f"$.areas[{n}].code", f"{area.code} is no code of {area.system}")
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
            yield Violation("digest", f"$.evidence[{n}].sha256", "is no digest of anything; compute it")
    for n, info in enumerate(b.info):
        for m, other in enumerate(b.info[:n]):
            same = (info.headline, info.summary) == (other.headline, other.summary)
            if same and info.lang.partition("-")[0] != other.lang.partition("-")[0]:
                yield Violation(
                    "language", f"$.info[{n}].lang", f"the words are those of number {m}, in another language"
                )
    flaw = b.body if isinstance(b.body, Vulnerability) and b.body.status == "known-affected" else None
    if flaw is not None and (flaw.score_x10 or 0) >= _CRITICAL and b.severity is Severity.MINOR:
        yield Violation("severity", "$.severity", f"minor, and the score is {(flaw.score_x10 or 0) / 10}")
    score, word = b.confidence.score, LIKELIHOODS.get(b.confidence.likelihood or "")
    if b.certainty is Certainty.POSSIBLE and ((score or 0) >= 80 or (word is not None and word[0] >= 80)):
        yield Violation(
            "certainty",
            "$.certainty",
            "possible is at most one half (CAP 1.2), and its confidence says nearly sure",
        )


_AFTER = frozenset({Phase.COUNTING, Phase.CERTIFICATION, Phase.DISPUTE, Phase.REVIEW})
_BEFORE = frozenset({Phase.ANNOUNCED, Phase.REGISTRATION, Phase.CAMPAIGN, Phase.SILENCE})
_OF_RESULTS = frozenset({"count-discrepancy", "protocol-falsification"})
_MANY_MAJOR = 3
_WIDE_REACH = 5_000_000
_SOON = dt.timedelta(days=30)
_NO_STATE = frozenset(
    {"platform", "trusted-flagger", "observer", "media", "fact-checker", "election-vendor", "registrar"}
)
_HALF = 500_000


def _of_a_kind(b: Bulletin) -> Iterator[Violation]:
    """What one kind of body says twice, and differently."""
    if b.urgency is Urgency.IMMEDIATE and b.effective is not None and b.effective - b.issued > _SOON:
        yield Violation("urgency", "$.urgency", f"immediate, and takes effect on {b.effective.date()}")
    country = b.audience.partition("-")[0].upper()
    if b.handling.releasable_to and _ANYBODYS.fullmatch(country) and country not in b.handling.releasable_to:
        yield Violation(
            "releasable", "$.handling.releasable_to", f"leaves out {country}, whose audience it goes to"
        )
    if (
        b.attribution is not None
        and b.attribution.level is AttributionLevel.PUBLIC
        and b.attribution.state_responsibility is not None
        and b.issuer.kind in _NO_STATE
    ):
        yield Violation(
            "attribution",
            "$.attribution.level",
            f"a state is held responsible in public by a {b.issuer.kind}",
        )
    looks_at = _BY_BODY.get(type(b.body))
    if looks_at is not None:
        yield from looks_at(b, b.body)


def _election_incident(b: Bulletin, body: ElectionIncident) -> Iterator[Violation]:
    is_nationwide = b.election is not None and b.election.type in _NATIONWIDE
    if is_nationwide and body.units_affected == 1 and (body.electorate_share_ppm or 0) >= _HALF:
        yield Violation(
            "share", "$.body.electorate_share_ppm", "half of the voters of a country, at one place"
        )
    is_ahead = b.election is not None and b.election.phase in _BEFORE and body.stage in _AFTER
    if is_ahead or (body.category in _OF_RESULTS and body.stage in _BEFORE):
        yield Violation("stage", "$.body.stage", f"{body.stage} does not fit the phase, or {body.category}")


def _breach(_b: Bulletin, body: DataBreach) -> Iterator[Violation]:
    if body.risk is BreachRisk.UNLIKELY and body.republished in ("for-sale", "leaked", "used-in-operation"):
        yield Violation("risk", "$.body.risk", f"unlikely, and the data are {body.republished}")
    if body.subjects_approx == 0 and body.risk is BreachRisk.HIGH_RISK:
        yield Violation("count", "$.body.subjects_approx", "nobody is concerned, at high risk")
    if body.cross_border is False and body.lead_authority is not None:
        yield Violation(
            "lead",
            "$.body.lead_authority",
            "a lead authority is for processing across borders (GDPR, Article 56)",
        )


def _situation(_b: Bulletin, body: SituationReport) -> Iterator[Violation]:
    major = max(each.major for each in body.dimensions)
    if body.posture is Posture.BASELINE and major >= _MANY_MAJOR:
        yield Violation("posture", "$.body.posture", f"baseline, with {major} major incidents")
    if body.posture is Posture.CRISIS and not any(each.incidents for each in body.dimensions):
        yield Violation("posture", "$.body.posture", "crisis, without any incident")


def _advertisement(_b: Bulletin, body: PoliticalAd) -> Iterator[Violation]:
    if not body.infringements and body.special_category_profiling:
        yield Violation(
            "infringement",
            "$.body.infringements",
            "none, with special-category profiling (Regulation (EU) 2024/900, Article 18(1)(c))",
        )


def _measure(b: Bulletin, body: PlatformMeasure) -> Iterator[Violation]:
    if body.count == 0 and b.msg_type is not MsgType.CANCEL:
        yield Violation("count", "$.body.count", "no measure at all")


def _fimi(_b: Bulletin, body: Fimi) -> Iterator[Violation]:
    if body.breakout == 1 and (body.reach or 0) > _WIDE_REACH:
        yield Violation(
            "breakout", "$.body.breakout", f"category 1 stays in one community, and the reach is {body.reach}"
        )


def _feedback(_b: Bulletin, body: Feedback) -> Iterator[Violation]:
    if body.handover_to is not None and body.verdict is not FeedbackKind.HANDOVER:
        yield Violation("verdict", "$.body.verdict", f"{body.verdict}, and handed over to {body.handover_to}")
    if body.action is None and body.verdict is FeedbackKind.ACTION_TAKEN:
        yield Violation("verdict", "$.body.action", "an action was taken; name it by its kind, too")
    if body.action is not None and body.verdict is not FeedbackKind.ACTION_TAKEN:
        yield Violation("verdict", "$.body.verdict", f"{body.verdict}, and {body.action} was done")


def _across(b: Bulletin, body: CyberIncident) -> Iterator[Violation]:
    if body.cross_border and set(body.countries) == {b.issuer.country}:
        yield Violation(
            "cross-border", "$.body.cross_border", f"only {b.issuer.country} is named; name the others"
        )


_BY_BODY: Mapping[type, Callable[[Bulletin, Any], Iterator[Violation]]] = MappingProxyType(
    {
        ElectionIncident: _election_incident,
        DataBreach: _breach,
        SituationReport: _situation,
        PoliticalAd: _advertisement,
        PlatformMeasure: _measure,
        Fimi: _fimi,
        Feedback: _feedback,
        CyberIncident: _across,
    }
)
"""Who looks at which kind of body."""
