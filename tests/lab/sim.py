"""The mobile side of an emulated modem: its SIM and the network (3GPP TS 27.007, TS 31.102).

A network takes whom it likes. With a PIN the SIM is locked until it is entered; after three wrong
ones it wants its PUK.
"""

from __future__ import annotations

from dataclasses import dataclass, field

EF_AD, EF_SPN = "28589", "28486"


@dataclass(slots=True)
class MobileSim:
    """What the modem tells of the SIM, and what it was told."""

    imsi: str = "232011234567890"
    mnc_digits: int = 2
    provider: str = ""  # EF_SPN
    operator: str = "Lab Mobile"
    registered: bool = True
    roaming: bool = False
    rsrp: int = 45  # of AT+CESQ: 1 dB a step, from -140 dBm (TS 27.007, 8.69)
    contexts: list[str] = field(default_factory=list)  # access points that were set
    pin: str = ""  # none: the SIM is not locked
    attempts: int = 3  # left
    tried: list[str] = field(default_factory=list)  # PINs

    def answer(self, name: str, op: str, args: str) -> list[str] | None:
        """Return the lines that answer an extended command; None if it is none of ours."""
        match name, op:
            case "CPIN", "?":
                state = "SIM PIN" if self.attempts else "SIM PUK"
                return [f"+CPIN: {state if self.locked else 'READY'}"]
            case "CPIN", "=":
                return self._enter(args.strip('"'))
            case "CPINR", "":
                return [f"+CPINR: SIM PIN,{self.attempts},3"]
            case _ if self.locked:
                return None
            case "CIMI", "":
                return [self.imsi] if self.imsi else None
            case "CRSM", "=":
                return self._file(args)
            case "CGDCONT", "=":
                self.contexts.append(args.split(",")[2].strip('"'))
                return []
            case (("CEREG" | "CREG"), "?"):
                return [f"+{name}: 0,{self._state}"]
            case "COPS", "?":
                return [f'+COPS: 0,0,"{self.operator}",7']
            case "CESQ", "":
                return [f"+CESQ: 99,99,255,255,20,{self.rsrp}"]
        return None

    @property
    def locked(self) -> bool:
        """Whether nothing works before its PIN is entered."""
        return bool(self.pin) and (not self.tried or self.tried[-1] != self.pin)

    def _enter(self, pin: str) -> list[str] | None:
        if not self.locked or not self.attempts:
            return None
        self.tried.append(pin)
        self.attempts = self.attempts - 1 if self.locked else 3
        return None if self.locked else []

    @property
    def _state(self) -> int:
        return (5 if self.roaming else 1) if self.registered else 2

    def _file(self, args: str) -> list[str] | None:
        number = args.split(",")[1]
        if number == EF_AD:
            return [f'+CRSM: 144,0,"000000{self.mnc_digits:02X}"']
        if number == EF_SPN and self.provider:
            data = b"\x01" + self.provider.encode("ascii").ljust(16, b"\xff")
            return [f'+CRSM: 144,0,"{data.hex().upper()}"']
        return ["+CRSM: 106,130"]  # file not found
