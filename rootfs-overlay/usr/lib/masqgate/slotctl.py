"""The boot state for people and scripts: `slotctl.py status` and `slotctl.py good`."""

import sys

from masqgate.core.bootstate import BootState
from masqgate.system.slots import Slots


def main(arguments: list[str]) -> int:
    """Run one command; return the exit status."""
    slots = Slots.of_this_router()
    state = slots.read()
    if arguments == ["good"]:
        marked = (state or BootState()).marked_good(slots.running)
        already = state is not None and state.first == slots.running and state.good == marked.good
        if not already:
            slots.write(marked)
        print(f"slot {slots.running} is good" + (" already" if already else ""))
        return 0
    if arguments == ["status"]:
        print(f"running slot {slots.running} of {slots.disk}: {state}")
        return 0
    print("usage: slotctl.py status|good", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
