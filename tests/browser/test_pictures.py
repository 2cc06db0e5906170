"""The picture of the console in the README is of the console: from the synthetic night, by Chromium.

`TOCSIN_PICTURES=1 make test-browser ARGS=tests/browser/test_pictures.py` makes it anew.
"""

from __future__ import annotations

import os
import struct

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Looker, Served
from tests.support.places import ROOT

pytestmark = pytest.mark.browser
PICTURE = ROOT / "docs" / "pictures" / "console.png"
WIDTH, HEIGHT = 1440, 1060
MOST_BYTES = 400_000


def test_the_picture_of_the_readme(chromium: Browser, served: Served) -> None:
    """It has the size that the page has here, and README shows it."""
    context = chromium.new_context(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
    looker = Looker(context, served.url)
    looker.sign_in()
    looker.page.wait_for_load_state("load")
    shot = looker.page.screenshot(animations="disabled")
    context.close()
    if os.environ.get("TOCSIN_PICTURES"):
        PICTURE.parent.mkdir(exist_ok=True)
        PICTURE.write_bytes(shot)
    held = PICTURE.read_bytes()
    assert struct.unpack(">II", held[16:24]) == struct.unpack(">II", shot[16:24]) == (WIDTH, HEIGHT)
    assert len(held) < MOST_BYTES
    assert "docs/pictures/console.png" in (ROOT / "README.md").read_text("utf-8").split("## ")[0]
