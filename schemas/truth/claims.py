"""Claims, decisions and changed plans: who claims it, what is decided, why it is not held as planned, what may be done about it."""

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
    """What is claimed is claimed by somebody (decision of tocsin: a claim of responsibility is no assessment of the issuer)."""
    if (
        b.attribution is not None
        and b.attribution.level is AttributionLevel.CLAIMED
        and not b.attribution.actors
    ):
        yield (
            "$.attribution.actors",
            "level claimed says that somebody claims it; name who, or take unattributed",
        )


def r86(b: Bulletin) -> Broken:
    """A time until which voting goes on belongs to voting that goes on longer, or later."""
    if isinstance(b.body, ElectionIncident) and b.body.until and b.body.process_effect not in _LATER:
        yield (
            "$.body.until",
            f"voting goes on until then, and process_effect is {b.body.process_effect}; set it to prolonged, or drop the time",
        )


def r87(b: Bulletin) -> Broken:
    """A vote that is not held as planned is not for a reason."""
    if isinstance(b.body, ElectionCalendar) and b.body.state != "scheduled" and b.body.cause is None:
        yield "$.body.cause", f"the vote is {b.body.state}; say why, and by which decision"
    elif isinstance(b.body, ElectionCalendar) and b.body.cause is not None and is_of_nothing(b.body.cause):
        yield "$.body.cause", f"{b.body.cause[:40]!r} is no cause; say why, and by which decision"


def r88(b: Bulletin) -> Broken:
    """Final, or open to appeal, is a decision of a court, and a matter under appeal is not final (Charter, Article 48)."""
    if not isinstance(b.body, LegalReferral) or b.body.final is None:
        return
    if b.body.stage not in _DECIDED:
        yield "$.body.final", f"stage {b.body.stage} has no decision yet that could be final; leave it out"
    elif b.body.final and b.body.stage is LegalStage.APPEAL:
        yield "$.body.final", "a matter under appeal is not final; set it to false"


_ACTS = TOUCHES | NOTICED | {"call-back"}
_UNVOTED = frozenset(
    {Phase.ANNOUNCED, Phase.REGISTRATION, Phase.CAMPAIGN, Phase.SILENCE, Phase.ADVANCE_VOTING, Phase.POLLING}
)
_OF_RESULTS = frozenset({"final", "follow-up"})


def r92(b: Bulletin) -> Broken:
    """Who asks others only to look does not ask them to act (MISP taxonomy PAP, version 3: passive actions)."""
    if not isinstance(b.body, Rfi) or not b.body.passive_only:
        return
    for n, action in enumerate(b.actions):
        if action.kind in _ACTS:
            yield (
                f"$.actions[{n}].kind",
                f"the question asks only to look (passive_only), and {action.kind} acts; drop one of the two",
            )


def r93(b: Bulletin) -> Broken:
    """What an election taught is told after it (Venice Commission, Code of Good Practice in Electoral Matters, II.3)."""
    body, election = b.body, b.election
    if not isinstance(body, PostElectionReport) or election is None or b.msg_type is MsgType.CANCEL:
        return
    if body.edition in _OF_RESULTS and election.phase in _UNVOTED:
        yield (
            "$.election.phase",
            f"a {body.edition} report, and the election is in phase {election.phase}; mend one of the two",
        )
    elif election.polling_first is not None and (election.polling_first - b.issued.date()).days > 1:
        yield (
            "$.election.polling_first",
            f"the vote of {election.polling_first} is still to come; mend the date, or wait",
        )


RULES = ((85, r85), (86, r86), (87, r87), (88, r88), (92, r92), (93, r93))
