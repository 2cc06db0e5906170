"""The adapter of an electoral management body: calendars and incidents of elections."""

from adapters.formats.eml_nl import FORMAT as EML_NL
from adapters.formats.nist_1500_101 import FORMAT as NIST_1500_101
from adapters.sdk import AuthorityAdapter

ADAPTER = AuthorityAdapter(__file__, (EML_NL, NIST_1500_101))
