"""Authentication arithmetic: CHAP with MD5 (RFC 1994) and MS-CHAPv2 (RFC 2759)."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from enum import Enum

from Crypto.Cipher import DES
from Crypto.Hash import MD4

_MAGIC1 = b"Magic server to client signing constant"
_MAGIC2 = b"Pad to make it do more than one iteration"


class Auth(Enum):
    """How one side asks the other to authenticate; the value is LCP option 3's data."""

    PAP = b"\xc0\x23"
    CHAP = b"\xc2\x23\x05"
    MSCHAPV2 = b"\xc2\x23\x81"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and its password."""

    user: str
    password: str


def chap_md5(identifier: int, password: str, challenge: bytes) -> bytes:
    """Return the 16-byte response value (RFC 1994, section 2; RFC 1334's MD5 digest)."""
    return hashlib.md5(bytes([identifier]) + password.encode() + challenge).digest()


def nt_password_hash(password: str) -> bytes:
    """MD4 of the password in UTF-16LE (RFC 2759, section 8.3)."""
    return MD4.new(password.encode("utf-16-le")).digest()


def challenge_hash(peer_challenge: bytes, auth_challenge: bytes, user: str) -> bytes:
    """Eight bytes of SHA-1 (RFC 2759, section 8.2); a domain before a backslash is left out."""
    name = user.rpartition("\\")[2].encode()
    return hashlib.sha1(peer_challenge + auth_challenge + name).digest()[:8]


def _des_key(seven: bytes) -> bytes:
    bits = int.from_bytes(seven, "big")
    return bytes((bits >> (49 - 7 * i) & 0x7F) << 1 for i in range(8))


def nt_response(auth_challenge: bytes, peer_challenge: bytes, user: str, password: str) -> bytes:
    """Return the 24-byte NT-Response (RFC 2759, section 8.1)."""
    challenge = challenge_hash(peer_challenge, auth_challenge, user)
    padded = nt_password_hash(password).ljust(21, b"\0")
    keys = (padded[i : i + 7] for i in (0, 7, 14))
    return b"".join(DES.new(_des_key(key), DES.MODE_ECB).encrypt(challenge) for key in keys)


def authenticator_response(
    password: str, response: bytes, peer_challenge: bytes, auth_challenge: bytes, user: str
) -> str:
    """Return 'S=' and 40 hexadecimal digits (RFC 2759, section 8.7)."""
    hash_hash = MD4.new(nt_password_hash(password)).digest()
    digest = hashlib.sha1(hash_hash + response + _MAGIC1).digest()
    challenge = challenge_hash(peer_challenge, auth_challenge, user)
    return "S=" + hashlib.sha1(digest + challenge + _MAGIC2).hexdigest().upper()


def mschapv2_value(
    peer_challenge: bytes, auth_challenge: bytes, user: str, password: str
) -> bytes:
    """Return the 49-byte value of a Response packet (RFC 2759, section 4)."""
    response = nt_response(auth_challenge, peer_challenge, user, password)
    return peer_challenge + bytes(8) + response + b"\0"


def verify_mschapv2(value: bytes, auth_challenge: bytes, user: str, password: str) -> str | None:
    """Check a Response's value; return the 'S=' string for Success, None if it is wrong."""
    if len(value) != 49:
        return None
    peer_challenge, response = value[:16], value[24:48]
    wanted = nt_response(auth_challenge, peer_challenge, user, password)
    if not hmac.compare_digest(response, wanted):
        return None
    return authenticator_response(password, response, peer_challenge, auth_challenge, user)
