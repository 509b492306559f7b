"""The bill of materials of an image: CycloneDX 1.5 (ECMA-424's format), as JSON."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from lock import Package

DISTRIBUTION, ARCHITECTURE = "trixie", "arm64"
_MACHINE_READABLE = "Format: http"  # DEP-5: "Format: https://www.debian.org/doc/packaging-..."
_NAME = re.compile(r"[A-Za-z][\w.+-]*(?:/[\w.+-]+)?(?: (?:or|and|with|exception|[\w.+-]+))*")


@dataclass(frozen=True)
class Image:
    """What the bill is about; `sha256` is that of the card's image, unpacked."""

    version: str
    sha256: str
    epoch: int


def licence_names(copyright_text: str) -> list[str]:
    """Return the short names of licences in a machine-readable copyright file; else none.

    Debian's files that only people can read are not guessed at: their text is in the release.
    """
    if not copyright_text.startswith(_MACHINE_READABLE):
        return []
    names = re.findall(r"^License:[ \t]*(\S.*)$", copyright_text, re.M)
    return sorted({name.strip() for name in names if len(name) < 60 and _NAME.fullmatch(name)})


def purl(package: Package) -> str:
    """Return the package URL of a Debian package (purl, type deb)."""
    name, version = quote(package.name, safe=".-_~"), quote(package.version, safe=".-_~:")
    return f"pkg:deb/debian/{name}@{version}?arch={ARCHITECTURE}&distro={DISTRIBUTION}"


def debian_component(package: Package, copyright_text: str) -> dict[str, object]:
    """Return a Debian package as a component; the hash is that of its archive."""
    reference = purl(package)
    made: dict[str, object] = {
        "type": "library",
        "bom-ref": reference,
        "name": package.name,
        "version": package.version,
        "purl": reference,
        "hashes": [{"alg": "SHA-256", "content": package.sha256}],
        "properties": [
            {"name": "debian:source", "value": package.source},
            {"name": "debian:source-version", "value": package.source_version},
        ],
    }
    if names := licence_names(copyright_text):
        made["licenses"] = [{"license": {"name": name}} for name in names]
    return made


def vendored_components(folder: Path) -> list[dict[str, object]]:
    """Return what the web page brings along from other projects, from its vendor.json."""
    listing = folder / "vendor.json"
    if not listing.is_file():
        return []
    rows: list[dict[str, str]] = json.loads(listing.read_text())
    return [
        {
            "type": "library",
            "bom-ref": f"vendor/{row['file']}",
            "name": row["package"],
            "version": row["version"],
            "purl": f"pkg:npm/{quote(row['package'])}@{row['version']}",
            "licenses": [{"license": {"id": row["licence"]}}],
            "hashes": [{"alg": "SHA-256", "content": row["sha256"]}],
        }
        for row in rows
    ]


def make_bill(
    image: Image,
    packages: Iterable[Package],
    copyrights: Mapping[str, str],
    vendored: Iterable[dict[str, object]],
) -> str:
    """Return the bill of materials as JSON; the same inputs give the same bytes."""
    components = [debian_component(each, copyrights.get(each.name, "")) for each in packages]
    components += vendored
    bill = {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, image.sha256)}",
        "version": 1,
        "metadata": _metadata(image),
        "components": components,
        "dependencies": [
            {"ref": "masqgate", "dependsOn": [each["bom-ref"] for each in components]},
        ],
    }
    return json.dumps(bill, indent=1) + "\n"


def _metadata(image: Image) -> dict[str, object]:
    """Return when the image was made, and the image itself as the described component."""
    time = datetime.fromtimestamp(image.epoch, UTC)
    return {
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "component": {
            "type": "firmware",
            "bom-ref": "masqgate",
            "name": "masqgate",
            "version": image.version,
            "hashes": [{"alg": "SHA-256", "content": image.sha256}],
            "licenses": [{"license": {"id": "GPL-2.0-or-later"}}],
        },
    }
