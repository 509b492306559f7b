"""Access points of mobile providers, as a database lists them and people look them up."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

AUTO = "auto"  # as an uplink's `apn`: choose by the SIM


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """One access point. User and password are the provider's, the same for all its customers."""

    apn: str
    country: str  # ISO 3166-1: at
    provider: str
    name: str = ""  # of the tariff
    user: str = ""
    password: str = ""
    usage: str = ""  # internet, mms, wap, mms-internet-hipri, …
    plan: Literal["", "prepaid", "postpaid"] = ""
    networks: tuple[str, ...] = ()  # MCC and MNC of each: 23201
    primary: bool = False  # of several providers with that network, the network's own


class ApnQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which access points: of a country (at), of a network (23201), or of neither: none.

    With neither, the countries are told.
    """

    country: Annotated[str, Meta(pattern=r"^([A-Za-z]{2})?\Z")] = ""
    network: Annotated[str, Meta(pattern=r"^([0-9]{5,6})?\Z")] = ""


class Apns(msgspec.Struct, frozen=True):
    """What is known."""

    found: tuple[Access, ...] = ()
    countries: tuple[str, ...] = ()
