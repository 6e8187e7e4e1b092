"""How the simulator meets the product: import directories, the command line, and HTTP."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow.parquet as pq

from simulation.calendar_week import instant

#: The product answers at most so many tenants a request.
_BATCH = 500
_TIMEOUT_S = 30.0


class Product(Protocol):
    """What a world needs of the product: decisions at the start of a week, and ears."""

    def arms(self, hour: int, tenants: Sequence[str]) -> dict[str, int]:
        """Arm in hundredths of each tenant as of ``hour`` (hours since the epoch)."""
        ...

    def take_in(self, folder: Path) -> None:
        """Hand over what happened, as an import directory."""
        ...


class ProductFailed(RuntimeError):
    """The product's command or service did not do what was asked; the message says what it said."""


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        tail = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise ProductFailed(f"{' '.join(command)} ended with {done.returncode}: {tail}")


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The product behind its command line.

    ``command`` starts it (``["flyball", "--home", ".flyball"]``); ``options`` go to ``decide``
    (``["--policy", "value"]``); decisions pass through files in ``folder``.
    """

    command: tuple[str, ...]
    folder: Path
    options: tuple[str, ...] = ()

    def arms(self, hour: int, tenants: Sequence[str]) -> dict[str, int]:
        """Decide live as of ``hour`` and read the file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        out = self.folder / f"decisions-{hour}.ndjson"
        _run(
            [
                *self.command,
                *("decide", "--as-of", instant(hour), "--mode", "live", *self.options),
                *("--out", str(out)),
            ]
        )
        known = read_decisions(out)
        return {tenant: known[tenant] for tenant in tenants if tenant in known}

    def take_in(self, folder: Path) -> None:
        """``import`` the directory."""
        _run([*self.command, "import", str(folder)])


@dataclass(frozen=True, slots=True)
class Service:
    """A running service: decisions over HTTP; what happened goes in through ``deliver``."""

    url: str
    deliver: Callable[[Path], None]
    token: str = ""

    def arms(self, hour: int, tenants: Sequence[str]) -> dict[str, int]:
        """Ask for the decisions that are served now (the service's clock must be at ``hour``)."""
        found: dict[str, int] = {}
        for start in range(0, len(tenants), _BATCH):
            found.update(self._batch(tenants[start : start + _BATCH]))
        return found

    def take_in(self, folder: Path) -> None:
        """Hand the directory to ``deliver``."""
        self.deliver(folder)

    def _batch(self, tenants: Sequence[str]) -> dict[str, int]:
        body = json.dumps({"tenantIds": list(tenants)}).encode()
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(  # noqa: S310 (the address is the user's own)
            f"{self.url.rstrip('/')}/v1/decisions:batchGet", data=body, headers=headers
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                document = json.load(answer)
        except OSError as error:
            raise ProductFailed(f"{self.url} did not answer: {error}") from error
        return arms_of(document["decisions"])


def read_decisions(path: Path) -> dict[str, int]:
    """Tenant to arm (hundredths) from NDJSON, JSON or Parquet, in either spelling of the fields."""
    if path.suffix == ".parquet":
        rows: Iterable[Mapping[str, object]] = pq.read_table(path).to_pylist()
    elif path.suffix == ".json":
        document = json.loads(path.read_text())
        rows = document["decisions"] if isinstance(document, dict) else document
    else:
        rows = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    return arms_of(rows)


def arms_of(rows: Iterable[Mapping[str, object]]) -> dict[str, int]:
    """Tenant to arm (hundredths) from rows with a tenant and a multiplier: the one enforced."""
    found: dict[str, int] = {}
    for row in rows:
        tenant = _first(row, "tenantId", "tenant_id")
        multiplier = _first(row, "dynamicMultiplier", "served_multiplier", "multiplier")
        if not isinstance(tenant, str) or not isinstance(multiplier, int | float):
            raise ProductFailed(f"a decision names no tenant and multiplier: {str(row)[:200]}")
        found[tenant] = round(multiplier * 100)
    return found


def _first(row: Mapping[str, object], *names: str) -> object:
    """The value of the first of ``names`` that the row has; None if it has none."""
    return next((row[name] for name in names if name in row), None)
