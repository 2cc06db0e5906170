"""Exercises on the real path: script, conductor, score."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.drills.conductor import play
    from bus.drills.kept import keep_report, reports_of
    from bus.drills.score import Board, Report, Scored, as_text
    from bus.drills.script import Expectation, Inject, Script, answer, communication_check, of_exercise
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "Board",
    "Expectation",
    "Inject",
    "Report",
    "Scored",
    "Script",
    "answer",
    "as_text",
    "communication_check",
    "keep_report",
    "of_exercise",
    "play",
    "reports_of",
]
