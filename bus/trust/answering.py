"""Who may answer where, and who hears it: feedback that follows from reading and speaking, and not from a grant. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from bus.trust.grants import Ways, granted, not_talk, spoken_by
from schemas.registry import Audience, AuthorityRecord, Registry
from schemas.vocab import TLP_RANK, Tlp


def feedback_by(document: Registry) -> Mapping[str, Ways]:
    """Where each authority may say feedback by no grant but that it reads there what others say: nowhere without a key.

    So an answer goes to the audience of what it answers, at its marking and status, and to nobody else.
    """
    said = {name: spoken_by(record) for name, record in document.authorities.items()}
    speakers = Counter(way for ways in said.values() for way in ways)
    return {
        name: frozenset(way for way in not_talk(granted(record.read)) if speakers[way] > (way in said[name]))
        for name, record in document.authorities.items()
        if record.keys and record.read
    }


def feedback_heard(name: str, record: AuthorityRecord, audiences: Mapping[str, Audience]) -> Ways:
    """Where an author hears feedback, and nothing else, by no grant but that it speaks there; what it reads is not among it.

    What is said there at AMBER or above is for members alone, answers too. The subjects of RED hide the kind, so that nobody
    can be given the answers alone.
    """

    def may_know(tlp: Tlp, audience: str) -> bool:
        listed = audiences.get(audience)
        return TLP_RANK[tlp] < TLP_RANK[Tlp.AMBER] or (listed is not None and name in listed.members)

    return frozenset(
        (status, tlp, audience)
        for status, tlp, audience in not_talk(spoken_by(record)) - granted(record.read)
        if tlp is not Tlp.RED and may_know(tlp, audience)
    )
