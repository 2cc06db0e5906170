"""One thing that was checked, as pages show it: a state by its shape, a sentence, and what it rests on."""

from __future__ import annotations

import msgspec


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was checked.

    Attributes:
        state: `pass`, `fail`, `unknown`, `wait` or `note`.
        words: what was found, in a few words.
        detail: what that rests on.
        address: a page that says more; empty for none.
    """

    state: str
    words: str
    detail: str = ""
    address: str = ""
