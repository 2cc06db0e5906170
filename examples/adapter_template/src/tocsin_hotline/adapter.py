"""The adapter of an election hotline."""

from adapters.sdk import AuthorityAdapter
from tocsin_hotline.hotline import FORMAT

ADAPTER = AuthorityAdapter(__file__, (FORMAT,))
