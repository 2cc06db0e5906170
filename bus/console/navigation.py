"""The navigation: the pages that it names, which of them a person may open, and where a person begins. Pure."""

from __future__ import annotations

from typing import NamedTuple

from markupsafe import Markup

from bus.console.pages import PAGES
from bus.console.people import Viewer
from bus.desk import Action
from bus.languages import marked


class Link(NamedTuple):
    """A page in the navigation: its path, name, icon and group, and the keys that lead to it."""

    path: str
    name: str
    icon: str
    group: str
    keys: str = ""


NAVIGATION = (
    Link("/", marked("Picture"), "picture", marked("Watch", "navigation"), "g p"),
    Link("/b", marked("Bulletins"), "list", marked("Watch", "navigation"), "g b"),
    Link("/i", marked("Incidents"), "graph", marked("Watch", "navigation"), "g i"),
    Link("/clocks", marked("Clocks"), "clock", marked("Watch", "navigation"), "g k"),
    Link("/channels", marked("Channels"), "channel", marked("Watch", "navigation"), "g c"),
    Link("/publish", marked("Publish"), "publish", marked("Speak", "navigation"), "g u"),
    Link("/approvals", marked("Approvals"), "eye", marked("Speak", "navigation"), "g a"),
    Link("/e", marked("Elections"), "election", marked("Prepare", "navigation"), "g e"),
    Link("/drills", marked("Drills"), "drill", marked("Prepare", "navigation"), "g d"),
    Link("/handover", marked("Handover"), "check", marked("Keep", "navigation"), "g h"),
    Link("/quarantine", marked("Quarantine"), "quarantine", marked("Keep", "navigation")),
    Link("/people", marked("People"), "people", marked("Keep", "navigation")),
    Link("/audit", marked("Audit trail"), "report", marked("Keep", "navigation")),
    Link("/feeds", marked("Feed addresses"), "copy", marked("Keep", "navigation")),
    Link("/system", marked("System"), "system", marked("Keep", "navigation")),
)
TABS = ("/", "/b", "/i", "/clocks", "/channels", "/e", "/people", "/audit", "/system")
"""Of these the first five that somebody may open stand at the foot of a narrow screen."""
MOST_TABS = 5
_AT, _WITHIN, _ELSEWHERE = Markup(' aria-current="page"'), Markup(' aria-current="true"'), Markup("")
_NEEDED: dict[str, Action] = {page.path: page.action for page in PAGES}


def navigation_of(viewer: Viewer) -> dict[str, object]:
    """What of the navigation a person may open, for templates."""
    links = [link for link in NAVIGATION if viewer.may(_NEEDED[link.path])]
    return {
        "navigation": links,
        "groups": tuple(dict.fromkeys(link.group for link in links)),
        "tabs": [link for link in links if link.path in TABS][:MOST_TABS],
    }


def current(link: str, path: str) -> Markup:
    """The attribute of a link that says that one is at its page, or below it."""
    return _AT if link == path else _WITHIN if path.startswith(f"{link}/") else _ELSEWHERE


def home_of(viewer: Viewer) -> str:
    """Where a person begins: the first page of the navigation that the person may open; a wall screen has one page."""
    if viewer.is_wall:
        return "/wall"
    return next((link.path for link in NAVIGATION if viewer.may(_NEEDED[link.path])), "/me")
