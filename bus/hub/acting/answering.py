"""The bulletins that an answer consists of: the answer, and a second one for an author who does not hear the first. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.answering import told_alone
from schemas.bulletin import Bulletin, Draft
from schemas.subject import Channel

if TYPE_CHECKING:
    from bus.trust import VerifiedRegistry

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
