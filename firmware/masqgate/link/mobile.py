"""What mobile modems need before they dial (3GPP TS 27.007): PIN, access point, registration."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator

from ..contract.apn import AUTO
from ..contract.config import Modem
from . import access
from .access import Find, Sim
from .dialog import Answer, Ask, Dialog, Pause, Progress, Remember, Step, Tell, unanswered
from .facts import ModemFacts, Network
from .text import harmless
from .timings import Timings

MIN_ATTEMPTS = 2  # with fewer left, only a person may try: after the last one the SIM is locked
SIM_BUSY = 14  # +CME ERROR codes (TS 27.007, section 9.2)
NO_SIM = (10, 13, 15)
NEEDS_PIN, NEEDS_PUK = 11, 12
BUSY_TRIES = 10
DENIED_TRIES = 5
SILENT_TRIES = 4
EF_AD, EF_SPN = 0x6FAD, 0x6F46  # files of the SIM (TS 31.102, 4.2)
HOME, DENIED, ROAMING = 1, 3, 5  # registration states (TS 27.007, 7.2)
REGISTRATIONS = {
    0: "none", HOME: "home", 2: "searching", DENIED: "denied", ROAMING: "roaming",
    6: "limited", 7: "limited", 8: "limited", 9: "home", 10: "roaming",
}  # fmt: skip
TAKEN = ("home", "roaming")
# Ways to ask how many attempts are left, and where the number for PIN 1 is in the answer.
_ATTEMPTS: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    ("AT+CPINR", "+CPINR:", re.compile(r"SIM PIN,\s*(\d+)")),
    ("AT+QPINC?", "+QPINC:", re.compile(r'"SC",\s*(\d+)')),
    ("AT+SPIC", "+SPIC:", re.compile(r"(\d+),")),
    ("AT^CPIN?", "^CPIN:", re.compile(r"SIM PIN,\s*\d*,\s*\d+,\s*(\d+)")),
    ("AT#PCT", "#PCT:", re.compile(r"(\d+)")),
)


def mark(pin: str) -> str:
    """Return what is kept of a PIN that was tried, to know it again."""
    return hashlib.sha256(b"masqgate pin " + pin.encode()).hexdigest()[:16]


def join_network(modem: Modem, facts: ModemFacts, timings: Timings, find: Find) -> Dialog:
    """Unlock the SIM, set the access point, wait until the network takes us."""
    if failure := (yield from unlock(modem, facts, timings)):
        return failure
    facts.access, before = None, facts.access
    if modem.apn == AUTO and (failure := (yield from _choose(modem, facts, timings, find))):
        return failure
    apn = facts.access.apn if facts.access else modem.apn
    if facts.access and facts.access != before:
        how = "in the list of providers" if modem.provider else "by the SIM"
        yield Tell("apn", access.tell(facts.access, facts.others, how))
    answer = yield Ask(f'AT+CGDCONT=1,"IP","{apn}"', timings.command)
    if not answer.ok:
        return "modem_refused", "the access point name"
    if failure := (yield from _register(facts, timings)):
        return failure
    network = Network()
    yield from _measure(network, timings)
    facts.operator = network.operator or facts.operator
    facts.signal_dbm = network.signal_dbm
    return None


def look(network: Network, timings: Timings) -> Dialog:
    """Ask a modem that has a call, by another port: what it tells is put into `network`."""
    answer = yield Ask("AT", timings.command)
    if answer.result is None:
        return unanswered(answer), ""
    for command in ("CEREG", "CREG"):
        answer = yield Ask(f"AT+{command}?", timings.command)
        state = registration(answer, f"+{command}:")
        if state is not None:
            network.registration = REGISTRATIONS.get(state, "unknown")
        if network.registration in TAKEN:
            break
    yield from _measure(network, timings)
    return ("tells_nothing", "") if network == Network() else None


def _measure(network: Network, timings: Timings) -> Dialog:
    """Ask for operator and signal."""
    answer = yield Ask("AT+COPS?", timings.slow_command)
    network.operator = operator(answer) if answer.values("+COPS:") else None
    answer = yield Ask("AT+CESQ", timings.command)
    network.signal_dbm = signal_lte(answer)
    if network.signal_dbm is None:
        answer = yield Ask("AT+CSQ", timings.command)
        network.signal_dbm = signal_gsm(answer)
    return None


def _choose(modem: Modem, facts: ModemFacts, timings: Timings, find: Find) -> Dialog:
    """Put the access point into `facts.access`, by the SIM or by the provider that is set."""
    if modem.provider:
        found, names = find(modem.provider), tuple[str, ...]()
        failure = "provider_unknown", f"'{harmless(modem.provider, 60)}'"
    else:
        sim = yield from _read_sim(facts, timings)
        if not sim.imsi:
            return "imsi_unknown", ""
        found = next((some for network in sim.networks() if (some := find(network))), ())
        names, failure = sim.names, ("apn_unknown", sim.shown)
    some = access.choices(found, names)
    if not some:
        return failure
    facts.access, facts.others = some[0], some[1:]
    return None


def _read_sim(facts: ModemFacts, timings: Timings) -> Generator[Step, Answer, Sim]:
    """Ask whose SIM it is; the SIM's files answer only where the modem has +CRSM."""
    imsi = ""
    for _ in range(BUSY_TRIES):
        answer = yield Ask("AT+CIMI", timings.slow_command, digits=False)
        imsi = access.imsi_in(answer.lines if answer.ok else ())
        if imsi or not (answer.error and answer.result and answer.result.code == SIM_BUSY):
            break
        yield Pause(timings.registration_poll)
    files = []
    for number, length in ((EF_AD, 4), (EF_SPN, 17)) if imsi else ():
        answer = yield Ask(f"AT+CRSM=176,{number},0,0,{length}", timings.slow_command)
        files.append(access.file_in(answer.value("+CRSM:") if answer.ok else None))
    if not files:
        return Sim()
    names = (access.provider_name(files[1]), facts.operator)
    return Sim(imsi, access.mnc_digits(files[0]), tuple(name for name in names if name))


def unlock(modem: Modem, facts: ModemFacts, timings: Timings) -> Dialog:
    """Enter the PIN if the SIM wants it: never the same wrong one twice, never the last tries."""
    for _ in range(BUSY_TRIES):
        answer = yield Ask("AT+CPIN?", timings.slow_command)
        if not (answer.error and answer.result and answer.result.code == SIM_BUSY):
            break
        yield Pause(timings.registration_poll)
    state = answer.value("+CPIN:")
    code = answer.result.code if answer.result else None
    if state == "READY":
        if facts.pin_unsure:
            yield from _pin_was_right(facts)
        return None
    if state == "SIM PIN" or code == NEEDS_PIN:
        return (yield from _enter_pin(modem, facts, timings))
    if (state or "").startswith("SIM PUK") or code == NEEDS_PUK:
        return "sim_puk", ""
    if code in NO_SIM or answer.error:
        return "sim_missing", ""
    return ("sim_puk", f" ({harmless(state, 20)})") if state else ("modem_silent", "")


def _enter_pin(modem: Modem, facts: ModemFacts, timings: Timings) -> Dialog:
    pin = modem.pin.reveal()
    if not pin:
        return "pin_missing", ""
    if facts.pin_mark == mark(pin):
        return "pin_wrong", ""
    yield from _attempts_left(facts, timings)
    if facts.pin_attempts is not None and facts.pin_attempts < MIN_ATTEMPTS:
        return "pin_last_tries", ""
    yield Progress("unlocking")
    facts.pin_mark, facts.pin_unsure = mark(pin), True
    yield Remember(facts.pin_mark)
    answer = yield Ask(f'AT+CPIN="{pin}"', timings.slow_command, secret=True)
    if answer.ok:
        yield from _pin_was_right(facts)
        yield Pause(timings.registration_poll)  # the SIM's files are read now
        return None
    if answer.error:
        facts.pin_unsure = False
        return "pin_wrong", ""
    return "modem_silent", ""


def _pin_was_right(facts: ModemFacts) -> Dialog:
    facts.pin_mark, facts.pin_unsure = "", False
    yield Remember("")
    return None


def _attempts_left(facts: ModemFacts, timings: Timings) -> Dialog:
    """Put the number of attempts left into `facts.pin_attempts`; None if no modem tells."""
    facts.pin_attempts = None
    for command, prefix, pattern in _ATTEMPTS:
        answer = yield Ask(command, timings.command)
        for line in answer.lines if answer.ok else ():
            rest = line[len(prefix) :] if line.startswith(prefix) else ""
            if match := pattern.search(rest):
                facts.pin_attempts = int(match[1])
                return None
    return None


def _register(facts: ModemFacts, timings: Timings) -> Dialog:
    yield Progress("registering")
    denied = silent = 0
    for _ in range(max(1, int(timings.registration / timings.registration_poll))):
        states: list[int | None] = []
        for command in ("CEREG", "CREG"):
            answer = yield Ask(f"AT+{command}?", timings.command)
            states.append(registration(answer, f"+{command}:"))
            silent = 0 if answer.result else silent + 1
            if states[-1] in (HOME, ROAMING):
                facts.registration = TAKEN[states[-1] == ROAMING]
                return None
        if silent >= SILENT_TRIES:
            return "modem_silent", ""
        denied = denied + 1 if DENIED in states else 0
        if denied >= DENIED_TRIES:
            return "registration_denied", ""
        yield Pause(timings.registration_poll)
    return "not_registered", ""


def registration(answer: Answer, prefix: str) -> int | None:
    """Return the state from '+CREG: <n>,<stat>…' (TS 27.007, 7.2)."""
    told = (re.match(r"\d,\s*(\d+)", value) for value in answer.values(prefix))
    return next((int(match[1]) for match in told if match), None)


def operator(answer: Answer) -> str:
    """Return the operator's name from '+COPS: 0,0,"name",7' (TS 27.007, 7.3)."""
    match = re.match(r'\d,\d,"([^"]*)"', answer.value("+COPS:") or "")
    return harmless(match[1], 40) if match else ""


def signal_gsm(answer: Answer) -> int | None:
    """Return dBm from '+CSQ: <rssi>,<ber>' (TS 27.007, 8.5); 99 is unknown."""
    match = re.match(r"(\d+),", answer.value("+CSQ:") or "")
    value = int(match[1]) if match else 99
    return -113 + 2 * value if value <= 31 else None


def signal_lte(answer: Answer) -> int | None:
    """Return RSRP in dBm from '+CESQ: …,<rsrp>' (TS 27.007, 8.69); 255 is unknown."""
    match = re.match(r"(?:\d+,\s*){5}(\d+)", answer.value("+CESQ:") or "")
    value = int(match[1]) if match else 255
    return value - 141 if value <= 97 else None
