"""Runs the page as the router does: gunicorn, one worker with threads, over a Unix socket."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_S = 60.0
ANYBODY = ssl.create_default_context()  # who signs for themselves, too
ANYBODY.check_hostname, ANYBODY.verify_mode = False, ssl.CERT_NONE


@contextlib.contextmanager
def serving(
    run: Path, port: int = 0, log: Path | None = None, certificate: Path | None = None
) -> Iterator[str]:
    """Serve the page with the supervisor's socket in `run`; gives its address.

    With a certificate, and its key in the same file, by HTTPS.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(64)
        listener.set_inheritable(True)
        scheme = "https" if certificate else "http"
        url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        with (log or Path(os.devnull)).open("ab") as output:
            process = _start(run, listener.fileno(), output.fileno(), certificate)
        try:
            _await(url, process)
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _start(
    run: Path, listener: int, output: int, certificate: Path | None
) -> subprocess.Popen[bytes]:
    more = {"MASQGATE_CERTIFICATE": str(certificate)} if certificate else {}
    paths = f"{ROOT / 'firmware'}:{ROOT / 'webui'}"
    return subprocess.Popen(
        [
            sys.executable, "-m", "gunicorn", "-c", "python:masqgate_web.server",
            "--bind", f"fd://{listener}", "masqgate_web:create_app()",
        ],
        env={**os.environ, "MASQGATE_RUN": str(run), "PYTHONPATH": paths, **more},
        pass_fds=[listener],
        stdout=output,
        stderr=output,
    )  # fmt: skip


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"gunicorn ended with {process.returncode}")
        try:
            with urllib.request.urlopen(f"{url}/help/probe", timeout=5, context=ANYBODY):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("gunicorn does not answer")
