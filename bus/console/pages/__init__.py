"""The pages: each a pure function from a snapshot to a struct, which is shown as HTML and as JSON."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.console.pages.answers import VERDICTS
    from bus.console.pages.bulletin_desk import sign_receipts
    from bus.console.pages.catalogue import DEEDS, LISTS, PAGES
    from bus.console.pages.channels import how_many_stand
    from bus.console.pages.clocks import by_turns, duties, fairly
    from bus.console.pages.draft_form import CHOICES
    from bus.console.pages.elections import TO_DO, Listed, title_of
    from bus.console.pages.held import name_of
    from bus.console.pages.quarantine import refused_in_a_day
    from bus.console.pages.since import FIRST
    from bus.console.pages.snoozing import SNOOZE_ENDS, end_worsened
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "CHOICES",
    "DEEDS",
    "FIRST",
    "LISTS",
    "PAGES",
    "SNOOZE_ENDS",
    "TO_DO",
    "VERDICTS",
    "Listed",
    "by_turns",
    "duties",
    "end_worsened",
    "fairly",
    "how_many_stand",
    "name_of",
    "refused_in_a_day",
    "sign_receipts",
    "title_of",
]
