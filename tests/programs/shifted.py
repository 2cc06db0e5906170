"""The command line with a clock that is off: `python -m tests.programs.shifted SECONDS WORD...`.

The clock of a program is an argument of everything in it, and comes from one place; that place is all that is changed.
"""

from __future__ import annotations

import datetime as dt
import sys

from bus.cli.frame.app import App
from bus.cli.main import main


def shift(seconds: float) -> None:
    """From now on every command believes that it is so many seconds later."""

    def now(self: App) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)

    App.now = now  # type: ignore[method-assign]


if __name__ == "__main__":
    shift(float(sys.argv[1]))
    main(sys.argv[2:])
