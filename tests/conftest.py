"""For all tests: the same randomness in every run, no failure by slowness, and Ctrl-C works."""

from __future__ import annotations

import signal

from hypothesis import settings

settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

# A script's `command &` starts with SIGINT and SIGQUIT ignored. Every program that a test
# starts would inherit that, and not hear Ctrl-C.
for number, handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)
