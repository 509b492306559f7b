"""What the supervisor does for each call but those about checking and setting a password."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from masqgate.contract import calls
from masqgate.contract.apn import ApnQuery, Apns
from masqgate.contract.calls import (
    BackupOrder,
    Call,
    Document,
    Flows,
    Log,
    LogQuery,
    NewDocument,
    Nothing,
    SelfTestOrder,
    SelfTestRun,
    UplinkName,
)
from masqgate.contract.dialer import Command
from masqgate.contract.document import keep_secrets, parse, render
from masqgate.contract.status import Flow, Status
from masqgate.core import uplinks
from masqgate.core.messages import CallMade
from masqgate.system.providers import Providers

from . import backups
from .overview import overview

if TYPE_CHECKING:
    from .supervisor import Supervisor

MAX_LOG = 1000  # events in one reply
MAX_FLOWS = 500
FLOWS_KEPT_S = 1.0  # listing them costs; many pages may ask

Handler = Callable[[Any], Any]


class Calls:
    """A handler for each call: a static registry."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._flows = Flows(flows=(), total=0)
        self._flows_at = -FLOWS_KEPT_S
        self.handlers: dict[str, Handler] = {
            calls.STATUS.name: self._status,
            calls.CONNECT.name: self._connect,
            calls.DISCONNECT.name: self._disconnect,
            calls.CONFIG_SHOW.name: self._config_show,
            calls.CONFIG_CHECK.name: self._config_check,
            calls.CONFIG_APPLY.name: self._config_apply,
            calls.CONFIG_CONFIRM.name: self._config_confirm,
            calls.CONFIG_PREVIOUS.name: self._config_previous,
            calls.CONFIG_FACTORY.name: self._config_factory,
            calls.LOG.name: self._log,
            calls.CALL_LOG.name: self._call_log,
            calls.APNS.name: self._apns,
            calls.FLOWS.name: self._list_flows,
            calls.SELF_TEST.name: self._self_test,
            calls.PASSWORD_RESET.name: self._password_reset,
            calls.BACKUP.name: self._backup,
            calls.RESTORE.name: self._restore,
        }

    def make(self, made: CallMade) -> Any:
        """Return the call's result; MasqgateError if it is refused."""
        call: Call[Any, Any] = made.call
        return self.handlers[call.name](made.arguments)

    def _status(self, _: Nothing) -> Status:
        return overview(self._supervisor)

    def _connect(self, wanted: UplinkName) -> Nothing:
        return self._tell_dialer(wanted, Command("connect"), "asked to connect")

    def _disconnect(self, wanted: UplinkName) -> Nothing:
        return self._tell_dialer(wanted, Command("disconnect"), "asked to hang up")

    def _tell_dialer(self, wanted: UplinkName, command: Command, what: str) -> Nothing:
        config = self._supervisor.config
        if any(line.name == wanted.uplink for line in config.lines):
            name = wanted.uplink  # 'connect' ends a lock-out, 'disconnect' a call
        else:
            name = uplinks.dialing(config, wanted.uplink).name
        self._supervisor.parts.dialers.command(name, command)
        self._supervisor.hours.by_hand(name, connect=command.verb == "connect")
        self._supervisor.record(name, command.verb, f"{name} was {what}.")
        return Nothing()

    def _config_show(self, _: Nothing) -> Document:
        return Document(render(self._supervisor.config))

    def _config_check(self, document: Document) -> Nothing:
        keep_secrets(parse(document.text), self._supervisor.config)
        return Nothing()

    def _config_apply(self, document: NewDocument) -> Nothing:
        config = keep_secrets(parse(document.text), self._supervisor.config)
        told = "A new configuration is in force."
        self._supervisor.configuring.change(config, told, document.confirm_within_s)
        return Nothing()

    def _config_confirm(self, _: Nothing) -> Nothing:
        self._supervisor.configuring.confirm()
        return Nothing()

    def _config_previous(self, _: Nothing) -> Nothing:
        config = self._supervisor.parts.store.previous()
        told = "The previous configuration is in force."
        self._supervisor.configuring.change(config, told)
        return Nothing()

    def _config_factory(self, _: Nothing) -> Nothing:
        self._supervisor.configuring.factory_reset()
        return Nothing()

    def _log(self, query: LogQuery) -> Log:
        limit = max(0, min(query.limit, MAX_LOG))
        return Log(self._supervisor.parts.history.newest(query.after, limit))

    def _call_log(self, query: LogQuery) -> Log:
        limit = max(0, min(query.limit, MAX_LOG))
        return Log(self._supervisor.parts.call_log.newest(query.after, limit))

    def _apns(self, query: ApnQuery) -> Apns:
        providers = Providers()
        if not (query.network or query.country):
            return Apns(countries=providers.countries())
        return Apns(found=providers.find(query.network or f"{query.country}/"))

    def _list_flows(self, _: Nothing) -> Flows:
        now = self._supervisor.parts.clock.monotonic()
        if now - self._flows_at >= FLOWS_KEPT_S:
            applier = self._supervisor.parts.applier
            flows: tuple[Flow, ...] = applier.flows(MAX_FLOWS)
            self._flows = Flows(flows=flows, total=max(applier.flow_count(), len(flows)))
            self._flows_at = now
        return self._flows

    def _self_test(self, order: SelfTestOrder) -> SelfTestRun:
        return self._supervisor.parts.self_test.look(order, lambda: overview(self._supervisor))

    def _backup(self, order: BackupOrder) -> Document:
        return backups.make(self._supervisor, order)

    def _restore(self, document: Document) -> Nothing:
        backups.restore(self._supervisor, document.text)
        return Nothing()

    def _password_reset(self, _: Nothing) -> Nothing:
        self._supervisor.parts.passwords.reset()
        return Nothing()
