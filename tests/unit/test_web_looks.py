"""The style sheet's colours can be read by everybody (WCAG 2.2, 1.4.3 and 1.4.11)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CSS = Path(__file__).parents[2] / "webui" / "masqgate_web" / "static" / "page.css"
TEXT = ("ink", "faint", "accent", "good", "busy", "warn", "bad", "calm")
GRAPHICS = ("rx", "tx")


def themes() -> dict[str, dict[str, str]]:
    roots = re.findall(r":root \{(.*?)\}", CSS.read_text(), re.S)
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", root)) for root in roots)
    return {"light": light, "dark": light | dark}


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_plots_stand_out(theme: str) -> None:
    colours = themes()[theme]
    for ground in ("paper", "card"):
        for name in TEXT:
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
        for name in GRAPHICS:
            assert contrast(colours[name], colours[ground]) >= 3, (name, ground)
    assert contrast(colours["on-accent"], colours["accent"]) >= 4.5
    assert contrast(colours["card"], colours["bad"]) >= 4.5


def test_the_plots_two_lines_differ_without_colour() -> None:
    assert "stroke-dasharray" in CSS.read_text()
