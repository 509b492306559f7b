"""The exit codes of the command line."""

from __future__ import annotations

from masqgate.contract.errors import MasqgateError

GOOD, FAILED, BAD_DOCUMENT, UNREACHABLE, TEST_FAILED = 0, 1, 2, 3, 4
INTERRUPTED = 130  # as the shell tells of SIGINT

EXPLAINED = """\
exit codes:
  0  done
  1  refused or failed; the reason is on standard error
  2  the command line or a configuration document is not good; nothing was changed
  3  the supervisor does not answer
  4  `test`: at least one step failed
"""


def code_of(error: MasqgateError) -> int:
    """Return the exit code for an error."""
    if error.code == "config_invalid":
        return BAD_DOCUMENT
    return UNREACHABLE if error.code.startswith("supervisor_") else FAILED
