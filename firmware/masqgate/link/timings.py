"""How long things may take, in seconds. One struct, so that tests can be quick."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timings:
    """The dialer's patience. Users set none of it."""

    port_open: float = 15.0  # an open that takes longer is stuck in the kernel
    port_poll: float = 1.0  # looking for a port that is not there
    probe: float = 1.5  # AT → OK; V.250 modems answer within 0.2 s
    late_probe: float = 2.5  # and if there was none
    command: float = 5.0  # other commands
    slow_command: float = 30.0  # commands that ask the mobile network, or restart the modem
    settle: float = 0.3  # after ATZ modems swallow what follows at once
    guard: float = 1.2  # silence around +++ (S12 is one second)
    dtr_low: float = 1.0  # S25 and &D2 want some hundredths of a second
    restart: float = 25.0  # AT+CFUN=1,1 until the modem answers again
    registration: float = 120.0  # until the mobile network takes us
    registration_poll: float = 2.0
    negotiation: float = 150.0  # LCP to IPCP
    slow_negotiation: float = 400.0  # the same on a line of 300 bit/s, which some packets fill
    stall: float = 30.0  # without a line of pppd's log while PPP is negotiated
    silence: float = 20.0  # on top of three echo intervals without a sign of life of pppd
    gather: float = 0.1  # addresses and name servers are lines of pppd's log, and told together
    steady: float = 60.0  # a call as long as this makes the back-off start anew
    terminate: float = 10.0  # SIGTERM until SIGKILL
    kill: float = 5.0  # SIGKILL until we complain
    least_redial: float = 0.5  # from a modem in order until it dials again
    first_redial: float = 5.0  # since the failure; then doubled, up to the longest
    longest_redial: float = 300.0
    auth_pause: float = 300.0  # after three refused logins
    auth_long_pause: float = 1800.0  # after six, and for ever
    blocked: float = 1800.0  # the SIM needs a person; look again for another SIM
    power: float = 150.0  # until the USB port was switched off and on
    live: float = 30.0  # between two questions by the second port, during a call
    live_retry: float = 10.0  # the same after the first one in vain
    # Where the telephone is answered
    check: float = 60.0  # between two questions to a modem that waits for calls
    ring: float = 12.0  # rings come every 3 to 6 seconds; without one the caller gave up
    first_pause: float = 5.0  # after a modem that does not work, then doubled, up to the longest
    longest_pause: float = 60.0
