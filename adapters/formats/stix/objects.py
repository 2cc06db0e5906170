"""Reads single STIX 2.1 objects: values to match, techniques, sharing markings, names of actors.

It reads leniently, because real bundles have extensions of OpenCTI without their definition, hosts under a URL label,
technique ids that their framework has dropped, and DISARM techniques under the source name of ATT&CK.

Sources: STIX Version 2.1 sections 4, 6 and 7; the TLP 2.0 extension of the OASIS STIX common objects; OpenCTI's custom objects.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from adapters.formats.stix.patterns import NamedValue
from adapters.translation.markings import Mark, read_mark, read_statement
from adapters.translation.reading import Losses
from adapters.translation.threats import TECHNIQUE
from schemas.observables import (
    HASH_TYPES,
    Sighted,
    classify,
    platform_named,
    refanged,
    sighted,
    site_of,
)
from schemas.parts import Ttp
from schemas.vocab import Tlp

__all__ = [
    "Held",
    "held_values",
    "listed",
    "marks_of",
    "named_value",
    "references",
    "technique_of",
    "text_of",
]

Member = Mapping[str, object]

_TLP_EXTENSION: Final = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
_TLP_IDS: Final = {
    "613f2e26-407d-48c7-9eca-b8e91df99dc9": Tlp.CLEAR,
    "34098fce-860f-48ae-8e50-ebd3cc5e41da": Tlp.GREEN,
    "f88d31f6-486f-44da-b317-01333bde0b82": Tlp.AMBER,
    "5e57c739-391a-4eb3-b6be-7d15ca92d5ed": Tlp.RED,
    "94868c89-83c2-464b-929b-a1a8aa3c8487": Tlp.CLEAR,
    "bab4a63c-aed9-4cf5-a766-dfca5abac2bb": Tlp.GREEN,
    "55d920b0-5e8b-4f79-9ee9-91f868d9b421": Tlp.AMBER,
    "939a9414-2ddd-4d32-a0cd-375ea402b003": Tlp.AMBER_STRICT,
    "e828b379-4e03-4974-9ac4-e53a884c97c1": Tlp.RED,
}

# Object type -> (property that holds the value, observable type, role).
_PLAIN: Final = {
    "ipv4-addr": ("value", "ipv4-addr", "infrastructure"),
    "ipv6-addr": ("value", "ipv6-addr", "infrastructure"),
    "domain-name": ("value", "domain-name", "infrastructure"),
    "hostname": ("value", "domain-name", "infrastructure"),
    "url": ("value", "url", "infrastructure"),
    "email-addr": ("value", "email-addr", "source"),
    "mac-addr": ("value", "mac-addr", "source"),
    "mutex": ("name", "mutex", "infrastructure"),
    "windows-registry-key": ("key", "windows-registry-key", "infrastructure"),
    "process": ("command_line", "process", "infrastructure"),
    "directory": ("path", "directory", "infrastructure"),
    "email-message": ("subject", "email-message", "content"),
    "channel": ("name", "channel", "publisher"),
    "cryptocurrency-wallet": ("value", "crypto-wallet", "payment"),
    "phone-number": ("value", "phone-number", "source"),
    "bank-account": ("iban", "bank-account", "payment"),
    "user-agent": ("value", "network-traffic", "infrastructure"),
}
_PATTERN_TYPES: Final = {
    ("network-traffic", ("src_ref", "value")): None,
    ("network-traffic", ("dst_ref", "value")): None,
    ("domain-name", ("resolves_to_refs", "value")): None,
    ("email-message", ("from_ref", "value")): "email-addr",
    ("email-message", ("sender_ref", "value")): "email-addr",
    ("autonomous-system", ("number",)): "autonomous-system",
    ("user-account", ("account_login",)): "user-account",
    ("user-account", ("user_id",)): "user-account",
    ("user-account", ("display_name",)): "user-account",
    ("file", ("name",)): "file",
    ("x509-certificate", ("serial_number",)): "x509-certificate",
    ("software", ("name",)): "software",
}

# Less common digests, by their name in lower case without hyphens.
_HASHES: Final = {
    "sha3256": "SHA3-256",
    "sha3512": "SHA3-512",
    "ssdeep": "SSDEEP",
    "tlsh": "TLSH",
    "imphash": "IMPHASH",
    "authentihash": "AUTHENTIHASH",
}
_ATTACK_SOURCES: Final = {
    "mitre-attack": "attack-enterprise",
    "mitre-enterprise-attack": "attack-enterprise",
    "mitre-mobile-attack": "attack-mobile",
    "mitre-ics-attack": "attack-ics",
    "disarm": "disarm",
    "disarm-framework": "disarm",
    "amitt": "amitt",
    "mitre-atlas": "atlas",
}
_DOMAINS: Final = {"mobile-attack": "attack-mobile", "ics-attack": "attack-ics"}


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """One value of an object."""

    found: Sighted
    role: str = "infrastructure"
    platform: str | None = None
    note: str | None = None


def text_of(owner: Member, name: str) -> str:
    """A text property; the empty string if it is missing or not text."""
    found = owner.get(name)
    return found if isinstance(found, str) else ""


def references(owner: Member, name: str) -> tuple[str, ...]:
    """A list of identifiers, or nothing."""
    found = owner.get(name)
    return tuple(item for item in found if isinstance(item, str)) if isinstance(found, list) else ()


# --- observables


def held_values(item: Member) -> tuple[Held, ...]:
    """The values of one observable object; empty if none can be matched."""
    kind = text_of(item, "type")
    match kind:
        case "file" | "artifact" | "x509-certificate":
            return _hashed(kind, item)
        case "user-account":
            return _account(item)
        case "autonomous-system":
            number = item.get("number")
            return _held("autonomous-system", f"AS{number}") if isinstance(number, int) else ()
        case "software":
            return _held("software", text_of(item, "cpe") or text_of(item, "name"))
        case "media-content":
            seen = classify(text_of(item, "url")) or classify(text_of(item, "content"))
            return (Held(found=seen, role="content"),) if seen else ()
        case "channel" if site := site_of(text_of(item, "name")):
            return (Held(found=site, role="publisher"),)
        case _ if plain := _PLAIN.get(kind):
            name, observable_type, role = plain
            return _held(observable_type, text_of(item, name), role)
        case _:
            return ()


def named_value(named: NamedValue) -> Sighted | None:
    """The observable of one equality test in a pattern; None if no observable type fits."""
    if named.path[0] == "hashes" and len(named.path) == 2:
        return sighted("x509-certificate" if named.object_type == "x509-certificate" else "file", named.value)
    key = (named.object_type, named.path)
    if key in _PATTERN_TYPES:
        observable_type = _PATTERN_TYPES[key]
        if observable_type == "autonomous-system":
            return sighted(observable_type, f"AS{named.value}")
        return sighted(observable_type, named.value) if observable_type else classify(named.value)
    plain = _PLAIN.get(named.object_type)
    if plain and named.path == (plain[0],):
        return _sighted(plain[1], named.value)
    return None


def _hashed(kind: str, item: Member) -> tuple[Held, ...]:
    observable_type = "x509-certificate" if kind == "x509-certificate" else "file"
    found: list[Held] = []
    hashes = item.get("hashes")
    for name, value in hashes.items() if isinstance(hashes, Mapping) else ():
        if isinstance(value, str) and (seen := sighted(observable_type, value)):
            plain = str(name).lower().replace("-", "")
            found.append(Held(found=seen, note=None if plain in HASH_TYPES else _HASHES.get(plain)))
    found += _held(observable_type, text_of(item, "name"))
    if kind == "x509-certificate" and not found:
        found += _held(observable_type, text_of(item, "serial_number"))
    if kind == "artifact":
        found += _held("url", text_of(item, "url"))
    return tuple(found)


def _account(item: Member) -> tuple[Held, ...]:
    names = (text_of(item, name).strip() for name in ("account_login", "user_id", "display_name"))
    seen = sighted("user-account", next(filter(None, names), ""))
    platform = platform_named(text_of(item, "account_type"))
    return (Held(found=seen, role="publisher", platform=platform),) if seen else ()


def _held(observable_type: str, text: str, role: str = "infrastructure") -> tuple[Held, ...]:
    seen = _sighted(observable_type, text)
    return (Held(found=seen, role=role),) if seen else ()


def _sighted(observable_type: str, text: str) -> Sighted | None:
    return sighted(observable_type, refanged(observable_type, text))


# --- techniques


def technique_of(item: Member) -> Ttp | None:
    """The technique of an ``attack-pattern`` (or an Attack Flow action), with its framework; None without an id."""
    if identifier := text_of(item, "technique_id"):
        return _technique("attack-ics" if identifier.startswith("T0") else "attack-enterprise", identifier)
    for reference in listed(item, "external_references"):
        source = text_of(reference, "source_name").strip().lower()
        identifier = text_of(reference, "external_id").strip()
        if source in _ATTACK_SOURCES and TECHNIQUE.fullmatch(identifier):
            return _technique(_framework(item, reference, source), identifier)
    identifier = text_of(item, "x_mitre_id")
    if TECHNIQUE.fullmatch(identifier):
        return _technique(_framework(item, {}, "mitre-attack"), identifier)
    return None


def _technique(framework: str, identifier: str) -> Ttp | None:
    if framework.startswith("attack-") and identifier[:1].isdigit():
        # Attack flows written by hand leave the T out.
        identifier = f"T{identifier}"
    return Ttp(framework=framework, id=identifier) if TECHNIQUE.fullmatch(identifier) else None


def _framework(item: Member, reference: Member, source: str) -> str:
    chains = {text_of(phase, "kill_chain_name").lower() for phase in listed(item, "kill_chain_phases")}
    if "disarm" in text_of(reference, "url").lower() or "disarm" in chains:
        return "disarm"
    for domain in references(item, "x_mitre_domains"):
        if domain in _DOMAINS:
            return _DOMAINS[domain]
    if "mitre-ics-attack" in chains:
        return "attack-ics"
    return _ATTACK_SOURCES[source]


# --- sharing marks


def marks_of(reference: str, definition: Member | None, path: str, losses: Losses) -> tuple[Mark, ...] | None:
    """Reads one referenced marking definition.

    Args:
        reference: The identifier in ``object_marking_refs`` or ``granular_markings``.
        definition: The object with that identifier; None if the bundle lacks it.
        path: The place of the reference.
        losses: Records a statement, which has no field in a bulletin.

    Returns:
        The markings; empty for a definition about another subject (copyright); None if its meaning is unknown.

    Raises:
        FormatError: ``unknown-marking`` or ``classified``, by its text.
    """
    known = _TLP_IDS.get(reference.removeprefix("marking-definition--"))
    marks = [Mark(path=path, tlp=known)] if known else []
    if definition is None:
        return tuple(marks) if marks else None
    content = definition.get("definition")
    inside = content if isinstance(content, Mapping) else {}
    extensions = definition.get("extensions")
    extension = extensions.get(_TLP_EXTENSION) if isinstance(extensions, Mapping) else None
    labels = [f"tlp:{inside['tlp']}"] if "tlp" in inside else []
    labels += [f"pap:{inside['pap']}"] if "pap" in inside else []
    labels += [f"tlp:{extension.get('tlp_2_0')}"] if isinstance(extension, Mapping) else []
    kind = text_of(definition, "definition_type") or text_of(definition, "x_opencti_definition_type")
    statements = [each for name in ("statement", "Statement") if (each := text_of(inside, name))]
    # OpenCTI writes the text of a statement as the name of its definition.
    named = [each for name in ("name", "x_opencti_definition") if (each := text_of(definition, name))]
    if kind.lower() == "statement":
        statements += [each for each in named if each not in statements]
    else:
        labels += named
    marks += [mark for label in labels if label and (mark := read_mark(label, path))]
    marks += [mark for each in statements if (mark := read_statement(each, path, losses))]
    # Any marking without a level may mean a narrower circle than we know; a statement gives it in words.
    return tuple(marks) if marks or statements else None


def listed(owner: Member, name: str) -> tuple[Member, ...]:
    """A list of objects, or nothing."""
    found = owner.get(name)
    return tuple(item for item in found if isinstance(item, Mapping)) if isinstance(found, list) else ()
