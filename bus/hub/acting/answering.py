"""The bulletins that an answer consists of: the answer, and a second one for an author who does not hear the first; and those in force. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from bus.hub import picture
from schemas.answering import told_alone
from schemas.bodies.coordination import Feedback
from schemas.bulletin import Bulletin, Draft
from schemas.subject import Channel
from schemas.vocab import TLP_RANK, FeedbackKind, MsgType, Tlp

if TYPE_CHECKING:
    from bus.trust import VerifiedRegistry

WITHDRAWN = "Taken back by its author."
"""Why an answer is withdrawn, where its author says nothing else."""
SECTIONS = "parts of the bulletin are sealed: all who read the rest also read your answer"


def parts_of(
    answer: Draft, original: Bulletin, channel: Channel, registry: VerifiedRegistry, me: str
) -> tuple[tuple[Draft, ...], tuple[str, ...]]:
    """(the drafts to publish, sentences for the person who answers).

    Args:
        answer: as `schemas.answering.answer_to` makes it.
        original: what is answered.
        channel: on which the answer is said: that of the original, or a narrower one.
        registry: as it stands.
        me: who answers.
    """
    author = original.issuer.id
    notes = [SECTIONS] if original.sections else []
    if registry.is_told_alone(me, author, channel):
        notes.append(f"{author}, who said it, does not read {channel.name}, and is told by its id")
        return (answer, told_alone(answer, original)), tuple(notes)
    if not registry.hears_answers(author, channel):
        notes.append(
            f"{author}, who said it, does not hear answers on {channel.name}; tell it otherwise, too"
        )
    return (answer,), tuple(notes)


def standing(
    said: Sequence[Bulletin],
    author: str,
    targets: Collection[str],
    verdicts: Collection[FeedbackKind] = (),
    upto: Tlp = Tlp.RED,
) -> Iterator[Bulletin]:
    """The answers of one author to versions of a bulletin, without those that the author has withdrawn or replaced.

    Args:
        said: bulletins of the one who has answered that name the versions.
        author: whose bulletin was answered; another author may use the same id.
        targets: the ids of the versions.
        verdicts: of the answers; none for all.
        upto: the narrowest marking of an answer.
    """
    ended = {
        ref.id
        for each in said
        if each.msg_type in (MsgType.CANCEL, MsgType.UPDATE)
        for ref in each.references
        if ref.rel in ("cancels", "supersedes")
    }
    for each in said:
        if (
            isinstance(each.body, Feedback)
            and each.msg_type is not MsgType.CANCEL
            and each.id not in ended
            and (not verdicts or each.body.verdict in verdicts)
            and TLP_RANK[each.tlp] <= TLP_RANK[upto]
            and any(
                name in ("", author)
                for id_, name in picture.answers.answered_by(each).items()
                if id_ in targets
            )
        ):
            yield each
