"""Who may import whom. The core is pure, and the page knows nothing but the contract."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE, WEBUI = ROOT / "firmware", ROOT / "webui"

# What touches the world outside of the process, or depends on it.
OUTSIDE = {
    "asyncio", "fcntl", "grp", "http", "multiprocessing", "os", "pexpect", "pty", "pwd",
    "pyroute2", "random", "secrets", "select", "selectors", "serial", "shutil", "signal",
    "socket", "socketserver", "subprocess", "tempfile", "termios", "threading", "time", "tty",
    "urllib",
}  # fmt: skip

# package: (packages of ours that it may import, foreign packages, parts of OUTSIDE)
LAYERS: dict[str, tuple[set[str], set[str], set[str]]] = {
    "contract": (set(), {"msgspec", "tomli_w"}, {"os", "socket"}),
    "link": ({"contract"}, {"msgspec"}, set()),
    "desired": ({"contract"}, {"msgspec"}, set()),
    "core": ({"contract"}, {"msgspec"}, set()),
    "system": (
        {"contract", "link", "desired", "core"},
        {"msgspec", "serial", "pexpect", "pyroute2"},
        OUTSIDE - {"asyncio"},
    ),
    "supervisor": (
        {"contract", "desired", "core", "system"}, {"msgspec"}, {"signal"},
    ),
    "dialer": (
        {"contract", "link", "system"}, {"msgspec", "pexpect"}, {"random", "signal", "time"},
    ),
    "updater": (
        {"contract", "core", "system"},
        {"msgspec"},
        {"os", "signal", "socket", "threading", "time"},
    ),
    "trial": ({"contract", "core", "system"}, set(), {"time"}),
    "provision": ({"contract", "system"}, set(), set()),
    "certificate": ({"contract", "system"}, set(), set()),
    "uart": ({"contract", "system"}, set(), set()),
    "usbpower": ({"contract", "system"}, {"msgspec"}, set()),
    "cli": ({"contract", "core", "system"}, {"msgspec"}, {"os", "time"}),
    "console": (
        {"contract", "core", "system"},
        {"msgspec"},
        {"os", "pwd", "select", "signal", "subprocess", "termios", "time"},
    ),
}  # fmt: skip

# Parts of contract/ that may use the outside, and what for.
CONTRACT_OUTSIDE = {
    "client.py": {"socket"},
    "codec.py": {"threading"},
    "framing.py": {"socket"},
    "paths.py": {"os"},
    "update_client.py": {"socket"},
}
# Words only: strftime and gmtime of a time that is passed in read no clock.
CORE_OUTSIDE = {"words.py": {"time"}}


def modules() -> list[Path]:
    return sorted((FIRMWARE / "masqgate").rglob("*.py"))


def name_of(path: Path, root: Path) -> tuple[str, ...]:
    parts = path.relative_to(root).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def imports(path: Path, root: Path) -> set[str]:
    """The full names of all that a file imports, inside of functions too."""
    package = path.relative_to(root).parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found.add(module)
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def layer(parts: tuple[str, ...]) -> str:
    return parts[1] if len(parts) > 1 else ""


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(FIRMWARE)))
def test_a_module_imports_what_its_layer_may(path: Path) -> None:
    own = layer(name_of(path, FIRMWARE))
    if not own:
        assert imports(path, FIRMWARE) == set(), "the package itself imports nothing"
        return
    ours, foreign, outside = LAYERS[own]
    if own == "contract":
        outside = CONTRACT_OUTSIDE.get(path.name, set())
    if own == "core":
        outside = CORE_OUTSIDE.get(path.name, set())
    for name in imports(path, FIRMWARE):
        top, *rest = name.split(".")
        if top == "masqgate":
            allowed = not rest or rest[0] in ours | {own} or rest[0].startswith("__")
            assert allowed, f"{own}/ may not import {name}"
        elif top in sys.stdlib_module_names:
            assert top not in OUTSIDE - outside, f"{own}/{path.name} may not import {name}"
        else:
            assert top in foreign, f"{own}/ may not import {name}"


@pytest.mark.parametrize(
    "path", sorted(WEBUI.rglob("*.py")), ids=lambda path: str(path.relative_to(WEBUI))
)
def test_the_page_knows_nothing_of_the_router_but_the_contract(path: Path) -> None:
    for name in imports(path, WEBUI):
        if name.split(".")[0] != "masqgate" or name == "masqgate":
            continue
        assert name == "masqgate.__version__" or name.startswith("masqgate.contract"), name
    assert "subprocess" not in imports(path, WEBUI)


def test_every_package_has_its_rule() -> None:
    packages = {layer(name_of(path, FIRMWARE)) for path in modules()} - {""}
    assert packages == set(LAYERS)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(FIRMWARE)))
def test_modules_stay_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(FIRMWARE)))
def test_no_mutable_state_at_the_top_of_a_module(path: Path) -> None:
    for node in ast.parse(path.read_text()).body:
        for inner in ast.walk(node):
            assert not isinstance(inner, ast.Global), f"line {node.lineno}"
