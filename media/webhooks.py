"""Signs messages and posts them: to public addresses only, unless the operator allows others.

The signature is that of Standard Webhooks (standardwebhooks.com), for which receivers find libraries in every language:
`webhook-signature: v1,BASE64(HMAC-SHA256(secret, "ID.TIMESTAMP.BODY"))`, with ID and TIMESTAMP in headers of their own.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import json
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from media.errors import InputError

TOLERANCE_SECONDS = 300
"""How old a message may be that `verify` accepts: whoever records one cannot use it for long."""
TIMEOUT_SECONDS = 10.0
_PREFIX = "whsec_"


def body_of(payload: Mapping[str, Any]) -> bytes:
    """The bytes that are signed and sent."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def sign(secret: str, id_: str, timestamp: int, body: bytes) -> str:
    """The signature of a message. A secret that begins with `whsec_` is base64, as receivers' libraries write it."""
    digest = hmac.new(_key(secret), f"{id_}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether a message is from somebody who knows the secret, and is at most `TOLERANCE_SECONDS` from `now` (Unix time)."""
    found = {name.lower(): value for name, value in headers.items()}
    try:
        timestamp = int(found["webhook-timestamp"])
        expected = sign(secret, found["webhook-id"], timestamp, body)
        signatures = found["webhook-signature"].split()
    except (KeyError, ValueError):
        return False
    fresh = abs(now - timestamp) <= TOLERANCE_SECONDS
    return fresh and any(hmac.compare_digest(one.encode(), expected.encode()) for one in signatures)


def check_url(url: str, *, allow_private: bool = False) -> None:
    """Do nothing when messages could be sent to this address.

    Raises:
        InputError: it is no http(s) URL, carries a password, is not https, or is private although that is not allowed.
    """
    _address(url, allow_private)


def post(
    url: str, id_: str, payload: Mapping[str, Any], secret: str, timestamp: int, *, allow_private: bool = False
) -> str | None:
    """Send one message; None when the receiver took it (any 2xx), else what went wrong. Redirects are not followed."""
    import httpx

    body = body_of(payload)
    try:
        # The name is looked up once, and the address that was checked is the one that is called.
        name, address = _address(url, allow_private)
        target = httpx.URL(url).copy_with(host=address)
        headers = {
            "Host": httpx.URL(url).netloc.decode(),
            "Content-Type": "application/json",
            "User-Agent": "portrayal",
            "webhook-id": id_,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(secret, id_, timestamp, body),
        }
        with (
            httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False, follow_redirects=False) as client,
            client.stream("POST", target, content=body, headers=headers, extensions={"sni_hostname": name}) as reply,
        ):
            return None if reply.is_success else f"it answered {reply.status_code}"
    except InputError as error:
        return str(error)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return f"{type(error).__name__}: {error}".rstrip(": ")


def _address(url: str, allow_private: bool) -> tuple[str, str]:
    """Name and IP address of the host in a URL."""
    try:
        parts = urlsplit(url)
        name, port = parts.hostname, parts.port
    except ValueError:
        raise InputError(f"{url}: this is not a URL; write https://host/path.") from None
    if parts.scheme not in ("http", "https") or not name or any(char.isspace() for char in url):
        raise InputError(f"{url}: this is not a URL of a web server; write https://host/path.")
    if parts.username or parts.password:
        raise InputError("the webhook's URL holds a user or password; leave them out, messages are signed.")
    if parts.scheme == "http" and not allow_private:
        raise InputError(f"{url}: it is not encrypted; use https, or set PORTRAYAL_WEBHOOK_ALLOW_PRIVATE=true.")
    try:
        found = socket.getaddrinfo(name, port or (443 if parts.scheme == "https" else 80), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{url}: the host is not found ({said}); check its name.") from None
    addresses = list(dict.fromkeys(str(one[4][0]).partition("%")[0] for one in found))
    # All must be public: a name that also stands for a private address is no mistake.
    private = [one for one in addresses if not _public(one)]
    if private and not allow_private:
        raise InputError(
            f"{url}: {private[0]} is a private address, to which no messages are sent; "
            "use a public one, or set PORTRAYAL_WEBHOOK_ALLOW_PRIVATE=true."
        )
    return name, addresses[0]


def _public(address: str) -> bool:
    one = ipaddress.ip_address(address)
    if isinstance(one, ipaddress.IPv6Address):
        inner = one.ipv4_mapped or one.sixtofour or (one.teredo[1] if one.teredo else None)
        if inner is None and one in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.ip_address(int(one) & 0xFFFFFFFF)  # type: ignore[assignment]
        if inner is not None:
            return _public(str(inner))
    return one.is_global and not one.is_multicast


def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise InputError("PORTRAYAL_WEBHOOK_SECRET: what follows whsec_ is not base64; make a new secret.") from None
