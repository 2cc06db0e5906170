"""The cross-field rules that a well-formed bulletin must satisfy, one function for each rule.

R25 compares an answer with the bulletin it refers to, so it stands apart. The second half of R1, that only the
original issuer updates or cancels, needs the store of a hub and is decided there.
"""

from __future__ import annotations

import datetime as dt
import functools
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from schemas import glance
from schemas.bodies.coordination import Feedback, PostElectionReport, StratCom
from schemas.bodies.cyber import CyberIncident
from schemas.bodies.data import DataBreach
from schemas.bodies.digital import ContentOrder
from schemas.bodies.electoral import ElectionCalendar
from schemas.bodies.foreign import LegalReferral, SanctionsListing
from schemas.bodies.system import ChannelStatus, Reanchor
from schemas.bulletin import Bulletin
from schemas.errors import Broken, RuleError, SchemaError, Violation
from schemas.glance import MAX_LIFETIME, PLACES
from schemas.open_vocab import OPEN
from schemas.sections import CONTENT_FIELDS, SectionDraft
from schemas.subject import HIDDEN, MAX_SUBJECT, Channel, subject_for
from schemas.truth import (
    acts,
    claims,
    enforcement,
    handling,
    law,
    markings,
    media,
    numbers,
    places,
    references,
    regimes,
    spans,
    states,
    text,
    ties,
    times,
    values,
)
from schemas.truth.law import EUDPR, GDPR, GDPR_CLOCK, POLICE, act_of
from schemas.vocab import (
    BROAD_AUDIENCES,
    PERSONAL_RANK,
    TLP_RANK,
    AttributionLevel,
    BreachRisk,
    FeedbackKind,
    MsgType,
    Nis2Stage,
    NotifyState,
    Pap,
    PersonalFlag,
    Phase,
    RefRel,
    Status,
    Tlp,
)
from schemas.zones import ZONES

LONG_LIFETIME = dt.timedelta(days=3660)
"""The longest lifetime of a listing or a report after an election."""

RESTRICTIVE_ACTIONS = frozenset(
    {
        "request-takedown-order",
        "request-account-measure",
        "order-information",
        "criminal-referral",
        "sanctions-proposal",
        "asset-freeze-check",
        "block-access-order",
        "suspend-broadcast",
        "suspend-domain",
        "block-sender",
        "stop-advertising",
    }
)
"""Actions that restrict a fundamental right; each needs a legal basis and a passed rights check (R11)."""

FREE_ACTIONS = OPEN["action-kind"].values - RESTRICTIVE_ACTIONS
"""Actions that are known to restrict nobody; an unknown action counts as restrictive (R11)."""

_NO_ORDER = frozenset({"set-aside", "expired"})
"""States in which an order restricts nobody."""

_INWARD = frozenset({"strategic-silence", "holding-line", "reactive"})
"""Modes of communication whose lines are used only if somebody asks."""


def r1(b: Bulletin) -> Broken:
    """An update or cancel names the bulletin that it supersedes or cancels."""
    wanted = {MsgType.UPDATE: RefRel.SUPERSEDES, MsgType.CANCEL: RefRel.CANCELS}.get(b.msg_type)
    if wanted and not any(ref.rel is wanted for ref in b.references):
        yield "$.references", f"{b.msg_type} needs a reference with rel {wanted}"


def r2(b: Bulletin) -> Broken:
    """`ack` and `error` belong only to the feedback verdicts ack and reject. Any feedback may be updated or withdrawn."""
    if isinstance(b.body, Feedback):
        if b.msg_type in (MsgType.UPDATE, MsgType.CANCEL):
            return
        verdicts = {FeedbackKind.ACK: MsgType.ACK, FeedbackKind.REJECT: MsgType.ERROR}
        wanted = verdicts.get(b.body.verdict, MsgType.ALERT)
        if b.msg_type is not wanted:
            yield "$.msg_type", f"feedback with verdict {b.body.verdict} has msg_type {wanted}"
    elif b.msg_type in (MsgType.ACK, MsgType.ERROR):
        yield "$.msg_type", f"{b.msg_type} is only for feedback"


def r3(b: Bulletin) -> Broken:
    """Feedback refers to a bulletin."""
    if isinstance(b.body, Feedback) and not b.references:
        yield "$.references", "feedback needs a reference to the bulletin that it answers"


def r4(b: Bulletin) -> Broken:
    """An exercise has an exercise_id."""
    if b.status is Status.EXERCISE and not b.exercise_id:
        yield "$.exercise_id", "status exercise needs an exercise_id"


def r5(b: Bulletin) -> Broken:
    """A bulletin expires after its issue, and within 400 days; some kinds may last longer.

    A calendar lasts until 400 days after its last window, a listing or a report after an election for ten years.
    """
    if b.expires <= b.issued:
        yield "$.expires", "must be after issued"
    elif isinstance(b.body, ElectionCalendar):
        last = max(b.issued, *(window.end for window in b.body.windows))
        if b.expires - last > MAX_LIFETIME:
            yield "$.expires", f"at most {MAX_LIFETIME.days} days after the last window"
    elif isinstance(b.body, SanctionsListing | PostElectionReport):
        if b.expires - b.issued > LONG_LIFETIME:
            yield "$.expires", f"at most {LONG_LIFETIME.days} days after issued"
    elif b.expires - b.issued > MAX_LIFETIME:
        yield "$.expires", f"at most {MAX_LIFETIME.days} days after issued"


def _worst(b: Bulletin) -> int:
    return max((PERSONAL_RANK[each.personal] for each in b.observables), default=0)


def _declared(b: Bulletin) -> int:
    return PERSONAL_RANK[b.personal_data.flag] if b.personal_data else 0


def r6(b: Bulletin) -> Broken:
    """Personal observables need a declaration of purpose and retention, at least as strict as the strictest of them."""
    worst = _worst(b)
    if worst and b.personal_data is None:
        yield (
            "$.personal_data",
            "an observable is personal data; add personal_data with lawful basis, purpose and retention",
        )
    elif b.personal_data is not None and PERSONAL_RANK[b.personal_data.flag] < worst:
        yield "$.personal_data.flag", "weaker than the flag of an observable; give the strictest flag"


def r7(b: Bulletin) -> Broken:
    """TLP:CLEAR carries no personal data. Exceptions are official listings, and names in a text that a law publishes."""
    if b.tlp is not Tlp.CLEAR or isinstance(b.body, SanctionsListing):
        return
    least = PERSONAL_RANK[PersonalFlag.PERSONAL]
    if _worst(b) >= least:
        yield "$.observables", "no personal data at TLP:CLEAR"
    elif _declared(b) >= least and not _is_published_by_law(b):
        yield (
            "$.personal_data.flag",
            "no personal data at TLP:CLEAR, unless lawful_basis is the law that publishes it, with its article",
        )


def _is_published_by_law(b: Bulletin) -> bool:
    """Whether the declared law may publish a name: it is given with its article, and is not a data-protection law."""
    basis = b.personal_data.lawful_basis if b.personal_data else ""
    return "#" in basis and not basis.startswith("soft:") and act_of(basis)[0] not in (GDPR, EUDPR, POLICE)


def _is_public_justice(b: Bulletin) -> bool:
    """Whether the bulletin is a public act of justice, which names an offence as the law requires."""
    return (
        isinstance(b.body, LegalReferral)
        and not b.body.judicial_secrecy
        and b.personal_data is not None
        and b.personal_data.flag is PersonalFlag.CRIMINAL_OFFENCE
        and _is_published_by_law(b)
        and not _worst(b)
    )


def r8(b: Bulletin) -> Broken:
    """Special categories and criminal suspicion, in observables or declared for the text, need AMBER+STRICT or RED."""
    worst = max(_worst(b), _declared(b))
    if worst < PERSONAL_RANK[PersonalFlag.SPECIAL_CATEGORY] or not _below_strict(b):
        return
    if not _is_public_justice(b):
        yield "$.tlp", "special-category or criminal-offence data needs TLP:AMBER+STRICT or RED"


def r9(b: Bulletin) -> Broken:
    """A value is given in clear or as a keyed hash, never both; special categories only as a hash."""
    for n, each in enumerate(b.observables):
        where = f"$.observables[{n}]"
        if (each.value is None) == (each.value_hmac is None):
            yield where, "give exactly one of value and value_hmac"
        if each.personal is PersonalFlag.SPECIAL_CATEGORY and each.value is not None:
            yield f"{where}.value", "special-category data travels only as value_hmac"
        if each.value_hmac is not None and each.key_id is None:
            yield f"{where}.key_id", "value_hmac needs the key_id of its key"


def r10(b: Bulletin) -> Broken:
    """PAP does not allow everybody to act on a bulletin that only few may read."""
    if b.tlp is Tlp.RED and b.pap is Pap.CLEAR:
        yield "$.pap", "TLP:RED with PAP:CLEAR contradicts itself"


def r11(b: Bulletin) -> Broken:
    """A restrictive measure has passed the checks of legality, necessity and proportionality, and names its legal basis."""
    if b.msg_type is MsgType.CANCEL:  # a withdrawal may say that the measure failed the check
        return
    if isinstance(b.body, ContentOrder) and b.body.state in _NO_ORDER and not b.actions:
        return
    restrictive = [(n, each) for n, each in enumerate(b.actions) if each.kind not in FREE_ACTIONS]
    if restrictive or isinstance(b.body, ContentOrder):
        rights = b.rights
        if rights is None or not (rights.legality and rights.necessity and rights.proportionality):
            unknown = [each.kind for _, each in restrictive if each.kind not in RESTRICTIVE_ACTIONS]
            why = f"; {unknown[0]} is no known action, so it counts as one" if unknown else ""
            yield (
                "$.rights",
                f"a restrictive measure needs legality, necessity and proportionality, all true{why}",
            )
    for n, each in restrictive:
        if not each.legal_basis:
            yield f"$.actions[{n}].legal_basis", f"{each.kind} needs a legal basis"


def r12(b: Bulletin) -> Broken:
    """A firm attribution names its author; a public one has a date."""
    if b.attribution is None:
        return
    firm = (AttributionLevel.CONFIRMED, AttributionLevel.PUBLIC)
    if b.attribution.level in firm and not b.attribution.by:
        yield "$.attribution.by", f"level {b.attribution.level} needs by"
    if b.attribution.level is AttributionLevel.PUBLIC and b.attribution.public_since is None:
        yield "$.attribution.public_since", "level public needs its date"


def r13(b: Bulletin) -> Broken:
    """TLP:CLEAR names a state only if the attribution is public."""
    if b.attribution is None or b.tlp is not Tlp.CLEAR:
        return
    inner = (
        AttributionLevel.CLAIMED,
        AttributionLevel.SUSPECTED,
        AttributionLevel.ASSESSED,
        AttributionLevel.CONFIRMED,
    )
    if b.attribution.level in inner and any(actor.country for actor in b.attribution.actors):
        yield "$.attribution.level", "naming a state at TLP:CLEAR needs level public"


def r14(b: Bulletin) -> Broken:
    """Only AMBER+STRICT or RED may name a private person."""
    if b.attribution is None or not _below_strict(b):
        return
    for n, actor in enumerate(b.attribution.actors):
        if actor.kind == "individual" and not actor.public_role:
            yield (
                f"$.attribution.actors[{n}]",
                "a private individual is named only at TLP:AMBER+STRICT or RED",
            )


def r15(b: Bulletin) -> Broken:
    """Each language has one block of words."""
    languages = [info.lang for info in b.info]
    if len(set(languages)) != len(languages):
        yield "$.info", "give one info for each language"


def r16(b: Bulletin) -> Broken:
    """Strategic communication at TLP:CLEAR has words cleared for the public, unless its mode is silence or answers on request only."""
    speaks = (
        isinstance(b.body, StratCom)
        and b.body.mode not in _INWARD
        and b.body.cleared is not False
        and b.tlp is Tlp.CLEAR
    )
    if speaks and not any(info.public_line for info in b.info):
        yield "$.info", "stratcom at TLP:CLEAR needs a public_line"


def r17(b: Bulletin) -> Broken:
    """During electoral silence, strategic communication declares itself silence_safe."""
    silent = b.election is not None and b.election.phase is Phase.SILENCE
    if silent and isinstance(b.body, StratCom) and not b.handling.silence_safe:
        yield "$.handling.silence_safe", "stratcom in phase silence must have silence_safe true"


def r18(b: Bulletin) -> Broken:
    """A staged report has the fields that its stage requires."""
    if (
        isinstance(b.body, CyberIncident)
        and b.body.stage not in (Nis2Stage.EARLY_WARNING, Nis2Stage.VOLUNTARY_REPORT)
        and b.body.impact is None
    ):
        yield "$.body.impact", f"stage {b.body.stage} needs impact"
    if isinstance(b.body, DataBreach):
        is_due = b.body.risk is not BreachRisk.UNLIKELY  # GDPR, Article 33(1): except if a risk is unlikely
        if is_due and not any(each.clock == GDPR_CLOCK for each in b.deadlines) and not _is_elsewhere(b):
            yield (
                "$.deadlines",
                f"a data-breach needs its {GDPR_CLOCK} deadline; if another law applies, name it in legal, and use its own clock",
            )
        untold = b.body.risk is BreachRisk.HIGH_RISK and b.body.art34 is NotifyState.NOT_REQUIRED
        if untold and not b.body.art34_reason:
            yield (
                "$.body.art34",
                "at high risk the persons concerned must be informed, or the exception named",
            )


def _is_elsewhere(b: Bulletin) -> bool:
    """Whether a breach names a law other than the GDPR, or its clock: for Union bodies, the police, another country."""
    if isinstance(b.body, DataBreach) and b.body.regime in ("eudpr", "led", "national"):
        return True
    return any(act_of(each.ref)[0] != GDPR and not each.ref.startswith("soft:") for each in b.legal) or any(
        not each.clock.startswith(("gdpr-", "nis2-")) for each in b.deadlines
    )


def r19(b: Bulletin) -> Broken:
    """Information under judicial secrecy needs TLP:AMBER+STRICT or RED."""
    if isinstance(b.body, LegalReferral) and b.body.judicial_secrecy and _below_strict(b):
        yield "$.tlp", "judicial secrecy needs TLP:AMBER+STRICT or RED"


def r20(b: Bulletin) -> Broken:
    """A sanctions listing is a public act, so it is TLP:CLEAR."""
    if isinstance(b.body, SanctionsListing) and b.tlp is not Tlp.CLEAR:
        yield "$.tlp", "a sanctions-listing is TLP:CLEAR; send a proposal as an action"


def r21(b: Bulletin) -> Broken:
    """An issuer's id begins with its country."""
    if b.issuer.id.split("-", 1)[0] != b.issuer.country.lower():
        yield "$.issuer.id", f"must begin with {b.issuer.country.lower()}-"


def r22(b: Bulletin) -> Broken:
    """The subject is short enough for every broker."""
    if len(subject_for(b)) > MAX_SUBJECT:
        yield "$", f"its subject is longer than {MAX_SUBJECT} characters"


def r23(b: Bulletin) -> Broken:
    """The subject of TLP:RED hides kind, area and election."""
    if b.tlp is Tlp.RED and subject_for(b).split(".")[8:11] != [HIDDEN] * 3:
        yield "$.tlp", "the subject of TLP:RED must hide kind, area and election"


def r24(b: Bulletin) -> Broken:
    """TLP:CLEAR goes only to the audience `public`, and nothing else goes there; RED goes to no general audience."""
    if (b.tlp is Tlp.CLEAR) != (b.audience == "public"):
        yield "$.audience", "TLP:CLEAR goes to the audience public, and no other TLP does"
    if b.tlp is Tlp.RED and b.audience in BROAD_AUDIENCES:
        yield "$.audience", f"TLP:RED does not go to {b.audience}; name a narrower audience"


def r26(b: Bulletin) -> Broken:
    """Confidence gives a score or a credibility."""
    if b.confidence.score is None and b.confidence.credibility is None:
        yield "$.confidence", "give a score or a credibility (6 is: cannot be judged)"


def r27(b: Bulletin) -> Broken:
    """A window of a calendar ends after its start."""
    if isinstance(b.body, ElectionCalendar):
        for n, window in enumerate(b.body.windows):
            if window.end <= window.start:
                yield f"$.body.windows[{n}].end", f"{window.phase} must end after it starts"


def r28(b: Bulletin) -> Broken:
    """The time zone of a calendar exists."""
    if isinstance(b.body, ElectionCalendar) and b.body.tz not in ZONES:
        yield "$.body.tz", "not a name of the IANA database; write a name such as Europe/Vienna or Etc/GMT-3"


def r29(b: Bulletin) -> Broken:
    """A place names its country; the Union as a whole names none."""
    for n, area in enumerate(b.areas):
        if area.scope in PLACES and area.country is None:
            yield f"$.areas[{n}].country", f"an area of scope {area.scope} needs its country"
        if area.scope == "eu" and area.country not in (None, "EU"):
            yield f"$.areas[{n}].country", f"scope eu is the whole Union, not {area.country}"


def r30(b: Bulletin) -> Broken:
    """Personal data is kept at least until the bulletin expires."""
    if b.personal_data is not None and b.personal_data.retention_until < b.expires.date():
        yield "$.personal_data.retention_until", "give a day not before the day on which the bulletin expires"


def r31(b: Bulletin) -> Broken:
    """A heartbeat names channels of its issuer and of others, at its own TLP and audience, each once.

    Status beat carries only heartbeats, and the re-anchoring of such a channel after a theft.
    """
    if b.status is Status.BEAT and not isinstance(b.body, ChannelStatus | Reanchor):
        yield "$.status", "status beat is for heartbeats, of kind channel-status"
    if not isinstance(b.body, ChannelStatus):
        return
    own = [f"{b.issuer.id}/{head.channel}" for head in b.body.heads]
    for name, channels in (("heads", own), ("held", [head.channel for head in b.body.held])):
        named: set[str] = set()
        for n, channel in enumerate(channels):
            path = f"$.body.{name}[{n}].channel"
            if not _is_beside(channel, b):
                yield path, "a heartbeat names channels at its own TLP and audience"
            elif name == "held" and channel.startswith(f"{b.issuer.id}/"):
                yield path, "put the issuer's own heads into heads"
            elif channel in named:
                yield path, "give one head for each channel"
            named.add(channel)


def _is_beside(name: str, b: Bulletin) -> bool:
    """Whether a name is a channel with the TLP and audience of a bulletin."""
    try:
        channel = Channel.parse(name)
    except SchemaError:
        return False
    return (channel.tlp, channel.audience) == (b.tlp, b.audience)


def r25(answer: Bulletin, referred: Bulletin) -> Broken:
    """An answer is at least as narrow as the bulletin it refers to, and goes to the same audience or to its issuer."""
    if TLP_RANK[answer.tlp] < TLP_RANK[referred.tlp]:
        yield "$.tlp", f"an answer to TLP:{referred.tlp.upper()} must be at least as narrow"
    if answer.audience not in (referred.audience, referred.issuer.id):
        yield "$.audience", f"an answer must go to {referred.audience} or to {referred.issuer.id}"


RULES: Mapping[str, Callable[[Bulletin], Broken]] = MappingProxyType(
    {
        f"R{n}": rule
        for n, rule in sorted(
            (
                *enumerate(
                    (
                        r1,
                        r2,
                        r3,
                        r4,
                        r5,
                        r6,
                        r7,
                        r8,
                        r9,
                        r10,
                        r11,
                        r12,
                        r13,
                        r14,
                        r15,
                        r16,
                        r17,
                        r18,
                        r19,
                        r20,
                    ),
                    1,
                ),
                *enumerate((r21, r22, r23, r24), 21),
                *enumerate((r26, r27, r28, r29, r30, r31), 26),
                *times.RULES,
                *law.RULES,
                *markings.RULES,
                *numbers.RULES,
                *references.RULES,
                *text.RULES,
                *values.RULES,
                *handling.RULES,
                *ties.RULES,
                *enforcement.RULES,
                *media.RULES,
                *regimes.RULES,
                *states.RULES,
                *claims.RULES,
                *places.RULES,
                *spans.RULES,
                *acts.RULES,
            ),
            key=operator.itemgetter(0),
        )
    }
)
"""Every rule that can be checked on one bulletin alone: number -> function."""


_UNKNOWN = glance.set_of(int(name[1:]) for name in RULES) & ~glance.KNOWN
_MOST_KNOWN = 1024


@functools.lru_cache(_MOST_KNOWN)
def _rules_of(asked: int) -> tuple[tuple[str, Callable[[Bulletin], Broken]], ...]:
    """(name, function) of each rule of a set, in order of number."""
    return tuple((name, rule) for name, rule in RULES.items() if asked >> int(name[1:]) & 1)


def violations(bulletin: Bulletin, subject: str | None = None) -> tuple[Violation, ...]:
    """Every violation of a rule by the bulletin, in order of rule number.

    Args:
        bulletin: a bulletin of valid types.
        subject: its subject (`subject_for`), if known.
    """
    asked = glance.asked(bulletin, subject) | _UNKNOWN
    if not asked:
        return ()
    return tuple(
        Violation(name, path, text) for name, rule in _rules_of(asked) for path, text in rule(bulletin)
    )


def holds(bulletin: Bulletin, subject: str) -> bool:
    """Whether `check` accepts a bulletin.

    Args:
        bulletin: a bulletin of valid types.
        subject: its own (`subject_for`).
    """
    return (bulletin.seq == 1) == (bulletin.prev is None) and not violations(bulletin, subject)


def check(bulletin: Bulletin, subject: str | None = None) -> None:
    """Refuse a bulletin that breaks a rule.

    Args:
        bulletin: a bulletin of valid types.
        subject: its subject (`subject_for`), if known.

    Raises:
        SchemaError: `schema`, if `prev` is null at another number than 1, or missing at number 2 or above.
        RuleError: `rule:R<n>` of the first broken rule; it holds all violations.
    """
    if (bulletin.seq == 1) != (bulletin.prev is None):
        raise SchemaError("prev is null exactly at seq 1", path="$.prev")
    if broken := violations(bulletin, subject):
        raise RuleError(broken)


SECTION_RULES = tuple(f"R{n}" for n in (*range(6, 16), 24))
"""The rules about content and marking, which a section can break while its bulletin keeps them."""


def with_section(bulletin: Bulletin, section: SectionDraft) -> Bulletin:
    """A bulletin as a reader of a section sees it: lists are joined, the section's first; other fields are the section's."""
    changes: dict[str, object] = {"audience": section.audience, "tlp": section.tlp or bulletin.tlp}
    for name in CONTENT_FIELDS:
        mine, its = getattr(section, name), getattr(bulletin, name)
        changes[name] = (*mine, *its) if isinstance(its, tuple) and name != "info" else mine or its
    return msgspec.structs.replace(bulletin, **changes)


def check_section(bulletin: Bulletin, section: SectionDraft, index: int) -> None:
    """Refuse a section that contradicts itself or its bulletin.

    Raises:
        SchemaError: `section-tlp`: its marking is wider than the bulletin's.
        RuleError: `rule:R<n>` of the first of `SECTION_RULES` that the two break together.
    """
    where = f"$.sections[{index}]"
    if section.tlp is not None and TLP_RANK[section.tlp] < TLP_RANK[bulletin.tlp]:
        raise SchemaError(
            f"a section is at least as narrow as its bulletin, which is TLP:{bulletin.tlp.upper()}",
            reason="section-tlp",
            path=f"{where}.tlp",
        )
    both = with_section(bulletin, section)
    broken = tuple(
        Violation(name, where + path.removeprefix("$"), text)
        for name in SECTION_RULES
        for path, text in RULES[name](both)
    )
    if broken:
        raise RuleError(broken)


def _below_strict(b: Bulletin) -> bool:
    return TLP_RANK[b.tlp] < TLP_RANK[Tlp.AMBER_STRICT]
