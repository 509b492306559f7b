"""The command line: what it prints, its exit codes, and that it never shows a traceback."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from masqgate import cli
from masqgate.contract.codec import from_json
from masqgate.contract.errors import MasqgateError
from masqgate.contract.status import (
    Counters,
    Entry,
    Flow,
    Host,
    LanStatus,
    LinkHealth,
    LinkState,
    LinkStatus,
    Reason,
    Status,
)
from masqgate.core import words
from masqgate.core.ladder import Result, Step, Targets, plan
from masqgate.system import ladder as runner
from masqgate.system.ping import Pong

from tests.unit.router import DOCUMENT, Router, link, until

GOLDEN = Path(__file__).parent / "golden"

MODEM = LinkStatus(
    name="modem1",
    state=LinkState.UP,
    reason=Reason("up", "The call is up."),
    since_at=1_795_000_000.0,
    interface="ppp-modem1",
    address="198.51.100.7",
    peer="198.51.100.1",
    dns=("198.51.100.53", "198.51.100.54"),
    connect_rate=33_600,
    connect_text="CONNECT 33600/V34/LAPM",
    attempts=0,
    calls=3,
    pppd_pid=412,
    counters=Counters(rx_bytes=12_345_678, tx_bytes=901),
    modem="Lab Modem V.34",
    signal_dbm=-71,
    operator="Lab Mobile",
    resets={"dtr": 1, "hang_up": 2},
)
WAITING = LinkStatus(
    name="modem2",
    state=LinkState.WAITING,
    reason=Reason(
        "auth_failed",
        "The provider refused user name or password.",
        "Correct them; the next attempts come in longer intervals so as not to be locked out.",
    ),
    since_at=1_795_010_000.0,
    retry_in_s=1754.2,
    attempts=3,
)
STATUS = Status(
    version="0.1.0",
    hostname="masqgate",
    at=1_795_010_012.0,
    uptime_s=93_784.0,
    active="modem1",
    uplinks=(MODEM, WAITING),
    lan=LanStatus(
        address="192.168.77.1/24",
        ports=("eth0",),
        hosts=(
            Host(name="a-box", mac="02:00:00:00:00:0a", address="192.168.77.100", expires_at=2e9),
            Host(name="\x1b[2Jx\u00fc" * 20, mac="02:00:00:00:00:0b", address="192.168.77.101",
                 expires_at=2e9),
        ),
    ),
    firewall="open",
    password_set=False,
    warnings=(Reason("data_full", "The data partition is full.", "Routing goes on."),),
)  # fmt: skip
DEAD = LinkStatus(
    name="cable",
    kind="ethernet",
    state=LinkState.UP,
    reason=Reason("up", "eth1 has the address 192.0.2.100."),
    since_at=1_795_000_000.0,
    interface="eth1",
    address="192.0.2.100",
    health=LinkHealth(
        verdict="bad",
        text="9.9.9.9: no answer, 12 in a row.",
        probed_at=1_795_010_006.0,
        spent_bytes=35_712,
        unused="Its link is up, but its probes are not answered.",
    ),
)
WATCHED = msgspec.structs.replace(
    MODEM,
    health=LinkHealth(
        verdict="link_only", text="Not probed; LCP echoes watch the provider's end."
    ),
)
UPLINKS = msgspec.structs.replace(
    STATUS, uplinks=(DEAD, WATCHED, WAITING), reboots={"dead_beyond": 1, "modem_silent": 2}
)
UNSET_CLOCK = Status(version="0.1.0", hostname="masqgate", at=12.0, uptime_s=12.0)


def golden(name: str, text: str) -> None:
    """Compare with a file; MASQGATE_GOLDEN=write writes it anew, for a person to look at."""
    path = GOLDEN / name
    if os.environ.get("MASQGATE_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("status.txt", lambda: words.status_lines(STATUS)),
        ("status-clock-not-set.txt", lambda: words.status_lines(UNSET_CLOCK)),
        ("uplinks.txt", lambda: words.uplinks_lines(UPLINKS)),
        ("status-dead.txt", lambda: words.status_lines(UPLINKS)),
        ("summary.txt", lambda: words.summary_lines(STATUS)),
        (
            "flows.txt",
            lambda: words.flow_lines(
                (
                    Flow(
                        protocol="tcp", source="192.168.77.100", source_port=54_321,
                        destination="203.0.113.80", destination_port=80,
                        masqueraded="198.51.100.7", masqueraded_port=54_321,
                        state="ESTABLISHED", timeout_s=7000,
                    ),
                    Flow(
                        protocol="icmp", source="192.168.77.101", destination="203.0.113.80",
                        masqueraded="198.51.100.7",
                    ),
                )
            ),
        ),
        (
            "log.txt",
            lambda: [
                words.entry_line(
                    Entry(number=1, at=1.795e9, source="modem1", code="busy", text="Busy.")
                ),
                words.entry_line(
                    Entry(
                        number=2, at=5.0, source="system", code="x", text="\u00dcbel\x1b[0m",
                        level="error",
                    )
                ),
            ],
        ),
    ],
)  # fmt: skip
def test_words(name: str, lines: Callable[[], list[str]]) -> None:
    made = lines()
    for line in made:
        assert line.isascii()
        assert line.isprintable()
        assert len(line) < 80
    golden(name, "\n".join(made) + "\n")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.6, "1 min"), (61, "1 min 1 s"), (3600, "1 h"), (90_061, "1 d 1 h"),
     (-5, "0 s")],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.fixture
def router(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Router]:
    made = Router(tmp_path)
    monkeypatch.setenv("MASQGATE_RUN", str(made.paths.run))
    monkeypatch.setenv("MASQGATE_DATA", str(made.paths.data))
    monkeypatch.setenv("MASQGATE_SHARE", str(made.paths.share))
    yield made
    made.close()


def started(router: Router) -> Router:
    router.dialer("modem1", link())
    router.start()
    until(lambda: router.client.status().active == "modem1")
    return router


def feed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "Lab Modem V.34, Lab Mobile, signal -71 dBm"),
        ({"network_at": STATUS.at - 62}, "Lab Mobile, signal -71 dBm (1 min 2 s ago)"),
        ({"network_at": STATUS.at - 7, "registration": "home"}, "Lab Mobile, signal -71 dBm (7 s"),
        ({"registration": "roaming"}, "Lab Mobile, roaming, signal -71 dBm"),
        ({"network_at": 12.0}, "signal -71 dBm Calls"),  # the clock was set in between
        (
            {
                "signal_dbm": None,
                "operator": "",
                "registration": "searching",
                "network_at": STATUS.at,
            },
            "Lab Modem V.34, searches for a network (0 s ago)",
        ),
        (
            {"network_trouble": Reason("x", "The second port is silent.", "Try another.")},
            "Signal The second port is silent. Try another.",
        ),
    ],
)
def test_signal_and_operator_are_told_with_their_age(changes: dict[str, Any], told: str) -> None:
    link = msgspec.structs.replace(MODEM, **changes)
    assert told in " ".join(" ".join(words.link_lines(link, STATUS.at, active=True)).split())


def test_status_for_people_and_for_programs(
    router: Router, capsys: pytest.CaptureFixture[str]
) -> None:
    started(router)
    assert cli.main(["status"]) == 0
    assert "Uplink modem1 (modem): up" in capsys.readouterr().out
    assert cli.main(["status", "--json"]) == 0
    status = from_json(capsys.readouterr().out.encode(), Status)
    assert status.active == "modem1"


def test_the_uplinks_for_people_and_for_programs(
    router: Router, capsys: pytest.CaptureFixture[str]
) -> None:
    started(router)
    until(lambda: router.client.status().active == "modem1")
    assert cli.main(["uplinks"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("1. modem1 (modem): up with 198.51.100.7, carries the traffic")
    assert "LCP echoes" in said
    assert cli.main(["uplinks", "--json"]) == 0
    found = from_json(capsys.readouterr().out.encode(), list[LinkStatus])
    assert [one.health.verdict for one in found] == ["link_only"]


def test_connect_and_disconnect(router: Router) -> None:
    started(router)
    assert cli.main(["disconnect"]) == 0
    assert cli.main(["connect", "modem1"]) == 0
    until(lambda: router.dialers["modem1"].commands[-2:] == ["disconnect", "connect"])


def test_a_document_is_taken_from_a_file_and_from_standard_input(
    router: Router, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(router)
    (tmp_path / "new.toml").write_text(DOCUMENT.replace("5551000", "5552000"))
    assert cli.main(["config", "check", str(tmp_path / "new.toml")]) == 0
    assert cli.main(["config", "apply", str(tmp_path / "new.toml")]) == 0
    assert "5552000" in router.client.config_show()
    feed(monkeypatch, DOCUMENT.replace("5551000", "5553000"))
    assert cli.main(["config", "apply", "-"]) == 0
    assert "5553000" in router.client.config_show()


def test_a_document_can_wait_to_be_confirmed(
    router: Router, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started(router)
    (tmp_path / "new.toml").write_text(DOCUMENT.replace("5551000", "5552000"))
    assert cli.main(["config", "confirm"]) == 1
    assert cli.main(["config", "apply", "--confirm", "600", str(tmp_path / "new.toml")]) == 0
    assert "5551000" in router.paths.config.read_text()
    cli.main(["status"])
    assert "not confirmed; it is taken back in" in capsys.readouterr().out
    assert cli.main(["config", "confirm"]) == 0
    assert "5552000" in router.paths.config.read_text()


def test_what_config_show_prints_can_be_applied_again(
    router: Router, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started(router)
    cli.main(["config", "show"])
    feed(monkeypatch, capsys.readouterr().out)
    assert cli.main(["config", "apply", "-"]) == 0
    assert "dial-secret" in router.paths.config.read_text()


@pytest.mark.parametrize("verb", ["check", "apply"])
def test_a_bad_document_is_told_of_completely(
    router: Router, verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started(router)
    feed(monkeypatch, '[lan]\naddres = "x"\nlease_minutes = "y"\n[[uplink]]\nkind = "tin"\n')
    assert cli.main(["config", verb, "-"]) == 2
    golden("problems.txt", capsys.readouterr().err)


def test_check_works_without_a_supervisor(
    router: Router, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    feed(monkeypatch, DOCUMENT)
    assert cli.main(["config", "check", "-"]) == 0
    feed(monkeypatch, "x = 1")
    assert cli.main(["config", "check", "-"]) == 2
    assert "'x' is not known here" in capsys.readouterr().err


def test_previous_and_factory_ask_first(
    router: Router, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started(router)
    router.client.config_apply(DOCUMENT.replace("5551000", "5552000"))
    feed(monkeypatch, "")
    assert cli.main(["config", "previous"]) == 1
    assert "--yes" in capsys.readouterr().err
    assert cli.main(["config", "previous", "--yes"]) == 0
    assert "5551000" in router.client.config_show()
    assert cli.main(["config", "factory", "--yes"]) == 0
    assert router.client.status().hostname == "factory"


def test_log_and_flows(router: Router, capsys: pytest.CaptureFixture[str]) -> None:
    started(router)
    assert cli.main(["log", "-n", "1000"]) == 0
    assert "The supervisor started with the saved configuration." in capsys.readouterr().out
    assert cli.main(["flows"]) == 0
    assert "No connection" in capsys.readouterr().out


def test_log_follows_over_a_restart_of_the_supervisor(
    router: Router, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started(router)
    rounds = iter([router.stop, router.start, lambda: router.client.password_reset()])

    def sleep(_: float) -> None:
        step = next(rounds, None)
        if step is None:
            raise KeyboardInterrupt
        step()

    monkeypatch.setattr(cli.verbs.time, "sleep", sleep)
    assert cli.main(["log", "-f"]) == 130
    out = capsys.readouterr().out
    assert out.count("The supervisor started") == 2
    assert "password was reset" in out


def test_password(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    started(router)
    feed(monkeypatch, "correct horse battery\ncorrect horse battery\n")
    assert cli.main(["password", "set"]) == 0
    router.client.password_check("correct horse battery")
    feed(monkeypatch, "one good password\nanother one\n")
    assert cli.main(["password", "set"]) == 1
    assert cli.main(["password", "reset"]) == 0
    assert not router.client.status().password_set


def test_without_a_supervisor_the_exit_code_is_3(
    router: Router, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["status"], ["connect"], ["config", "show"], ["log"], ["test"]):
        assert cli.main(arguments) == 3
        assert "The supervisor does not answer" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["bogus"], ["config"], ["log", "-n", "0"], ["log", "-n", "x"]]
)
def test_a_bad_command_line_is_exit_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2


def test_a_missing_file_is_told_of(router: Router, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["config", "apply", "/nonexistent/x"]) == 1
    assert capsys.readouterr().err.startswith("masqgate: '/nonexistent/x' cannot be read: ")


@pytest.mark.parametrize("arguments", [[], ["config"], ["config", "apply"], ["log"], ["test"]])
def test_help_is_there(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([*arguments, "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    if not arguments:
        assert "exit codes:" in out


def test_the_installed_command_runs(router: Router) -> None:
    started(router)
    script = Path(__file__).resolve().parents[2] / "rootfs-overlay/usr/bin/masqgate"
    environment = {**os.environ, "PYTHONPATH": str(script.parents[3] / "firmware")}
    done = subprocess.run(
        [sys.executable, str(script), "status"], env=environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "Uplink modem1" in done.stdout


def test_a_reader_that_has_enough_is_no_error(router: Router) -> None:
    started(router)
    program = "import sys; from masqgate.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        ["sh", "-c", f"'{sys.executable}' -c '{program}' status --json | true; echo $?"],
        env={**os.environ, "PYTHONPATH": str(GOLDEN.parents[2] / "firmware")},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == ""


def verdicts(status: Status, monkeypatch: pytest.MonkeyPatch, **seen: object) -> dict[int, str]:
    """Climb the ladder with every trial played; all go well but those in `seen`."""

    def play(kind: str) -> Callable[[Step], tuple[bool, str]]:
        def trial(step: Step) -> tuple[bool, str]:
            result = seen.get(kind, True)
            if isinstance(result, Exception):
                raise result
            return bool(result), "seen"

        return trial

    for kind in ("ruleset", "ping", "large", "tcp", "name", "page"):
        monkeypatch.setattr(runner, f"_{kind}", play(kind))
    return {r.step.number: r.verdict for r in runner.climb(status, Targets())}


def test_the_ladder_has_eleven_rungs_when_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    assert verdicts(STATUS, monkeypatch) == dict.fromkeys(range(1, 12), "good")


def test_without_an_uplink_the_test_fails_there_and_skips_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = verdicts(UNSET_CLOCK, monkeypatch)
    assert found[4] == "failed"
    assert {found[number] for number in range(5, 12)} == {"skipped"}


@pytest.mark.parametrize(
    "error", [OSError(113, "No route to host"), TimeoutError(), ValueError("bad"),
              subprocess.TimeoutExpired("nft", 3)],
)  # fmt: skip
def test_a_trial_that_breaks_is_a_failed_step(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    assert verdicts(STATUS, monkeypatch, tcp=error)[8] == "failed"


def test_a_black_hole_for_large_packets_is_told_from_a_silent_target(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    step = next(step for step in plan(STATUS, Targets(), 1500) if step.kind == "large")
    answers: Callable[[int], Pong]

    def ping(address: str, size: int = 56) -> Pong:
        return answers(size + 28)

    monkeypatch.setattr(runner, "ping", ping)
    answers = lambda size: Pong(1.0)  # noqa: E731
    assert runner.attempt(step).verdict == "good"
    answers = lambda size: Pong(1.0) if size <= 1400 else Pong(None, "no answer")  # noqa: E731
    result = runner.attempt(step)
    assert (result.verdict, result.text) == (
        "failed", "9.9.9.9 answers 576 bytes, but not 1500",
    )  # fmt: skip
    answers = lambda size: Pong(1.0) if size <= 1400 else Pong(None, "", 1400)  # noqa: E731
    assert runner.attempt(step).text == "1400 bytes pass unfragmented"
    answers = lambda size: Pong(None, "no answer")  # noqa: E731
    assert "no pings at all" in runner.attempt(step).text


def test_a_failed_step_says_what_it_means() -> None:
    step = next(step for step in plan(STATUS, Targets(), 1500) if step.kind == "name")
    lines = words.result_lines(Result(step, "failed", "no answer in time"))
    golden("step.txt", "\n".join(lines) + "\n")


def test_the_ladder_sets_the_exit_code(
    router: Router, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started(router)
    verdicts(STATUS, monkeypatch)
    assert cli.main(["test"]) == 0
    verdicts(STATUS, monkeypatch, name=False)
    assert cli.main(["test"]) == 4
    assert "FAILED" in capsys.readouterr().out


def test_errors_are_the_contracts() -> None:
    assert cli.codes.code_of(MasqgateError("supervisor_closed", "x")) == 3
