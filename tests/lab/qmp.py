"""A small client of QEMU's monitor (QMP): one command for each connection."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from .processes import LabError

ANSWER_S = 30.0


def execute(path: Path, command: str, **arguments: Any) -> Any:
    """Run one command and return what it returns; LabError if QEMU refuses it or is gone."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(ANSWER_S)
            link.connect(str(path))
            with link.makefile("rw") as stream:
                stream.readline()  # the greeting
                _ask(stream, {"execute": "qmp_capabilities"})
                return _ask(stream, {"execute": command, "arguments": arguments})
    except (OSError, ValueError) as error:
        raise LabError(f"QEMU's monitor does not answer {command!r}: {error}") from error


def _ask(stream: Any, request: dict[str, Any]) -> Any:
    stream.write(json.dumps(request) + "\n")
    stream.flush()
    while line := stream.readline():
        answer = json.loads(line)
        if "error" in answer:
            raise LabError(f"QEMU refuses {request['execute']!r}: {answer['error']['desc']}")
        if "return" in answer:  # anything else is an event
            return answer["return"]
    raise LabError(f"QEMU ended while it was asked {request['execute']!r}")
