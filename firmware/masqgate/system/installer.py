"""Writes a verified bundle to the slot that does not run, and reads it back.

Order: signature, board and version are verified before anything is touched; then the slot is
recorded as not bootable; each piece is verified before it is written; all of it is read back
from the card and compared; only then the slot is recorded as the one to try next.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from masqgate.contract.errors import MasqgateError
from masqgate.contract.framing import Source
from masqgate.contract.paths import Paths
from masqgate.contract.update import BundleInfo, Phase
from masqgate.core import bundle
from masqgate.core.bootstate import BootState
from masqgate.core.bundle import Installed, Manifest, Piece

from . import signature, trial_notes
from .slots import Slots

_FULL = (errno.ENOSPC, errno.EDQUOT)


class Reporting(Protocol):
    """Hears how far an update is."""

    def __call__(self, phase: Phase, done: int, total: int) -> None:
        """The phase, and how many bytes of how many it has done."""


@dataclass(frozen=True)
class Installer:
    """Takes bundles for one router."""

    paths: Paths
    slots: Slots
    compatible: str
    version: str
    report: Reporting

    def check(self, source: Source, allow_downgrade: bool) -> BundleInfo:
        """Verify all of a bundle and write nothing; MasqgateError tells why it is refused."""
        manifest = self._admitted(source, allow_downgrade)
        for _ in self._pieces(source, manifest, "verifying"):
            pass
        _expect_end(source)
        return BundleInfo(version=manifest.version, compatible=manifest.compatible)

    def install(self, source: Source, allow_downgrade: bool, uplink_up: bool) -> BundleInfo:
        """Write a bundle to the spare slot, to be tried at the next restart.

        `uplink_up`: whether one is up now; the new system must then bring one up as well.
        MasqgateError tells why the bundle is refused, or what failed.
        """
        state = self._state()
        manifest = self._admitted(source, allow_downgrade)
        slot = self.slots.spare
        notes = trial_notes.Notes(slot=slot, version=manifest.version, uplink_up=uplink_up)
        with _saving():
            trial_notes.begin(self.paths, self.slots.running, notes)
        try:
            with _writing():
                self._replace(source, manifest, state.invalidated(slot))
        except MasqgateError as error:
            trial_notes.end(self.paths, error.code, error.text, error.hint)
            raise
        return BundleInfo(version=manifest.version, compatible=manifest.compatible, slot=slot)

    def _replace(self, source: Source, manifest: Manifest, state: BootState) -> None:
        self.slots.write(state)
        self._write(source, manifest)
        _expect_end(source)
        self._compare(manifest)
        self.slots.write(state.to_be_tried(self.slots.spare))

    def _state(self) -> BootState:
        """The boot record, which must say that the running system has proved itself."""
        with _writing():
            state = self.slots.read()
        if state is None or not state.is_good(self.slots.running):
            raise MasqgateError(
                "update_on_trial",
                "The running system is still on trial; the other one is the way back.",
                "Wait until it is marked good (masqgate update status), then update.",
            )
        return state

    def _admitted(self, source: Source, allow_downgrade: bool) -> Manifest:
        self.report("verifying", 0, 0)
        manifest_size, signature_size = bundle.parse_head(_some(source, bundle.HEAD.size))
        data = _exactly(source, manifest_size)
        signed = _exactly(source, signature_size)
        signature.verify(data, signed, self.paths.keyring, self.paths.update_work)
        manifest = bundle.parse_manifest(data)
        installed = Installed(self.compatible, self.version, self._slot_bytes())
        bundle.admit(manifest, installed, allow_downgrade)
        return manifest

    def _slot_bytes(self) -> int:
        with _writing(), self._spare(os.O_RDONLY) as device:
            return os.lseek(device, 0, os.SEEK_END)

    def _pieces(
        self, source: Source, manifest: Manifest, phase: Phase
    ) -> Iterator[tuple[Piece, bytes]]:
        """Yield the pieces, each verified."""
        done = 0
        for piece in manifest.pieces:
            data = _exactly(source, piece.length)
            if hashlib.sha256(data).hexdigest() != piece.sha256:
                raise bundle.damaged("its content does not fit its signed checksums")
            yield piece, data
            done += piece.length
            self.report(phase, done, manifest.payload_bytes)

    def _write(self, source: Source, manifest: Manifest) -> None:
        # O_EXCL: the kernel refuses a partition that is mounted, so never the running slot.
        with self._spare(os.O_WRONLY | os.O_EXCL) as device:
            for piece, data in self._pieces(source, manifest, "writing"):
                _write_all(device, data, piece.offset)
            os.fsync(device)

    def _compare(self, manifest: Manifest) -> None:
        """Read the slot from the card, not from memory, and compare it with the manifest."""
        done = 0
        with self._spare(os.O_RDONLY) as device:
            os.posix_fadvise(device, 0, 0, os.POSIX_FADV_DONTNEED)
            for piece in manifest.pieces:
                data = os.pread(device, piece.length, piece.offset)
                if hashlib.sha256(data).hexdigest() != piece.sha256:
                    text = "The card does not give back what was written to it."
                    hint = "Replace the card; the running system is untouched."
                    raise MasqgateError("update_not_written", text, hint)
                done += piece.length
                self.report("comparing", done, manifest.payload_bytes)

    @contextlib.contextmanager
    def _spare(self, flags: int) -> Iterator[int]:
        path = self.slots.partition(self.slots.spare)
        device = os.open(path, flags | os.O_CLOEXEC)
        try:
            yield device
        finally:
            os.close(device)


def _write_all(device: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(device, view, offset)
        view, offset = view[written:], offset + written


def _some(source: Source, size: int) -> bytes:
    """Receive up to `size` bytes: fewer only at the end."""
    data = bytearray()
    while len(data) < size and (chunk := source.recv(min(size - len(data), 1 << 16))):
        data += chunk
    return bytes(data)


def _exactly(source: Source, size: int) -> bytes:
    data = _some(source, size)
    if len(data) < size:
        raise bundle.truncated()
    return data


def _expect_end(source: Source) -> None:
    if source.recv(1):
        raise bundle.damaged("more follows than its manifest names")


@contextlib.contextmanager
def _saving() -> Iterator[None]:
    """Turn a failed write to the data partition into a refusal; no slot was touched yet."""
    try:
        yield
    except OSError as error:
        code, why = "update_not_saved", (error.strerror or "an error").lower()
        if error.errno in _FULL:
            code, why = "update_disk_full", "the data partition is full"
        raise MasqgateError(
            code,
            f"The update was not begun: the way back can't be saved, because {why}.",
            "Free space on the data partition, or replace the card.",
        ) from error


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Turn an error of the card into a sentence."""
    try:
        yield
    except OSError as error:
        text = f"The card can't be read or written: {(error.strerror or 'an error').lower()}."
        hint = "The running system is untouched. Replace the card if this stays."
        raise MasqgateError("update_not_written", text, hint) from error
