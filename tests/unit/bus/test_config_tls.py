"""TLS in a context: what demands it, and what is refused when it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus.config import demands_tls, load
from bus.errors import ConfigError

BASE = '[contexts.one]\nauthority = "xa-csirt"\ndomain = "d"\npin = "p"\nregistry = "r.json"\n'


def context_of(folder: Path, more: str) -> None:
    """Write the one context with further settings."""
    (folder / "tocsin.toml").write_text(BASE + more)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('tls_cert = "c.pem"', "tls_cert and tls_key go together"),
        ('tls_key = "c.key"', "tls_cert and tls_key go together"),
        ('server = "ws://a"\ntls_ca = "ca.pem"', "nats:// or tls://"),
        ('tls_cs = "ca.pem"', "there is no setting 'tls_cs'; did you mean 'tls_ca'?"),
        ("tls_ca = true", "tls_ca"),
    ],
)
def test_settings_that_do_not_fit_are_errors(tmp_path: Path, more: str, words: str) -> None:
    """One sentence with the file and the context."""
    context_of(tmp_path, more)
    with pytest.raises(ConfigError) as caught:
        load({"TOCSIN_HOME": str(tmp_path / "home")}, tmp_path)
    assert words in str(caught.value)
    assert "context one" in str(caught.value)


@pytest.mark.parametrize(
    ("more", "demanded"),
    [
        ('server = "nats://a"', False),
        ('server = "tls://a"', True),
        ('server = "nats://a"\ntls_ca = "ca.pem"', True),
        ('server = "nats://a"\ntls_cert = "c.pem"\ntls_key = "c.key"', True),
    ],
)
def test_a_ca_a_certificate_or_the_scheme_demands_tls(tmp_path: Path, more: str, demanded: bool) -> None:
    """Whoever names one of them never connects in clear; paths are relative to the file."""
    context_of(tmp_path, more)
    _, context = load({"TOCSIN_HOME": str(tmp_path / "home")}, tmp_path).pick("one")
    assert demands_tls(context) is demanded
    for path in (context.tls_ca, context.tls_cert, context.tls_key):
        assert path is None or path.parent == tmp_path
