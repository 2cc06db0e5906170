"""Saved views and feed addresses at a browser: with scripts and without, at both widths, and sound for axe-core."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Looker, Served
from tests.browser.test_pages import overflow, violations

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("width", "scripts"), [(1440, True), (390, False)])
def test_a_view_and_a_feed_address_from_beginning_to_end(
    chromium: Browser, served: Served, width: int, *, scripts: bool
) -> None:
    """Filter, save, open, rename and drop; subscribe, copy the address, read it without a cookie, end it."""
    context = chromium.new_context(viewport={"width": width, "height": 1000}, java_script_enabled=scripts)
    looker = Looker(context, served.url)
    looker.sign_in()
    page, name = looker.page, f"Cyber {width}"

    def sound() -> None:
        if scripts:  # axe-core is one itself
            assert violations(page) == []
            assert overflow(page) == 0

    looker.go("/b?dimension=cybercrime")
    page.click("text=Save these filters as a view")
    page.fill("#view-name", name)
    sound()
    looker.follow("button:text-is('Save')")
    looker.go("/b")
    looker.follow(f"nav[aria-label='Saved views'] >> text={name}")
    page.wait_for_url("**/b?dimension=cybercrime")
    page.click("text=Rename or drop this view")
    page.fill("#view-name", f"{name}, grave")
    looker.follow("button:text-is('Rename')")
    assert page.locator("nav[aria-label='Saved views'] [aria-current]").inner_text() == f"{name}, grave"
    page.click("text=Rename or drop this view")
    looker.follow("button:text-is('Drop this view')")
    assert page.locator(f"nav[aria-label='Saved views'] >> text={name}").count() == 0

    looker.follow("text=Subscribe by feed reader")
    page.fill("#name", name)
    sound()
    looker.follow("text=Make the address")
    sound()
    address = page.locator("#address").inner_text()
    assert httpx.get(address).headers["content-type"].startswith("application/atom+xml")
    looker.follow("text=Done")
    sound()
    looker.follow(page.locator("tr", has_text=name).get_by_role("button"))
    assert page.locator("tr", has_text=name).count() == 0
    assert httpx.get(address).status_code == 404
    assert looker.said == []
    context.close()


def test_a_file_is_downloaded(chromium: Browser, served: Served) -> None:
    """A link at the foot of a list gives a file whose name has the marking; the page stays."""
    context = chromium.new_context(accept_downloads=True)
    looker = Looker(context, served.url)
    looker.sign_in()
    looker.go("/clocks")
    for form, ending in (("CSV", "csv"), ("Calendar", "ics")):
        with looker.page.expect_download() as waiting:
            looker.page.locator(".page-foot").get_by_text(form, exact=True).click()
        assert waiting.value.suggested_filename.startswith("clocks-TLP-AMBER-STRICT-")
        assert waiting.value.suggested_filename.endswith(ending)
    assert looker.page.url.endswith("/clocks")
    context.close()
