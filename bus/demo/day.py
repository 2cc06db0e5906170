"""The bulletins that people at the demonstration's offices write: an opening, then a day without repeats. Pure.

Each country has its own order of steps. No step repeats another: a continuation is an update of an earlier bulletin.
All of it is fictitious.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import NamedTuple

from bus.demo.countries import Member, nation
from schemas.bodies import Body
from schemas.bodies.coordination import DimCount, SituationReport, StratCom
from schemas.bodies.cyber import CyberIncident
from schemas.bodies.data import DataBreach
from schemas.bodies.digital import ContentItem, ContentNotice
from schemas.bodies.electoral import ElectionIncident
from schemas.bodies.foreign import Fimi, LegalReferral, Narrative
from schemas.bulletin import Draft
from schemas.parts import Confidence, Deadline, Info, Ref
from schemas.vocab import (
    BreachNature,
    BreachRisk,
    Certainty,
    Dimension,
    LegalStage,
    MsgType,
    Nis2Stage,
    NotifyState,
    Pap,
    Phase,
    Posture,
    RefRel,
    Severity,
    Tlp,
    Urgency,
)

COMMUNITY, PEERS, NATION = "community", "peers", "nation"
HOUR = dt.timedelta(hours=1)


class Step(NamedTuple):
    """One bulletin of the day.

    Attributes:
        office: name of the office that publishes it.
        to: its audience: the community, the peers of that office, or the election network of its country.
        headline: one line; `{CC}` is the country.
        summary: a few sentences.
        body: makes the body for a country and a time.
        severity: its severity.
        urgency: its urgency.
        public_line: a line cleared for the public.
        updates: the name of the step that this one updates.
    """

    office: str
    to: str
    headline: str
    summary: str
    body: Callable[[str, dt.datetime], Body]
    severity: Severity = Severity.MODERATE
    urgency: Urgency = Urgency.EXPECTED
    public_line: str | None = None
    updates: str | None = None


def draft_of(step: Step, member: Member, now: dt.datetime, original: str | None = None) -> Draft:
    """The draft of a step for one office.

    Args:
        step: the step.
        member: the issuer.
        now: the present, aware.
        original: the id of the bulletin that it updates.
    """
    country = member.country
    peers = member.office.network if member.office else "community"
    tlp, audience = {
        COMMUNITY: (Tlp.GREEN, "community"),
        PEERS: (Tlp.AMBER_STRICT, peers),
        NATION: (Tlp.AMBER_STRICT, nation(country)),
    }[step.to]
    clock = (Deadline(clock="gdpr-33", started=now - 6 * HOUR, due=now + 66 * HOUR),)
    body = step.body(country, now)
    return Draft(
        info=(
            Info(
                lang="en",
                headline=step.headline.format(CC=country),
                summary=step.summary.format(CC=country),
                public_line=step.public_line and step.public_line.format(cc=country.lower()),
            ),
        ),
        body=body,
        msg_type=MsgType.ALERT if original is None else MsgType.UPDATE,
        references=() if original is None else (Ref(id=original, rel=RefRel.SUPERSEDES),),
        tlp=tlp,
        pap=Pap.GREEN if tlp is Tlp.GREEN else Pap.AMBER,
        audience=audience,
        urgency=step.urgency,
        severity=step.severity,
        certainty=Certainty.LIKELY,
        confidence=Confidence(credibility=2),
        deadlines=clock if isinstance(body, DataBreach) else (),
    )


# -- bodies ---------------------------------------------------------------------------------------------------------------


def _situation(incidents: int, posture: Posture) -> Callable[[str, dt.datetime], Body]:
    def body(_: str, now: dt.datetime) -> Body:
        dimensions = (
            DimCount(dimension=Dimension.ELECTORAL_PROCESS, incidents=incidents),
            DimCount(dimension=Dimension.DISINFORMATION, incidents=incidents),
        )
        end = now.replace(microsecond=0)
        return SituationReport(
            period_start=end - 12 * HOUR, period_end=end, posture=posture, dimensions=dimensions
        )

    return body


def _portal(stage: Nis2Stage, downtime_s: int | None) -> Callable[[str, dt.datetime], Body]:
    def body(country: str, now: dt.datetime) -> Body:
        return CyberIncident(
            stage=stage,
            classification="availability:ddos",
            detected=now.replace(microsecond=0) - HOUR,
            significant=True,
            suspected_malicious=True,
            assets=("results-portal",),
            impact="minor",
            downtime_s=downtime_s,
            countries=(country,),
        )

    return body


def _deepfake(outcome: str) -> Callable[[str, dt.datetime], Body]:
    def body(country: str, _: dt.datetime) -> Body:
        item = ContentItem(
            url=f"https://video.example/v/{country.lower()}-4711",
            platform="example-video",
            content_types=("audio",),
            synthetic="suspected",
        )
        return ContentNotice(
            channel="rapid-response-system",
            items=(item,),
            category="negative-effects-on-civic-discourse-or-elections",
            explanation="Two laboratories find a synthetic voice. The candidate has not withdrawn.",
            bona_fide=True,
            outcome=outcome,
        )

    return body


def _referral(stage: LegalStage) -> Callable[[str, dt.datetime], Body]:
    def body(country: str, _: dt.datetime) -> Body:
        return LegalReferral(
            stage=stage, offences=("forgery", "identity-misuse"), competent=f"{country.lower()}-justice"
        )

    return body


def _lines(mode: str, *lines: str) -> Callable[[str, dt.datetime], Body]:
    return lambda _country, _now: StratCom(mode=mode, lines=lines)


def _false_date(_country: str, _now: dt.datetime) -> Body:
    return ElectionIncident(
        category="false-voting-information",
        stage=Phase.CAMPAIGN,
        voters_affected=12_000,
        correct_information="Polling day is unchanged; polling places open at 07:30.",
    )


def _clones(_country: str, _now: dt.datetime) -> Body:
    return Fimi(
        scope="campaign",
        methods=("website-cloning", "media-impersonation"),
        channels=("example-social",),
        narratives=(Narrative(text="The vote will be annulled anyway.", lang="en", verdict="false"),),
    )


def _repeaters(_country: str, _now: dt.datetime) -> Body:
    return Fimi(
        scope="incident",
        methods=("false-voting-information", "bot-amplification"),
        channels=("example-social",),
        channel_count=40,
    )


def _canvassing(_country: str, now: dt.datetime) -> Body:
    return DataBreach(
        nature=(BreachNature.CONFIDENTIALITY,),
        aware=now - 6 * HOUR,
        controller_kind="party",
        data_categories=("address", "political-opinions"),
        subject_categories=("voters",),
        risk=BreachRisk.HIGH_RISK,
        subjects_approx=3_200,
        art34=NotifyState.REQUIRED,
    )


# -- what is said ---------------------------------------------------------------------------------------------------------

OPENING: Mapping[str, Step] = {
    "morning": Step(
        "emb",
        NATION,
        "Election network of {CC}: seven offices on duty, two matters open",
        "Look-alike newspaper sites and forged letters are being followed up. Nothing touches the vote itself.",
        _situation(1, Posture.HEIGHTENED),
    ),
    "clones": Step(
        "foreign",
        PEERS,
        "Copies of three newspapers of {CC} are advertised abroad",
        "The copies say that the vote will be annulled. Advertisements for them are paid from outside the Union.",
        _clones,
    ),
    "letters": Step(
        "justice",
        NATION,
        "Complaint about forged letters in the name of the Electoral Commission of {CC}",
        "Some hundred households had a letter that names a wrong polling place.",
        _referral(LegalStage.COMPLAINT),
    ),
    "prebunk": Step(
        "comms",
        COMMUNITY,
        "Lines for {CC}: how to recognise a genuine polling card",
        "For spokespeople, before forged cards are seen.",
        _lines("pre-bunk", "A genuine polling card names your polling place and asks for nothing."),
        severity=Severity.MINOR,
        public_line="A genuine polling card never asks for a password or money. Ask at elections.{cc}.example.",
    ),
}
"""The opening steps of each country, beside the samples of its adapters."""

DAY: Mapping[str, Step] = {
    "deepfake": Step(
        "dsc",
        NATION,
        "Deepfake: a candidate's voice says that she has withdrawn",
        "One recording, posted at night by new accounts and shared 40 000 times. The candidate has not withdrawn.",
        _deepfake("pending"),
        severity=Severity.SEVERE,
        urgency=Urgency.IMMEDIATE,
    ),
    "rebuttal": Step(
        "comms",
        COMMUNITY,
        "Lines for {CC}: no candidate has withdrawn",
        "For spokespeople who are asked about the recording.",
        _lines("debunk", "All candidates on the list stand for election.", "The recording is not genuine."),
        urgency=Urgency.IMMEDIATE,
        public_line="All candidates on the list stand for election. See elections.{cc}.example.",
    ),
    "portal": Step(
        "csirt",
        COMMUNITY,
        "Results portal of {CC} answers slowly under a flood of requests",
        "Since an hour one request in four fails. Counting does not depend on the portal.",
        _portal(Nis2Stage.EARLY_WARNING, None),
        severity=Severity.SEVERE,
        urgency=Urgency.IMMEDIATE,
    ),
    "labelled": Step(
        "dsc",
        NATION,
        "Deepfake of a candidate's voice: the platform has labelled it",
        "The recording carries a label since noon; copies are found by their sound.",
        _deepfake("labelled"),
        updates="deepfake",
    ),
    "false-date": Step(
        "emb",
        NATION,
        "Text messages give a false polling date in two regions of {CC}",
        "They name the day after polling day. About 12 000 voters had one.",
        _false_date,
        severity=Severity.SEVERE,
        urgency=Urgency.IMMEDIATE,
    ),
    "portal-back": Step(
        "csirt",
        COMMUNITY,
        "Results portal of {CC} answers again; counting was not affected",
        "A static copy serves results. The flood goes on and reaches nothing.",
        _portal(Nis2Stage.INCIDENT_NOTIFICATION, 1800),
        updates="portal",
    ),
    "repeaters": Step(
        "foreign",
        NATION,
        "Some 40 accounts abroad repeat the false polling date",
        "Made in the same week, they post within one minute of each other.",
        _repeaters,
    ),
    "canvassing": Step(
        "dpa",
        PEERS,
        "Address file of a canvassing app stood open for a night in {CC}",
        "About 3 200 voters with the answers that they gave at the door. Access is closed; logs are kept.",
        _canvassing,
        severity=Severity.SEVERE,
    ),
    "investigation": Step(
        "justice",
        NATION,
        "Investigation of the forged letters in the name of the Electoral Commission of {CC}",
        "Letters and envelopes are secured; more of them should be handed to the police unopened.",
        _referral(LegalStage.INVESTIGATION),
        updates="letters",
    ),
    "date-corrected": Step(
        "emb",
        NATION,
        "False polling date: the sender is blocked, voters have the right one",
        "Operators have blocked the sender. Each number that had the message got the true date.",
        _false_date,
        urgency=Urgency.PAST,
        updates="false-date",
    ),
    "holding": Step(
        "comms",
        NATION,
        "Holding line of {CC} for questions about the flood",
        "Until the CSIRT has its report.",
        _lines("holding-line", "The portal was slow. No vote and no count was touched."),
        severity=Severity.MINOR,
        public_line="The results portal was slow for a while. No vote and no count was touched.",
    ),
    "evening": Step(
        "emb",
        NATION,
        "Election network of {CC}: evening report, nothing open",
        "What was reported today is answered. The offices stay on duty.",
        _situation(3, Posture.HEIGHTENED),
        urgency=Urgency.PAST,
        updates="morning",
    ),
}
"""The later steps, one each minute."""

ORDER: Mapping[str, tuple[str, ...]] = {
    "XA": tuple(DAY),
    "XB": (
        "canvassing",
        "investigation",
        "repeaters",
        "portal",
        "holding",
        "portal-back",
        "rebuttal",
        "evening",
    ),
}
"""Country -> its steps, in order."""
