"""The sheets that people look at leave out no page, and their night leaves something to do."""

from __future__ import annotations

import logging
import re

import pytest
from playwright.sync_api import Browser

from bus.console.pages import PAGES
from tests.browser.conftest import Looker
from tests.browser.sheets import OF_ACCOUNTS, PLACES, PROTOTYPE, staffed
from tests.support.desks import PASSWORD

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


def test_the_night_owes_and_ends_without_an_error(
    chromium: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    """Its hub owes an acknowledgement and an answer; when it is stopped the application ends, and is not cut off."""
    with staffed(chromium) as url:
        looker = Looker(chromium.new_context(), url)
        looker.sign_in("mara", PASSWORD)
        needs = looker.page.request.get(f"{url}/picture.json").json()["needs"]
        looker.context.close()
    assert any(each["is_acknowledgement"] for each in needs)
    assert any(each["words"].startswith("Answer a request for information") for each in needs)
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR] == []
