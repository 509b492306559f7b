"""Runs a tool with a time limit; what it says on failure goes to people, shortened."""

from __future__ import annotations

import subprocess

TIMEOUT_S = 20.0
MAX_MESSAGE = 300  # characters


class ToolError(Exception):
    """A tool is missing, failed or took too long; the text says which and why."""


def run(command: list[str], stdin: str = "", timeout_s: float = TIMEOUT_S) -> str:
    """Run a command and return its output; ToolError if it does not end well in time."""
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, errors="replace",
            timeout=timeout_s, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ToolError(f"{command[0]} did not end within {timeout_s:.0f} s") from None
    except OSError as error:
        raise ToolError(f"{command[0]} cannot be run: {error.strerror}") from None
    if done.returncode != 0:
        said = " ".join(done.stderr.split())[:MAX_MESSAGE]
        raise ToolError(f"{command[0]} failed ({done.returncode}): {said}".rstrip(": "))
    return done.stdout
