"""The conformance kit, for authors of adapters: the tests to inherit, the damage they do, and an authority to rehearse with."""

from adapters.conformance.kit import COUNTRY, NOW, AdapterConformance, Case

__all__ = ["COUNTRY", "NOW", "AdapterConformance", "Case"]
