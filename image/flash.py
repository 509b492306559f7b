#!/usr/bin/env python3
"""Write a Masqgate image to an SD card: safely, and verified by reading back.

Standard library only, Python 3.9 or later, Linux. Nothing is written before every check
has passed and the person at the keyboard has confirmed the card.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from flash_device import Device, FlashError, System, cards, human, inspect, refuse
from flash_source import Plan, find_bmap, make_plan, parse_bmap
from flash_write import open_exclusively, reread_partitions, verify, write

_DEFAULT_IMAGE = Path("build/masqgate.img")


@dataclass(frozen=True)
class World:
    """What the program touches; tests bring their own."""

    system: System
    open_device: Callable[[Path], int]
    clock: Callable[[], float]
    out: TextIO
    ask: Callable[[str], str] | None  # None: nobody is there to be asked


class ProgressLine:
    """One line that tells step, share, rate and time left, rewritten four times a second."""

    def __init__(self, out: TextIO, clock: Callable[[], float]) -> None:
        self._out, self._clock = out, clock
        self._step, self._since, self._shown = "", 0.0, 0.0

    def __call__(self, step: str, done: int, total: int) -> None:
        """Show progress; complete steps end their line."""
        now = self._clock()
        if step != self._step:
            self.close()
            self._step, self._since, self._shown = step, now, now
        # A log file gets the complete steps alone.
        if done != total and (now - self._shown < 0.25 or not self._out.isatty()):
            return
        self._shown = now
        rate = done / max(now - self._since, 0.001)
        share = f"{100 * done // total:3d} %, {human(done)}" if total else human(done)
        left = f", {(total - done) / rate:.0f} s left" if rate and done < total else ""
        start, end = ("\r", "\033[K") if self._out.isatty() else ("", "")
        self._out.write(f"{start}{step}: {share}, {human(rate)}/s{left}{end}")
        self._out.flush()

    def close(self) -> None:
        """End the line of the current step."""
        if self._step:
            self._out.write("\n")
        self._step = ""


def flash(image: Path, path: Path, assume_yes: bool, world: World) -> None:
    """Check everything, ask, write, verify; FlashError tells what is wrong."""
    device = inspect(path, world.system)
    refuse(device, 0)
    progress = ProgressLine(world.out, world.clock)
    found = find_bmap(image)
    plan = make_plan(image, parse_bmap(found.read_bytes()) if found else None, progress)
    progress.close()
    refuse(device, plan.image_size)
    _confirm(device, plan, assume_yes, world)
    # The card may have been changed or mounted while the question stood there.
    if inspect(path, world.system) != device:
        raise FlashError(f"{path} changed meanwhile.", "Nothing was written. Start again.")
    handle = world.open_device(path)
    try:
        write(handle, image, plan, progress)
        verify(handle, plan, progress)
        progress.close()
        reread_partitions(handle)
    finally:
        os.close(handle)
    world.out.write(f"Done: {path} holds {image.name}, and was read back without a difference.\n")


def _confirm(device: Device, plan: Plan, assume_yes: bool, world: World) -> None:
    how = f"{human(plan.size)} of {human(plan.image_size)}" if plan.mapped else human(plan.size)
    world.out.write(f"{device.describe()}\n{how} will be written. All that is on it is lost.\n")
    if assume_yes:
        return
    if world.ask is None:
        raise FlashError("Nobody is there to confirm.", "In a script: --yes.")
    if world.ask(f"Type {device.name} to go on: ").strip() != device.name:
        raise FlashError("Not confirmed.", "Nothing was written.")


def _list_cards(world: World) -> int:
    found = cards(world.system)
    world.out.write("Which card? Name it: --device /dev/NAME (make flash DEV=/dev/NAME)\n")
    for device in found:
        note = f"  [in use: {', '.join(sorted(device.used))}]" if device.used else ""
        world.out.write(f"  {device.describe()}{note}\n")
    if not found:
        world.out.write("  (no card and no USB stick found: is it in the reader?)\n")
    return 2


def main(arguments: Sequence[str], world: World) -> int:
    """Run the command; return its exit status: 0 written, 1 refused or failed, 2 no device."""
    parser = argparse.ArgumentParser(prog="flash", description="Write a Masqgate image to a card.")
    parser.add_argument("--image", type=Path, default=_DEFAULT_IMAGE, help=".img or .img.xz")
    parser.add_argument("--device", type=Path, help="the whole card, as /dev/sdb or /dev/mmcblk0")
    parser.add_argument("--yes", action="store_true", help="do not ask; for scripts")
    chosen = parser.parse_args(arguments)
    if chosen.device is None:
        return _list_cards(world)
    try:
        flash(chosen.image, chosen.device, chosen.yes, world)
    except FlashError as error:
        world.out.write(f"\nflash: {error}\n")
        return 1
    except OSError as error:
        world.out.write(f"\nflash: {error}\n  Check the file, then start again.\n")
        return 1
    except (KeyboardInterrupt, EOFError):
        world.out.write("\nflash: Stopped.\n  If writing had begun, write the card again.\n")
        return 130
    return 0


def this_machine() -> World:
    """Return the real world: this machine's devices and the terminal."""
    ask = input if sys.stdin.isatty() else None
    return World(System(), open_exclusively, time.monotonic, sys.stdout, ask)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], this_machine()))
