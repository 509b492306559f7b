"""Updates on a card of files: the real updater, the real openssl, every refusal."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import struct
import threading
from pathlib import Path

import pytest
from masqgate.contract.errors import MasqgateError
from masqgate.core import bootstate
from masqgate.core.bundle import HEAD
from masqgate.system import atomic, trial_notes
from masqgate.system.installer import Installer
from masqgate.updater import MOST

from tests.unit.update_kit import (
    BOARD,
    Card,
    bundle,
    content,
    future_keys,
    keys,
    manifest,
    untouched,
)


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return Card(tmp_path)


def refusal(card: Card, path: Path, allow_downgrade: bool = False) -> MasqgateError:
    with card.updater() as client, pytest.raises(MasqgateError) as caught:
        client.update_install(path, allow_downgrade)
    assert caught.value.text.endswith((".", ")")), caught.value.text
    return caught.value


def changed(path: Path, at: int, value: bytes) -> Path:
    data = bytearray(path.read_bytes())
    data[at : at + len(value)] = value
    path.write_bytes(data)
    return path


def flipped(path: Path, at: int) -> Path:
    return changed(path, at, bytes([path.read_bytes()[at] ^ 1]))


def lengths(path: Path) -> tuple[int, int]:
    """Of a bundle's manifest and signature."""
    _, first, second = HEAD.unpack(path.read_bytes()[: HEAD.size])
    return first, second


# --- a good one ---------------------------------------------------------------------------


def test_a_good_bundle_is_in_the_other_slot_on_trial(card: Card, tmp_path: Path) -> None:
    card.paths.config.write_text("version = 1\n")
    with card.updater() as client:
        info = client.update_install(bundle(tmp_path / "x"))
        status = client.update_status()
    assert (info.version, info.slot) == ("0.2.0", "b")
    for at, data in content():
        assert card.held("b")[at : at + len(data)] == data
    assert card.held("a")[0] != content()[0][1][0]
    state = card.state
    assert (state.first, state.good, state.tries) == ("b", (True, False), (0, 2))
    assert status.phase == "ready" and "0.2.0" in status.text and "restart" in status.text
    told = {slot.slot: (slot.state, slot.version, slot.running) for slot in status.slots}
    assert told == {"a": ("good", "0.1.0", True), "b": ("on_trial", "0.2.0", False)}
    assert card.paths.slot_config("a").read_text() == "version = 1\n"


def test_the_slot_cannot_be_started_while_it_is_written(
    card: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the first byte on, and until all of it was read back."""
    seen = []
    write, read = os.pwrite, os.pread

    def pwrite(device: int, data: bytes, offset: int) -> int:
        if len(data) > 512:
            seen.append(card.state)
        return write(device, data, offset)

    def pread(device: int, size: int, offset: int) -> bytes:
        if size > 512:
            seen.append(card.state)
        return read(device, size, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    monkeypatch.setattr(os, "pread", pread)
    with card.updater() as client:
        client.update_install(bundle(tmp_path / "x"))
    assert len(seen) == 2 * len(content())
    assert {(s.first, s.good, s.tries) for s in seen} == {("a", (True, False), (0, 0))}


def test_the_clock_is_no_reason_to_refuse(card: Card, tmp_path: Path) -> None:
    """A router without a clock of its own is in 1970: no certificate is valid yet."""
    path = bundle(tmp_path / "x", future_keys(tmp_path / "keys"))
    with card.updater() as client:
        assert client.update_install(path).slot == "b"


def test_check_writes_nothing(card: Card, tmp_path: Path) -> None:
    with card.updater() as client:
        assert client.update_install(bundle(tmp_path / "x"), check_only=True).version == "0.2.0"
        with pytest.raises(MasqgateError) as caught:
            client.update_install(flipped(tmp_path / "x", -9), check_only=True)
    assert caught.value.code == "update_damaged"
    assert untouched(card)


# --- refusals -----------------------------------------------------------------------------


@pytest.mark.parametrize("where", [0.0, 0.3, 0.6, 0.99])
def test_a_bit_flipped_in_the_manifest(card: Card, tmp_path: Path, where: float) -> None:
    path = bundle(tmp_path / "x")
    error = refusal(card, flipped(path, HEAD.size + int(lengths(path)[0] * where)))
    assert error.code == "update_damaged"
    assert untouched(card)


@pytest.mark.parametrize("where", [0.01, 0.3, 0.6, 0.9, 0.999])
def test_a_bit_flipped_in_the_signature(card: Card, tmp_path: Path, where: float) -> None:
    path = bundle(tmp_path / "x")
    size, signature = lengths(path)
    error = refusal(card, flipped(path, HEAD.size + size + int(signature * where)))
    assert error.code in ("update_damaged", "update_foreign")
    assert untouched(card)


@pytest.mark.parametrize("where", [0.0, 0.5, 0.999])
def test_a_bit_flipped_in_the_payload(card: Card, tmp_path: Path, where: float) -> None:
    """It is found before the bytes are written; the slot is left so that nobody starts it."""
    path = bundle(tmp_path / "x")
    begin = HEAD.size + sum(lengths(path))
    error = refusal(card, flipped(path, begin + int((path.stat().st_size - begin) * where)))
    assert error.code == "update_damaged"
    state = card.state
    assert (state.first, state.good, state.tries) == ("a", (True, False), (0, 0))
    assert untouched_running(card)
    notes = trial_notes.read(card.paths)
    assert notes is not None and notes.ended is not None
    assert notes.ended.code == "update_damaged"


def untouched_running(card: Card) -> bool:
    return card.held("a").startswith(b"the system that was")


@pytest.mark.parametrize("left", [0, 5, 15, 16, 200, -1])
def test_truncated(card: Card, tmp_path: Path, left: int) -> None:
    path = bundle(tmp_path / "x")
    path.write_bytes(path.read_bytes()[:left])
    error = refusal(card, path)
    assert error.code == ("update_no_bundle" if 0 <= left < 16 else "update_truncated")
    assert card.state.first == "a" and not card.state.tries_of("b")
    assert untouched_running(card)


def test_more_than_the_manifest_names(card: Card, tmp_path: Path) -> None:
    path = bundle(tmp_path / "x")
    path.write_bytes(path.read_bytes() + b"x")
    assert refusal(card, path).code == "update_damaged"
    assert card.state.first == "a" and not card.state.tries_of("b")


def test_unsigned(card: Card, tmp_path: Path) -> None:
    data = manifest()
    path = tmp_path / "x"
    payload = b"".join(data for _, data in content())
    path.write_bytes(struct.pack(">8sII", b"MASQUPD1", len(data), 0) + data + payload)
    assert refusal(card, path).code == "update_unsigned"
    assert untouched(card)


def test_a_foreign_signer(card: Card, tmp_path: Path) -> None:
    assert refusal(card, bundle(tmp_path / "x", keys("theirs"))).code == "update_foreign"
    assert untouched(card)


def test_a_signature_of_another_bundle(card: Card, tmp_path: Path) -> None:
    """The signer is known, but signed something else."""
    one, two = bundle(tmp_path / "1"), bundle(tmp_path / "2", version="9.9.9")
    size, signature = lengths(one)
    other = two.read_bytes()[HEAD.size + lengths(two)[0] :][:signature]
    assert refusal(card, changed(one, HEAD.size + size, other)).code == "update_damaged"
    assert untouched(card)


@pytest.mark.parametrize("board", ["masqgate-rpi5", "", "masqgate-rpi64 "])
def test_another_board(card: Card, tmp_path: Path, board: str) -> None:
    error = refusal(card, bundle(tmp_path / "x", compatible=board))
    assert error.code == "update_wrong_board"
    assert untouched(card)


def test_an_older_version_needs_consent(tmp_path: Path) -> None:
    card = Card(tmp_path / "router", version="0.3.0")
    path = bundle(tmp_path / "x")
    error = refusal(card, path)
    assert error.code == "update_older"
    assert "0.2.0" in error.text and "0.3.0" in error.text
    assert untouched(card)
    with card.updater() as client:
        assert client.update_install(path, allow_downgrade=True).slot == "b"


def test_the_same_version_may_be_installed_again(tmp_path: Path) -> None:
    card = Card(tmp_path / "router", version="0.2.0")
    with card.updater() as client:
        assert client.update_install(bundle(tmp_path / "x")).slot == "b"


def test_a_full_data_partition(
    card: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without room for the way back there is no update, and nothing was touched."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic.Staged, "_write", full)
    error = refusal(card, bundle(tmp_path / "x"))
    assert error.code == "update_disk_full"
    assert untouched(card)


def test_a_card_that_does_not_write(card: Card, tmp_path: Path) -> None:
    path = bundle(tmp_path / "x")
    card.slots.partition("b").unlink()
    error = refusal(card, path)
    assert error.code == "update_not_written"
    assert card.state.first == "a"


def test_a_card_that_gives_back_something_else(
    card: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = os.pread

    def pread(device: int, size: int, offset: int) -> bytes:
        data = read(device, size, offset)
        return bytes(size) if size > 512 else data

    monkeypatch.setattr(os, "pread", pread)
    assert refusal(card, bundle(tmp_path / "x")).code == "update_not_written"
    assert card.state.first == "a" and not card.state.tries_of("b")


def test_a_running_system_on_trial_keeps_its_way_back(card: Card, tmp_path: Path) -> None:
    trial = bootstate.BootState(seq=9, first="b", good=(True, False), tries=(0, 1))
    card.slots.write(trial)
    card.run_slot("b")
    error = refusal(card, bundle(tmp_path / "x"))
    assert error.code == "update_on_trial"
    assert card.state == trial
    assert untouched_running(card)


def test_two_at_once(card: Card, tmp_path: Path) -> None:
    path = bundle(tmp_path / "x")
    begun, go_on = threading.Event(), threading.Event()

    def slowly() -> object:
        data = path.read_bytes()
        yield data[:100]
        begun.set()
        go_on.wait(60)
        yield data[100:]

    with card.updater() as client:
        results: list[object] = []
        first = threading.Thread(
            target=lambda: results.append(client.install_stream(slowly()))  # type: ignore[arg-type]
        )
        first.start()
        assert begun.wait(60)
        while client.update_status().phase != "verifying":
            pass
        for call in (lambda: client.update_install(path), client.update_back):
            with pytest.raises(MasqgateError) as caught:
                call()
            assert caught.value.code == "update_busy"
        go_on.set()
        first.join(60)
    assert len(results) == 1
    assert card.state.first == "b"


@pytest.mark.parametrize("pieces", [
    [],
    [(0, 0, "0" * 64)],
    [(0, 2 << 20, "0" * 64)],
    [(-1, 10, "0" * 64)],
    [(0, 10, "0" * 63)],
    [(4096, 10, "0" * 64), (0, 10, "0" * 64)],
    [((4 << 20) - 5, 10, "0" * 64)],
])  # fmt: skip
def test_a_signed_manifest_that_makes_no_sense(
    card: Card, tmp_path: Path, pieces: list[object]
) -> None:
    assert refusal(card, bundle(tmp_path / "x", pieces=pieces)).code == "update_damaged"
    assert untouched(card)


def test_a_bundle_for_larger_slots(card: Card, tmp_path: Path) -> None:
    assert refusal(card, bundle(tmp_path / "x", slot_bytes=5 << 20)).code == "update_too_large"
    assert untouched(card)


# --- back, and who may ask ----------------------------------------------------------------


def test_back_needs_a_system_that_proved_itself(card: Card) -> None:
    with card.updater() as client:
        with pytest.raises(MasqgateError) as caught:
            client.update_back()
        assert caught.value.code == "update_no_way_back"
        card.slots.write(bootstate.BootState(seq=9, good=(True, True), tries=(0, 0)))
        assert client.update_back().phase == "ready"
    assert card.state.first == "b" and card.state.good == (True, True)


def test_the_caller_hears_of_the_restart_that_ends_the_updater(card: Card, tmp_path: Path) -> None:
    """systemd tells the updater to end before `systemctl reboot` is over."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "systemctl").write_text("#!/bin/sh\nkill -TERM $PPID\nsleep 0.3\n")
    (tools / "systemctl").chmod(0o755)
    with card.updater_process(tools) as client:
        client.update_restart()


def test_callers_that_say_nothing_do_not_end_the_updater(card: Card) -> None:
    with card.updater() as client, contextlib.ExitStack() as stack:
        for _ in range(MOST):
            idle = stack.enter_context(socket.socket(socket.AF_UNIX))
            idle.connect(str(card.paths.update_socket))
        for _ in range(5):
            with pytest.raises(MasqgateError) as caught:
                client.update_status()
            assert caught.value.code == "update_busy"
        stack.close()
        while True:  # their places come free
            with contextlib.suppress(MasqgateError):
                assert client.update_status().phase == "idle"
                break


def test_nothing_is_said_to_what_is_no_call(card: Card) -> None:
    from masqgate.contract.calls import Call, Nothing

    with card.updater() as client:
        for name, code in (("status", "unknown_call"), ("x" * 5000, "bad_request")):
            with pytest.raises(MasqgateError) as caught:
                client._call(Call(name, Nothing, Nothing), Nothing(), 60.0)
            assert caught.value.code == code


def test_a_router_without_slots_says_so(card: Card) -> None:
    (card.paths.boot / "slot").unlink()
    with pytest.raises(MasqgateError) as caught:
        _ = card.slots
    assert caught.value.code == "update_no_slots"


def test_two_bundles_of_one_content_are_equal(tmp_path: Path) -> None:
    assert bundle(tmp_path / "1").read_bytes() == bundle(tmp_path / "2").read_bytes()


def test_development_keys_are_private_and_made_once(tmp_path: Path) -> None:
    made = keys("ours")
    assert made.for_development
    assert made.key.stat().st_mode & 0o777 == 0o600
    assert made.key.parent.stat().st_mode & 0o777 == 0o700
    assert keys("theirs").keyring.read_bytes() != made.keyring.read_bytes()
    assert json.loads(manifest())["version"] == "0.2.0"


# --- power cuts ---------------------------------------------------------------------------


class Cut(BaseException):
    """The plug is pulled."""


class Wire:
    """A bundle as it comes from a caller."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def recv(self, size: int) -> bytes:
        head, self._data = self._data[:size], self._data[size:]
        return head


def started(state: bootstate.BootState) -> str:
    """The slot that the boot script starts (image/board/boot.cmd)."""
    for slot in (state.first, bootstate.other(state.first)):
        if state.is_good(slot) or state.tries_of(slot):
            return slot
    return state.first


@pytest.mark.parametrize("torn", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("number", range(6))
def test_a_power_cut_at_any_write_leaves_a_system_that_is_whole(
    card: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, torn: float
) -> None:
    """The old one, or the new one with every byte of it; the configuration's copy is there."""
    card.paths.config.write_text("version = 1\n")
    installer = Installer(card.paths, card.slots, BOARD, "0.1.0", lambda *_: None)
    data = bundle(tmp_path / "x").read_bytes()
    writes, write = iter(range(1000)), os.pwrite

    def pwrite(device: int, piece: bytes, offset: int) -> int:
        if next(writes) == number:
            write(device, bytes(piece)[: int(len(piece) * torn)], offset)
            raise Cut
        return write(device, piece, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    with contextlib.suppress(Cut):
        installer.install(Wire(data), False, True)
    slot = started(card.state)
    if slot == "b":
        assert all(card.held("b")[at : at + len(piece)] == piece for at, piece in content())
    assert untouched_running(card)
    if (number, torn) != (3, 0.5):  # all that differs may be in the half that was written
        assert slot == ("b" if number > 3 or (number == 3 and torn == 1.0) else "a")
    assert card.paths.slot_config("a").read_text() == "version = 1\n"
