"""The story's scenes: when each begins, what happens, and which page shows it; and what its offices write. Pure.

All of it is fictitious.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from schemas.bodies import Body
from schemas.bodies.electoral import ElectionIncident
from schemas.bodies.foreign import Fimi, Narrative
from schemas.bulletin import Draft
from schemas.parts import Confidence, Info, Observable, Ref
from schemas.vocab import Certainty, MsgType, Pap, PersonalFlag, Phase, RefRel, Severity, Tlp, Urgency

LASTS_S = 600.0
CLONE, GENUINE = "morning-post-xb.example", "morning-post.example"
"""The cloned site of a newspaper, and the newspaper's own site."""


class Scene(NamedTuple):
    """One scene.

    Attributes:
        at: seconds after the beginning of the story.
        act: name of its method in `bus.demo.acts.Acts`.
        says: what happens, in one line.
        hub: whose console shows it.
        page: the path of the page; `{id}` is the bulletin of the scene.
    """

    at: float
    act: str
    says: str
    hub: str
    page: str

    @property
    def clock(self) -> str:
        """Its minute and second."""
        return f"{int(self.at) // 60}:{int(self.at) % 60:02}"


SCENES = (
    Scene(20, "false_date", "xa-region warns of posters with a false polling date", "xa-hub", "/b/{id}"),
    Scene(
        80,
        "corrected",
        "xa-region corrects its warning; the hubs show the newer version alone",
        "xb-hub",
        "/b/{id}",
    ),
    Scene(120, "seen_by_one", "xa-media sees a cloned newspaper site", "xa-hub", "/b/{id}"),
    Scene(140, "seen_by_two", "xb-media sees the same site", "xb-hub", "/b/{id}"),
    Scene(
        160,
        "seen_by_three",
        "xa-region sees it too, and the hub suggests one incident of three authorities",
        "xa-hub",
        "/i",
    ),
    Scene(
        220,
        "forged",
        "the operator of a second broker forges a bulletin of xb-region; both hubs refuse it",
        "xb-hub",
        "/quarantine",
    ),
    Scene(
        280,
        "withheld",
        "xb-region publishes at that broker; its operator withholds the bulletin from xb-hub",
        "xa-hub",
        "/b/{id}",
    ),
    Scene(
        310,
        "noticed",
        "xb-hub notices that a number is missing in the chain of xb-region",
        "xb-hub",
        "/channels?show=history",
    ),
    Scene(350, "handed_on", "xa-hub has sent xb-hub a copy of the withheld bulletin", "xb-hub", "/b/{id}"),
    Scene(
        400,
        "stolen",
        "a thief with the stolen key of xb-media publishes a lie; its signature is valid",
        "xa-hub",
        "/b/{id}",
    ),
    Scene(
        460,
        "ended",
        "xb-media revokes the stolen key with its reserve key; both hubs withdraw the lie",
        "xa-hub",
        "/quarantine",
    ),
    Scene(500, "continued", "xb-media continues its channel with the reserve key", "xb-hub", "/b/{id}"),
    Scene(530, "disputed", "xb-media disputes an address in the bulletin of xa-media", "xa-hub", "/b/{id}"),
    Scene(
        590,
        "settled",
        "xa-media updates its bulletin without that address, which settles the dispute",
        "xa-hub",
        "/b/{id}",
    ),
)
"""The scenes, in order."""


def false_date(where: str, original: str | None = None) -> Draft:
    """The warning of a false polling date, and its correction if `original` is the id of the warning."""
    return _draft(
        f"Posters name a false polling date in {where} of XA",
        "They name the day after polling day. Polling day is unchanged.",
        ElectionIncident(
            category="false-voting-information",
            stage=Phase.CAMPAIGN,
            correct_information="Polling day is unchanged; polling places open at 07:30.",
        ),
        original,
        urgency=Urgency.IMMEDIATE,
        severity=Severity.SEVERE,
    )


def clone(headline: str, *also: str, original: str | None = None) -> Draft:
    """A sighting of the cloned site; `also` are further addresses that the office takes for copies."""
    return _draft(
        headline,
        "The site looks like The Morning Post and says that the vote will be annulled.",
        Fimi(
            scope="incident",
            methods=("website-cloning", "media-impersonation"),
            narratives=(Narrative(text="The vote will be annulled anyway.", lang="en", verdict="false"),),
            impersonated=("The Morning Post",),
        ),
        original,
        observables=tuple(
            Observable(type="domain-name", personal=PersonalFlag.NONE, value=name, role="impersonating-site")
            for name in (CLONE, *also)
        ),
    )


def repeated(headline: str, summary: str) -> Draft:
    """A bulletin about accounts that repeat a falsehood."""
    methods = ("false-voting-information", "bot-amplification")
    return _draft(headline, summary, Fimi(scope="incident", methods=methods, channels=("example-social",)))


def _draft(headline: str, summary: str, body: Body, original: str | None = None, **more: object) -> Draft:
    draft = Draft(
        info=(Info(lang="en", headline=headline, summary=f"{summary} Fictitious."),),
        body=body,
        msg_type=MsgType.ALERT if original is None else MsgType.UPDATE,
        references=() if original is None else (Ref(id=original, rel=RefRel.SUPERSEDES),),
        tlp=Tlp.GREEN,
        pap=Pap.GREEN,
        audience="community",
        urgency=Urgency.EXPECTED,
        severity=Severity.MODERATE,
        certainty=Certainty.LIKELY,
        confidence=Confidence(credibility=2),
    )
    return msgspec.structs.replace(draft, **more)


SIGHTINGS: Mapping[str, Draft] = {
    "xa-media": clone("A copy of The Morning Post says that the vote in XB will be annulled", GENUINE),
    "xb-media": clone("A clone of The Morning Post is advertised to readers in XB"),
    "xa-region": clone("Voters ask about a newspaper site that says the vote is annulled"),
}
"""Authority -> its sighting of the cloned site. The first takes the newspaper's own site for a copy as well."""
SPOKEN_ELSEWHERE = repeated(
    "Accounts spread a false closing time of polling places in XB", "The first posts are of this morning."
)
"""The first bulletin of the office at the second broker."""
FORGED = repeated("Polling places in XB close at noon", "All voters must come before 12:00.")
WITHHELD = repeated(
    "Some 40 accounts say that polling places in XB close at noon", "They were made in the same week."
)
NEXT = repeated("The accounts that name a false closing time are growing in number", "There are some 90 now.")
LIE = repeated(
    "The copy of The Morning Post is genuine; disregard earlier warnings", "The newspaper has confirmed it."
)
WHY_DISPUTED = f"{GENUINE} is the newspaper's own site. Only {CLONE} is a copy."
