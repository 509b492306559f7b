"""The configuration on disk: read it whatever state it is in, replace it atomically."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from masqgate.contract.codec import from_json
from masqgate.contract.config import Config
from masqgate.contract.document import MAX_DOCUMENT, parse, render
from masqgate.contract.errors import InvalidConfig, MasqgateError
from masqgate.contract.paths import Paths
from masqgate.contract.status import Reason
from masqgate.core.bootstate import SLOTS

from . import atomic

log = logging.getLogger(__name__)

LOW_BYTES = 1 << 20  # less than this free on the data partition is worth a warning

_CAUSES = {
    errno.ENOSPC: "the data partition is full",
    errno.EDQUOT: "the data partition is full",
    errno.EROFS: "the data partition is read-only",
    errno.EIO: "the card has a read or write error",
    errno.EACCES: "the file may not be written",
}


_NAMES = {"saved": "saved", "previous": "previous", "kept": "kept", "factory": "factory's"}
_FULL = "Routing and dialing go on, but nothing can be saved: remove what is not the router's."
_BROKEN = (
    "Routing and dialing go on, but nothing can be saved. Save a backup, then restart the router, "
    "which repairs the partition; if it comes again, replace the card."
)
_KEPT = Reason(
    "config_kept_by_slot",
    "The configuration that this version had before the update is in force again.",
    "What the other version saved can't be read by this one. Check it and save it again.",
)


@dataclass(frozen=True)
class Loaded:
    """The configuration to start with, and what was wrong with better ones."""

    config: Config
    origin: str  # 'saved', 'previous', 'kept' (by this slot), 'factory' or 'built-in'
    warnings: tuple[Reason, ...] = ()


class StagedConfig:
    """A configuration that is written, but not yet in place."""

    def __init__(self, files: tuple[atomic.Staged, ...], last: int) -> None:
        """`last`: index of the configuration itself; with it in place, it is saved."""
        self._files = files
        self._last = last

    def commit(self) -> None:
        """Put it in place; MasqgateError, and the old one is still there, if that fails."""
        for index, file in enumerate(self._files):
            try:
                file.commit()
            except OSError as error:
                self.discard()
                if index <= self._last:
                    raise not_saved(error) from error
                log.warning("the previous configuration is not kept: %s", error.strerror)

    def discard(self) -> None:
        """Forget it."""
        for file in self._files:
            file.discard()


class Store:
    """The configuration's files."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def load(self) -> Loaded:
        """Return the best configuration that can be read; never fails."""
        warnings: list[Reason] = []
        for origin, path in self._candidates():
            try:
                config = _read(path)
                if origin == "kept":
                    warnings.append(_KEPT)
                return Loaded(config, origin, tuple(warnings))
            except FileNotFoundError:
                if origin == "kept":
                    continue
                # A new router has neither a saved one nor a previous one.
                if origin == "factory" or self._paths.previous_config.exists():
                    warnings.append(_unusable(origin, "it is not there"))
            except Exception as error:  # whatever it is: a router without a LAN is of no use
                warnings.append(_unusable(origin, _why(error)))
        return Loaded(Config(), "built-in", tuple(warnings))

    def _candidates(self) -> tuple[tuple[str, Path], ...]:
        """What to try, the best first: see docs/UPDATE.md for the copy of the running slot."""
        found = [("saved", self._paths.config), ("previous", self._paths.previous_config)]
        with contextlib.suppress(OSError):
            slot = (self._paths.boot / "slot").read_text().strip()
            found.append(("kept", self._paths.slot_config(slot)))
        return (*found, ("factory", self._paths.factory_config))

    def clean(self) -> bool:
        """Remove what was never put in place; whether that was a new configuration.

        A crash or a power cut leaves it, or a stop while it waited to be confirmed.
        """
        atomic.forget_staged(self._paths.previous_config)
        return atomic.forget_staged(self._paths.config)

    def previous(self) -> Config:
        """Return the configuration before the one in force; MasqgateError if there is none."""
        try:
            return _read(self._paths.previous_config)
        except FileNotFoundError:
            text = "There is no previous configuration."
            raise MasqgateError("no_previous", text, "It is kept at each change.") from None
        except Exception as error:
            text = f"The previous configuration cannot be used: {_why(error)}."
            raise MasqgateError("previous_unusable", text) from error

    def factory(self) -> Config:
        """Return the factory's configuration; the built-in one if even that is broken."""
        try:
            return _read(self._paths.factory_config)
        except Exception:
            log.exception("the factory's configuration cannot be used")
            return Config()

    def stage(self, new: Config, old: Config) -> StagedConfig:
        """Write a configuration beside the old one.

        MasqgateError if there is no room for it, or if it could not be read again.
        """
        _check_readable(new)
        files: list[atomic.Staged] = []
        wanted = [(self._paths.config, new)]
        if new != old:
            wanted.insert(0, (self._paths.previous_config, old))
            if not self._paths.config.exists():
                # The first one ever saved comes before what it replaces: a power cut in between
                # must not leave a router that misses its configuration.
                wanted.reverse()
        last = wanted.index((self._paths.config, new))
        try:
            for path, config in wanted:
                files.append(atomic.Staged(path, render(config, secrets=True).encode()))
        except OSError as error:
            StagedConfig(tuple(files), last).discard()
            raise not_saved(error) from error
        return StagedConfig(tuple(files), last)

    def card_warnings(self) -> tuple[Reason, ...]:
        """Return what was wrong with the card's `masqgate.toml` at this start."""
        try:
            return from_json(self._paths.provision_warnings.read_bytes(), tuple[Reason, ...])
        except (OSError, msgspec.MsgspecError):
            return ()

    def forget_previous(self) -> None:
        """Erase earlier configurations, PIN marks and the page's key; MasqgateError on failure."""
        try:
            atomic.remove(self._paths.previous_config)
            atomic.remove(self._paths.kept_certificate)
            for mark in self._paths.pin_marks.glob("*.pin"):
                atomic.remove(mark)
            for slot in SLOTS:
                atomic.forget_staged(self._paths.slot_config(slot))
                atomic.remove(self._paths.slot_config(slot))
        except OSError as error:
            raise not_saved(error) from error

    def begin_reset(self) -> None:
        """Note that everything is being erased; MasqgateError if there is no room for that."""
        try:
            atomic.write(self._paths.reset_mark, b"")
        except OSError as error:
            raise not_saved(error) from error

    def end_reset(self) -> None:
        """Note that everything is erased, or that nothing will be; MasqgateError on failure."""
        try:
            atomic.remove(self._paths.reset_mark)
        except OSError as error:
            raise not_saved(error) from error

    def health(self) -> tuple[Reason, ...]:
        """Return what is wrong with the data partition."""
        try:
            # Not /data itself: in the service's sandbox that always looks read-only.
            folder = self._paths.config.parent
            state = os.statvfs(folder if folder.exists() else self._paths.data)
        except OSError as error:
            return (Reason("data_unusable", f"{_sentence(error)}.", _BROKEN),)
        if state.f_flag & os.ST_RDONLY:
            return (Reason("data_read_only", "The data partition is read-only.", _BROKEN),)
        if state.f_bavail * state.f_frsize < LOW_BYTES:
            return (Reason("data_full", "The data partition is full.", _FULL),)
        return ()


def _check_readable(config: Config) -> None:
    """Refuse what `parse` would not take: written out, a document may grow."""
    if len(render(config, secrets=True).encode()) > MAX_DOCUMENT:
        text = "The configuration is too large to be saved."
        hint = f"Written out it has more than {MAX_DOCUMENT // 1024} KiB: shorten its texts."
        raise MasqgateError("too_large", text, hint)


def not_saved(error: OSError) -> MasqgateError:
    """Turn a failed write into a sentence."""
    return MasqgateError(
        "not_saved",
        f"Nothing was saved, and nothing was changed: {_cause(error)}.",
        "Free space on the data partition or replace the card; routing goes on meanwhile.",
    )


def _read(path: Path) -> Config:
    with path.open("rb") as file:
        data = file.read(MAX_DOCUMENT * 2)
    try:
        return parse(data.decode())
    except UnicodeDecodeError as error:
        text = f"it is not text (byte {error.start})"
        raise MasqgateError("not_text", text) from None


def _unusable(origin: str, why: str) -> Reason:
    text = f"The {_NAMES[origin]} configuration cannot be used: {why}."
    return Reason(f"config_{origin}_unusable", text, "Check the configuration and save it again.")


def _why(error: Exception) -> str:
    if isinstance(error, InvalidConfig):
        first, *more = error.problems
        also = f" (and {len(more)} more)" if more else ""
        return f"{str(first).rstrip('.')}{also}"
    if isinstance(error, OSError):
        return _cause(error)
    return str(error).rstrip(".") or type(error).__name__


def _cause(error: OSError) -> str:
    return _CAUSES.get(error.errno or 0, (error.strerror or "an error").lower())


def _sentence(error: OSError) -> str:
    cause = _cause(error)
    return cause[0].upper() + cause[1:]
