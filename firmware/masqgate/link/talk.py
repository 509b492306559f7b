"""Runs one dialog with the modem: bytes and time-outs in, commands out."""

from __future__ import annotations

from .at import Parser
from .dialog import (
    Answer,
    Ask,
    Dialog,
    Escape,
    LowerDtr,
    Outcome,
    Pause,
    Progress,
    Remember,
    Step,
    Tell,
    shown,
)
from .events import Command, DropDtr, Note, RememberPin, SetTimer, Timer, WritePort

LINE_END = b"\r"  # S3


class Talk:
    """One dialog under way. When `done`, `outcome` is None or the failure's code and detail."""

    def __init__(self, dialog: Dialog) -> None:
        self.done = False
        self.outcome: Outcome = None
        self.progress = ""  # the newest code of `Progress`
        self._dialog = dialog
        self._parser = Parser()
        self._ask: Ask | None = None
        self._answer = Answer()

    def begin(self) -> list[Command]:
        """Start; return what to do."""
        return self._advance(None)

    def hear(self, data: bytes) -> list[Command]:
        """Take bytes of the modem; what is said in a pause is thrown away."""
        for line in self._parser.feed(data):
            if self._ask is not None and self._answer.take(line, self._ask):
                # One command, one answer: what else came with it was not meant for the next.
                return self._advance(self._answer)
        return []

    def time_up(self) -> list[Command]:
        """A pause is over, or an answer did not come in time."""
        return self._advance(self._answer)

    def close(self) -> None:
        """Give the dialog up."""
        self._dialog.close()
        self.done = True

    def _advance(self, answer: Answer | None) -> list[Command]:
        commands: list[Command] = []
        self._ask = None
        while not self.done:
            try:
                step = next(self._dialog) if answer is None else self._dialog.send(answer)
            except StopIteration as end:
                self.done, self.outcome = True, end.value
                break
            answer = Answer()
            waits = self._take(step, commands)
            if waits:
                break
        return commands

    def _take(self, step: Step, commands: list[Command]) -> bool:
        """Turn a step into commands; True if something must happen before the next step."""
        match step:
            case Ask(line, timeout_s, secret=secret):
                self._ask, self._answer = step, Answer()
                text = shown(line) if secret else line
                commands.append(WritePort(line.encode("ascii", "replace") + LINE_END, text))
                commands.append(SetTimer(Timer.STEP, timeout_s))
                return True
            case Pause(seconds):
                self._answer = Answer()
                commands.append(SetTimer(Timer.STEP, seconds))
                return True
            case Escape():
                commands.append(WritePort(b"+++", "+++"))
            case LowerDtr():
                commands.append(DropDtr())
            case Progress(code):
                self.progress = code
            case Remember(mark):
                commands.append(RememberPin(mark))
            case Tell(code, text):
                commands.append(Note(code, text))
        return False
