"""The `masqgate` command line. Everything is a call on the supervisor but `test`."""

from __future__ import annotations

import os
import sys

from masqgate.contract.client import Client
from masqgate.contract.errors import MasqgateError
from masqgate.contract.paths import Paths

from .codes import GOOD, INTERRUPTED, code_of
from .parser import Verb, parser

ANSWER_S = 90.0  # putting a configuration in force takes its time on a small board


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    wanted = parser().parse_args(arguments)
    verb: Verb = wanted.verb
    try:
        return verb(Client(Paths.from_environment().socket, ANSWER_S), wanted)
    except MasqgateError as error:
        _complain(error)
        return code_of(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has enough; what is still buffered has nowhere to go at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return GOOD


def _complain(error: MasqgateError) -> None:
    print(f"masqgate: {error}", file=sys.stderr)
    for problem in error.problems:
        print(f"  {problem}", file=sys.stderr)
