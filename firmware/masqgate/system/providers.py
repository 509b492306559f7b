"""The database of access points: GNOME's mobile-broadband-provider-info, format 2.0.

The file belongs to the system and is read as it is needed: a look takes a fraction of a second.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, iterparse

from ..contract.apn import Access

_NAME = re.compile(r"[A-Za-z0-9._@-]{1,100}")  # it goes into an AT command
FILE = Path("/usr/share/mobile-broadband-provider-info/serviceproviders.xml")
log = logging.getLogger("masqgate.providers")


class Providers:
    """Access points by network or by provider; none where the file is missing or broken."""

    def __init__(self, file: Path = FILE) -> None:
        self._file = file

    def find(self, what: str) -> tuple[Access, ...]:
        """Return those of a network (23201), or of a country and a provider ('at/A1')."""
        if what.isdigit():
            return tuple(one for one in self._all() if what in one.networks)
        country, _, provider = what.partition("/")
        return tuple(
            one
            for one in self._all()
            if one.country == country.lower() and provider.lower() in one.provider.lower()
        )

    def countries(self) -> tuple[str, ...]:
        """Return the countries' codes, sorted."""
        return tuple(sorted({one.country for one in self._all()}))

    def _all(self) -> Iterator[Access]:
        try:
            yield from _read(self._file)
        except (OSError, ParseError) as error:
            log.warning("The list of access points cannot be read: %s", error)


def _read(file: Path) -> Iterator[Access]:
    country = ""
    with file.open("rb") as stream:
        # The file lies on the read-only system, and expat limits what entities grow to.
        for event, element in iterparse(stream, ("start", "end")):  # noqa: S314
            if event == "start" and element.tag == "country":
                country = element.get("code", "").lower()
            elif event == "end" and element.tag == "provider":
                yield from _provider(country, element)
                element.clear()


def _provider(country: str, provider: Element) -> Iterator[Access]:
    gsm = provider.find("gsm")
    if gsm is None:
        return
    networks = tuple(one.get("mcc", "") + one.get("mnc", "") for one in gsm.findall("network-id"))
    for apn in gsm.findall("apn"):
        plan = _attribute(apn, "plan")
        value = apn.get("value", "").strip()
        if _NAME.fullmatch(value):
            yield Access(
                apn=value,
                country=country,
                provider=_text(provider, "name"),
                name=_text(apn, "name"),
                user=_text(apn, "username"),
                password=_text(apn, "password"),
                usage=_attribute(apn, "usage"),
                plan="prepaid" if plan == "prepaid" else "postpaid" if plan == "postpaid" else "",
                networks=networks,
                primary=provider.get("primary") == "true",
            )


def _text(element: Element, tag: str) -> str:
    return (element.findtext(tag) or "").strip()


def _attribute(element: Element, tag: str) -> str:
    found = element.find(tag)
    return "" if found is None else found.get("type", "")
