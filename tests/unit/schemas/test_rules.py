"""The cross-field rules: each is broken by exactly what it forbids."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from schemas import rules
from schemas.bodies.coordination import Feedback, StratCom
from schemas.bodies.cyber import CyberIncident
from schemas.bodies.data import DataBreach
from schemas.bodies.electoral import ElectionCalendar, PhaseWindow
from schemas.bodies.foreign import LegalReferral, Listed, ListedName, SanctionsListing
from schemas.bodies.system import ChannelStatus, Head
from schemas.bulletin import Bulletin
from schemas.errors import RuleError, SchemaError
from schemas.parts import (
    Action,
    Actor,
    Area,
    Attribution,
    Confidence,
    Deadline,
    ElectionRef,
    Info,
    Observable,
    PersonalData,
    Ref,
    Rights,
)
from schemas.vocab import (
    AttributionLevel,
    BreachNature,
    BreachRisk,
    ChannelState,
    ElectionType,
    FeedbackKind,
    LegalStage,
    MsgType,
    Nis2Stage,
    NotifyState,
    Pap,
    PersonalFlag,
    Phase,
    Posture,
    RefRel,
    SanctionEvent,
    Status,
    Tlp,
)
from tests.support.world import NOW, bulletin, draft, shared_world
from tests.vectors.rule_cases import cases

ID = "0196fe2f-9be0-7000-8000-000000000001"
STRICT = {"tlp": Tlp.AMBER_STRICT, "audience": "eu-csirts"}


def made(body: Any = None, **changes: Any) -> Bulletin:
    """A bulletin with fields replaced."""
    say = draft() if body is None else draft(body=body)
    return bulletin(shared_world(), say=say, **changes)


def observed(flag: PersonalFlag, **fields: Any) -> tuple[Observable, ...]:
    """One observable."""
    return (Observable(type="user-account", personal=flag, **({"value": "x"} | fields)),)


def personal(flag: PersonalFlag) -> PersonalData:
    """Why it may travel."""
    return PersonalData(
        flag=flag,
        lawful_basis="celex:32016R0679#6.1.e",
        purpose="p",
        retention_until=NOW.date() + dt.timedelta(days=400),
    )


def breach(**changes: Any) -> DataBreach:
    """A breach."""
    fields: dict[str, Any] = {
        "nature": (BreachNature.CONFIDENTIALITY,),
        "aware": NOW,
        "controller_kind": "emb",
        "data_categories": ("contact",),
        "subject_categories": ("voters",),
        "risk": BreachRisk.RISK,
    }
    return DataBreach(**fields | changes)


CLOCK = (Deadline(clock="gdpr-33", started=NOW, due=NOW + dt.timedelta(hours=72)),)
REFERRAL = LegalReferral(stage=LegalStage.REFERRAL, offences=("fraud",), competent="xa-court")
LISTING = SanctionsListing(
    event=SanctionEvent.LISTED,
    programme="RUSDA",
    authority="eu-council",
    regulation="celex:32024R2642",
    published=NOW.date(),
    in_force=NOW.date(),
    measures=("asset-freeze",),
    listed=(Listed(subject="enterprise", names=(ListedName(whole="Example Works"),)),),
)
INCIDENT = CyberIncident(
    stage=Nis2Stage.FINAL_REPORT, classification="availability:ddos", detected=NOW, significant=True
)
STRATCOM = StratCom(mode="debunk", lines=("The date is unchanged.",))
VICTIM = Actor(name="A Person", kind="individual")
STATE = Actor(name="Example Service", kind="state", country="XZ")
ANSWER = Feedback(verdict=FeedbackKind.ACK)


def calendar(hours: int = 14, tz: str = "Europe/Vienna") -> ElectionCalendar:
    """A polling day of so many hours."""
    end = NOW + dt.timedelta(hours=hours)
    return ElectionCalendar(windows=(PhaseWindow(phase=Phase.POLLING, start=NOW, end=end),), tz=tz)


BEAT = ChannelStatus(
    state=ChannelState.UP,
    posture=Posture.BASELINE,
    interval_s=60,
    last_seq=0,
    duty="full",
    heads=(Head(channel="actual.green.eu-csirts", seq=1),),
)

BROKEN: dict[str, tuple[str, Bulletin]] = {
    "a head elsewhere": ("R31", made(BEAT, status=Status.SYSTEM)),
    "an update of nothing": ("R1", made(msg_type=MsgType.UPDATE)),
    "a cancel that only supersedes": (
        "R1",
        made(msg_type=MsgType.CANCEL, references=(Ref(id=ID, rel=RefRel.SUPERSEDES),)),
    ),
    "an ack that is no feedback": ("R2", made(msg_type=MsgType.ACK)),
    "feedback ack as an alert": ("R2", made(ANSWER, references=(Ref(id=ID, rel=RefRel.ACKNOWLEDGES),))),
    "feedback to nothing": ("R3", made(ANSWER, msg_type=MsgType.ACK)),
    "an exercise without a name": ("R4", made(status=Status.EXERCISE)),
    "ends before it begins": ("R5", made(expires=NOW)),
    "ten years": ("R5", made(expires=NOW + dt.timedelta(days=3650))),
    "personal without why": ("R6", made(observables=observed(PersonalFlag.PERSONAL))),
    "weaker than its observable": (
        "R6",
        made(observables=observed(PersonalFlag.PERSONAL), personal_data=personal(PersonalFlag.PSEUDONYMOUS)),
    ),
    "personal at clear": (
        "R7",
        made(
            observables=observed(PersonalFlag.PERSONAL),
            personal_data=personal(PersonalFlag.PERSONAL),
            tlp=Tlp.CLEAR,
            audience="public",
        ),
    ),
    "special category at green": (
        "R8",
        made(
            observables=observed(PersonalFlag.SPECIAL_CATEGORY, value=None, value_hmac="0" * 64, key_id="k"),
            personal_data=personal(PersonalFlag.SPECIAL_CATEGORY),
        ),
    ),
    "value and hash": ("R9", made(observables=observed(PersonalFlag.NONE, value_hmac="0" * 64, key_id="k"))),
    "neither value nor hash": ("R9", made(observables=observed(PersonalFlag.NONE, value=None))),
    "hash without its key": (
        "R9",
        made(observables=observed(PersonalFlag.NONE, value=None, value_hmac="0" * 64)),
    ),
    "red that anybody may act on": ("R10", made(tlp=Tlp.RED, audience="xb-csirt", pap=Pap.CLEAR)),
    "a takedown without rights": (
        "R11",
        made(
            actions=(
                Action(
                    kind="request-takedown-order", to=("dsc",), text="t", legal_basis=("celex:32022R2065#9",)
                ),
            )
        ),
    ),
    "a takedown without legal basis": (
        "R11",
        made(
            actions=(Action(kind="request-takedown-order", to=("dsc",), text="t"),),
            rights=Rights(legality=True, necessity=True, proportionality=True),
        ),
    ),
    "confirmed by nobody": ("R12", made(attribution=Attribution(level=AttributionLevel.CONFIRMED))),
    "public since never": (
        "R12",
        made(attribution=Attribution(level=AttributionLevel.PUBLIC, by=("xa-csirt",))),
    ),
    "a state suspected at clear": (
        "R13",
        made(
            attribution=Attribution(level=AttributionLevel.SUSPECTED, actors=(STATE,)),
            tlp=Tlp.CLEAR,
            audience="public",
        ),
    ),
    "a private person at green": (
        "R14",
        made(attribution=Attribution(level=AttributionLevel.SUSPECTED, actors=(VICTIM,))),
    ),
    "one language twice": ("R15", made(info=(Info(lang="en", headline="a", summary="b"),) * 2)),
    "stratcom for everybody without a public line": ("R16", made(STRATCOM, tlp=Tlp.CLEAR, audience="public")),
    "stratcom that breaks silence": (
        "R17",
        made(
            STRATCOM,
            info=(Info(lang="en", headline="a", summary="b", public_line="c"),),
            election=ElectionRef(id="xa-parl-2027", type=ElectionType.PARLIAMENTARY, phase=Phase.SILENCE),
        ),
    ),
    "a final report without impact": ("R18", made(INCIDENT)),
    "a breach without its clock": ("R18", made(breach())),
    "high risk and nobody told": (
        "R18",
        made(breach(risk=BreachRisk.HIGH_RISK, art34=NotifyState.NOT_REQUIRED), deadlines=CLOCK),
    ),
    "judicial secrets at green": ("R19", made(REFERRAL)),
    "a listing that is not public": ("R20", made(LISTING)),
    "an issuer of another country": (
        "R21",
        msgspec.structs.replace(
            made(), issuer=msgspec.structs.replace(shared_world().registry.issuer("xa-csirt"), country="XB")
        ),
    ),
    "clear to the community": ("R24", made(tlp=Tlp.CLEAR)),
    "green to the public": ("R24", made(audience="public")),
    "red to the community": ("R24", made(tlp=Tlp.RED)),
    "confidence that says nothing": ("R26", made(confidence=Confidence(basis="none"))),
    "polls that never open": ("R27", made(calendar(hours=0))),
    "polls that close first": ("R27", made(calendar(hours=-1))),
    "a zone that is none": ("R28", made(calendar(tz="Europe/Atlantis"))),
    "a zone in small letters": ("R28", made(calendar(tz="europe/vienna"))),
    "a place in no country": ("R29", made(areas=(Area(scope="country", name="XB"),))),
    "a place in no country, beside one": (
        "R29",
        made(areas=(Area(scope="country", country="XA"), Area(scope="municipality", code="XB-001"))),
    ),
    "one country called the Union": ("R29", made(areas=(Area(scope="eu", country="XB"),))),
    "personal data that goes before it expires": (
        "R30",
        made(
            personal_data=msgspec.structs.replace(
                personal(PersonalFlag.PERSONAL), retention_until=NOW.date() + dt.timedelta(days=29)
            )
        ),
    ),
}

FINE: dict[str, Bulletin] = {
    "the Union": made(areas=(Area(scope="eu"), Area(scope="eu", country="EU"), Area(scope="online"))),
    "personal data that goes as it expires": made(
        personal_data=msgspec.structs.replace(
            personal(PersonalFlag.PERSONAL), retention_until=NOW.date() + dt.timedelta(days=30)
        )
    ),
    "plain": made(),
    "a calendar": made(calendar()),
    "a calendar at a fixed offset": made(calendar(tz="Etc/GMT+3")),
    "an update": made(msg_type=MsgType.UPDATE, references=(Ref(id=ID, rel=RefRel.SUPERSEDES),)),
    "an ack": made(ANSWER, msg_type=MsgType.ACK, references=(Ref(id=ID, rel=RefRel.ACKNOWLEDGES),)),
    "an exercise": made(status=Status.EXERCISE, exercise_id="ce-2027"),
    "a breach": made(breach(), deadlines=CLOCK),
    "a listing": made(LISTING, tlp=Tlp.CLEAR, audience="public"),
    "judicial secrets, strictly": made(REFERRAL, **STRICT),
    "a private person, strictly": made(
        attribution=Attribution(level=AttributionLevel.SUSPECTED, actors=(VICTIM,)), **STRICT
    ),
    "red to one": made(tlp=Tlp.RED, audience="xb-csirt"),
    "stratcom": made(STRATCOM, info=(Info(lang="en", headline="a", summary="b", public_line="c"),)),
}


@pytest.mark.parametrize(("rule", "b"), BROKEN.values(), ids=BROKEN)
def test_each_rule_is_broken_by_what_it_forbids_and_no_other(rule: str, b: Bulletin) -> None:
    """Exactly the one rule is named."""
    assert {violation.rule for violation in rules.violations(b)} == {rule}
    with pytest.raises(RuleError) as refused:
        rules.check(b)
    assert refused.value.reason == f"rule:{rule}"


@pytest.mark.parametrize("b", FINE.values(), ids=FINE)
def test_what_keeps_the_rules_passes(b: Bulletin) -> None:
    """No rule complains."""
    rules.check(b)


def test_every_rule_has_a_case() -> None:
    """R22 and R23 hold by construction of the subject; every other rule is broken above, or by a vector."""
    shown = {rule for rule, _ in BROKEN.values()} | {rule for _, rule, _, broken in cases() if broken}
    assert set(rules.RULES) - shown == {"R22", "R23"}


def test_prev_is_null_exactly_at_number_one() -> None:
    """A first bulletin with a predecessor, or a later one without, is refused."""
    for b in (made(prev="A" * 43), made(seq=2)):
        with pytest.raises(SchemaError, match="prev"):
            rules.check(b)


def test_an_answer_is_as_narrow_as_what_it_answers() -> None:
    """R25: neither wider in marking nor to somebody else."""
    referred = made(**STRICT)
    assert len(list(rules.r25(made(), referred))) == 2
    assert not list(rules.r25(made(**STRICT), referred))
