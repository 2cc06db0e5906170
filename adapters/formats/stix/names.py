"""The names of object types and relationship types in STIX 2.1 and its common extensions."""

from typing import Final

__all__ = ["OBJECT_TYPES", "OBSERVABLE_TYPES", "RELATIONSHIP_TYPES"]

OBSERVABLE_TYPES: Final = frozenset(
    {
        "artifact", "autonomous-system", "directory", "domain-name", "email-addr", "email-message", "file", "ipv4-addr", "ipv6-addr",
        "mac-addr", "mutex", "network-traffic", "process", "software", "url", "user-account", "windows-registry-key",
        "x509-certificate",
        # custom observables of OpenCTI
        "bank-account", "channel", "cryptocurrency-wallet", "hostname", "media-content", "phone-number", "text", "user-agent",
    }
)  # fmt: skip
OBJECT_TYPES: Final = OBSERVABLE_TYPES | frozenset(
    {
        "attack-action", "attack-asset", "attack-condition", "attack-flow", "attack-operator", "attack-pattern", "bundle", "campaign",
        "channel", "course-of-action", "event", "extension-definition", "grouping", "identity", "incident", "indicator",
        "infrastructure", "intrusion-set", "language-content", "location", "malware", "malware-analysis", "marking-definition",
        "narrative", "note", "observed-data", "opinion", "relationship", "report", "security-platform", "sighting", "task",
        "threat-actor", "tool", "vulnerability", "x-mitre-asset", "x-mitre-data-component", "x-mitre-data-source",
        "x-mitre-matrix", "x-mitre-tactic",
    }
)  # fmt: skip
"""The object types of STIX 2.1 and its extensions that are read or frequent; losses name no other."""
RELATIONSHIP_TYPES: Final = frozenset(
    {
        "analysis-of", "attributed-to", "authored-by", "based-on", "beacons-to", "belongs-to", "characterizes", "communicates-with",
        "compromises", "consists-of", "controls", "delivers", "derived-from", "detects", "downloads", "drops", "duplicate-of",
        "dynamic-analysis-of", "exfiltrates-to", "exploits", "has", "hosts", "impersonates", "indicates", "investigates",
        "located-at", "mitigates", "originates-from", "owns", "publishes", "related-to", "remediates", "resolves-to",
        "static-analysis-of", "subnarrative-of", "subtechnique-of", "targets", "uses", "variant-of",
    }
)  # fmt: skip
"""The relationship types of STIX 2.1 and OpenCTI; losses name no other."""
