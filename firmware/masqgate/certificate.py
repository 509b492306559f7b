"""`python3 -m masqgate.certificate`: the certificate for the page's HTTPS, before it starts.

Its server reaches nothing of the data partition; systemd hands it a copy of what is written here.
"""

from __future__ import annotations

import logging
import sys

from .contract.paths import Paths
from .system import atomic, offline
from .system.certificate import certificate_for
from .system.run import ToolError

log = logging.getLogger("masqgate.certificate")


def main() -> int:
    """Make it, if there is none yet; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    paths = Paths.from_environment()
    try:
        made = certificate_for(offline.config(paths), paths.kept_certificate)
        atomic.write(paths.certificate, made)
    except (OSError, ToolError) as error:
        log.error("the page's certificate cannot be made: %s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
