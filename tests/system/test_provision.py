"""What a person leaves on the card's boot partition is taken in at the start."""

from __future__ import annotations

from tests.lab import card, first_use
from tests.lab.lab import Lab

from .helpers import wait_up

FILE = "masqgate.toml"
SECRETS = (first_use.PASSWORD.encode(), b"lab-secret")
PROVISION = f'\n[provision]\npassword = "{first_use.PASSWORD}"\n'.encode()
GOOD = first_use.CONFIG.read_bytes().replace(b"= 720", b"= 555") + PROVISION
KNOWS = (
    "from masqgate.contract.client import Client; from masqgate.contract.paths import Paths; "
    f"Client(Paths().socket).password_check({first_use.PASSWORD!r})"
)


def start_with(lab: Lab, name: str, data: bytes) -> None:
    """Switch off, put a file on the card, switch on, and wait for all of the router."""
    assert lab.pi is not None
    lab.pi.power_cut()
    card.put(lab.pi.card, name, data)
    lab.restart(power_cut=True)
    lab.wait_ready()


def test_a_file_on_the_card_sets_the_router_up_and_is_wiped(lab: Lab) -> None:
    assert lab.pi is not None
    lab.console.run("masqgate password reset; sync")
    start_with(lab, FILE, GOOD)
    wait_up(lab)
    assert "lease_minutes = 555" in lab.cli("config", "show").output
    assert lab.console.run(f'python3 -c "{KNOWS}"').code == 0
    log = lab.cli("log", "-n", "40").output
    assert "was taken in, and the administrator's password was set" in log
    assert not [w for w in lab.status()["warnings"] if w["code"].startswith("provision")]
    assert FILE not in card.names(lab.pi.card)
    assert card.get(lab.pi.card, f"{FILE}.done").startswith(b"# taken in")
    for secret in SECRETS:
        assert not card.holds(lab.pi.card, secret)
        assert secret.decode() not in log
    assert lab.console.run("mount | grep -c vfat").output == "0"
    lab.console.put("/tmp/lab.toml", first_use.CONFIG.read_bytes())
    assert lab.cli("config", "apply", "/tmp/lab.toml").code == 0
