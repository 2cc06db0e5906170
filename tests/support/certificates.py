"""Certificates made on the fly: a CA, a broker's and a client's, each as wrong as a test wants it."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = dt.timedelta(days=1)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Ca:
    """An authority that signs certificates, and the folder in which they lie."""

    def __init__(self, folder: Path, name: str = "CA of XA") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._name = _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        made = self._builder(name, self._key.public_key(), dt.timedelta(days=90))
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.file = self._write("ca.pem", made)

    def issue(
        self,
        name: str,
        *,
        hosts: tuple[str, ...] = (),
        days: float = 60,
        client: bool = False,
    ) -> tuple[Path, Path]:
        """A certificate and its key (mode 0600); of negative days it has expired.

        With hosts, or without `client`, it is a server's; with both it is of a node, which is each to the other.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._builder(name, key.public_key(), days * DAY)
        if hosts:
            names = [
                x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
                for host in hosts
            ]
            made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH] if client else []
        uses += [ExtendedKeyUsageOID.SERVER_AUTH] if hosts or not client else []
        made = made.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        secret = self.folder / f"{name}.key"
        secret.touch(mode=0o600)
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return self._write(f"{name}.pem", made), secret

    def _builder(
        self, name: str, key: ec.EllipticCurvePublicKey, life: dt.timedelta
    ) -> x509.CertificateBuilder:
        ends = dt.datetime.now(dt.UTC) + life
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(ends, dt.datetime.now(dt.UTC)) - DAY)
            .not_valid_after(ends)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )

    def _write(self, name: str, builder: x509.CertificateBuilder) -> Path:
        path = self.folder / name
        path.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return path
