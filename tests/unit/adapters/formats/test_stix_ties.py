"""The ties of a STIX report become links; what may not be named stands for itself without a name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.formats.stix import read_stix
from adapters.translation.reading import ReadResult
from schemas.bulletin import Bulletin
from schemas.links import told
from tests.unit.adapters.formats.making import bundle, indicator, item, report, tlp
from tests.unit.adapters.formats.stamped import CYBER, all_stand, reasons

SITE = item("domain-name", value="mirror.example")
PAGE = item("url", value="https://mirror.example/voice")
STORY = item("narrative", name="Voting has been put off")
OUTLET = item("identity", name="The Example Mirror", identity_class="organization")
PERSON = item("identity", name="Maria Ejemplo", identity_class="individual")
ACCOUNT = item("user-account", account_login="maria.e", account_type="twitter")
CAMPAIGN = item("campaign", name="Mirror")
FLAW = item("malware", name="Kite", is_family=True)


def tie(kind: str, source: dict[str, Any], target: dict[str, Any], **members: object) -> dict[str, Any]:
    """One relationship."""
    return item(
        "relationship", relationship_type=kind, source_ref=source["id"], target_ref=target["id"], **members
    )


def read(*objects: dict[str, Any], mark: str = "white") -> tuple[ReadResult, Bulletin]:
    """What becomes of a report with these objects."""
    level = tlp(mark)
    top = report(*objects, object_marking_refs=[level["id"]])
    result = read_stix(json.dumps(bundle(top, level, *objects)).encode(), CYBER)
    (made,) = all_stand(result)
    return result, made


def written(b: Bulletin) -> list[str]:
    """The ties of a bulletin, in words."""
    return [f"{told(b, each.from_)} {each.rel} {told(b, each.to)}" for each in b.links]


@pytest.mark.parametrize(
    ("source", "kind", "target", "words"),
    [
        (PAGE, "related-to", SITE, "url https://mirror.example/voice related-to domain-name mirror.example"),
        (SITE, "belongs-to", OUTLET, "domain-name mirror.example belongs-to organisation The Example Mirror"),
        (PAGE, "related-to", STORY, "url https://mirror.example/voice related-to narrative: Voting has been put off"),
        (SITE, "related-to", CAMPAIGN, "domain-name mirror.example related-to Mirror"),
        (FLAW, "beacons-to", SITE, "malware Kite beacons-to domain-name mirror.example"),
        (ACCOUNT, "publishes", PAGE, "account no. 0, not named publishes url https://mirror.example/voice"),
        (PERSON, "owns", SITE, "person no. 0, not named owns domain-name mirror.example"),
    ],
)  # fmt: skip
def test_a_tie_has_both_its_ends(
    source: dict[str, Any], kind: str, target: dict[str, Any], words: str
) -> None:
    """Whatever they are; of the campaign that a report is about, the bulletin itself."""
    _, made = read(STORY, source, *([] if target is STORY else [target]), tie(kind, source, target))
    assert written(made) == [words]


def test_an_account_that_may_be_carried_is_its_observable() -> None:
    """At AMBER+STRICT personal values travel, so nothing has to stand for them."""
    _, made = read(STORY, ACCOUNT, PAGE, tie("publishes", ACCOUNT, PAGE), mark="red")
    assert written(made) == ["user-account maria.e publishes url https://mirror.example/voice"]
    assert not made.things


def test_two_accounts_without_a_name_stay_two() -> None:
    """That several spread it is what readers need; whose they are nobody is told."""
    other = item("user-account", account_login="second.e")
    ties = (tie("publishes", ACCOUNT, PAGE), tie("publishes", other, PAGE))
    _, made = read(STORY, ACCOUNT, other, PAGE, *ties)
    assert [(each.kind, each.name) for each in made.things] == [("account", None)] * 2
    assert len(made.links) == 2
    assert b"maria" not in json.dumps(str(made)).encode()


def test_an_indicator_is_each_of_its_values() -> None:
    """A pattern of two names that indicates a malware gives two links."""
    seen = indicator("[domain-name:value = 'a.example' OR domain-name:value = 'b.example']")
    _, made = read(FLAW, seen, tie("indicates", seen, FLAW, confidence=70))
    assert written(made) == [f"domain-name {each}.example indicates malware Kite" for each in "ab"]
    assert {each.confidence for each in made.links} == {70}


def test_who_is_not_marked_is_not_named_without_a_report() -> None:
    """A site that is CLEAR says nothing of how far the name of its owner may go."""
    clear = {"object_marking_refs": ["marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"]}
    for members, name in (({}, None), (clear, "The Example Mirror")):
        site = item("domain-name", value="mirror.example", **clear)
        outlet = item("identity", name="The Example Mirror", identity_class="organization", **members)
        document = bundle(site, outlet, tie("belongs-to", site, outlet))
        (made,) = all_stand(read_stix(json.dumps(document).encode(), CYBER))
        assert [each.name for each in made.things] == [name]


def test_what_is_no_tie_is_a_loss() -> None:
    """A strange type is carried as the plainest; one that comes back to itself, or leads to a note, is told."""
    note = item("note", content="x", object_refs=[SITE["id"]])
    ties = (tie("adores", PAGE, SITE), tie("related-to", SITE, SITE), tie("related-to", SITE, note))
    result, made = read(SITE, PAGE, note, *ties)
    assert written(made) == ["url https://mirror.example/voice related-to domain-name mirror.example"]
    assert "carried as related-to" in reasons(result)
    assert "an end without a field in a bulletin, or equal ends (2 times)" in reasons(result)
