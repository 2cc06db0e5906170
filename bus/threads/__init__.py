"""The versions of each bulletin, and the one that is in force: one rule for publishers and readers."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.threads.asking import Thread, Version, in_thread, named, thread_of
    from bus.threads.joining import CANCELLED, SUPERSEDED, Key, Said, Tie
    from bus.threads.keeping import (
        End,
        Known,
        build,
        clear,
        is_due,
        let_go,
        named_among,
        take_back,
        take_in,
    )
    from bus.threads.prefixes import MOST, bounds, meant
    from bus.threads.tables import LAYOUT
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "CANCELLED",
    "LAYOUT",
    "MOST",
    "SUPERSEDED",
    "End",
    "Key",
    "Known",
    "Said",
    "Thread",
    "Tie",
    "Version",
    "bounds",
    "build",
    "clear",
    "in_thread",
    "is_due",
    "let_go",
    "meant",
    "named",
    "named_among",
    "take_back",
    "take_in",
    "thread_of",
]
