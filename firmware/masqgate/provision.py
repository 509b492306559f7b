"""`python3 -m masqgate.provision FOLDER`: takes in the card's `masqgate.toml`.

FOLDER is the mounted boot partition. Run before the supervisor; see docs/PROVISION.md.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from .contract.paths import Paths
from .system.card import Card
from .system.offline import finish_reset
from .system.provisioning import Provisioning
from .system.run import ToolError, run


def main() -> int:
    """Take it in; always 0, because the router is to start whatever happened."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    folder = Path(sys.argv[1])

    def remount(writable: bool) -> None:
        mode = "rw,sync" if writable else "ro"
        try:
            run(["mount", "-o", f"remount,{mode}", str(folder)])
        except ToolError as error:
            raise OSError(5, str(error)) from None

    paths = Paths.from_environment()
    finish_reset(paths)  # the supervisor would: after this, and with what is taken in now
    Provisioning(paths, Card(folder, remount), volatile=paths.volatile.exists()).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
