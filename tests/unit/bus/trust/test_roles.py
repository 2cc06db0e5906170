"""The kinds that an authority publishes by its role, and its words about others: part of the grant step."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from bus.errors import PermitError
from bus.trust import roles
from bus.trust.grants import Speaker
from schemas.bodies import KINDS
from schemas.bodies.coordination import DimCount, Feedback, PostElectionReport, Rfi
from schemas.bodies.cyber import CyberThreat
from schemas.bodies.data import DataBreach
from schemas.bodies.digital import ContentItem, ContentNotice, ContentOrder
from schemas.bodies.electoral import ElectionCalendar, PhaseWindow
from schemas.bodies.foreign import LegalReferral
from schemas.bulletin import Bulletin
from schemas.parts import Action, Authority, Deadline, ElectionRef, Ref
from schemas.registry import Clock, PublishGrant
from schemas.subject import channel_of
from schemas.vocab import (
    BreachNature,
    BreachRisk,
    Dimension,
    Domain,
    ElectionType,
    FeedbackKind,
    LegalStage,
    Phase,
    RefRel,
    Status,
    Tlp,
)
from tests.support.world import NOW, bulletin, draft, shared_world

WORLD = shared_world()
DOCUMENT = WORLD.registry.document
DAY = dt.timedelta(days=1)
CALENDAR = ElectionCalendar(
    windows=(PhaseWindow(phase=Phase.POLLING, start=NOW + DAY, end=NOW + 2 * DAY),), tz="Europe/Vienna"
)
REPORT = PostElectionReport(
    edition="interim",
    period_start=NOW.date() - DAY,
    period_end=NOW.date(),
    dimensions=(DimCount(dimension=Dimension.PHYSICAL, incidents=0),),
    decisive_impact="unassessed",
)


def election(name: str) -> ElectionRef:
    """A parliamentary election."""
    return ElectionRef(id=name, type=ElectionType.PARLIAMENTARY, phase=Phase.CAMPAIGN)


def breach(lead: str) -> DataBreach:
    """A breach across borders."""
    return DataBreach(
        nature=(BreachNature.CONFIDENTIALITY,),
        aware=NOW,
        controller_kind="party",
        data_categories=("contact",),
        subject_categories=("voters",),
        risk=BreachRisk.RISK,
        lead_authority=lead,
    )


ITEM = ContentItem(url="https://social.example/p/1", platform="social", content_types=("image",))


def order(by: str) -> ContentOrder:
    """An order on one item."""
    return ContentOrder(
        article=9,
        issuing_authority=by,
        provider="Example Platform",
        legal_basis=("national:XA:Electoral-Act#71",),
        reasons="A false polling day.",
        territorial_scope=("XA",),
        redress="Administrative court, within one month.",
        items=(ITEM,),
    )


def notice(by: str) -> ContentNotice:
    """A notice of a trusted flagger."""
    return ContentNotice(
        channel="art22-trusted-flagger",
        items=(ITEM,),
        category="scams-and-fraud",
        explanation="It asks for a fee to vote.",
        bona_fide=True,
        notifier=by,
    )


REFERRAL = LegalReferral(stage=LegalStage.REFERRAL, offences=("fraud",), competent="xb-csirt")


def said(by: str = "xa-csirt", body: Any = None, **changes: Any) -> Bulletin:
    """A bulletin of GREEN to the community."""
    say = draft() if body is None else draft(body=body)
    return bulletin(WORLD, by, say=say, **changes)


def speaker(b: Bulletin, *kinds: str, **changes: Any) -> Speaker:
    """Its issuer with one grant for these kinds."""
    grant = PublishGrant(
        statuses=(Status.ACTUAL,),
        tlps=(Tlp.GREEN,),
        audiences=("community",),
        kinds=kinds or ("*",),
        areas=("*",),
    )
    known = msgspec.structs.replace(DOCUMENT, **changes)
    return Speaker(authority=b.issuer, require=("Ed25519",), grants=(grant,), known=known)


def permit(b: Bulletin, *kinds: str, **changes: Any) -> None:
    """Ask the grant step."""
    speaker(b, *kinds, **changes).permit(b, channel_of(b))


def test_every_kind_of_a_role_exists() -> None:
    """A misspelt kind would restrict nobody."""
    assert set(roles.BY_KIND) <= set(KINDS)


def test_a_star_covers_what_the_kind_of_authority_says() -> None:
    """An electoral body says dates; a CSIRT does not, unless a grant names the kind."""
    permit(said("xa-emb", CALENDAR))
    with pytest.raises(PermitError, match="dates of an election are set by the electoral authority"):
        permit(said("xa-csirt", CALENDAR))
    permit(said("xa-csirt", CALENDAR), "election-calendar")


def test_a_kind_that_is_not_granted_is_refused_whatever_the_role() -> None:
    """A grant that names other kinds covers these alone."""
    with pytest.raises(PermitError, match="has no grant for kind election-calendar"):
        permit(said("xa-csirt", CALENDAR), "cyber-threat")


FINE: dict[str, Bulletin] = {
    "dates at home": said("xa-emb", CALENDAR, election=election("xa-parl-2027")),
    "dates of the Union's election": said("xa-emb", CALENDAR, election=election("eu-parl-2027")),
    "dates of no election": said("xa-emb", CALENDAR),
    "a report at home": said("xa-emb", REPORT, election=election("xa-parl-2027")),
    "a report by an observer": msgspec.structs.replace(
        said("xa-emb", REPORT, election=election("xb-parl-2027")),
        issuer=Authority(id="int-osce", kind="observer", domain=Domain.ELECTORAL, country="INT"),
    ),
    "a co-issuer": said(co_issuers=(WORLD.registry.issuer("xb-csirt"),)),
    "a co-issuer whom another registry knows": said(
        co_issuers=(Authority(id="xc-csirt", kind="csirt", domain=Domain.CYBER, country="XC"),)
    ),
    "to kinds, authorities and audiences": said(
        actions=(Action(kind="monitor", to=("csirt", "xb-csirt", "eu-csirts", "telecom"), text="Look."),)
    ),
    "a clock in time": said(deadlines=(Deadline(clock="gdpr-33", started=NOW, due=NOW + 3 * DAY),)),
    "a clock that nobody knows": said(deadlines=(Deadline(clock="national-30", started=NOW, due=NOW + DAY),)),
    "a breach led by another": said("xa-dpa", breach("xb-dpa")),
    "an order of a court": said("xa-dsc", order("xa-court")),
    "a notice of a flagger whom nobody knows": said("xa-dsc", notice("xa-flagger")),
    "a month": said(deadlines=(Deadline(clock="nis2-final", started=NOW, due=NOW + 31 * DAY),)),
}
FALSE: dict[str, tuple[str, Bulletin]] = {
    "dates abroad": ("an election of XB", said("xa-emb", CALENDAR, election=election("xb-parl-2027"))),
    "a report abroad": ("an election of XB", said("xa-emb", REPORT, election=election("xb-parl-2027"))),
    "a co-issuer of another kind": (
        "csirt of XB",
        said(co_issuers=(msgspec.structs.replace(WORLD.registry.issuer("xb-csirt"), kind="dpa"),)),
    ),
    "an action for nobody": (
        "xa-nobody is addressed",
        said(actions=(Action(kind="monitor", to=("xa-nobody",), text="Look."),)),
    ),
    "a question to nobody": (
        "xa-nobody is addressed",
        said(body=Rfi(question="Where?", respond_by=NOW + DAY, to=("xa-nobody",))),
    ),
    "a handover to nobody": (
        "xa-nobody is addressed",
        said(
            body=Feedback(verdict=FeedbackKind.HANDOVER, handover_to="xa-nobody"),
            references=(Ref(id="0196fe2f-9be0-7000-8000-000000000001", rel=RefRel.ANSWERS),),
        ),
    ),
    "a breach led by a CSIRT": ("none of that kind leads", said("xa-dpa", breach("xb-csirt"))),
    "an order of a CSIRT": ("none of that kind orders", said("xa-dsc", order("xa-csirt"))),
    "a case before a CSIRT": ("none of that kind is competent", said("xa-csirt", REFERRAL)),
    "a trusted flagger that is a CSIRT": ("none of that kind flags", said("xa-dsc", notice("xa-csirt"))),
    "a clock too long": (
        "runs 24 hours",
        said(deadlines=(Deadline(clock="nis2-early-warning", started=NOW, due=NOW + 3 * DAY),)),
    ),
    "a month too long": (
        "runs 30 days",
        said(deadlines=(Deadline(clock="nis2-final", started=NOW, due=NOW + 40 * DAY),)),
    ),
}


@pytest.mark.parametrize("b", FINE.values(), ids=FINE)
def test_what_the_registry_knows_alike_passes(b: Bulletin) -> None:
    """Elections, co-issuers, addressees, clocks, powers."""
    permit(b)


@pytest.mark.parametrize(("words", "b"), FALSE.values(), ids=FALSE)
def test_what_the_registry_knows_otherwise_is_refused(words: str, b: Bulletin) -> None:
    """In a sentence, under the reason of the grant step."""
    with pytest.raises(PermitError, match=words) as refused:
        permit(b, "*", b.kind)
    assert refused.value.reason == "not-permitted"


def test_without_a_registry_nothing_is_asked_of_it() -> None:
    """A speaker made of a record alone knows nobody else."""
    b = said(actions=(Action(kind="monitor", to=("xa-nobody",), text="Look."),))
    msgspec.structs.replace(speaker(b), known=None).permit(b, channel_of(b))


def test_a_clock_may_run_for_ages() -> None:
    """The longest that a registry can say does not break the arithmetic."""
    b = said(deadlines=(Deadline(clock="slow", started=NOW, due=NOW + DAY),))
    with pytest.raises(PermitError, match="slow"):
        permit(b, clocks={"slow": Clock(trigger="aware", due_s=2**53 - 1, ref="celex:32016R0679#33")})


NOTIFIED = {
    "nis2": Clock(trigger="aware", due_s=72 * 3600, ref="celex:32022L2555#23.4.b"),
    "nis2-trust": Clock(trigger="aware", due_s=24 * 3600, ref="celex:32022L2555#23.4"),
    "nis": Clock(trigger="aware", due_s=3600, ref="celex:32022L2555#23.4"),
}


@pytest.mark.parametrize("days", [1, 3])
def test_a_clock_may_run_as_one_named_after_it(days: int) -> None:
    """Trust services have a day where others have three (Directive (EU) 2022/2555, Article 23(4))."""
    permit(said(deadlines=(Deadline(clock="nis2", started=NOW, due=NOW + days * DAY),)), clocks=NOTIFIED)


def test_a_clock_does_not_run_as_one_that_it_is_not_named_after() -> None:
    """The special is no rule for the general."""
    b = said(deadlines=(Deadline(clock="nis2-trust", started=NOW, due=NOW + 3 * DAY),))
    with pytest.raises(PermitError, match="runs 24 hours"):
        permit(b, clocks=NOTIFIED)


def test_the_usual_is_at_a_glance() -> None:
    """A threat says nothing of others."""
    permit(said(body=CyberThreat(title="A flood")))


@pytest.mark.parametrize("kind", ["emb", "csirt", "dpa", "hub"])
def test_what_an_authority_says_is_what_a_grant_of_everything_covers(kind: str) -> None:
    """Named kind by kind; but for what programs say to each other, which is granted by name."""
    programs = {"channel-status", "receipt", "request", "copy"}
    assert set(roles.said_by(kind)) == {each for each in KINDS if roles.says(kind, each)} - programs
