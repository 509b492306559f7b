"""The last two minutes of traffic, from the counters that pages poll, as a small plot."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from masqgate.contract.status import LinkStatus

SPAN_S = 120.0
CLOSEST_S = 1.0  # samples nearer than this say little on a slow line
GAP_S = 15.0  # nobody looked for longer: there is nothing to draw in between
WIDTH, HEIGHT = 240, 48


@dataclass(frozen=True)
class Sample:
    """Counters at one moment (seconds that never jump, bytes), and the rates since the last."""

    at: float
    rx_bytes: int
    tx_bytes: int
    rx_rate: float | None = None  # bytes/s
    tx_rate: float | None = None


@dataclass(frozen=True)
class Trend:
    """Rates now in bytes/s, and the plot: SVG paths in a box of WIDTH × HEIGHT."""

    rx_rate: float | None = None
    tx_rate: float | None = None
    top: float = 0.0  # bytes/s at the upper edge
    rx_path: str = ""
    tx_path: str = ""
    width: int = WIDTH
    height: int = HEIGHT


class RateBook:
    """Remembers the counters of each uplink's present call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._samples: dict[str, deque[Sample]] = {}
        self._call: dict[str, tuple[object, ...]] = {}

    def note(self, link: LinkStatus, now: float) -> Trend:
        """Add what a status says, `now` in monotonic seconds; return the trend."""
        with self._lock:
            samples = self._samples.setdefault(link.name, deque(maxlen=150))
            call = (link.state, link.calls, link.since_at)
            if self._call.get(link.name) != call:
                samples.clear()
                self._call[link.name] = call
            _add(samples, link, now)
            while samples and samples[0].at < now - SPAN_S:
                samples.popleft()
            return draw(list(samples), now)


def _add(samples: deque[Sample], link: LinkStatus, now: float) -> None:
    rx, tx = link.counters.rx_bytes, link.counters.tx_bytes
    last = samples[-1] if samples else None
    if last and now - last.at < CLOSEST_S:
        return
    if not last or now - last.at > GAP_S or rx < last.rx_bytes or tx < last.tx_bytes:
        samples.append(Sample(now, rx, tx))
        return
    elapsed = now - last.at
    rates = ((rx - last.rx_bytes) / elapsed, (tx - last.tx_bytes) / elapsed)
    samples.append(Sample(now, rx, tx, *rates))


def draw(samples: list[Sample], now: float) -> Trend:
    """Turn samples into a trend. The upper edge is a round number above every rate."""
    rated = [s for s in samples if s.rx_rate is not None and s.tx_rate is not None]
    if not rated:
        return Trend()
    top = _round_up(max(max(s.rx_rate or 0.0, s.tx_rate or 0.0) for s in rated))
    return Trend(
        rated[-1].rx_rate,
        rated[-1].tx_rate,
        top,
        _path([(s.at, s.rx_rate) for s in samples], now, top),
        _path([(s.at, s.tx_rate) for s in samples], now, top),
    )


def _round_up(rate: float) -> float:
    """The next of 1, 2 or 5 times a power of ten, and at least 100."""
    step = 100.0
    while True:
        for factor in (1, 2, 5):
            if rate <= step * factor:
                return step * factor
        step *= 10


def _path(points: list[tuple[float, float | None]], now: float, top: float) -> str:
    """An SVG path; it begins anew after every moment without a rate."""
    parts: list[str] = []
    pen = "M"
    for at, rate in points:
        if rate is None:
            pen = "M"
            continue
        x = WIDTH - (now - at) / SPAN_S * WIDTH
        y = HEIGHT - rate / top * (HEIGHT - 2) - 1
        parts.append(f"{pen}{x:.1f} {y:.1f}")
        pen = "L"
    return "".join(parts)
