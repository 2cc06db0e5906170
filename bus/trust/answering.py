"""The rights to answer, and to read answers: they follow from reading and publishing, not from a grant. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from bus.trust.grants import Ways, granted, not_talk, spoken_by
from schemas.registry import Audience, AuthorityRecord, Registry
from schemas.vocab import TLP_RANK, Status, Tlp


def feedback_by(document: Registry) -> Mapping[str, Ways]:
    """Where each authority may publish feedback without its own grant, because it may read there; nowhere without a key.

    So an answer goes to the audience of what it answers, at its marking and status. An author that hears nothing there is told
    by its id, at the same marking and status: that reaches only the author.
    """
    said = {name: spoken_by(record) for name, record in document.authorities.items()}
    speakers = Counter(way for ways in said.values() for way in ways)
    deaf: dict[tuple[Status, Tlp, str], set[str]] = defaultdict(set)
    for name, record in document.authorities.items():
        for way in deaf_to(name, record, document.audiences):
            deaf[way].add(name)
    found: dict[str, Ways] = {}
    for name, record in document.authorities.items():
        if record.keys and record.read:
            read = not_talk(granted(record.read))
            there = {way for way in read if speakers[way] > (way in said[name])}
            alone = {
                (way[0], way[1], author) for way in there for author in deaf.get(way, ()) if author != name
            }
            found[name] = frozenset(there | alone)
    return found


def feedback_heard(name: str, record: AuthorityRecord, audiences: Mapping[str, Audience]) -> Ways:
    """Where an author reads only feedback, without its own grant, because it publishes there; places it reads anyway are left out.

    Bulletins there at AMBER or above, answers too, are for members only, and the subjects of RED hide the kind. Answers to
    what it says there come to it by its id.
    """
    ways = _not_read(record)
    alone = {(status, tlp, name) for status, tlp, _ in deaf_to(name, record, audiences)}
    return frozenset(way for way in ways if _may_know(name, way, audiences)) | (alone - granted(record.read))


def deaf_to(name: str, record: AuthorityRecord, audiences: Mapping[str, Audience]) -> Ways:
    """Where an author publishes and reads no answers; each has its counterpart of the same status and marking, by the author's id."""
    return frozenset(way for way in _not_read(record) if not _may_know(name, way, audiences))


def _not_read(record: AuthorityRecord) -> Ways:
    return not_talk(spoken_by(record)) - granted(record.read)


def _may_know(name: str, way: tuple[Status, Tlp, str], audiences: Mapping[str, Audience]) -> bool:
    """Whether an authority that publishes on a way may read the feedback of others there."""
    _, tlp, audience = way
    if audience == name:
        return True
    if tlp is Tlp.RED:
        return False
    listed = audiences.get(audience)
    return TLP_RANK[tlp] < TLP_RANK[Tlp.AMBER] or (listed is not None and name in listed.members)
