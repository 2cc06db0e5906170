"""Law: the requirements of articles, and the articles that can be a legal basis."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from schemas.bodies.cyber import CyberIncident
from schemas.bodies.data import DataBreach
from schemas.bodies.digital import ContentNotice, ContentOrder, PlatformMeasure, PoliticalAd
from schemas.bodies.foreign import SanctionsListing
from schemas.bulletin import Bulletin
from schemas.errors import Broken
from schemas.truth.reasons import is_of_nothing
from schemas.vocab import BreachNature, BreachRisk, MsgType, NotifyState, word_set

GDPR, EUDPR, POLICE = "32016R0679", "32018R1725", "32016L0680"
DSA, NIS2, ADS = "32022R2065", "32022L2555", "32024R0900"
GDPR_CLOCK = "gdpr-33"

ARTICLES: Mapping[str, int] = MappingProxyType(
    {
        GDPR: 99,
        EUDPR: 101,
        POLICE: 65,
        DSA: 93,
        NIS2: 46,
        ADS: 30,
        "32022L2557": 29,
        "32022R2554": 64,
        "32024R1689": 113,
        "32024R2847": 71,
        "32024R1083": 29,
        "32024R2642": 25,
        "12012P": 54,
    }
)
"""Number of articles of each law, as published in the Official Journal."""

UNION = word_set("AT BE BG CY CZ DE DK EE EL ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK EU")
"""Member States, in the codes of ISO 3166 and of the Union."""

_NO_ORDER: Mapping[str, frozenset[int] | None] = MappingProxyType(
    {
        GDPR: frozenset({33, 34}),
        EUDPR: frozenset({34, 35}),
        POLICE: frozenset({30, 31}),
        NIS2: None,
        "32022L2557": None,
        "32022R2554": None,
        DSA: frozenset({*range(11, 40), 41, 42, 43, 44, 45, 46, 47, 48}),
    }
)
"""Articles about other subjects, which cannot be the basis of an order on content; None means all articles."""

REPEALED: Mapping[str, str] = MappingProxyType(
    {
        "31995L0046": GDPR,
        "32001R0045": EUDPR,
        "32008F0977": POLICE,
        "32016L1148": NIS2,
        "32008L0114": "32022L2557",
        "32013R0526": "32019R0881",
    }
)
"""Repealed acts -> the acts that replaced them (such as Article 94 GDPR)."""

_NO_LISTING = frozenset({GDPR, EUDPR, POLICE, DSA, NIS2, ADS, "32024R1689", "32022L2557", "32022R2554"})
_ACT = re.compile(r"celex:([0-9A-Z()/]+?)(?:-[0-9]{8})?(?:#(.*))?")
_NOTHING = re.compile(
    r"\W*(?:none|no|nil|n/?a|not applicable|sans objet|nichtig|unanfechtbar|kein\w*|aucune?|ninguno|nessuno|geen|brak|ingen"
    r"|(?:there (?:is|are) )?(?:no|not any|without) (?:\w+ )?(?:appeals?|redress|remedy|remedies|recourse|complaints?|objections?|review)"
    r"(?: (?:is|are|whatsoever|possible|available|allowed|admitted|foreseen|provided|against \w+ \w+|at all)){0,3}"
    r"|(?:this |the )?(?:order |decision |measure )?(?:is )?(?:final(?: and binding)?|not (?:appealable|contestable|available|possible|foreseen))"
    r"|(?:this |the )?(?:order |decision |measure )?(?:cannot|can not|may not) be (?:appealed|contested|challenged|reviewed)(?: \w+){0,3}"
    r"|(?:es gibt )?kein(?:e|en)? (?:Rechtsmittel|Rechtsbehelf|Beschwerde|Einspruch)(?: (?:möglich|vorgesehen|zulässig))?|nicht anfechtbar"
    r"|(?:pas de|aucun) (?:recours|appel)(?: possible)?)?\W*",
    re.IGNORECASE,
)


def act_of(ref: str) -> tuple[str, int | None]:
    """(act, article) of a reference; a consolidated text gives its original act; article 0 means none."""
    found = _ACT.fullmatch(ref)
    if found is None:
        return ref.partition("#")[0], None
    act = found[1]
    if act.startswith("0"):  # a consolidated text
        act = f"3{act[1:]}"
    number = re.match(r"\d+", found[2] or "")
    return act, int(number[0]) if number else None


def cited(b: Bulletin) -> Iterator[tuple[str, str]]:
    """(path, reference) of every law that a bulletin cites as a legal basis."""
    for n, each in enumerate(b.legal):
        yield f"$.legal[{n}].ref", each.ref
    for n, action in enumerate(b.actions):
        for m, ref in enumerate(action.legal_basis):
            yield f"$.actions[{n}].legal_basis[{m}]", ref
    if b.personal_data is not None:
        yield "$.personal_data.lawful_basis", b.personal_data.lawful_basis
    body = b.body
    for name in ("legal_basis", "illegal_under", "legal"):
        for m, ref in enumerate(getattr(body, name, ())):
            yield f"$.body.{name}[{m}]", ref
    if isinstance(body, SanctionsListing):
        yield "$.body.regulation", body.regulation


_OF_THE_TIME = frozenset(f"$.body.illegal_under[{n}]" for n in range(8))
"""Past acts are judged by the law of their time."""


def r36(b: Bulletin) -> Broken:
    """A cited text exists and is in force (the acts as published in the Official Journal; CELEX, ELI and ECLI: the year in them)."""
    if isinstance(b.body, SanctionsListing) and b.body.judgment is not None:
        told = int(b.body.judgment.split(":")[3])
        if told > _year_of(b):
            yield "$.body.judgment", f"a judgment of {told} does not exist yet; copy its ECLI again"
    for path, ref in cited(b):
        eli = _ELI.match(ref)
        if eli is not None and int(eli[1]) > _year_of(b):
            yield path, f"an act of {eli[1]} does not exist yet; correct the ELI"
        if not ref.startswith("celex:"):
            continue
        act, article = act_of(ref)
        if act in REPEALED and path not in _OF_THE_TIME and not _is_history(b, path):
            yield path, f"{act} was repealed; cite {REPEALED[act]}"
        most = ARTICLES.get(act)
        if article is not None and most is not None and not 1 <= article <= most:
            yield path, f"{act} has {most} articles and no article {article}; name the right one"
        year = _YEAR.match(act)
        if year is not None and int(year[1]) > _year_of(b):
            yield path, f"an act of {year[1]} does not exist yet; correct the CELEX number"
        elif year is not None and int(year[1]) < _FIRST_ACT:
            yield path, f"the Union has no act of {year[1]}; correct the CELEX number"
        as_of = _AS_OF.match(ref)
        if as_of is not None and year is not None:
            day = _day_of(as_of[1])
            if day is None or day.year < int(year[1]) or (day - b.issued.date()).days > _CONSOLIDATED_AHEAD:
                yield path, f"there is no text of {act} of {as_of[1]}; copy the number again"


_YEAR = re.compile(r"[0-9CE]([0-9]{4})[A-Z]")
_ELI = re.compile(r"eli:(?:https?://data\.europa\.eu/eli/|/?eli/|/{0,2})[a-z_]{2,12}/([0-9]{4})/[0-9]")
_AS_OF = re.compile(r"celex:0[0-9A-Z()/]+?-([0-9]{8})")
_FIRST_ACT = 1951
"""The year of the Treaty establishing the European Coal and Steel Community."""
_CONSOLIDATED_AHEAD = 400
"""A consolidated text may have the date of a future amendment."""


def _year_of(b: Bulletin) -> int:
    """The latest possible year of an act at the issue of a bulletin: on 31 December it may be the next year elsewhere."""
    return (b.issued + dt.timedelta(days=1)).year


def _day_of(digits: str) -> dt.date | None:
    try:
        return dt.datetime.strptime(f"{digits}+0000", "%Y%m%d%z").date()
    except ValueError:
        return None


def _all_soft(refs: Iterable[str]) -> bool:
    refs = tuple(refs)
    return bool(refs) and all(ref.startswith("soft:") for ref in refs)


def _cannot_order(ref: str) -> bool:
    act, article = act_of(ref)
    if act not in _NO_ORDER:
        return False
    unfit = _NO_ORDER[act]
    return unfit is None or (article is not None and article in unfit)


def r37(b: Bulletin) -> Broken:
    """The cited law can be the basis of the act (Charter, Article 52(1): provided for by law)."""
    unfit = "is about another subject and cannot be the basis; cite the law that gives the power"
    soft = "soft law gives no power to restrict; cite a law"
    if isinstance(b.body, ContentOrder) and b.msg_type is not MsgType.CANCEL:
        if all(_cannot_order(ref) for ref in b.body.legal_basis):
            yield "$.body.legal_basis", f"{', '.join(b.body.legal_basis)} {unfit}"
        elif _all_soft(b.body.legal_basis):
            yield "$.body.legal_basis", soft
        wrong = {9: 10, 10: 9}[b.body.article]
        named = [act_of(ref) for ref in b.body.legal_basis]
        if named and all(each == (DSA, wrong) for each in named):
            yield "$.body.legal_basis", f"the order is one under article {b.body.article}, not {wrong}"
    for n, action in enumerate(b.actions):
        if action.legal_basis and action.kind in RESTRICTING:
            if all(_cannot_order(ref) for ref in action.legal_basis):
                yield f"$.actions[{n}].legal_basis", f"{', '.join(action.legal_basis)} {unfit}"
            elif _all_soft(action.legal_basis):
                yield f"$.actions[{n}].legal_basis", soft
    if isinstance(b.body, SanctionsListing) and act_of(b.body.regulation)[0] in _NO_LISTING:
        yield "$.body.regulation", f"{b.body.regulation} does not list anybody; name the act that does"
    if isinstance(b.body, SanctionsListing) and b.body.regulation.startswith("soft:"):
        yield "$.body.regulation", "soft law does not list anybody; name the act that does"
    if b.personal_data is not None and b.personal_data.lawful_basis.startswith("soft:"):
        yield (
            "$.personal_data.lawful_basis",
            "soft law is not a lawful basis (GDPR, Article 6(3)); cite a law",
        )


RESTRICTING = frozenset(
    {"request-takedown-order", "request-account-measure", "block-access-order", "suspend-broadcast"}
)
"""Actions that restrict speech."""


def _is_history(b: Bulletin, path: str) -> bool:
    """Whether a reference in `legal` stands beside the act that replaced it, and so names the former law."""
    if not path.startswith("$.legal["):
        return False
    named = {act_of(each.ref)[0] for each in b.legal}
    return all(REPEALED[act] in named for act in named & REPEALED.keys())


def _is_missing(text: str | None) -> bool:
    return text is None or not text.strip() or is_of_nothing(text)


def r38(b: Bulletin) -> Broken:
    """An order states its demand and how to contest it (Regulation (EU) 2022/2065, Articles 9(2) and 10(2))."""
    if b.msg_type is MsgType.CANCEL:
        return
    if b.rights is not None and b.rights.redress is not None and _NOTHING.fullmatch(b.rights.redress):
        yield "$.rights.redress", "every order can be contested (Charter, Article 47); say how"
    if not isinstance(b.body, ContentOrder):
        return
    body = b.body
    if body.article == 9 and not body.items:
        yield "$.body.items", "an order under Article 9 needs the exact URL of the content; add the items"
    if is_of_nothing(body.reasons):
        yield (
            "$.body.reasons",
            f"{body.reasons[:40]!r} is not a reason (Articles 9(2)(a)(ii) and 10(2)(a)(ii)); write the reason",
        )
    if body.article == 10 and _is_missing(body.information_requested):
        yield "$.body.information_requested", "an order under Article 10 needs the wanted information; add it"
    if body.article == 9:
        for n, item in enumerate(body.items):
            if not item.url and not item.platform_ref:
                yield f"$.body.items[{n}]", "an item of an order needs its url, or platform_ref"
    if _NOTHING.fullmatch(body.redress):
        yield (
            "$.body.redress",
            "an order must say how to contest it (Article 9(2)(a)(v), Charter Article 47); name the court and the time limit",
        )


def r39(b: Bulletin) -> Broken:
    """No restriction is asked for content that its own check calls lawful or satire (Charter, Articles 11 and 52(1))."""
    if b.rights is None or b.msg_type is MsgType.CANCEL:
        return
    restricts = (isinstance(b.body, ContentOrder) and b.body.article == 9) or any(
        action.kind in RESTRICTING for action in b.actions
    )
    if not restricts:
        return
    if b.rights.content_status == "lawful":
        yield (
            "$.rights.content_status",
            "lawful content cannot be ordered away; withdraw the request, or correct the status",
        )
    if b.rights.editorial_or_satire:
        yield (
            "$.rights.editorial_or_satire",
            "editorial content and satire are protected; withdraw the request, or correct the field",
        )


def r40(b: Bulletin) -> Broken:
    """A notice is precise and in good faith (Regulation (EU) 2022/2065, Articles 16(2) and 22)."""
    if not isinstance(b.body, ContentNotice):
        return
    body = b.body
    if body.channel in ("art16-notice", "art22-trusted-flagger"):
        if is_of_nothing(body.explanation):
            yield (
                "$.body.explanation",
                f"{body.explanation[:40]!r} does not explain why the content is illegal (Article 16(2)(a)); write it",
            )
        if not body.bona_fide:
            yield (
                "$.body.bona_fide",
                "a notice must state good faith (Article 16(2)(d)); without it, do not send the notice",
            )
        for n, item in enumerate(body.items):
            if not item.url and not item.platform_ref:
                yield (
                    f"$.body.items[{n}]",
                    "a notice needs the exact place of the content (Article 16(2)(b)); add its url",
                )
    if (
        body.channel == "art22-trusted-flagger"
        and b.issuer.kind != "trusted-flagger"
        and body.notifier is None
    ):
        yield (
            "$.body.channel",
            "only a trusted flagger can give notice under Article 22; name it as notifier, or use art16-notice",
        )


_OF_72_HOURS = (GDPR_CLOCK, "eudpr-34", "led-30")


def _is_named(b: Bulletin, *acts: str) -> bool:
    return any(act_of(each.ref)[0] in acts for each in b.legal)


def _late(started: dt.datetime, aware: dt.datetime) -> bool:
    return abs(started - aware) > dt.timedelta(hours=1)


_PUBLISHED = frozenset({"leaked", "used-in-operation"})
"""Data that is only offered for sale may be a bluff."""


def r41(b: Bulletin) -> Broken:
    """A breach is reported under the law that applies to it (GDPR, Articles 33 and 34; Regulation (EU) 2018/1725; Directive (EU) 2016/680; EDPB, 9/2022)."""
    if not isinstance(b.body, DataBreach):
        return
    body = b.body
    other = b.issuer.country == "EU" or _is_named(b, EUDPR, POLICE) or body.regime in ("eudpr", "led")
    for n, clock in enumerate(b.deadlines):
        path = f"$.deadlines[{n}]"
        if clock.clock == GDPR_CLOCK:
            if other:
                yield (
                    f"{path}.clock",
                    "Article 33 GDPR does not apply to Union bodies or police work; use eudpr-34 or led-30",
                )
            if _late(clock.started, body.aware):
                yield (
                    f"{path}.started",
                    "the clock starts when the controller became aware; give the time in aware",
                )
        late = clock.met is not None and clock.met > clock.due
        if late and clock.clock in _OF_72_HOURS and _is_missing(body.delay_reason):
            yield (
                "$.body.delay_reason",
                "notified after 72 hours; add the reasons for the delay (Article 33(1))",
            )
    if body.republished in _PUBLISHED and BreachNature.CONFIDENTIALITY not in body.nature:
        yield "$.body.nature", f"the data are {body.republished}, so others have them; add confidentiality"
    if body.art34 is NotifyState.WITHHELD and body.risk is BreachRisk.HIGH_RISK and not body.art34_reason:
        yield (
            "$.body.art34_reason",
            "the risk is high and persons are not informed; name the exception (Article 34(3))",
        )
    if body.risk is BreachRisk.UNLIKELY and body.art34 is NotifyState.DONE and body.subjects_approx == 0:
        yield "$.body.art34", "0 persons are concerned, so none was informed; write not-required"


_DONE_BY_SOMEBODY = (
    "malicious-code:",
    "intrusion-attempts:",
    "intrusions:",
    "fraud:",
    "availability:ddos",
    "availability:sabotage",
)
"""Classes of RSIT that a person causes."""


def r42(b: Bulletin) -> Broken:
    """The cause and suspected_malicious agree (Directive (EU) 2022/2555, Article 23(4): suspected of being caused by malicious acts)."""
    if not isinstance(b.body, CyberIncident):
        return
    body = b.body
    if body.suspected_malicious is False and body.root_cause == "malicious-actions":
        yield (
            "$.body.root_cause",
            "malicious-actions, but suspected_malicious is false; correct one of the two",
        )
    if body.root_cause == "natural-phenomena" and body.classification.startswith(_DONE_BY_SOMEBODY):
        yield (
            "$.body.root_cause",
            f"natural-phenomena, but {body.classification} is caused by a person; correct one of the two",
        )
    if body.suspected_malicious is True and body.root_cause in ("system-failures", "natural-phenomena"):
        yield (
            "$.body.root_cause",
            f"{body.root_cause}, but suspected_malicious is true; correct one of the two",
        )
    if body.cross_border is False and len(set(body.countries)) > 1:
        yield "$.body.cross_border", "several countries are named; set cross_border to true"


def r43(b: Bulletin) -> Broken:
    """An infringement fits the other facts (Regulation (EU) 2024/900, Articles 5(2), 11, 12 and 18)."""
    if not isinstance(b.body, PoliticalAd):
        return
    body = b.body
    home = body.sponsor_country is not None and (
        body.sponsor_country in UNION or body.sponsor_country == b.issuer.country
    )
    # A sponsor controlled by a third country counts as one (Article 5(2)(b)).
    is_led = body.sponsor_controller is not None
    if (
        "third-country-sponsor" in body.infringements
        and home
        and not is_led
        and body.funds_from_third_country is not True
    ):
        yield (
            "$.body.infringements",
            f"a sponsor of {body.sponsor_country} without money from outside is not a third-country sponsor",
        )
    if "special-category-profiling" in body.infringements and body.special_category_profiling is False:
        yield "$.body.infringements", "special_category_profiling is false; correct one of the two"


def r44(b: Bulletin) -> Broken:
    """A statement of reasons names the measure (Regulation (EU) 2022/2065, Article 17(3)(a))."""
    if isinstance(b.body, PlatformMeasure) and b.msg_type is not MsgType.CANCEL:
        body = b.body
        if body.count == 0:  # no measure was taken, as a report of 0 says
            return
        if not (body.visibility or body.monetary or body.provision or body.account):
            yield "$.body.visibility", "no measure is named; give visibility, monetary, provision or account"


RULES = ((36, r36), (37, r37), (38, r38), (39, r39), (40, r40), (41, r41), (42, r42), (43, r43), (44, r44))
