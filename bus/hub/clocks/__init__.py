"""The clocks that a bulletin starts: duties, their times, their debtors, and the later bulletins that meet them; pure."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.hub.clocks.law import period_of
    from bus.hub.clocks.meeting import ANSWERING, CLOSING, followed, is_owner
    from bus.hub.clocks.reading import ACKNOWLEDGEMENT, ACTION, acknowledgement, clocks_of
    from bus.hub.clocks.shape import SOON, Clock, Standing, standing
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "ACKNOWLEDGEMENT",
    "ACTION",
    "ANSWERING",
    "CLOSING",
    "SOON",
    "Clock",
    "Standing",
    "acknowledgement",
    "clocks_of",
    "followed",
    "is_owner",
    "period_of",
    "standing",
]
