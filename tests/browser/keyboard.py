"""Somebody with a keyboard and no mouse, in a browser."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Locator, Page, expect

MOST_STEPS = 300
"""So many times Tab is pressed until something has the focus; a page with more between is no page for a keyboard."""
SLOW_MS = 60_000


class Keyboard:
    """Somebody with a keyboard and no mouse."""

    def __init__(self, browser: Browser, url: str, name: str) -> None:
        """Sign in: the field of the name has the focus."""
        self.context = browser.new_context()
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(SLOW_MS)
        self.url = url
        self.page.goto(f"{url}/sign-in")
        self.type(name)
        self.press("Enter")
        self.page.wait_for_url(f"{url}/")

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, words: str) -> None:
        """Write in the place of what stands in the field."""
        self.press("Control+a")
        self.page.keyboard.insert_text(words)

    def reach(self, wanted: Locator) -> None:
        """Press Tab until something has the focus."""
        expect(wanted).to_be_visible(timeout=SLOW_MS)
        for _ in range(MOST_STEPS):
            if wanted.evaluate("(each) => each === document.activeElement"):
                return
            self.press("Tab")
        raise AssertionError(f"Tab does not lead to {wanted}")

    def activate(self, role: str, name: str | re.Pattern[str]) -> None:
        """Press Enter on a link or a button, or on what opens something."""
        wanted = (
            self.page.locator("summary", has_text=name)
            if role == "summary"
            else self.page.get_by_role(role, name=name)  # type: ignore[arg-type]  # a role of ARIA
        )
        self.reach(wanted.first)
        self.press("Enter")

    def choose(self, wanted: Locator, value: str) -> None:
        """Go down in a field of choices until one is chosen; to type its beginning would hang on how fast that is."""
        self.reach(wanted)
        self.press("Home")
        for _ in range(MOST_STEPS):
            if wanted.input_value() == value:
                return
            self.press("ArrowDown")
        raise AssertionError(f"there is no {value}")

    def fill(self, label: str, words: str) -> None:
        """Write into a field."""
        self.reach(self.page.get_by_label(label, exact=True).first)
        self.type(words)


def published(writer: Keyboard, approver: Keyboard) -> None:
    """Save a draft, have a second person approve exactly that, and publish it."""
    writer.activate("button", "Save")
    writer.page.wait_for_url(re.compile(r"/publish/\d+$"))
    writer.activate("button", re.compile("^Ask for the approval"))
    request = writer.page.get_by_role("link", name="The request")
    expect(request).to_be_visible()
    approver.page.goto(f"{approver.url}/approvals")
    approver.reach(approver.page.locator(f'main a.btn[href="{request.get_attribute("href")}"]'))
    approver.press("Enter")
    approver.activate("button", "Approve exactly this")
    expect(approver.page.get_by_role("button", name="Approve exactly this")).to_have_count(0)
    writer.page.reload()
    writer.activate("button", re.compile("^Sign and publish"))
    expect(writer.page.locator(".callout").filter(has_text="It is published.")).to_be_visible(timeout=SLOW_MS)
