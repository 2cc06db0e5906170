"""The adapter of a data protection authority: breaches of personal data."""

from adapters.formats.gdpr_art33 import FORMAT as GDPR_ART33
from adapters.formats.veris import FORMAT as VERIS
from adapters.sdk import AuthorityAdapter

ADAPTER = AuthorityAdapter(__file__, (GDPR_ART33, VERIS))
