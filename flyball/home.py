"""Where everything lies below the home directory. Only names; nothing is read or created here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Home:
    """Paths below ``FLYBALL_HOME``; see ``docs/reference/data-model.md`` for who writes what."""

    root: Path

    @property
    def settings(self) -> Path:
        """``flyball.toml``."""
        return self.root / "flyball.toml"

    @property
    def ledger(self) -> Path:
        """The ledger's SQLite file."""
        return self.root / "ledger.sqlite"

    @property
    def events(self) -> Path:
        """The event log's SQLite file."""
        return self.root / "events.sqlite"

    @property
    def history(self) -> Path:
        """Sealed usage events as Parquet by day."""
        return self.root / "history" / "usage"

    @property
    def tiles(self) -> Path:
        """Usage folded by hour and by day."""
        return self.root / "tiles"

    @property
    def account_usage(self) -> Path:
        """Day tiles gathered by tenant, for the console's pages; gathered again if lost."""
        return self.root / "account-usage"

    @property
    def rejects(self) -> Path:
        """Rows that imports refused."""
        return self.root / "rejects"

    @property
    def mlflow(self) -> Path:
        """MLflow's database and artefacts."""
        return self.root / "mlflow"

    @property
    def signing_key(self) -> Path:
        """Private Ed25519 key (PEM, mode 0600)."""
        return self.root / "keys" / "signing.pem"

    @property
    def verify_key(self) -> Path:
        """Public Ed25519 key (PEM)."""
        return self.root / "keys" / "signing.pub"

    @property
    def tokens(self) -> Path:
        """Digests and roles of bearer tokens, for the data path (mode 0600)."""
        return self.root / "keys" / "tokens.json"

    @property
    def webhook_secrets(self) -> Path:
        """Secrets that webhook messages are signed with, one a line (mode 0600)."""
        return self.root / "keys" / "webhook.secrets"

    @property
    def bundles(self) -> Path:
        """Published bundles, one directory a version, and ``current.json``."""
        return self.root / "bundles"

    @property
    def challenger(self) -> Path:
        """The bundle that is tried beside the champion, laid out as ``bundles`` is."""
        return self.root / "challenger"

    @property
    def snapshot(self) -> Path:
        """Snapshot files and the pointer to the current one."""
        return self.root / "snapshot"

    @property
    def explanations(self) -> Path:
        """The numbers behind current decisions, for people; filled again if lost."""
        return self.root / "explanations.sqlite"

    @property
    def standings(self) -> Path:
        """How every tenant stands now, for the console's lists; filled again if lost."""
        return self.root / "standings.sqlite"

    @property
    def lock(self) -> Path:
        """Held by the one server of this home."""
        return self.root / "run" / "lock"

    @property
    def counters(self) -> Path:
        """What tenants have in use of their limits, where Flyball itself enforces them."""
        return self.root / "run" / "counters"

    @property
    def kill(self) -> Path:
        """Present while the kill switch is on."""
        return self.root / "run" / "kill"
