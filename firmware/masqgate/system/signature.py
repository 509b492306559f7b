"""Who signed something: a CMS signature (RFC 5652) is verified by the openssl command.

The time is not looked at: a router without a clock of its own starts in 1970 and must be able
to take an update that repairs exactly this. A signer is taken back by an update with another
keyring.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from masqgate.contract.errors import MasqgateError
from masqgate.core.bundle import AGAIN

from .run import ToolError, run

VERIFY_S = 120.0  # openssl itself takes a moment; an emulated board takes its time
_UNKNOWN = ("certificate verify error", "signer certificate not found", "no signers")


def verify(data: bytes, signature: bytes, keyring: Path, work: Path) -> None:
    """Return if `data` was signed by a signer of `keyring`; MasqgateError tells why not.

    `work` is a folder that nobody else can write to.
    """
    if not keyring.is_file():
        text = "This system has no certificate to verify updates with."
        raise MasqgateError("update_no_keyring", text, "Write the card anew (docs/FLASH.md).")
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        signed, signer = Path(folder) / "manifest", Path(folder) / "signature"
        signed.write_bytes(data)
        signer.write_bytes(signature)
        try:
            run(_command(signed, signer, keyring), timeout_s=VERIFY_S)
        except ToolError as error:
            raise _refusal(str(error)) from None


def _command(signed: Path, signature: Path, keyring: Path) -> list[str]:
    return [
        "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", str(signature),
        "-content", str(signed), "-CAfile", str(keyring), "-no-CApath", "-no-CAstore",
        "-purpose", "any", "-no_check_time", "-out", "/dev/null",
    ]  # fmt: skip


def _refusal(said: str) -> MasqgateError:
    if "cannot be run" in said or "did not end" in said:
        return MasqgateError("update_unverified", f"The signature can't be verified: {said}.")
    if any(word in said.lower() for word in _UNKNOWN):
        text = "The update is signed by somebody whom this router does not know."
        return MasqgateError("update_foreign", text, "Take one from the project's releases.")
    text = "The update's signature does not fit: it was damaged or changed."
    return MasqgateError("update_damaged", text, AGAIN)
