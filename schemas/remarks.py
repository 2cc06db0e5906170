"""Remarks on oddities in a bulletin that may be right. They never refuse; `bulletin check` and `publish` show them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from schemas.bodies.coordination import Line, PostElectionReport, SituationReport, StratCom
from schemas.bodies.cyber import CyberIncident
from schemas.bodies.data import DataBreach
from schemas.bodies.digital import ContentOrder
from schemas.bodies.foreign import Fimi, LegalReferral
from schemas.bulletin import Bulletin
from schemas.errors import Violation
from schemas.money import currencies, fault_of_currency
from schemas.parts import Info
from schemas.techniques import fault_of
from schemas.truth.ahead import far_ahead
from schemas.truth.odd import oddities, short_digest
from schemas.truth.values import network_of
from schemas.vocab import BreachRisk, Certainty, MsgType, Nis2Stage, NotifyState, Pap, Severity, Tlp, word_set

_NUMBERS = "no one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty"
_WORDS_FOR_NUMBERS = MappingProxyType({word: n for n, word in enumerate(_NUMBERS.split())})
_INCIDENTS = re.compile(
    rf"\b([0-9]{{1,6}}|{'|'.join(_WORDS_FOR_NUMBERS)}) (?:(?!or|of)[a-z]+ )?incidents?\b", re.IGNORECASE
)
_MAJOR = re.compile(
    rf"\b([0-9]{{1,6}}|{'|'.join(_WORDS_FOR_NUMBERS)})(?: of (?:them|which))? major\b", re.IGNORECASE
)


_STOPS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "en": word_set(
            "the and of is are was were has have been not to in for with by on at that this from it which will"
        ),
        "de": word_set(
            "der die das und ist sind wurde wurden hat haben nicht ein eine einen den dem des im mit für auf von zu "
            "am bei"
        ),
        "fr": word_set(
            "le la les et est sont une un des du au aux ne pas dans pour avec sur par qui que ont été l d n"
        ),
        "es": word_set("el la los las y es son una un del al no en para con por que se su han está sin lo"),
        "it": word_set(
            "il la i gli le e è sono una un del della dei al non in per con da che si ha hanno alle nel"
        ),
        "nl": word_set("de het en is zijn een van niet in voor met op aan te bij dat die werd heeft er om"),
        "pt": word_set("o a os as e é são uma um do da dos das ao não em para com por que se foi no na"),
        "pl": word_set("i w na z do nie jest są się że o po od dla przez za to oraz"),
        "sv": word_set("och är en ett det den att i på för med av inte som har till om de från"),
        "da": word_set("og er en et det den at i på for med af ikke som har til om de fra vi"),
        "fi": frozenset(
            ["ja", "on", "ei", "ovat", "se", "että", "joka", "oli", "tai", "mutta", "kun", "myös", "ole"]
        ),
        "cs": word_set("a je v na se z do že jsou ne pro s o k po za byl byla"),
        "hu": frozenset(
            ["a", "az", "és", "nem", "egy", "is", "hogy", "van", "volt", "meg", "de", "ki", "el"]
        ),
        "ro": word_set("și în de la a nu este sunt cu pe din un o care au fost pentru după"),
    }
)
"""Frequent small words of each language; a text contains some of its own language."""
_SIGNS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "el": re.compile("[\u0370-\u03ff]"),
        **{lang: re.compile("[\u0400-\u04ff]") for lang in ("bg", "ru", "uk", "mk", "be")},
        "he": re.compile("[\u0590-\u05ff]"),
        "ar": re.compile("[\u0600-\u06ff]"),
        "ka": re.compile("[\u10a0-\u10ff]"),
        "hy": re.compile("[\u0530-\u058f]"),
    }
)
"""Letters of languages with other scripts than Latin."""
_RATHER = 3
_CLASSES = (Severity.SEVERE, Severity.EXTREME)


def remarks(b: Bulletin) -> tuple[Violation, ...]:
    """The remarks, each with a stable word as its `rule`."""
    return (
        *_values(b),
        *_techniques(b),
        *_certainty(b),
        *_languages(b),
        *_markings(b),
        *_body(b),
        *far_ahead(b),
        *oddities(b),
    )


def _values(b: Bulletin) -> Iterator[Violation]:
    seen: dict[tuple[str, str], int] = {}
    for n, each in enumerate(b.observables):
        value = each.value or each.value_hmac or ""
        first = seen.setdefault((each.type, value), n)
        if first != n:
            yield Violation("twice", f"$.observables[{n}]", f"is the same as number {first}; once is enough")
        if each.actionable and each.type == "file" and each.value and short_digest(each.value):
            yield Violation(
                "digest",
                f"$.observables[{n}].value",
                "is too short for a digest; copy it whole, or name the file",
            )
        if each.actionable and each.type in ("ipv4-addr", "ipv6-addr") and each.value:
            found = network_of(each.value)
            if found is not None and found.is_private and not _is_documentation(each.value):
                yield Violation(
                    "private-address",
                    f"$.observables[{n}].value",
                    "is a different machine in each network (RFC 1918, RFC 4193, RFC 3927); not fit for matching",
                )


def _is_documentation(value: str) -> bool:
    return value.startswith(
        ("192.0.2.", "198.51.100.", "203.0.113.", "2001:db8", "2001:DB8", "3fff:", "198.18.", "198.19.")
    )


def _techniques(b: Bulletin) -> Iterator[Violation]:
    for n, each in enumerate(b.ttps):
        if fault := fault_of(each.framework, each.id, each.version):
            yield Violation("technique", f"$.ttps[{n}].id", fault)


def _certainty(b: Bulletin) -> Iterator[Violation]:
    credibility = b.confidence.credibility
    if credibility == 1 and b.certainty is Certainty.UNLIKELY:
        yield Violation(
            "certainty", "$.certainty", "credibility 1 means confirmed by others, but certainty says unlikely"
        )
    if credibility == 5 and b.certainty in (Certainty.OBSERVED, Certainty.LIKELY):
        yield Violation(
            "certainty", "$.certainty", f"credibility 5 means improbable, but certainty says {b.certainty}"
        )


def _words_of(info: Info) -> str:
    return " ".join(filter(None, (info.headline, info.summary, info.public_line)))


def _languages(b: Bulletin) -> Iterator[Violation]:
    for n, info in enumerate(b.info):
        if fault := _other_language(info.lang, _words_of(info)):
            yield Violation("language", f"$.info[{n}].lang", fault)
    if isinstance(b.body, StratCom):
        for name in ("lines", "expected_narratives", "do_not_repeat"):
            for n, line in enumerate(getattr(b.body, name)):
                if isinstance(line, Line) and (fault := _other_language(line.lang, line.text)):
                    yield Violation("language", f"$.body.{name}[{n}].lang", fault)


def _other_language(said: str, text: str) -> str | None:
    """A sentence on why a text is probably not in its declared language; None if it may be."""
    lang = said.split("-", 1)[0]
    letters = sum(each.isalpha() for each in text)
    own = _SIGNS.get(lang)
    if own is not None and "Latn" not in said:
        if letters > 10 and len(own.findall(text)) * 4 < letters:
            return f"is not written in the letters of {lang}"
        return None
    strange = [
        name for name, signs in _SIGNS.items() if letters > 10 and len(signs.findall(text)) * 2 > letters
    ]
    if lang not in _STOPS:
        return None
    if strange:
        return f"says {lang}, but has letters of {strange[0]}"
    found = re.findall(r"[^\W\d_]+", text.lower())
    hits = {name: sum(word in stops for word in found) for name, stops in _STOPS.items()}
    best = max(hits, key=hits.__getitem__)
    if best != lang and hits[best] >= _RATHER and hits[lang] * 3 <= hits[best] - 1:
        return f"says {lang}, but reads like {best}"
    return None


def _markings(b: Bulletin) -> Iterator[Violation]:
    if b.tlp is Tlp.CLEAR and b.pap is Pap.AMBER:
        yield Violation("pap", "$.pap", "everybody may read it, so PAP:AMBER hides little")
    until, days = b.handling.embargo_until, b.handling.retention_days
    if until is not None and until <= b.issued:
        yield Violation("embargo", "$.handling.embargo_until", "ended before the issue, so it has no effect")
    if days is not None and (b.issued + dt.timedelta(days=days)).date() < b.expires.date():
        yield Violation(
            "retention",
            "$.handling.retention_days",
            "ends before the bulletin expires; it is kept until then",
        )
    if b.tlp is Tlp.RED and b.pap is Pap.GREEN:
        yield Violation("pap", "$.pap", "it has few readers, but PAP:GREEN lets others notice their actions")
    if isinstance(b.body, LegalReferral) and b.body.case_ref and b.tlp in (Tlp.GREEN, Tlp.AMBER):
        yield Violation(
            "case-ref", "$.body.case_ref", "a case number needs TLP:AMBER+STRICT or RED, unless it is public"
        )


def _body(b: Bulletin) -> Iterator[Violation]:
    body = b.body
    if (
        isinstance(body, Fimi)
        and body.breakout is not None
        and body.breakout >= 4
        and (body.reach or 10_000) < 1_000
    ):
        yield Violation(
            "breakout",
            "$.body.breakout",
            f"category {body.breakout} of the Breakout Scale with a reach of {body.reach}",
        )
    if (
        isinstance(body, DataBreach)
        and body.risk is BreachRisk.UNLIKELY
        and body.art34 in (NotifyState.REQUIRED, NotifyState.DONE)
    ):
        yield Violation(
            "art34",
            "$.body.art34",
            "persons are informed only at high risk (GDPR, Article 34(1)), but the risk is unlikely",
        )
    if isinstance(body, CyberIncident):
        if (
            not body.significant
            and b.msg_type is not MsgType.CANCEL
            and body.stage
            not in (
                Nis2Stage.EARLY_WARNING,
                Nis2Stage.INTERMEDIATE_REPORT,
                Nis2Stage.VOLUNTARY_REPORT,
            )
        ):
            yield Violation(
                "stage", "$.body.significant", "only a significant incident has this stage (NIS2, Article 23)"
            )
        if b.severity in _CLASSES and body.impact == "none" and body.significant:
            yield Violation("severity", "$.severity", f"{b.severity}, but without any impact")
    for path, currency in currencies(body):
        if fault := fault_of_currency(currency):
            yield Violation("currency", path, fault)
    if isinstance(body, ContentOrder) and b.issuer.country not in ("EU", "INT"):
        abroad = [each for each in body.territorial_scope if each != b.issuer.country]
        if abroad and body.article == 9:
            yield Violation(
                "territory",
                "$.body.territorial_scope",
                f"reaches {', '.join(abroad)}; an order must not reach further than necessary (Article 9(2)(b))",
            )
    if isinstance(body, SituationReport | PostElectionReport):
        yield from _counted(b, body)


def _counted(b: Bulletin, body: SituationReport | PostElectionReport) -> Iterator[Violation]:
    """Numbers of incidents in the text that the body cannot have; an incident may count in several dimensions."""
    for what, pattern, counts in (
        ("incidents", _INCIDENTS, [each.incidents for each in body.dimensions]),
        ("major incidents", _MAJOR, [each.major for each in body.dimensions]),
    ):
        for n, info in enumerate(b.info):
            found = pattern.search(info.headline)
            if found is None:
                continue
            said = _WORDS_FOR_NUMBERS.get(found[1].lower())
            number = int(found[1]) if said is None else said
            if not max(counts) <= number <= sum(counts):
                yield Violation(
                    "count", f"$.info[{n}].headline", f"says {number} {what}, but the body has {sum(counts)}"
                )
