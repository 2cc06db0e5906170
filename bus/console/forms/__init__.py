"""The other forms of a list: CSV for a spreadsheet, Atom for a reader of feeds, iCalendar for a calendar; from the struct of its page."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.console.forms import calendar, feed, table
    from bus.console.forms.giving import File, file_as, link_of
    from bus.console.forms.shape import Form, Item, Listing
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "File",
    "Form",
    "Item",
    "Listing",
    "calendar",
    "feed",
    "file_as",
    "link_of",
    "table",
]
