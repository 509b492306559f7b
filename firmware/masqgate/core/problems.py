"""What problems of the applier mean."""

from __future__ import annotations

from collections.abc import Iterable

from masqgate.contract.errors import Problem

FIREWALL = "firewall"  # the path of problems with the ruleset


def closes(problems: Iterable[Problem]) -> bool:
    """Whether the firewall has to be closed: its rules are not those that are wanted."""
    return any(problem.path.split(".")[0] == FIREWALL for problem in problems)


def new_ones(problems: Iterable[Problem], before: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems that were not there before, whatever their sentences say."""
    known = {(problem.path, problem.code) for problem in before}
    return tuple(p for p in problems if (p.path, p.code) not in known)
