"""The consoles of a demonstration: their addresses are printed, and a visitor signs in without a password."""

from __future__ import annotations

import http.cookiejar
import os
import re
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.support.waiting import eventually_sync

TOCSIN = Path(sys.executable).parent / "tocsin"


@pytest.mark.short_faults
def test_a_visitor_signs_in_at_both_hubs_without_a_password(tmp_path: Path) -> None:
    """One browser holds both sessions, and each console shows the picture of its own hub."""
    said = tmp_path / "said.txt"
    env = {**os.environ, "TOCSIN_CONSOLE": ""}
    with said.open("wb") as out:
        program = subprocess.Popen(
            [TOCSIN, "demo", "--dir", tmp_path / "demo", "--no-browser"], stdout=out, stderr=out, env=env
        )
    try:
        eventually_sync(lambda: len(_addresses(said)) == 2)
        browser = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()), urllib.request.ProxyHandler({})
        )
        addresses = _addresses(said)
        for address in addresses.values():
            page = browser.open(f"{address}sign-in").read().decode()
            assert "This is a demonstration: no password is asked for." in page
            token = re.search(r'name="form" value="([^"]+)"', page)
            assert token is not None
            form = urllib.parse.urlencode({"form": token[1], "name": "Visitor", "next": "/"}).encode()
            browser.open(f"{address}sign-in", form).read()
        for hub, address in addresses.items():
            page = browser.open(address).read().decode()
            assert "<h1>Picture</h1>" in page
            assert hub.removesuffix("-hub").upper() in page
    finally:
        program.terminate()
        program.wait()


def _addresses(said: Path) -> dict[str, str]:
    """Where each console answers, by the hub."""
    return dict(re.findall(r"^(\S+) console: (http://\S+)$", said.read_text(), re.MULTILINE))
