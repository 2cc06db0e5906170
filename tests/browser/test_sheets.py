"""The sheets that people look at leave out no page."""

from __future__ import annotations

import re

import pytest

from bus.console.pages import PAGES
from tests.browser.sheets import OF_ACCOUNTS, PLACES, PROTOTYPE

pytestmark = pytest.mark.browser


def test_each_page_has_a_sheet() -> None:
    """Each page of the catalogue that is shown; and each page of the prototype stands beside one that is there."""
    places = {path.partition("?")[0] for path in (PLACES | OF_ACCOUNTS).values()}
    lacking = [
        page.path
        for page in PAGES
        if page.template
        and not any(
            re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(page.path)), each) for each in places
        )
    ]
    assert lacking == []
    assert PROTOTYPE.keys() <= PLACES.keys()
