"""Record every write to the card while the booted image works; see docs/POWERCUTS.md.

The result is a folder: `RECORDING/card.img` (the card before), `RECORDING/writes.log`,
`marks.json` (which operation began and was acknowledged after how many writes).
"""

from __future__ import annotations

import json
import os
import shlex
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.lab.first_use import insist
from tests.lab.lab import Lab
from tests.lab.pi import WRITES, Image, copy_sparse
from tests.lab.processes import LabError

from . import blocklog
from .updates import INSTALL, INSTALL_S, Systems

MARKS = "marks.json"
UPDATE = "update"  # the name of a recording and of its operation
CARD_BYTES = 1 << 30  # twice the image: the first start lets the data partition grow
SETTLE_S = 12.0  # until ext4 has committed and written back what nobody has waited for
PASSWORDS = ("three boxes one line", "another boat on the lake")
CONFIG = Path(__file__).parents[1] / "lab" / "router.toml"


@dataclass(frozen=True, slots=True)
class Mark:
    """An operation: writes from `start` on are its own; after `done` it had been acknowledged."""

    recording: str
    name: str
    start: int
    done: int
    end: int


class Recorder:
    """Runs operations on the router of a lab, and notes where in the log they are."""

    def __init__(self, lab: Lab, folder: Path, name: str = "") -> None:
        """`folder`: for all recordings; `name`: the one that is under way."""
        self._lab = lab
        self._folder = folder
        self._name = name
        self.marks: list[Mark] = []

    def switch_on(self, name: str) -> None:
        """Record from the next start on; the power is off."""
        assert self._lab.pi is not None
        self._name = name
        self._lab.pi.record = self._folder / name

    def operation(self, name: str, command: str, settle_s: float = SETTLE_S) -> None:
        """Run a command that must succeed, and wait until the card is quiet."""
        start = self.position()
        insist(self._lab.console, command)
        self.mark(name, start, settle_s)

    def mark(self, name: str, start: int, settle_s: float = SETTLE_S) -> None:
        """Note an operation that is over now, and wait until the card is quiet."""
        done = self.position()
        time.sleep(settle_s)
        self.marks.append(Mark(self._name, name, start, done, self.position()))
        text = json.dumps([asdict(mark) for mark in self.marks], indent=1)
        (self._folder / MARKS).write_text(text)

    def position(self) -> int:
        """How many sectors were written so far."""
        return len(blocklog.read(self._folder / self._name / WRITES))


def set_password(password: str) -> str:
    """The shell command that sets the administrator's password."""
    typed = shlex.quote(password)
    return rf"printf '%s\n' {typed} {typed} | masqgate password set"


def record(image: Image, folder: Path, logs: Path, systems: Systems) -> None:
    """Boot the image from a new card, and do everything that writes to it; then update it."""
    folder.mkdir(parents=True, exist_ok=True)
    lab = Lab(image, logs=logs, progress=lambda text: print(text, flush=True))
    assert lab.pi is not None
    lab.pi.new_card()
    os.truncate(lab.pi.card, CARD_BYTES)
    recorder = Recorder(lab, folder)
    recorder.switch_on("first")
    with lab:
        _first_start(lab, recorder)
        _operations(lab, recorder)
        lab.pi.power_cut()
        recorder.switch_on("restart")
        lab.restart(power_cut=True)
        _started(lab)
        recorder.mark("start after a power cut", 0)
        lab.pi.power_cut()
        copy_sparse(systems.card, lab.pi.card)
        recorder.switch_on(UPDATE)
        lab.restart(power_cut=True)
        _started(lab)
        record_update(lab, recorder)


def record_update(lab: Lab, recorder: Recorder) -> None:
    """Install the bundle that is on the card."""
    time.sleep(SETTLE_S)
    start = recorder.position()
    done = lab.console.run(INSTALL, INSTALL_S)
    if done.code != 0:
        raise LabError(f"the update was not installed: {done.output}")
    recorder.mark(UPDATE, start)


def _first_start(lab: Lab, recorder: Recorder) -> None:
    _started(lab)
    recorder.mark("first start", 0)


def _started(lab: Lab) -> None:
    """Wait until everything that a start writes is written."""
    lab.wait_ready()
    units = "masqgate-slot-good masqgate-grow"
    while lab.console.run(f"systemctl is-active {units}").code != 0:
        time.sleep(2.0)


def _operations(lab: Lab, recorder: Recorder) -> None:
    lab.console.put("/tmp/one.toml", CONFIG.read_bytes())
    other = CONFIG.read_text().replace("lease_minutes = 720", "lease_minutes = 333")
    lab.console.put("/tmp/two.toml", (other + "\n# longer\n").encode())
    recorder.operation("first password", set_password(PASSWORDS[0]))
    recorder.operation("first configuration", "masqgate config apply /tmp/one.toml")
    recorder.operation("password change", set_password(PASSWORDS[1]))
    recorder.operation("configuration save", "masqgate config apply /tmp/two.toml")
    recorder.operation("factory reset", "masqgate config factory --yes")
    recorder.operation("password after the reset", set_password(PASSWORDS[0]))
    # The next start finds what a save has just left.
    recorder.operation("configuration after it", "masqgate config apply /tmp/one.toml", 0.0)


def marks(folder: Path) -> list[Mark]:
    """Read a recording's operations."""
    return [Mark(**item) for item in json.loads((folder / MARKS).read_text())]
