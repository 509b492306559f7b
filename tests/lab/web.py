"""HTTP from a box, by curl."""

from __future__ import annotations

from dataclasses import dataclass

from .boxes import Box
from .processes import LabError

TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Reply:
    """Status code, headers (names in lower case) and body of the last response."""

    status: int
    headers: dict[str, str]
    body: str


def parse_reply(text: str) -> Reply:
    """Read what `curl -i` printed: one or more heads, then a body. ValueError if it is none."""
    text = text.replace("\r\n", "\n")
    while True:
        head, gap, rest = text.partition("\n\n")
        first, *lines = head.split("\n")
        if not first.startswith("HTTP/") or not gap:
            raise ValueError(f"not an HTTP response: {first[:80]!r}")
        if not rest.startswith("HTTP/"):
            break
        text = rest  # an interim or redirecting response comes before the last one
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Reply(int(first.split(" ")[1]), headers, rest)


def fetch(box: Box, url: str, *options: str, timeout_s: float = TIMEOUT_S) -> Reply:
    """Fetch a page of any status with curl's `options`; LabError if there is no answer."""
    command = ["curl", "-sS", "-i", "--max-time", f"{timeout_s:g}", *options, url]
    done = box.run(command, timeout_s=timeout_s + 10)
    if done.returncode != 0:
        raise LabError(f"{box.name} got no answer from {url}: {done.stderr.strip()}")
    return parse_reply(done.stdout)
