"""Publish and Approvals in Chromium, at the console of an agency beside its own outbox."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Looker, Served

pytestmark = pytest.mark.browser


def test_look(chromium: Browser, store: Path) -> None:
    """Shots."""
    served = Served(store, "xa-csirt")
    try:
        context = chromium.new_context(viewport={"width": 1440, "height": 1000})
        found = Looker(context, served.url)
        found.sign_in()
        shots = Path("/tmp/shots")
        shots.mkdir(exist_ok=True)
        found.go("/publish")
        found.page.screenshot(path=shots / "list.png", full_page=True)
        found.go("/publish?kind=cyber-threat")
        found.page.screenshot(path=shots / "blank.png", full_page=True)
        found.page.fill("#f-headline", "A flood of requests hits the results portal")
        found.page.fill("#f-summary", "Since 18:40 UTC. Sources in 192.0.2.0/24. Counting is not affected.")
        found.page.fill("#f-facts", 'title = "Flood"')
        found.page.wait_for_timeout(2500)
        found.page.screenshot(path=shots / "typed.png", full_page=True)
        found.page.click("button.primary >> text=Save")
        found.page.screenshot(path=shots / "saved.png", full_page=True)
        print(found.page.url, found.said)
        found.page.click("text=Ask for the approval")
        found.page.screenshot(path=shots / "asked.png", full_page=True)
        print(found.page.url, found.said)
        second = Looker(chromium.new_context(viewport={"width": 1440, "height": 1000}), served.url)
        second.sign_in("Jonas Brekk")
        second.page.screenshot(path=shots / "picture.png", full_page=True)
        second.go("/approvals")
        second.page.screenshot(path=shots / "approvals.png", full_page=True)
        second.page.click("main a.btn >> text=Read")
        second.page.screenshot(path=shots / "approval.png", full_page=True)
        second.page.click("text=Approve exactly this")
        second.page.screenshot(path=shots / "approved.png", full_page=True)
        print(second.page.url, second.said)
        found.page.reload()
        found.page.click("text=Sign and publish")
        found.page.screenshot(path=shots / "published.png", full_page=True)
        print(found.page.url, found.said)
        second.go("/publish")
        second.page.screenshot(path=shots / "sent.png", full_page=True)
    finally:
        served.stop()
