"""Probes and failover by the supervisor's own process: real kernel, rules and routes.

The cable's other end is a gateway in another namespace, with an address of the Internet behind
it; the modem's call is an interface whose dialer is played.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from masqgate.contract.status import LinkHealth, LinkState

from tests.unit.router import until

from .board import MODEM, Board, boarded, cable

GATEWAY, BEYOND = "203.0.113.1", "9.9.9.9"
CABLE = cable("hold_s = 3", "probe = { interval_s = 1, down_after = 2, up_after = 2 }")
NAMED = CABLE.replace("probe = {", f'probe = {{ targets = ["{BEYOND}"],')


class Street(Board):
    """The board, and the provider's end of the cable."""

    def far(self, *commands: str) -> None:
        """Run commands of `ip` at the cable's other end."""
        for command in commands:
            self.elsewhere("ip", *command.split())

    def elsewhere(self, *command: str) -> str:
        return self.run("nsenter", f"--target={self.street.pid}", "--net", *command)

    def health(self, name: str = "cable") -> LinkHealth:
        found = next(one for one in self.client.status().uplinks if one.name == name)
        return found.health

    def reasons(self) -> list[str]:
        """The events about the choice, oldest first."""
        return [entry.text for entry in self.client.log() if entry.code == "uplink_chosen"]

    def chosen(self, name: str) -> None:
        until(lambda: self.client.status().active == name, f"traffic by {name}")


@pytest.fixture
def street() -> Iterator[Street]:
    with boarded(Street) as made:
        made.far(f"addr add {GATEWAY}/24 dev far1", f"addr add {BEYOND}/32 dev far1")
        made.far("link set lo up")
        yield made


def test_a_gateway_that_falls_silent_and_comes_back(street: Street) -> None:
    street.paths.config.write_text(CABLE + MODEM)
    street.start()
    street.chosen("cable")
    until(lambda: street.health().verdict == "good", "the gateway answers")
    assert street.health().rtt_ms is not None
    street.far(f"addr del {GATEWAY}/24 dev far1")
    street.chosen("modem1")
    assert "dead beyond" in street.reasons()[-1]
    assert "not answered" in street.health().unused
    assert "dev ppp-modem1" in street.run("ip", "route", "get", BEYOND)
    street.far(f"addr add {GATEWAY}/24 dev far1")
    street.chosen("cable")
    assert "has been well for 3 s" in street.reasons()[-1]
    assert "cable is preferred" in street.health("modem1").unused


def test_dead_beyond_the_gateway_is_found_by_named_targets(street: Street) -> None:
    """And the probes go on by the dead uplink while another one carries the traffic."""
    street.paths.config.write_text(NAMED + MODEM)
    street.start()
    until(lambda: street.health().verdict == "good", "the target answers")
    street.chosen("cable")
    street.far(f"addr del {BEYOND}/32 dev far1")
    street.chosen("modem1")
    assert street.run("ip", "route", "get", GATEWAY, "from", "203.0.113.5").count("dev eth1")
    street.far(f"addr add {BEYOND}/32 dev far1")
    street.chosen("cable")
    assert "dropped" not in street.log.read_text()


def test_a_cable_with_nobody_at_its_end_is_left(street: Street) -> None:
    """The gateway has never answered, and nobody answers to ARP either."""
    street.far(f"addr del {GATEWAY}/24 dev far1")
    street.paths.config.write_text(CABLE + MODEM)
    street.start()
    street.chosen("modem1")
    until(lambda: street.health().verdict == "bad", "nobody is there")
    street.chosen("modem1")


def test_a_gateway_that_answers_no_pings_by_choice_is_used(street: Street) -> None:
    street.elsewhere("sh", "-c", "echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all")
    street.paths.config.write_text(CABLE + MODEM)
    street.start()
    until(lambda: street.health().verdict == "link_only", "its silence says nothing")
    street.chosen("cable")
    assert "never answered" in street.health().text


def test_the_budget_is_kept_and_told(street: Street) -> None:
    few = CABLE.replace("probe = {", "probe = { bytes_per_day = 150,")
    street.paths.config.write_text(few + MODEM)
    street.start()
    until(lambda: street.health().verdict == "link_only", "the budget is used up")
    assert street.health().spent_bytes == 144
    assert "used up" in street.health().text
    assert [e.source for e in street.client.log() if e.code == "probe_budget"] == ["cable"]


def test_rules_and_tables_go_with_their_uplink(street: Street) -> None:
    street.paths.config.write_text(CABLE + MODEM)
    street.start()
    street.chosen("cable")
    until(lambda: "from 203.0.113.5" in street.run("ip", "rule"))
    assert "from 198.51.100.7" in street.run("ip", "rule")
    # A LAN host that speaks to an uplink's address is answered on the LAN.
    answer = street.run("ip", "route", "get", "192.168.77.50", "from", "203.0.113.5")
    assert "dev br0" in answer
    street.client.config_apply("version = 1\n")
    assert "proto 77" not in street.run("ip", "-d", "rule")
    assert street.run("ip", "route", "show", "table", "all", "proto", "77") == ""
    assert street.client.status().active == ""
    assert LinkState.UP not in {one.state for one in street.client.status().uplinks}
