"""The conformance kit for authors of adapters: tests to inherit, damaged documents, and an authority for rehearsals."""

from adapters.conformance.kit import COUNTRY, NOW, AdapterConformance, Case

__all__ = ["COUNTRY", "NOW", "AdapterConformance", "Case"]
