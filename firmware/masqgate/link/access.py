"""Which access point a SIM gets: its network, its names, and the choice among several. Pure.

The network is the first part of the IMSI: MCC (three digits) and MNC (two or three). How long the
MNC is, the SIM tells in EF_AD (TS 31.102, 4.2.18); SIMs that do not are matched by the longest
network that is known. Whose SIM it is on a network that several providers use, EF_SPN tells
(TS 31.102, 4.2.12).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from ..contract.apn import AUTO, Access
from ..contract.config import Modem
from ..contract.secret import Secret
from .text import harmless

SHORTEST_IMSI, LONGEST_IMSI = 6, 15  # digits (ITU-T E.212)
MCC = 3
MOST_TOLD = 4  # other choices that are told of
_USAGES = ("internet", "internet-only", "")  # the better ones first; then all others
_MESSAGES = ("mms", "wap-mms")  # these carry no Internet


@dataclass(frozen=True, slots=True)
class Sim:
    """What a SIM tells of whose it is."""

    imsi: str = ""
    mnc_digits: int | None = None
    names: tuple[str, ...] = ()  # the provider's, and the network's

    def networks(self) -> tuple[str, ...]:
        """MCC and MNC, the likeliest first."""
        lengths = (self.mnc_digits,) if self.mnc_digits in (2, 3) else (3, 2)
        return tuple(self.imsi[: MCC + length] for length in lengths if length)

    @property
    def shown(self) -> str:
        """The network in words; nothing of the IMSI that tells who the subscriber is."""
        mcc, mnc = self.imsi[:MCC], self.imsi[MCC : MCC + (self.mnc_digits or 2)]
        return f"{mcc} {mnc}"


# Access points by a network (23201), or by country and provider ('at/A1'); in the order of the
# database.
Find = Callable[[str], tuple[Access, ...]]


def known_none(_: str) -> tuple[Access, ...]:
    """A database that knows nothing."""
    return ()


def imsi_in(lines: Iterable[str]) -> str:
    """Return the IMSI from the answer to AT+CIMI (TS 27.007, 5.6); '' if there is none."""
    for line in lines:
        text = line.removeprefix("+CIMI:").strip().strip('"')
        if SHORTEST_IMSI <= len(text) <= LONGEST_IMSI and text.isascii() and text.isdigit():
            return text
    return ""


def file_in(answer: str | None) -> bytes:
    """Return a file of the SIM from '+CRSM: 144,0,"…"' (TS 27.007, 8.18); empty if refused."""
    match = re.match(r'(?:144|145),\s*\d+,\s*"?((?:[0-9A-Fa-f]{2})+)"?', answer or "")
    return bytes.fromhex(match[1]) if match else b""


def mnc_digits(data: bytes) -> int | None:
    """Return the length of the MNC from EF_AD (TS 31.102, 4.2.18); None if it is not there."""
    return data[3] & 0x0F if len(data) >= 4 and data[3] & 0x0F in (2, 3) else None


def provider_name(data: bytes) -> str:
    """Return the provider's name from EF_SPN (TS 31.102, 4.2.12); '' if it has none."""
    name = data[1:]
    if name[:1] == b"\x80":  # UCS2 (TS 31.102, annex A)
        text = name[1 : 1 + 2 * ((len(name) - 1) // 2)].decode("utf-16-be", "replace")
        return harmless(text.split("\uffff")[0].strip(), 20)
    # The default alphabet of GSM has the letters, digits and signs of names where ASCII has them.
    return harmless(name.split(b"\xff")[0].decode("ascii", "replace").strip(), 20)


def choices(found: tuple[Access, ...], names: Iterable[str]) -> tuple[Access, ...]:
    """Return the access points to the Internet, the best first, each name and login once."""
    told = [plain for name in names if (plain := _plain(name))]

    def rank(access: Access) -> tuple[int, bool, bool]:
        ours = (_plain(access.provider), _plain(access.name))
        known = any(one and (one in name or name in one) for one in ours for name in told)
        usage = _USAGES.index(access.usage) if access.usage in _USAGES else len(_USAGES)
        return (usage, not known, not access.primary)

    good = sorted((one for one in found if one.usage not in _MESSAGES), key=rank)
    once: dict[tuple[str, str], Access] = {}
    for access in good:
        once.setdefault((access.apn, access.user), access)
    return tuple(once.values())


def tell(chosen: Access, others: tuple[Access, ...], how: str) -> str:
    """Say which one is used, and how another one is written by hand."""
    text = f"The access point '{chosen.apn}' of {_who(chosen)} is used, found {how}."
    if not others:
        return text
    listed = ", ".join(f"'{other.apn}' ({other.provider})" for other in others[:MOST_TOLD])
    more = f" and {len(others) - MOST_TOLD} more" if len(others) > MOST_TOLD else ""
    return harmless(f"{text} Others: {listed}{more}. Write one as 'apn' to use it.", 480)


def with_access(modem: Modem, access: Access | None) -> Modem:
    """Return the uplink as it dials: a login that is set by hand counts."""
    if modem.apn != AUTO or access is None or modem.user:
        return modem
    return msgspec.structs.replace(modem, user=access.user, password=Secret(access.password))


def _who(access: Access) -> str:
    return f"{access.provider} ({access.country.upper()})"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
