"""`python3 -m masqgate.usbpower NAME`: switches the power of a modem's USB port off and on.

Started by systemd when the modem's dialer asks for it (it writes NAME.power), because the dialer
may not: pppd runs with its rights. How it went, the dialer finds in NAME.powered.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

import msgspec

from .contract.codec import to_json
from .contract.dialer import AnswerConfig
from .contract.paths import Paths
from .contract.status import Reason
from .system import atomic, usbport
from .system.dialer_files import DialerFiles

CUT, UNABLE = "usb_power", "usb_power_unable"
log = logging.getLogger("masqgate.usbpower")


def switch(paths: Paths, name: str) -> Reason:
    """Switch the power off and on; return what to tell."""
    try:
        config = DialerFiles(paths, name).config()
        modem = config.line if isinstance(config, AnswerConfig) else config.modem
        port = usbport.port_of(modem.port)
        usbport.check_hub(port)
        usbport.cycle(port, paths.usb_cut(name))
    except usbport.UnableError as error:
        return Reason(UNABLE, f"The power of the modem's USB port cannot be switched: {error}.")
    except (OSError, msgspec.MsgspecError) as error:
        why = error.strerror if isinstance(error, OSError) else "its settings cannot be read"
        return Reason(UNABLE, f"The power of the modem's USB port was not switched: {why}.")
    where = port.folders[0].name
    seconds = f"{usbport.OFF_S:.0f} s"
    return Reason(CUT, f"The modem's USB port ({where}) was without power for {seconds}.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one modem's; return the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    only_restore = words[:1] == ["--restore"]
    names = words[1:] if only_restore else words
    if len(names) != 1 or not names[0].isalnum():
        print("usage: python3 -m masqgate.usbpower [--restore] NAME", file=sys.stderr)
        return 2
    paths = Paths.from_environment()
    try:
        usbport.restore(paths.usb_cut(names[0]))
    except OSError as error:
        log.error("The USB port of %s stays without power: %s", names[0], error.strerror)
    if not only_restore:
        paths.power_request(names[0]).unlink(missing_ok=True)  # or systemd starts this again
        reason = switch(paths, names[0])
        log.info("%s", reason.text)
        atomic.write(paths.power_answer(names[0]), to_json(reason))
    return 0


if __name__ == "__main__":
    sys.exit(main())
