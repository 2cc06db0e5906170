"""Remarks on a whole bulletin: texts and figures that differ, unknown codes, fields that do not fit.

Only remarks, because each may be right.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from schemas.bodies.coordination import Rfi
from schemas.bodies.cyber import CyberIncident
from schemas.bodies.electoral import ElectionCalendar, ElectionIncident
from schemas.bodies.foreign import Fimi, SanctionsListing
from schemas.bulletin import Bulletin
from schemas.errors import Violation
from schemas.open_vocab import OPEN
from schemas.truth.acts import told
from schemas.truth.askew import askew
from schemas.truth.beside import beside
from schemas.truth.doubled import doubled
from schemas.truth.fit import misfits
from schemas.truth.kinds import ANYBODYS, NATIONWIDE, of_a_kind
from schemas.truth.law import EUDPR, GDPR, act_of, cited
from schemas.truth.many import many
from schemas.truth.spans import lasting
from schemas.truth.wording import words
from schemas.vocab import (
    BROAD_AUDIENCES,
    PersonalFlag,
    Phase,
    Severity,
    Status,
    Tlp,
    word_set,
)

COUNTRIES = word_set(
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC "
    "CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD "
    "GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH "
    "KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW "
    "MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC "
    "SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY "
    "UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW XK EU INT AA ZZ"
)
"""ISO 3166-1 alpha-2, and codes in use beside it; QM to QZ and XA to XZ are free for any use."""
_STYLE = MappingProxyType({"UK": "GB", "EL": "GR"})

LANGUAGES = word_set(
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
_LEAST_ROLL, _MOST_ROLL = 1_000, 1_100_000_000
_LISTS_OF: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "us-treasury": frozenset({"US"}),
        "uk-fcdo": frozenset({"GB", "UK"}),
        "ch-seco": frozenset({"CH", "LI"}),
    }
)
"""The owner of each list; many others publish the lists of the Union and of the United Nations."""


def oddities(b: Bulletin) -> Iterator[Violation]:
    """The remarks, each with a stable word as its `rule`."""
    yield from _codes(b)
    yield from _garbled(b)
    yield from _played(b)
    yield from _kept(b)
    yield from _over(b)
    yield from _figures(b)
    yield from _listing(b)
    yield from _incident(b)
    yield from misfits(b)
    yield from of_a_kind(b)
    yield from beside(b)
    yield from lasting(b)
    yield from told(b)
    yield from many(b)
    yield from askew(b)
    yield from doubled(b)


def _codes(b: Bulletin) -> Iterator[Violation]:
    named = [(f"$.areas[{n}].country", area.country) for n, area in enumerate(b.areas)]
    if isinstance(b.body, CyberIncident):
        named += [(f"$.body.countries[{n}]", each) for n, each in enumerate(b.body.countries)]
    for path, code in named:
        if code is None or code in COUNTRIES or ANYBODYS.fullmatch(code):
            continue
        right = f"; write {_STYLE[code]}" if code in _STYLE else ""
        yield Violation("country", path, f"{code} is not a code of ISO 3166-1{right}")
    for n, info in enumerate(b.info):
        lang = info.lang.partition("-")[0]
        if len(lang) == 2 and lang not in LANGUAGES:
            yield Violation("language", f"$.info[{n}].lang", f"{lang} is not a language of ISO 639-1")
    asked = [(f"$.actions[{n}].to", word) for n, action in enumerate(b.actions) for word in action.to]
    if isinstance(b.body, Rfi):
        asked += [("$.body.to", word) for word in b.body.to]
    kinds = OPEN["authority-kind"].values
    for path, word in asked:
        if word in kinds or word in BROAD_AUDIENCES:
            continue
        meant = next((kind for kind in sorted(kinds) if _is_slip(word, kind)), None)
        if meant is not None:
            yield Violation("authority-kind", path, f"{word} is not a kind of authority; write {meant}")
    for path, ref in cited(b):
        act = ref.removeprefix("celex:").partition("#")[0].partition("-")[0]
        if ref.startswith("celex:") and not _CELEX.fullmatch(act) and act not in ("12012P", "12016P"):
            yield Violation(
                "celex", path, f"{act} does not have the form of a CELEX number: sector, year, type, number"
            )
    if b.personal_data is not None and b.personal_data.flag is PersonalFlag.SPECIAL_CATEGORY:
        act, article = act_of(b.personal_data.lawful_basis)
        if (act, article) in ((GDPR, 6), (EUDPR, 5)):
            yield Violation(
                "lawful-basis",
                "$.personal_data.lawful_basis",
                "special categories need a further legal ground (GDPR, Article 9(2); Regulation (EU) 2018/1725, Article 10(2))",
            )


def _is_slip(word: str, right: str) -> bool:
    """Whether a word differs from another by two exchanged letters, or one letter more, less or wrong."""
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
                "the public reads only this text: say in it that this is an exercise",
            )


def _kept(b: Bulletin) -> Iterator[Violation]:
    days = b.handling.retention_days
    if b.personal_data is None or days is None:
        return
    if (b.personal_data.retention_until - b.issued.date()).days < days:
        yield Violation(
            "retention",
            "$.handling.retention_days",
            f"{days} days are longer than the retention of its personal data ({b.personal_data.retention_until})",
        )


def _over(b: Bulletin) -> Iterator[Violation]:
    election = b.election
    if election is None or election.polling_last is None or isinstance(b.body, ElectionCalendar):
        return
    if election.phase in _SPANS_OF_A_VOTE and b.issued.date() - election.polling_last > _LONG_OVER:
        yield Violation(
            "phase", "$.election.phase", f"{election.phase}, but the polls closed on {election.polling_last}"
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
        is_small = roll < _LEAST_ROLL and b.election is not None and b.election.type in NATIONWIDE
        if is_small or roll > _MOST_ROLL:
            yield Violation(
                "share",
                "$.body.electorate_share_ppm",
                f"by these figures the whole roll has {roll} voters; correct one of the two",
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
            f"{body.authority} publishes this list itself; {b.issuer.id} can report only its own lists",
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
                "an enterprise has no birth date and no citizenship",
            )
        if each.subject == "enterprise" and "travel-ban" in body.measures and len(body.listed) == 1:
            yield Violation("listing", "$.body.measures", "a travel ban concerns persons, but none is listed")


def _incident(b: Bulletin) -> Iterator[Violation]:
    body = b.body
    if not isinstance(body, CyberIncident):
        return
    if body.impact == "very-large" and b.severity is Severity.MINOR:
        yield Violation("severity", "$.severity", "says minor, but its impact is very large")
    since = (b.issued - body.detected).total_seconds()
    if body.downtime_s is not None and 0 < since * 2 + 86_400 < body.downtime_s:
        yield Violation(
            "downtime",
            "$.body.downtime_s",
            f"down for {body.downtime_s // 86_400} days, but detected {int(since // 86_400)} days ago",
        )


def short_digest(value: str) -> bool:
    """Whether a value has only hexadecimal digits, and is too short for any digest."""
    return re.fullmatch(r"(?=.*[0-9])(?=.*[a-f])[0-9a-f]{8,27}", value) is not None
