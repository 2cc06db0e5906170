"""Decides on received bytes: admitted, held back or refused, with a reason. Pure."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.admission.branches import ReceivedLink, Ruling, ending_of, keys_met, standing
    from bus.admission.chain import REFUSED, Link, Neighbours, Outcome, judge_link
    from bus.admission.contradiction import judge_proof
    from bus.admission.plain_lane import Arrived, judge
    from bus.admission.steps import (
        BY_VERSION,
        ENDED,
        REASONS,
        Admitted,
        admit,
        holds_place,
        verify_file,
        verify_inside,
    )
    from bus.admission.verdict import Judged, Message, Refused, decide
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "BY_VERSION",
    "ENDED",
    "REASONS",
    "REFUSED",
    "Admitted",
    "Arrived",
    "Judged",
    "Link",
    "Message",
    "Neighbours",
    "Outcome",
    "ReceivedLink",
    "Refused",
    "Ruling",
    "admit",
    "decide",
    "ending_of",
    "holds_place",
    "judge",
    "judge_link",
    "judge_proof",
    "keys_met",
    "standing",
    "verify_file",
    "verify_inside",
]
