"""A single sign-on, as a program: it lets everybody in as the person it was told, and lies as it is told to.

`python -m tests.support.sign_on FOLDER` serves OpenID Connect over TLS, with `cert.pem` and `key.pem` of the folder, and writes its
port to `port`. With each request it reads `told.json`: `sub` of the person, and `lie`, one of `LIES`.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import secrets
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwk, jws, jwt

from tests.support.certificates import Ca
from tests.support.waiting import eventually_sync

CLIENT, SECRET = "tocsin-console", "a secret of 32 characters, or so"
LIES: dict[str, str] = {
    "no signature": "oidc-token",
    "the client's secret as a key": "oidc-token",
    "a public key as a secret": "oidc-token",
    "a key that is not listed": "oidc-key",
    "a key that is not listed, under a known name": "oidc-token",
    "a changed subject": "oidc-token",
    "for another client": "oidc-token",
    "for several clients": "oidc-token",
    "by way of another client": "oidc-token",
    "of another issuer": "oidc-token",
    "over": "oidc-token",
    "of the future": "oidc-token",
    "another nonce": "oidc-token",
    "no nonce": "oidc-token",
    "no subject": "oidc-token",
    "a subject that cannot be seen": "oidc-token",
    "no end": "oidc-token",
    "an endless nesting": "oidc-token",
    "not a token": "oidc-token",
    "no token": "oidc-refused",
    "another issuer in the answer": "oidc-issuer",
}
"""Each lie, and the reason with which it is refused."""


class SignOn:
    """What a test knows of the program."""

    def __init__(self, folder: Path, ca: Path) -> None:
        self.folder, self.ca = folder, ca
        self.url = f"https://localhost:{(folder / 'port').read_text()}"
        self.tell()

    def tell(self, sub: str = "248289761001", lie: str = "", shown_s: float = 0.0) -> None:
        """Say whom it lets in, with which lie, and how many seconds ago that person has shown who it is."""
        said = self.folder / "told.new"
        said.write_text(json.dumps({"sub": sub, "lie": lie, "shown_s": shown_s}))
        said.replace(self.folder / "told.json")

    def settings(self, **of: str) -> Path:
        """The file of settings of a console that uses it."""
        secret = self.folder / "oidc-secret"
        secret.touch(mode=0o600)
        secret.write_text(SECRET + "\n")
        told = {
            "issuer": self.url,
            "client": CLIENT,
            "secret_file": secret.name,
            "ca_file": str(self.ca),
            **of,
        }
        file = self.folder / "oidc.toml"
        lines = [f"{name} = {json.dumps(value)}" for name, value in told.items()]
        file.write_text("\n".join([*lines, 'networks = ["127.0.0.0/8", "::1/128"]', ""]))
        return file


@contextlib.contextmanager
def sign_on(folder: Path) -> Iterator[SignOn]:
    """Run it for as long as the body lasts."""
    ca = Ca(folder)
    certificate, key = ca.issue("sign-on", hosts=("localhost",))
    certificate.replace(folder / "cert.pem")
    key.replace(folder / "key.pem")
    process = subprocess.Popen([sys.executable, "-m", "tests.support.sign_on", folder], env=dict(os.environ))
    try:
        eventually_sync(lambda: (folder / "port").exists() or process.poll() is not None)
        yield SignOn(folder, ca.file)
    finally:
        process.terminate()
        process.wait()


class _Handler(BaseHTTPRequestHandler):
    folder: Path
    issuer: str
    key = jwk.RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
    stranger = jwk.RSAKey.generate_key(2048, {"kid": "two"})
    codes: dict[str, dict[str, str]] = {}  # noqa: RUF012 (of the one server)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (as its base calls it)
        """Nothing is logged."""

    def do_GET(self) -> None:
        path, asked = urlsplit(self.path).path, dict(_pairs(urlsplit(self.path).query))
        if path == "/.well-known/openid-configuration":
            names = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
            self._said({"issuer": self.issuer} | {key: self.issuer + value for key, value in names.items()})
        elif path == "/keys":
            listed = {**self.key.as_dict(private=False), "kid": "one", "use": "sig"}
            self._said({"keys": [{"kty": "OKP", "crv": "X"}, "no key", listed]})
        elif (
            path == "/authorize"
            and asked.get("client_id") == CLIENT
            and asked["code_challenge_method"] == "S256"
        ):
            code = secrets.token_urlsafe(16)
            self.codes[code] = asked
            back = {"code": code, "state": asked["state"]}
            if self._told()["lie"] == "another issuer in the answer":
                back["iss"] = "https://other.example"
            self.send_response(302)
            self.send_header("Location", f"{asked['redirect_uri']}?{urlencode(back)}")
            self.end_headers()
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        form = dict(_pairs(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        asked = self.codes.pop(form.get("code", ""), None)
        pair = f"{CLIENT}:{SECRET}".replace(" ", "%20").replace(",", "%2C")
        is_client = self.headers["Authorization"] == f"Basic {base64.b64encode(pair.encode()).decode()}"
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or not is_client
            or challenge != asked["code_challenge"]
            or form["redirect_uri"] != asked["redirect_uri"]
        ):
            self._said({"error": "invalid_grant"}, 400)
        else:
            token = self._token(asked)
            self._said({"access_token": "x", "token_type": "Bearer"} | ({"id_token": token} if token else {}))

    def _token(self, asked: dict[str, str]) -> str:
        told, now = self._told(), int(time.time())
        lie = told["lie"]
        claims: dict[str, Any] = {
            "iss": self.issuer, "sub": told["sub"], "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"],
            "auth_time": now - int(told["shown_s"]), "roles": ["administrator"],
        }  # fmt: skip
        changed: dict[str, dict[str, Any]] = {
            "for another client": {"aud": "other"},
            "for several clients": {"aud": [CLIENT, "other"]},
            "by way of another client": {"azp": "other"},
            "of another issuer": {"iss": "https://other.example"},
            "over": {"exp": now - 3600},
            "of the future": {"iat": now + 3600},
            "another nonce": {"nonce": "other"},
            "a subject that cannot be seen": {"sub": "a\u202eb"},
        }
        claims |= changed.get(lie, {})
        for name in {"no nonce": "nonce", "no subject": "sub", "no end": "exp"}.get(lie, "").split():
            del claims[name]
        header, key = {"alg": "RS256", "kid": "one"}, self.key
        if lie == "a key that is not listed":
            header, key = {"alg": "RS256", "kid": "two"}, self.stranger
        elif lie == "a key that is not listed, under a known name":
            key = self.stranger
        if lie in ("no token", "not a token"):
            return "" if lie == "no token" else "a.b.c"
        if lie == "an endless nesting":
            return jws.serialize_compact(header, b"[" * 50_000, key)
        if lie in ("the client's secret as a key", "a public key as a secret"):
            known = SECRET.encode() if "client" in lie else self.key.as_pem(private=False)
            return _hmac_signed(claims, known)
        text = jwt.encode(header, claims, key)
        first, middle, last = text.split(".")
        if lie == "no signature":
            return f"{_packed({'alg': 'none', 'kid': 'one'})}.{middle}."
        if lie == "a changed subject":
            return f"{first}.{_packed(claims | {'sub': 'other'})}.{last}"
        return text

    def _told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "told.json").read_text())
        return found

    def _said(self, content: object, status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _hmac_signed(claims: dict[str, Any], secret: bytes) -> str:
    """A token under HMAC, made by hand: no library signs with a public key."""
    head = f"{_packed({'alg': 'HS256', 'kid': 'one'})}.{_packed(claims)}"
    mac = hmac.digest(secret, head.encode(), "sha256")
    return f"{head}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _packed(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def _pairs(query: str) -> list[tuple[str, str]]:
    return [(name, values[0]) for name, values in parse_qs(query).items()]


def main(folder: Path) -> None:
    """Serve until ended."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    _Handler.folder, _Handler.issuer = folder, f"https://localhost:{server.server_port}"
    whole = folder / "port.new"
    whole.write_text(str(server.server_port))
    whole.replace(folder / "port")
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
