"""The story's scenes: in order, within ten minutes, and each bulletin of its offices stands."""

from __future__ import annotations

import datetime as dt
import inspect
from pathlib import Path

import pytest

from bus.demo import scenes
from bus.demo.acts import Acts
from bus.demo.countries import CAST, ELSEWHERE, HUBS, ROBBED, Member
from bus.demo.founding import prepare
from bus.demo.keyring import Folder
from bus.demo.scenes import SCENES
from bus.demo.story import Progress, can_be_told
from bus.trust import VerifiedRegistry
from schemas.bulletin import Defaults, Draft, new_id, stamp
from schemas.review import doubts
from schemas.rules import check
from schemas.subject import channel_of
from tests.support.world import shared_world

NOW = dt.datetime(2027, 5, 20, 9, 30, tzinfo=dt.UTC)
ORIGINAL = "0196fe2f-9be0-7000-8000-000000000009"
WRITTEN: dict[str, tuple[str, Draft]] = {
    "false date": ("xa-region", scenes.false_date("one region")),
    "correction": ("xa-region", scenes.false_date("two regions", ORIGINAL)),
    **{f"seen by {name}": (name, draft) for name, draft in scenes.SIGHTINGS.items()},
    "first elsewhere": (ELSEWHERE, scenes.SPOKEN_ELSEWHERE),
    "forged": (ELSEWHERE, scenes.FORGED),
    "withheld": (ELSEWHERE, scenes.WITHHELD),
    "next": (ELSEWHERE, scenes.NEXT),
    "lie": (ROBBED, scenes.LIE),
    "settled": ("xa-media", scenes.clone("A headline", original=ORIGINAL)),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """The folder of a demonstration that was founded."""
    found = Folder(tmp_path_factory.mktemp("founded") / "demo")
    prepare(found.root, now=NOW)
    return found


@pytest.fixture(scope="module")
def registry(folder: Folder) -> VerifiedRegistry:
    """Its registry."""
    return VerifiedRegistry.open(folder.registry.read_bytes())


def test_a_folder_of_an_older_version_has_no_story(
    folder: Folder, registry: VerifiedRegistry, tmp_path: Path
) -> None:
    """Its registry, or its keys, lack the offices."""
    assert can_be_told(folder, registry)
    assert not can_be_told(Folder(tmp_path), registry)
    assert not can_be_told(folder, shared_world().registry)


@pytest.mark.parametrize(("name", "draft"), WRITTEN.values(), ids=WRITTEN)
def test_each_bulletin_stands_and_its_office_may_say_it(
    registry: VerifiedRegistry, name: str, draft: Draft
) -> None:
    """By every rule and without a doubt; both hubs read it. The forged one and the lie too: only their keys are wrong."""
    made = stamp(
        draft,
        id=new_id(NOW, b"0123456789"),
        seq=1,
        prev=None,
        issuer=registry.issuer(name),
        issued=NOW,
        defaults=Defaults(),
    )
    check(made)
    registry.permit(made)
    assert [str(each) for each in doubts(made)] == []
    assert all(registry.may_read(hub.id, channel_of(made)) for hub in HUBS)


def test_the_scenes_are_in_order_and_end_within_ten_minutes() -> None:
    """Each is an act that exists, on a page of a hub that exists, at the minute and second that it says."""
    times = [scene.at for scene in SCENES]
    assert times == sorted(times)
    assert times[-1] < scenes.LASTS_S
    assert SCENES[1].clock == "1:20"
    for scene in SCENES:
        assert inspect.iscoroutinefunction(getattr(Acts, scene.act))
        assert scene.hub in {hub.id for hub in HUBS}
        assert scene.page.startswith("/")


def test_only_the_robbed_office_has_a_second_key(registry: VerifiedRegistry) -> None:
    """The reserve key, by which it revokes the stolen one."""

    def keys(member: Member) -> int:
        return len(registry.document.authorities[member.id].keys)

    assert {member.id: keys(member) for member in CAST if keys(member) != 1} == {ROBBED: 2}


@pytest.mark.parametrize("raw", [None, b"", b"[]", b'{"told": -3}', b"\xff"])
def test_a_missing_or_damaged_note_of_progress_is_the_beginning(tmp_path: Path, raw: bytes | None) -> None:
    """A story begins again rather than not at all."""
    file = tmp_path / "story.json"
    if raw is not None:
        file.write_bytes(raw)
    assert Progress.read(file) == Progress()
