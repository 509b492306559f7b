"""Every fault in every phase: noticed, named, dialed again, without a hand's turn."""

from __future__ import annotations

import random

import pytest
from masqgate.contract.status import LinkState
from masqgate.link import events as ev

from tests.unit import link_matrix
from tests.unit.link_matrix import FAULTS, PHASES, SLOW_BY_DESIGN
from tests.unit.link_world import Faults, World, config

LONGEST_S = 300.0 * 1.2 + 150.0  # the longest wait, a call that stalls, and another


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_noticed_and_dialed_again(fault: str) -> None:
    for phase in PHASES:
        cell = link_matrix.short(phase, fault)
        if cell.noticed_s is None or cell.dialed_s is None:
            continue
        assert cell.noticed_s <= 75.0, (phase, cell)
        assert cell.dialed_s <= 25.0, (phase, cell)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_an_hour_is_survived(fault: str) -> None:
    for phase in PHASES:
        back_s = link_matrix.long(phase, fault)
        limit_s = 1800.0 * 1.2 + 90.0 if fault in SLOW_BY_DESIGN else LONGEST_S
        assert back_s <= limit_s, (phase, back_s)


@pytest.mark.parametrize("seed", range(20))
def test_sixty_random_faults_are_survived(seed: int) -> None:
    chance = random.Random(seed)
    world = World(config(), chance=chance.random, dtr_wired=chance.random() < 0.5)
    names = list(FAULTS)
    for _ in range(60):
        FAULTS[chance.choice(names)](world)
        world.run_for(chance.uniform(1.0, 900.0))
        world.faults = Faults()
        if chance.random() < 0.2:
            world.call(chance.choice([ev.ConnectCalled(), ev.DisconnectCalled()]))
        world.run_for(chance.uniform(0.0, 600.0))
    world.faults = Faults()
    world.call(ev.ConnectCalled())
    world.reach(LinkState.UP, limit_s=600.0)
