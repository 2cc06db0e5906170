"""Claims, decisions and changed plans: who claims responsibility, what is decided, why a vote is changed, what may be done."""

from __future__ import annotations

from schemas.bodies.coordination import PostElectionReport, Rfi
from schemas.bodies.electoral import ElectionCalendar, ElectionIncident
from schemas.bodies.foreign import LegalReferral
from schemas.bulletin import Bulletin
from schemas.errors import Broken
from schemas.truth.handling import NOTICED, TOUCHES
from schemas.truth.reasons import is_of_nothing
from schemas.vocab import AttributionLevel, LegalStage, MsgType, Phase

_LATER = frozenset({"prolonged", "delay", "suspension", "repeat-vote", "unknown"})
_DECIDED = frozenset({LegalStage.CONVICTION, LegalStage.ACQUITTAL, LegalStage.APPEAL, LegalStage.CLOSED})


def r85(b: Bulletin) -> Broken:
    """A claim of responsibility names who claims it (decision of tocsin: such a claim is not an assessment by the issuer)."""
    if (
        b.attribution is not None
        and b.attribution.level is AttributionLevel.CLAIMED
        and not b.attribution.actors
    ):
        yield (
            "$.attribution.actors",
            "level claimed needs the name of who claims it; add it, or write unattributed",
        )


def r86(b: Bulletin) -> Broken:
    """An end of voting (`until`) is given only for prolonged or delayed voting."""
    if isinstance(b.body, ElectionIncident) and b.body.until and b.body.process_effect not in _LATER:
        yield (
            "$.body.until",
            f"a new end of voting is given, but process_effect is {b.body.process_effect}; set it to prolonged, or drop the time",
        )


def r87(b: Bulletin) -> Broken:
    """A vote that is not held as planned has a reason."""
    if isinstance(b.body, ElectionCalendar) and b.body.state != "scheduled" and b.body.cause is None:
        yield "$.body.cause", f"the vote is {b.body.state}; say why, and by which decision"
    elif isinstance(b.body, ElectionCalendar) and b.body.cause is not None and is_of_nothing(b.body.cause):
        yield "$.body.cause", f"{b.body.cause[:40]!r} is not a cause; say why, and by which decision"


def r88(b: Bulletin) -> Broken:
    """Only a decision of a court is final or open to appeal, and a matter under appeal is not final (Charter, Article 48)."""
    if not isinstance(b.body, LegalReferral) or b.body.final is None:
        return
    if b.body.stage not in _DECIDED:
        yield "$.body.final", f"stage {b.body.stage} has no decision that can be final; leave it out"
    elif b.body.final and b.body.stage is LegalStage.APPEAL:
        yield "$.body.final", "a matter under appeal is not final; set it to false"


_ACTS = TOUCHES | NOTICED | {"call-back"}
_UNVOTED = frozenset(
    {Phase.ANNOUNCED, Phase.REGISTRATION, Phase.CAMPAIGN, Phase.SILENCE, Phase.ADVANCE_VOTING, Phase.POLLING}
)
_OF_RESULTS = frozenset({"final", "follow-up"})


def r92(b: Bulletin) -> Broken:
    """A question with passive_only asks for no other action (MISP taxonomy PAP, version 3: passive actions)."""
    if not isinstance(b.body, Rfi) or not b.body.passive_only:
        return
    for n, action in enumerate(b.actions):
        if action.kind in _ACTS:
            yield (
                f"$.actions[{n}].kind",
                f"the question asks only to look (passive_only), but {action.kind} is active; drop one of the two",
            )


def r93(b: Bulletin) -> Broken:
    """A report after an election is issued after it (Venice Commission, Code of Good Practice in Electoral Matters, II.3)."""
    body, election = b.body, b.election
    if not isinstance(body, PostElectionReport) or election is None or b.msg_type is MsgType.CANCEL:
        return
    if body.edition in _OF_RESULTS and election.phase in _UNVOTED:
        yield (
            "$.election.phase",
            f"a {body.edition} report, but the election is in phase {election.phase}; correct one of the two",
        )
    elif election.polling_first is not None and (election.polling_first - b.issued.date()).days > 1:
        yield (
            "$.election.polling_first",
            f"the vote of {election.polling_first} is still to come; correct the date, or wait",
        )


RULES = ((85, r85), (86, r86), (87, r87), (88, r88), (92, r92), (93, r93))
