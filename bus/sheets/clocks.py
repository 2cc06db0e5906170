"""A clock of the registry in words: what a law asks for, and which law."""

from __future__ import annotations

from bus.sheets.catalogue import Sayings

_BREACH = frozenset({"30", "33", "34"})
"""Articles by which breaches of personal data are notified, each of its own law."""


def clock_in_words(say: Sayings, clock: str) -> str:
    """What a clock asks for: `nis2-final` is `Final report, NIS 2`.

    Args:
        say: what can be said in the language.
        clock: its id in the registry: the law, a hyphen, the step. One that is not known says its own name.
    """
    law, _, step = clock.partition("-")
    named = f"step-{'breach' if step in _BREACH else step}"
    if say.has(f"law-{law}") and say.has(named):
        return say.say("clock-of-law", step=say.say(named), law=say.say(f"law-{law}"))
    plain = clock.replace("-", " ")
    return plain[:1].upper() + plain[1:]
