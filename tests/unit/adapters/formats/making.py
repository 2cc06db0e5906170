"""Makes the synthetic MISP events and STIX bundles that the tests read."""

from __future__ import annotations

from itertools import count
from typing import Any

UUID = "0190a0b1-2c3d-4e5f-8a9b-0c1d2e3f4a5b"
_NUMBERS = count(1)


def attribute(kind: str, value: object, **members: object) -> dict[str, object]:
    """One MISP attribute, fit for matching unless a member says otherwise."""
    return {"type": kind, "category": "Network activity", "value": value, "to_ids": True, **members}


def event(
    *attributes: dict[str, object], tags: tuple[str, ...] = ("tlp:green",), **members: object
) -> dict[str, Any]:
    """One MISP event on a cloned portal."""
    return {
        "uuid": UUID,
        "info": "Cloned results portal of XA",
        "date": "2027-05-20",
        "threat_level_id": "1",
        "analysis": "2",
        "Orgc": {"name": "CSIRT of XB"},
        "Tag": [{"name": tag} for tag in tags],
        "Attribute": list(attributes),
        **members,
    }


def item(kind: str, **members: object) -> dict[str, Any]:
    """One STIX object with an id of its own."""
    number = f"{next(_NUMBERS):012d}"
    return {
        "type": kind,
        "spec_version": "2.1",
        "id": f"{kind}--0190a0b1-2c3d-4e5f-8a9b-{number}",
        "created": "2027-05-20T08:00:00.000Z",
        "modified": "2027-05-20T08:00:00.000Z",
        **members,
    }


def indicator(pattern: str, **members: object) -> dict[str, Any]:
    """One STIX indicator."""
    return item(
        "indicator", pattern=pattern, pattern_type="stix", valid_from="2027-05-20T08:00:00Z", **members
    )


def bundle(*objects: dict[str, Any], **members: object) -> dict[str, Any]:
    """A STIX bundle."""
    return {
        "type": "bundle",
        "id": "bundle--0190a0b1-2c3d-4e5f-8a9b-000000000000",
        "objects": list(objects),
        **members,
    }


def report(*objects: dict[str, Any], **members: object) -> dict[str, Any]:
    """A STIX report that refers to the given objects."""
    refs = [each["id"] for each in objects]
    return item(
        "report",
        **(
            {"name": "Attack on the portal", "published": "2027-05-20T08:00:00Z", "object_refs": refs}
            | members
        ),
    )


def tlp(level: str, **members: object) -> dict[str, Any]:
    """A TLP 1 marking definition."""
    return item("marking-definition", definition_type="tlp", definition={"tlp": level}, **members)
