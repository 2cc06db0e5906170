"""Writes the contract for other languages: JSON Schemas, open vocabularies, an AsyncAPI document.

`python -m schemas.export` writes `schemas/json/`; with `--check` it compares and fails on a difference. The schemas
use dialect 2020-12. AsyncAPI is 3.0, written as JSON, which every YAML 1.2 parser reads.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from schemas.bulletin import Bulletin, Draft
from schemas.codec import MAX_PAYLOAD_BYTES
from schemas.envelope import CE_TYPE, MAX_HEADER_BYTES, SIG_HEADER
from schemas.open_vocab import OPEN
from schemas.registry import Beacon, Registry, Revocation
from schemas.sections import SectionContent
from schemas.subject import PREFIX, TRUST_PREFIX, Trust
from schemas.vocab import Domain, Status, Tlp
from schemas.zones import VERSION, ZONES

FOLDER = Path(__file__).parent / "json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ROOTS: dict[str, type[msgspec.Struct]] = {
    "bulletin": Bulletin,
    "draft": Draft,
    "section": SectionContent,
    "registry": Registry,
    "beacon": Beacon,
    "revoke": Revocation,
}

_ADDRESS = (
    ("status", "actual, exercise or test", [str(each) for each in Status]),
    ("tlp", "marking, with - for +", [each.replace("+", "-") for each in Tlp]),
    ("audience", "sharing group or organisation", None),
    ("cc", "first token of the issuer's id", None),
    ("org", "rest of the issuer's id", None),
    ("domain", "the issuer's domain", [str(each) for each in Domain]),
    ("kind", "kind of body, x under TLP:RED", None),
    ("area", "affected country, eu, multi, intl; x under TLP:RED", None),
    ("election", "election id or none; x under TLP:RED", None),
    ("priority", "p1 to p4", ["p1", "p2", "p3", "p4"]),
)


def documents() -> dict[str, str]:
    """File name -> text of every document."""
    found = {f"{name}.schema.json": _text(_schema(name, type_)) for name, type_ in _ROOTS.items()}
    found["asyncapi.yaml"] = _text(asyncapi())
    found["vocabularies.json"] = _text(vocabularies())
    return found


def _schema(name: str, type_: type[msgspec.Struct]) -> dict[str, Any]:
    (reference,), components = msgspec.json.schema_components([type_], ref_template="#/$defs/{name}")
    return {
        "$schema": DIALECT,
        "$id": f"urn:tocsin:schema:{name}:1",
        "title": f"tocsin {name}",
        **reference,
        "$defs": dict(sorted(components.items())),
    }


def vocabularies() -> dict[str, Any]:
    """The words of every open vocabulary, by its name in `x-tocsin-vocabulary`, and the time zones of R28."""
    found = {name: {"source": each.source, "values": sorted(each.values)} for name, each in OPEN.items()}
    found["time-zone"] = {"source": f"IANA time zone database {VERSION}; closed", "values": sorted(ZONES)}
    return dict(sorted(found.items()))


def asyncapi() -> dict[str, Any]:
    """The channels and messages of the bus, AsyncAPI 3.0."""
    (reference,), components = msgspec.json.schema_components(
        [Bulletin], ref_template="#/components/schemas/{name}"
    )
    parameters = {
        name: {"description": text, **({"enum": words} if words else {})} for name, text, words in _ADDRESS
    }
    header = {"type": "string"}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "tocsin",
            "version": "1.0.0",
            "description": "Signed threat bulletins between authorities, over NATS JetStream. The payload is signed as "
            f"it is; the header {SIG_HEADER} carries detached JWS signatures. See SPEC.md.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "bulletins": {
                "address": ".".join([PREFIX, *(f"{{{name}}}" for name, _, _ in _ADDRESS)]),
                "messages": {"bulletin": {"$ref": "#/components/messages/bulletin"}},
                "parameters": parameters,
            },
            "trust": {
                "address": f"{TRUST_PREFIX}.{{said}}",
                "messages": {"signed": {"$ref": "#/components/messages/signed"}},
                "parameters": {
                    "said": {
                        "description": "documents of the registry; a revocation statement travels on the subject "
                        "of its sender",
                        "examples": [Trust.REGISTRY, Trust.BEACON, f"{Trust.REVOKE}.xa-csirt"],
                    }
                },
            },
        },
        "operations": {
            "publish": {
                "action": "send",
                "channel": {"$ref": "#/channels/bulletins"},
                "summary": "an authority publishes on one of its own channels",
            },
            "read": {
                "action": "receive",
                "channel": {"$ref": "#/channels/bulletins"},
                "summary": "a reader reads the channels of its grants, and verifies each bulletin",
            },
            "announce": {
                "action": "send",
                "channel": {"$ref": "#/channels/trust"},
                "summary": "the registrar publishes the current registry; an authority revokes its own key (revoke)",
            },
            "follow": {
                "action": "receive",
                "channel": {"$ref": "#/channels/trust"},
                "summary": "every client follows the registry, and verifies it",
            },
        },
        "components": {
            "messages": {
                "bulletin": {
                    "name": CE_TYPE,
                    "contentType": "application/json",
                    "description": f"at most {MAX_PAYLOAD_BYTES} bytes",
                    "headers": {
                        "type": "object",
                        "required": [SIG_HEADER],
                        "properties": {
                            SIG_HEADER: {**header, "maxLength": MAX_HEADER_BYTES},
                            "Nats-Msg-Id": {**header, "description": "digest of the payload"},
                            "ce-specversion": {**header, "const": "1.0"},
                            "ce-id": header,
                            "ce-source": header,
                            "ce-type": {**header, "const": CE_TYPE},
                            "ce-time": header,
                            "ce-datacontenttype": {**header, "const": "application/json"},
                        },
                    },
                    "payload": reference,
                },
                "signed": {
                    "name": "signed",
                    "contentType": "application/jose+json",
                    "description": "a signed file of SPEC.md sections 8 and 9: registry.schema.json, "
                    "beacon.schema.json or revoke.schema.json with its signatures",
                    "payload": {
                        "type": "object",
                        "required": ["payload", "signatures"],
                        "properties": {
                            "payload": {"type": "string"},
                            "signatures": {"type": "array", "items": {"type": "object"}},
                        },
                    },
                },
            },
            "schemas": dict(sorted(components.items())),
        },
    }


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write the documents, or compare them with the files. Returns 1 if one differs, else 0."""
    made = documents()
    if "--check" in arguments:
        drifted = [name for name, text in made.items() if not _same(FOLDER / name, text)]
        strange = [path.name for path in FOLDER.iterdir() if path.name not in made]
        for name in (*drifted, *strange):
            sys.stderr.write(f"schemas/json/{name} has drifted; run: python -m schemas.export\n")
        return 1 if drifted or strange else 0
    FOLDER.mkdir(exist_ok=True)
    for name, text in made.items():
        (FOLDER / name).write_text(text, "utf-8")
    return 0


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
