"""Makes the files of `schemas/vectors`: fixed keys, fixed times, nothing random. `--check` compares instead."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from bus.admission.chain import Outcome
from schemas.codec import encode
from schemas.envelope import write_signed
from schemas.rules import RULES
from tests.vectors import (
    admission,
    batch_cases,
    chain_cases,
    codec_cases,
    registry_cases,
    revoke_cases,
    rule_cases,
    sealed_cases,
    section_cases,
    subject_cases,
)
from tests.vectors.scene import FOLDER, KEY, example, signed

NOTES: Mapping[str, Mapping[str, str]] = {
    "admission": admission.NOTES,
    "chain": {
        "Good": "has its place, or is told apart without refusal",
        "Refused": "contradicts what is held of its channel",
    },
    "context": batch_cases.NOTES,
    "registry": {
        "Good": "believed",
        "Pin": "a first version is believed by its digest",
        "Threshold": "enough signatures by distinct keys of the role",
        "File": "a signed file of its type, and a document of its schema",
        "Bounds": "how long a beacon is good for, and how far ahead it may be",
        "Order": "the domain, the version after, the digest before, the time",
        "Rules": "keys, thresholds, audiences and grants",
        "Seal": "a seal key's window is at most 90 days and does not begin anew; the revoked stay so",
    },
    "codec": {
        "Good": "read",
        "Bounds": "size, depth and number of items are bounded",
        "Json": "one JSON object, with nothing around it",
        "Text": "UTF-8 without tricks, and no lone surrogates",
        "Number": "integers within 2^53-1 and nothing else",
        "Duplicate": "a name stands once in an object, however it is written",
        "Type": "members, types, patterns and closed vocabularies",
        "Time": "YYYY-MM-DDTHH:MM:SS, one to six digits, Z",
    },
    "sealed": sealed_cases.NOTES,
    "section": section_cases.NOTES,
    "subject": {
        "Good": "derived and taken apart",
        "Token": "how a value becomes a token",
        "Area": "the affected country, or eu, multi, intl",
        "Priority": "p1 to p4 from severity, urgency and certainty",
        "Red": "TLP:RED hides kind, area and election",
        "Beat": "a channel of heartbeats has one subject, which hides kind, area and election",
        "Grammar": "twelve tokens of the grammar, without wildcards",
        "Pattern": "* is one token, > is the rest and at least one",
    },
    "revoke": revoke_cases.NOTES,
    "rules": {
        # R22 and R23 hold by construction.
        **{rule: f"rule {rule}" for rule in RULES if rule not in ("R22", "R23")},
        "Many": "every broken rule is told, in order",
    },
}


def _vectors(name: str, groups: list[dict[str, Any]]) -> bytes:
    document = {
        "algorithm": name,
        "schema": "vectors.schema.json",
        "numberOfTests": sum(len(group["tests"]) for group in groups),
        "notes": {
            flag: {"bugType": "NONE" if flag == "Good" else "REFUSAL", "description": text}
            for flag, text in NOTES[name].items()
        },
        "testGroups": groups,
    }
    return json.dumps(document, indent=1).encode() + b"\n"


def schema() -> dict[str, Any]:
    """JSON Schema of every vector file."""
    text, flag = {"type": "string"}, {"type": "string", "pattern": "^[A-Z][A-Za-z0-9]*$"}
    test = {
        "type": "object",
        "required": ["tcId", "comment", "flags", "result", "reason"],
        "properties": {
            "tcId": {"type": "integer", "minimum": 1, "description": "number within the file"},
            "comment": text,
            "flags": {"type": "array", "items": flag, "minItems": 1, "description": "keys of notes"},
            "result": {"enum": ["valid", "invalid"]},
            "reason": {**text, "description": "reason code of the refusal; empty when valid"},
            "input": {**text, "description": "base64url in Decode and Revoke, else the text itself"},
            "spaces": {
                "type": "integer",
                "minimum": 1,
                "description": "spaces to put after the first byte of the input",
            },
            "digest": {
                **text,
                "description": "BASE64URL(SHA-256(input)), in Unseal and OpenSection of what is inside",
            },
            "index": {"type": "integer", "minimum": 0, "description": "which section of the bulletin"},
            "microseconds": {"type": "integer", "description": "since 1970-01-01T00:00:00Z"},
            "pin": {**text, "description": "digest that was obtained out of band"},
            "held": {"type": "array", "items": {"$ref": "#/$defs/link"}, "description": "of one channel"},
            "link": {"$ref": "#/$defs/link"},
            "outcome": {"enum": sorted(Outcome)},
            "violations": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["rule", "path"],
                    "properties": {"rule": text, "path": text},
                    "additionalProperties": False,
                },
            },
            "typ": {**text, "description": "what the signatures are asked for"},
            "domain": {**text, "description": "the reader's federation"},
            "subject": text,
            "pattern": text,
            "tokens": {"type": "object", "additionalProperties": text},
            "headers": {
                "type": "array",
                "items": {"type": "array", "items": text, "minItems": 2, "maxItems": 2},
            },
            "payload": {**text, "description": "base64url"},
        },
        "additionalProperties": False,
    }
    group = {
        "type": "object",
        "required": ["type", "tests"],
        "properties": {
            "type": {
                "enum": [
                    *[
                        "Admission",
                        "Context",
                        "Chain",
                        "Open",
                        "Update",
                        "Beacon",
                        "Decode",
                        "Time",
                        "Revoke",
                        "Rules",
                        "Derive",
                        "Parse",
                        "Match",
                        "Unseal",
                        "OpenSection",
                    ]
                ]
            },
            "now": {**text, "description": "the reader's clock"},
            "registry": {"type": "object", "description": "signed file of the registry that is held"},
            "beacon": {"type": "object", "description": "signed file of the beacon seen last"},
            "pin": {**text, "description": "digest of the registry's payload"},
            "key": {"type": "object", "description": "public JWK of the one key that is known"},
            "seed": {**text, "description": "the reader's seal key, base64url"},
            "context": {"type": "object", "additionalProperties": text},
            "tests": {"type": "array", "items": {"$ref": "#/$defs/test"}, "minItems": 1},
        },
        "additionalProperties": False,
    }
    link = {
        "type": "object",
        "required": ["seq", "digest", "prev", "id"],
        "properties": {
            "seq": {"type": "integer", "minimum": 1},
            "digest": text,
            "prev": {"type": ["string", "null"]},
            "id": text,
        },
        "additionalProperties": False,
    }
    note = {
        "type": "object",
        "required": ["bugType", "description"],
        "properties": {"bugType": {"enum": ["NONE", "REFUSAL"]}, "description": text},
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:tocsin:schema:vectors:1",
        "title": "tocsin test vectors",
        "type": "object",
        "required": ["algorithm", "schema", "numberOfTests", "notes", "testGroups"],
        "properties": {
            "algorithm": {"enum": sorted(NOTES)},
            "schema": {"const": "vectors.schema.json"},
            "numberOfTests": {"type": "integer", "minimum": 1},
            "notes": {"type": "object", "propertyNames": flag, "additionalProperties": note},
            "testGroups": {"type": "array", "items": group, "minItems": 1},
        },
        "additionalProperties": False,
        "$defs": {"test": test, "link": link},
    }


def documents() -> dict[str, bytes]:
    """Every file by its name."""
    payload = encode(example())
    return {
        "example.tocsin.json": write_signed(payload, signed(payload, KEY)),
        "batched.tocsin.json": write_signed(payload, batch_cases.at(5, 1)),
        "example.jwk.json": json.dumps(KEY.jwk).encode() + b"\n",
        "admission_vectors.json": _vectors("admission", [admission.group()]),
        "context_vectors.json": _vectors("context", [batch_cases.group()]),
        "chain_vectors.json": _vectors("chain", [chain_cases.group()]),
        "registry_vectors.json": _vectors("registry", registry_cases.groups()),
        "codec_vectors.json": _vectors("codec", codec_cases.groups()),
        "revoke_vectors.json": _vectors("revoke", [revoke_cases.group()]),
        "rules_vectors.json": _vectors("rules", [rule_cases.group()]),
        "sealed_vectors.json": _vectors("sealed", [sealed_cases.group()]),
        "section_vectors.json": _vectors("section", [section_cases.group()]),
        "subject_vectors.json": _vectors("subject", subject_cases.groups()),
        "vectors.schema.json": json.dumps(schema(), indent=1).encode() + b"\n",
    }


def main(arguments: list[str]) -> int:
    """Write the files, or compare them with what stands; 1 when one has drifted."""
    drifted = 0
    for name, content in documents().items():
        path = FOLDER / name
        if "--check" not in arguments:
            path.write_bytes(content)
        elif not path.is_file() or path.read_bytes() != content:
            sys.stderr.write(f"schemas/vectors/{name} has drifted; run: python -m tests.vectors.generate\n")
            drifted = 1
    return drifted


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
