"""Decisions as HAProxy's maps: files for its start, and its memory through the admin socket."""

from __future__ import annotations

import re
from pathlib import Path

import structlog

from flyball.errors import InvalidInput
from serving.node.haproxy_socket import HaproxySocket
from serving.node.lines import WireDecision
from serving.node.standing import State
from serving.node.whole_file import replace_file

#: Above this many changed names one transaction costs less than single commands.
_MOST_SINGLE = 500

# Names and paths become words of a command: nothing in them may end it or begin another.
_WORD = re.compile(r"[A-Za-z0-9_.:@|+=~/-]+", re.ASCII)

LIMIT_MAPS = ("tenant", "limit", "window", "concurrency")
STATE_MAP = "state"


def map_values(decision: WireDecision) -> dict[str, str]:
    """What each map says of a name."""
    values = {"tenant": decision.tenantId}
    for limit in decision.every_limit:
        if limit.kind == "rate" and "limit" not in values:
            values["limit"] = str(decision.limit_now(limit))
            values["window"] = str(limit.windowSeconds or 0)
        elif limit.kind == "concurrency" and "concurrency" not in values:
            values["concurrency"] = str(decision.limit_now(limit))
    return values


class HaproxyMaps:
    """Keeps map files and HAProxy's memory equal to what it is told.

    Parameters
    ----------
    into:
        Directory of the files; HAProxy's configuration names them by these paths (letters, digits
        and ``_ . : @ | + = ~ / -``).
    admin:
        The admin socket; None: files only.
    """

    def __init__(self, into: Path, admin: HaproxySocket | None) -> None:
        if not _WORD.fullmatch(str(into)):
            raise InvalidInput(
                f"{into} cannot be named in HAProxy's commands.",
                "Use a directory of letters, digits and _ . : @ + = ~ - only.",
                field="into",
            )
        self._into = into
        self._admin = admin
        self._entries: dict[str, dict[str, str]] = {name: {} for name in LIMIT_MAPS}
        self._state = State.OPEN.value
        self._changed: set[str] = set()
        self._whole = True
        self._files_behind = True
        self._state_behind = True
        self._process = ""
        self._log = structlog.get_logger("serving.node")
        self._complaint = ""

    def begin(self) -> None:
        """Everything is about to be told anew."""
        self._entries = {name: {} for name in LIMIT_MAPS}
        self._whole = self._files_behind = True

    def follow(self, name: str, decision: WireDecision | None) -> None:
        """Take over what is enforced for a name; None: it is no longer known.

        A name that cannot stand in a command is left out: HAProxy then lets it pass.
        """
        if not _WORD.fullmatch(name):
            return
        values = {} if decision is None else map_values(decision)
        for kind, entries in self._entries.items():
            value = values.get(kind)
            if value is None:
                entries.pop(name, None)
            else:
                entries[name] = value
        self._changed.add(name)
        self._files_behind = True

    def stand(self, state: State) -> bool:
        """Take over the node's state; True if it is another one."""
        if state.value == self._state:
            return False
        self._state = state.value
        self._state_behind = self._files_behind = True
        return True

    def path(self, kind: str) -> Path:
        """The file of a map."""
        return self._into / f"{kind}.map"

    def write_files(self) -> None:
        """Write the files, if anything changed: what HAProxy reads when it starts."""
        if not self._files_behind:
            return
        for kind, entries in self._entries.items():
            replace_file(self.path(kind), (f"{name} {value}\n" for name, value in entries.items()))
        replace_file(self.path(STATE_MAP), (f"state {self._state}\n",))
        self._files_behind = False

    def push(self) -> bool:
        """Bring HAProxy's memory up to date; False if it could not be, and will be tried again."""
        if self._admin is None:
            self._changed.clear()
            return True
        try:
            done = self._push(self._admin)
        except OSError as error:
            done = False
            self._complain(f"{error.strerror or error}")
        if done:
            self._complaint = ""
        return done

    def _push(self, admin: HaproxySocket) -> bool:
        process = admin.process()
        if process != self._process:
            # A new process has read the files, which may be older than what we know.
            self._whole = self._state_behind = True
        used = set(admin.maps())
        whole = self._whole or len(self._changed) > _MOST_SINGLE
        for kind in LIMIT_MAPS:
            file = str(self.path(kind))
            if file not in used:
                continue
            if not (self._replace(admin, kind, file) if whole else self._single(admin, kind, file)):
                self._complain(f"HAProxy did not take {file}")
                return False
        state_file = str(self.path(STATE_MAP))
        told = not self._state_behind or state_file not in used
        if not told and not admin.put(state_file, "state", self._state):
            self._complain(f"HAProxy did not take {state_file}")
            return False
        self._process, self._whole, self._state_behind = process, False, False
        self._changed.clear()
        return True

    def _replace(self, admin: HaproxySocket, kind: str, file: str) -> bool:
        return admin.replace(file, self._entries[kind].items())

    def _single(self, admin: HaproxySocket, kind: str, file: str) -> bool:
        for name in sorted(self._changed):
            value = self._entries[kind].get(name)
            if not (admin.drop(file, name) if value is None else admin.put(file, name, value)):
                return False
        return True

    def _complain(self, why: str) -> None:
        if why != self._complaint:
            self._log.warning("haproxy_behind", why=why)
        self._complaint = why
