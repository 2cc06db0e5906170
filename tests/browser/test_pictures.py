"""The pictures of the documents are of the console: from a synthetic night, by Chromium.

`TOCSIN_PICTURES=1 make test-browser ARGS=tests/browser/test_pictures.py` makes them anew.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

import msgspec
import pytest
from playwright.sync_api import Browser

from bus.keys import FileSigner
from tests.browser.conftest import Looker, Served, apart
from tests.support.consoles import fill, night
from tests.support.places import ROOT
from tests.support.world import Message, bulletin, draft, shared_world, sign

pytestmark = pytest.mark.browser
FOLDER = ROOT / "docs" / "pictures"
README = ROOT / "README.md"
ANALYST = ROOT / "docs" / "guides" / "analyst.md"
OFFICER = ROOT / "docs" / "guides" / "officer.md"


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A picture: its file, the page that it shows, its size, and what shows it.

    `part` is the part of the page; without it the picture is the whole window.
    """

    name: str
    path: str
    width: int
    height: int
    shown_by: tuple[str, ...]
    part: str = ""
    most_bytes: int = 150_000


def held(picture: Picture, shot: bytes) -> None:
    """Keep a picture if asked to; the one that is kept has the size that the page has here, and its documents show it."""
    file = FOLDER / f"{picture.name}.png"
    if os.environ.get("TOCSIN_PICTURES"):
        FOLDER.mkdir(exist_ok=True)
        file.write_bytes(shot)
    kept = file.read_bytes()
    size = struct.unpack(">II", kept[16:24])
    assert size == struct.unpack(">II", shot[16:24]) == (picture.width, picture.height)
    assert len(kept) < picture.most_bytes
    for document in picture.shown_by:
        assert f"pictures/{picture.name}.png" in (ROOT / document).read_text("utf-8")


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A console over the same night, with bulletins that others have forged and altered."""
    store = tmp_path_factory.mktemp("attacked") / "store.db"
    apart(fill(store, [*night(), *_forged()]))
    made = Served(store)
    yield made
    made.stop()


def _forged() -> Iterator[Message]:
    """Messages that no key of the registry has signed, or whose bytes have changed."""
    world = shared_world()
    noon = draft("Polling places close at noon")
    yield sign(world, bulletin(world, "xb-csirt", say=noon), by=FileSigner.generate())
    true = sign(world, bulletin(world, "xa-emb", say=draft("Polling places close at 20:00"), seq=90))
    yield msgspec.structs.replace(true, payload=true.payload.replace(b"20:00", b"12:00"))


def shot_of(chromium: Browser, served: Served, picture: Picture, path: str = "") -> bytes:
    """A picture of a page, or of a part of it, as the analyst sees it."""
    size = (picture.width, picture.height)
    context = chromium.new_context(
        viewport={"width": max(size[0], 1200), "height": max(size[1], 900)}, color_scheme="light"
    )
    looker = Looker(context, served.url)
    looker.sign_in()
    looker.go(path or picture.path)
    looker.page.wait_for_load_state("load")
    box = looker.page.locator(picture.part or "body").first.bounding_box()
    assert box is not None
    whole = {"x": 0, "y": 0, "width": size[0], "height": size[1]}
    clip = {"x": box["x"], "y": box["y"], "width": size[0], "height": size[1]} if picture.part else whole
    shot = looker.page.screenshot(animations="disabled", clip=clip)  # type: ignore[arg-type]
    context.close()
    return shot


def test_the_picture_of_the_readme(chromium: Browser, served: Served) -> None:
    """README begins with it."""
    picture = Picture(
        name="console", path="/", width=1440, height=1060, shown_by=("README.md",), most_bytes=400_000
    )
    held(picture, shot_of(chromium, served, picture))
    assert "docs/pictures/console.png" in README.read_text("utf-8").split("## ")[0]


def test_the_picture_of_what_needs_you(chromium: Browser, served: Served) -> None:
    """The panel of the first page, which the guide of analysts shows."""
    guides = (str(ANALYST.relative_to(ROOT)),)
    picture = Picture(
        name="needs-you", path="/", width=541, height=525, shown_by=guides, part="section:has(#needs)"
    )
    held(picture, shot_of(chromium, served, picture))


def test_the_picture_of_a_bulletin(chromium: Browser, served: Served, bulletin: str) -> None:
    """With why it can be trusted; both guides show it."""
    guides = (str(ANALYST.relative_to(ROOT)), str(OFFICER.relative_to(ROOT)))
    picture = Picture(name="bulletin", path="/b/ID", width=976, height=660, shown_by=guides, part="main")
    held(picture, shot_of(chromium, served, picture, bulletin))


def test_the_picture_of_quarantine(chromium: Browser, attacked: Served) -> None:
    """With a forged and an altered bulletin, which the guide of analysts shows."""
    guides = (str(ANALYST.relative_to(ROOT)),)
    picture = Picture(
        name="quarantine", path="/quarantine", width=976, height=450, shown_by=guides, part="main"
    )
    held(picture, shot_of(chromium, attacked, picture))
