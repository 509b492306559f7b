"""AT command lines: parsing and the settings they change (ITU-T V.250). No I/O, no state of calls.

`Interpreter.run` takes the text after 'AT' and returns what to print and what to do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

from .sim import MobileSim


class Result(Enum):
    """Final and unsolicited result codes: number and words (V.250, table 1)."""

    OK = (0, "OK")
    CONNECT = (1, "CONNECT")
    RING = (2, "RING")
    NO_CARRIER = (3, "NO CARRIER")
    ERROR = (4, "ERROR")
    NO_DIALTONE = (6, "NO DIALTONE")
    BUSY = (7, "BUSY")
    NO_ANSWER = (8, "NO ANSWER")


CONNECT_NUMBERS = {
    300: 1, 1200: 5, 2400: 10, 4800: 11, 9600: 12, 14400: 13, 19200: 14, 28800: 16, 33600: 17,
    38400: 18, 57600: 19, 115200: 20,
}  # fmt: skip

S_DEFAULTS = {
    0: 0, 1: 0, 2: 43, 3: 13, 4: 10, 5: 8, 6: 2, 7: 50, 8: 2, 10: 14, 12: 50, 25: 5, 30: 0,
}  # fmt: skip


@dataclass(slots=True)
class Identity:
    """What the modem says it is."""

    maker: str = "Masqgate"
    model: str = "Lab modem"
    revision: str = "1"
    serial: str = "00000001"


@dataclass(slots=True)
class Settings:
    """What AT commands change; the defaults are the factory's (AT&F)."""

    echo: bool = True
    verbose: bool = True
    quiet: bool = False
    extended: int = 4  # X: which results of a dial are told apart (V.250, 6.3.9)
    carrier_detect: int = 1  # &C
    dtr: int = 2  # &D
    flow: int = 3  # &K
    caller_id: int = 0
    registers: dict[int, int] = field(default_factory=lambda: dict(S_DEFAULTS))

    def copy(self) -> Settings:
        """Return an independent copy."""
        return Settings(
            self.echo, self.verbose, self.quiet, self.extended, self.carrier_detect,
            self.dtr, self.flow, self.caller_id, dict(self.registers),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dial:
    """Dial these digits; `stay` keeps command state (a semicolon at the end)."""

    number: str
    stay: bool = False


class Order(Enum):
    """What a command line asks of the modem besides printing."""

    HANG_UP = "hang up"
    ANSWER = "answer"
    ONLINE = "return to online state"
    RESET = "reset"


@dataclass(slots=True)
class Outcome:
    """Information texts, the final result (None: it comes later), and orders in sequence."""

    texts: list[str] = field(default_factory=list)
    result: Result | None = Result.OK
    orders: list[Order | Dial] = field(default_factory=list)


class CommandError(Exception):
    """The rest of the line is not run; the result is ERROR (V.250, 5.7)."""


_TOKEN = re.compile(
    r"(?P<dial>D(?P<digits>.*))$"
    r"|S(?P<reg>\d*)(?:=(?P<set>\d*)|(?P<ask>\?))?"
    r"|\+(?P<ext>[A-Z][A-Z0-9!%./:_-]*)(?P<op>=\?|\?|=)?(?P<args>[^;]*);?"
    r"|(?P<name>[&\\%*][A-Z]|[A-Z])(?P<value>\d*)",
    re.IGNORECASE,
)
_PLAIN = {
    "B": (0, 99), "L": (0, 3), "M": (0, 3), "P": (0, 0), "T": (0, 0), "N": (0, 9), "W": (0, 2),
    "Y": (0, 1), "&G": (0, 2), "&L": (0, 1), "&M": (0, 4), "&P": (0, 3), "&Q": (0, 9),
    "&R": (0, 1), "&S": (0, 2), "&T": (0, 9), "&Y": (0, 1), "\\N": (0, 5), "%C": (0, 3),
    "\\A": (0, 3), "\\G": (0, 1), "\\J": (0, 1), "\\V": (0, 9), "%E": (0, 3), "&X": (0, 2),
}  # fmt: skip
_ACCEPTED = {"MS", "ES", "DS", "DR", "ER", "ILRR", "IFC", "ICF", "FCLASS", "EB", "ETBM", "ESR"}


class Interpreter:
    """The command part of one modem: settings, stored profile, and the commands themselves."""

    def __init__(self, identity: Identity | None = None) -> None:
        self.identity = identity or Identity()
        self.settings = Settings()
        self.stored = Settings()
        self.rate_fixed = 0
        self._last_number = ""
        self.sim: MobileSim | None = None  # with one, the modem is a mobile one

    def run(self, line: str) -> Outcome:
        """Run the commands after 'AT' in sequence, up to the first error."""
        outcome = Outcome()
        at, line = 0, line.strip()
        try:
            while at < len(line):
                if line[at] in " ;":
                    at += 1
                    continue
                match = _TOKEN.match(line, at)
                if match is None:
                    raise CommandError(line[at:])
                self._command(match, outcome)
                at = match.end()
        except CommandError:
            outcome.result = Result.ERROR
        return outcome

    def reset(self, *, factory: bool) -> None:
        """Go back to the factory's settings, or to the stored ones."""
        self.settings = Settings() if factory else self.stored.copy()

    def _command(self, match: re.Match[str], outcome: Outcome) -> None:
        if match["dial"]:
            self._dial(match["digits"], outcome)
        elif match["ext"]:
            self._extended(match["ext"].upper(), match["op"] or "", match["args"], outcome)
        elif match["name"]:
            if match["name"].upper() == "S":
                raise CommandError("S")
            self._basic(match["name"].upper(), int(match["value"] or 0), outcome)
        else:
            self._register(match, outcome)

    def _dial(self, digits: str, outcome: Outcome) -> None:
        text = digits.strip()
        stay = text.endswith(";")
        if text.upper() == "L":
            number = self._last_number
        else:
            number = re.sub(r"[^0-9A-D*#]", "", re.sub(r"[PT]", "", text.upper()))
        if not number and not stay:
            raise CommandError("no number")
        self._last_number = number or self._last_number
        outcome.orders.append(Dial(number, stay))
        outcome.result = Result.OK if stay else None

    def _register(self, match: re.Match[str], outcome: Outcome) -> None:
        number = int(match["reg"] or 0)
        registers = self.settings.registers
        if match["ask"]:
            outcome.texts.append(f"{registers.get(number, 0):03d}")
        elif match["set"] is not None:
            value = int(match["set"] or 0)
            if not (0 <= number <= 255 and 0 <= value <= 255):
                raise CommandError("register")
            registers[number] = value
        elif not match["reg"]:
            raise CommandError("S")

    def _basic(self, name: str, value: int, outcome: Outcome) -> None:
        settings = self.settings
        limits = {"E": 1, "V": 1, "Q": 1, "X": 4, "&C": 1, "&D": 3, "&K": 6, "H": 1, "Z": 1,
                  "&F": 1, "&W": 1, "O": 1, "I": 9, "A": 0, "&V": 9}  # fmt: skip
        if name in _PLAIN:
            low, high = _PLAIN[name]
            if not low <= value <= high:
                raise CommandError(name)
            return
        if name not in limits or value > limits[name]:
            raise CommandError(name)
        match name:
            case "E":
                settings.echo = bool(value)
            case "V":
                settings.verbose = bool(value)
            case "Q":
                settings.quiet = bool(value)
            case "X":
                settings.extended = value
            case "&C":
                settings.carrier_detect = value
            case "&D":
                settings.dtr = value
            case "&K":
                settings.flow = value
            case "&W":
                self.stored = settings.copy()
            case "&F":
                self.reset(factory=True)
            case "I" | "&V":
                outcome.texts += self._information(name, value)
            case _:
                self._action(name, outcome)

    def _action(self, name: str, outcome: Outcome) -> None:
        order = {"H": Order.HANG_UP, "Z": Order.RESET, "A": Order.ANSWER, "O": Order.ONLINE}[name]
        outcome.orders.append(order)
        if name == "Z":
            self.reset(factory=False)
        if name in "AO":
            outcome.result = None

    def _information(self, name: str, value: int) -> list[str]:
        identity = self.identity
        if name == "&V":
            registers = self.settings.registers
            return [" ".join(f"S{key:02d}:{registers[key]:03d}" for key in sorted(registers))]
        return [{0: identity.model, 3: f"{identity.maker} {identity.revision}"}.get(value, "000")]

    def _extended(self, name: str, op: str, args: str, outcome: Outcome) -> None:
        told_by_sim = None if self.sim is None else self.sim.answer(name, op, args)
        if told_by_sim is not None:
            outcome.texts += told_by_sim
            return
        identity = self.identity
        told = {
            "GMI": identity.maker, "GMM": identity.model, "GMR": identity.revision,
            "GSN": identity.serial, "GCAP": "+GCAP: +MS,+ES,+DS,+FCLASS",
        }  # fmt: skip
        if op == "=?" and (name in told or name in _ACCEPTED or name in ("IPR", "VCID")):
            return
        if name in told and not op:
            outcome.texts.append(told[name])
        elif name == "IPR":
            self._port_rate(op, args, outcome)
        elif name == "VCID":
            if op == "?":
                outcome.texts.append(f"+VCID: {self.settings.caller_id}")
            elif args.strip() in ("0", "1", "2"):
                self.settings.caller_id = int(args)
            else:
                raise CommandError(name)
        elif name not in _ACCEPTED:
            raise CommandError(name)
        elif op == "?":
            outcome.texts.append(f"+{name}: 0")

    def _port_rate(self, op: str, args: str, outcome: Outcome) -> None:
        if op == "?":
            outcome.texts.append(f"+IPR: {self.rate_fixed}")
        elif op == "=" and args.strip().isdigit():
            self.rate_fixed = int(args)
        else:
            raise CommandError("+IPR")
