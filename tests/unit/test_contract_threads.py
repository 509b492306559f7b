"""Many threads meet a type for the first time at once: msgspec alone crashes the process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

_PROGRAM = """
import sys, threading
import msgspec
from masqgate.contract import codec

sys.setswitchinterval(1e-6)
THREADS = 8


def fresh_type():
    leaf = msgspec.defstruct("Leaf", [(f"a{n}", "int | str") for n in range(20)])
    fields = [(f"b{n}", list[leaf], msgspec.field(default_factory=list)) for n in range(20)]
    return msgspec.defstruct("Tree", fields)


def work(barrier, kind, wrong):
    barrier.wait()
    value = codec.from_json(b'{"b1": []}', kind)
    again = codec.convert({"b1": []}, kind)
    if value != again or value.b1 != []:
        wrong.append(value)


wrong = []
for _ in range(60):
    kind, barrier = fresh_type(), threading.Barrier(THREADS)
    threads = [threading.Thread(target=work, args=(barrier, kind, wrong)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
sys.exit(len(wrong))
"""


def test_threads_that_meet_a_type_at_once_all_get_their_value() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        cwd=REPOSITORY / "firmware",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
