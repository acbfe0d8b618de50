"""Keys and tokens, good and bad. Asymmetric work is done by the `openssl` command."""
from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import subprocess
import time

PRESENTED: set[str] = set()
"""Every signature that was ever shown to a server: none may come back in any output."""


def b64(data: bytes | str) -> str:
    return base64.urlsafe_b64encode(data.encode() if isinstance(data, str) else data).rstrip(b"=").decode()


def openssl(*args: str, data: bytes | None = None) -> bytes:
    return subprocess.run(["openssl", *args], input=data, capture_output=True, check=True).stdout


def number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def der(data: bytes) -> list[tuple[int, bytes]]:
    """The values of a DER sequence's content, one level deep."""
    values, at = [], 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = number(data[at : at + size]), at + size
        values.append((tag, data[at : at + length]))
        at += length
    return values


class Key:
    """A private key in a file of its own, with what a JWKS says of it."""

    OPTIONS = {
        "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        "rsa1024": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
        "p256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "p384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
        "ed25519": ["-algorithm", "ED25519"],
    }

    def __init__(self, folder: str, kind: str, kid: str):
        self.kind, self.kid, self.path = kind, kid, os.path.join(folder, f"{kid}-{secrets.token_hex(4)}.pem")
        openssl("genpkey", *self.OPTIONS[kind], "-out", self.path)
        self.public_pem = openssl("pkey", "-in", self.path, "-pubout")
        self.public_der = openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")

    def jwk(self, **extra) -> dict:
        bits = der(der(self.public_der)[0][1])[1][1][1:]
        if self.kind.startswith("rsa"):
            modulus, exponent = (value.lstrip(b"\0") for _, value in der(der(bits)[0][1]))
            key = {"kty": "RSA", "n": b64(modulus), "e": b64(exponent)}
        elif self.kind == "ed25519":
            key = {"kty": "OKP", "crv": "Ed25519", "x": b64(bits)}
        else:
            half = (len(bits) - 1) // 2
            key = {"kty": "EC", "crv": {"p256": "P-256", "p384": "P-384"}[self.kind], "x": b64(bits[1 : 1 + half]), "y": b64(bits[1 + half :])}
        return {**key, "kid": self.kid, "use": "sig", **extra}

    def sign(self, algorithm: str, message: bytes) -> bytes:
        """Signs as `algorithm` says, whether or not the key is meant for it."""
        if self.kind == "ed25519":
            path = self.path + "." + secrets.token_hex(4)
            with open(path, "wb") as file:
                file.write(message)
            return openssl("pkeyutl", "-sign", "-inkey", self.path, "-rawin", "-in", path)
        options = ["dgst", f"-sha{algorithm[2:]}", "-sign", self.path]
        if algorithm.startswith("PS"):
            options += ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]
        signature = openssl(*options, data=message)
        if self.kind in ("p256", "p384"):
            size = 32 if self.kind == "p256" else 48
            r, s = (number(value) for _, value in der(der(signature)[0][1]))
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        return signature


def hmac_with(secret: bytes, algorithm: str):
    """A signer for HS256 and the like."""
    return lambda message: hmac.new(secret, message, getattr(hashlib, f"sha{algorithm[2:]}")).digest()


def compact(header, payload, sign) -> str:
    """A compact JWS (RFC 7515 §3.1) of what is given, sensible or not; texts are taken as they are."""
    parts = [part if isinstance(part, str) else json.dumps(part) for part in (header, payload)]
    message = ".".join(b64(part) for part in parts)
    signature = b64(sign(message.encode()))
    PRESENTED.add(signature)
    return f"{message}.{signature}"


def claims(issuer: str, audience: str, **changes) -> dict:
    """Good claims, changed; a change to `...` takes the claim away. `jti` makes each token another one."""
    now = int(time.time())
    good = {
        "iss": issuer, "aud": audience, "sub": "mallory", "tenant": "acme", "scope": "customer:read orders:search",
        "iat": now, "exp": now + 600, "jti": secrets.token_hex(8),
    }
    good.update(changes)
    return {name: value for name, value in good.items() if value is not ...}
