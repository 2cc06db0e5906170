"""The base score of a CVSS vector, in tenths (FIRST, CVSS v3.0 and v3.1 specification, sections 7.1 and 7.4)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

_WEIGHTS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
        "AC": {"L": 0.77, "H": 0.44},
        "UI": {"N": 0.85, "R": 0.62},
        "C": {"H": 0.56, "L": 0.22, "N": 0.0},
        "I": {"H": 0.56, "L": 0.22, "N": 0.0},
        "A": {"H": 0.56, "L": 0.22, "N": 0.0},
    }
)
_PRIVILEGES = {"U": {"N": 0.85, "L": 0.62, "H": 0.27}, "C": {"N": 0.85, "L": 0.68, "H": 0.5}}
_BASE_3 = {
    **{name: frozenset(values) for name, values in _WEIGHTS.items()},
    "PR": frozenset("NLH"),
    "S": frozenset("UC"),
}
_BASE_4 = {
    "AV": frozenset("NALP"),
    "AC": frozenset("LH"),
    "AT": frozenset("NP"),
    "PR": frozenset("NLH"),
    "UI": frozenset("NPA"),
    **{name: frozenset("HLN") for name in ("VC", "VI", "VA", "SC", "SI", "SA")},
}
_IMPACTS_4 = ("VC", "VI", "VA", "SC", "SI", "SA")


class VectorError(ValueError):
    """A vector is not valid in its version."""


def metrics(vector: str) -> tuple[str, Mapping[str, str]]:
    """(version, metrics) of a vector with all base metrics.

    Raises:
        VectorError: the sentence names the fault.
    """
    version, _, rest = vector.removeprefix("CVSS:").partition("/")
    pairs = [part.split(":", 1) for part in rest.split("/")]
    found = dict(pairs)
    if len(found) != len(pairs):
        raise VectorError("names a metric twice")
    base = {"3.0": _BASE_3, "3.1": _BASE_3, "4.0": _BASE_4}.get(version)
    if base is None:
        raise VectorError(f"there is no CVSS {version}")
    for name, values in base.items():
        if name not in found:
            raise VectorError(f"lacks {name}")
        if found[name] not in values:
            raise VectorError(f"{name}:{found[name]} is not a value of CVSS {version}")
    return version, found


def is_plain(version: str, found: Mapping[str, str]) -> bool:
    """Whether a vector has only base metrics, so that its score is the base score."""
    return set(found) <= set(_BASE_4 if version == "4.0" else _BASE_3)


def has_impact(found: Mapping[str, str]) -> bool:
    """Whether the vector has an impact; without one the score is 0, in every version."""
    return any(found.get(name, "N") != "N" for name in (*_IMPACTS_4, "C", "I", "A"))


def base_score_3(found: Mapping[str, str]) -> int:
    """The base score of metrics of CVSS 3, in tenths: 0 to 100."""
    lost = 1.0
    for name in "CIA":
        lost *= 1 - _WEIGHTS[name][found[name]]
    iss, changed = 1 - lost, found["S"] == "C"
    impact = 7.52 * (iss - 0.029) - 3.25 * (iss - 0.02) ** 15 if changed else 6.42 * iss
    if impact <= 0:
        return 0
    ease = 8.22 * _PRIVILEGES[found["S"]][found["PR"]]
    for name in ("AV", "AC", "UI"):
        ease *= _WEIGHTS[name][found[name]]
    return _roundup(min(1.08 * (impact + ease) if changed else impact + ease, 10.0))


def _roundup(score: float) -> int:
    """Round up to the next tenth, without floating-point errors (specification of v3.1, appendix A)."""
    whole = round(score * 100_000)
    return whole // 10_000 if whole % 10_000 == 0 else math.floor(whole / 10_000) + 1
