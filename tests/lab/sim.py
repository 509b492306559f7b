"""The mobile side of an emulated modem: its SIM and the network (3GPP TS 27.007, TS 31.102).

A network takes whom it likes; nothing here checks a PIN, the SIM is unlocked.
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
    contexts: list[str] = field(default_factory=list)  # access points that were set

    def answer(self, name: str, op: str, args: str) -> list[str] | None:
        """Return the lines that answer an extended command; None if it is none of ours."""
        match name, op:
            case "CPIN", "?":
                return ["+CPIN: READY"]
            case "CIMI", "":
                return [self.imsi] if self.imsi else None
            case "CRSM", "=":
                return self._file(args)
            case "CGDCONT", "=":
                self.contexts.append(args.split(",")[2].strip('"'))
                return []
            case (("CEREG" | "CREG"), "?"):
                return [f"+{name}: 0,{1 if self.registered else 2}"]
            case "COPS", "?":
                return [f'+COPS: 0,0,"{self.operator}",7']
            case "CESQ", "":
                return ["+CESQ: 99,99,255,255,20,45"]
        return None

    def _file(self, args: str) -> list[str] | None:
        number = args.split(",")[1]
        if number == EF_AD:
            return [f'+CRSM: 144,0,"000000{self.mnc_digits:02X}"']
        if number == EF_SPN and self.provider:
            data = b"\x01" + self.provider.encode("ascii").ljust(16, b"\xff")
            return [f'+CRSM: 144,0,"{data.hex().upper()}"']
        return ["+CRSM: 106,130"]  # file not found
