"""Accounts and their aliases in SQLite: versioned, never overwritten."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.tenant import Account
from ledger.canonical import canonical_json
from ledger.records import ImportReport, Put, Rejection
from ledger.sqlite_audit import append_audit
from ledger.sqlite_base import SqlitePart, among, chunks, name_list

_CONTENT = (
    "plan", "created_us", "name", "owner", "region", "segment", "parent_org", "seats",
    "mrr_minor", "currency", "renewal_us", "base_limit", "contract_limit",
)  # fmt: skip
_COLUMNS = ("tenant_id", "effective_us", "known_us", *_CONTENT, "aliases")
_SELECT = f"SELECT {', '.join(_COLUMNS)}, version FROM account"
_INSERT = (
    f"INSERT INTO account ({', '.join(_COLUMNS)}, version) "
    f"VALUES ({', '.join('?' * (len(_COLUMNS) + 1))})"
)
_decode_names = msgspec.json.Decoder(tuple[str, ...]).decode


class SqliteAccounts(SqlitePart):
    """See :class:`ledger.store.AccountStore`."""

    def put_account(self, account: Account, *, author: str = "") -> Put:
        """Add a version unless the one in force at its effective time says the same.

        Raises
        ------
        InvalidInput
            The plan is not known (``unknown_plan``).
        Conflict
            A name belongs to another tenant; nothing was changed.
        """
        with self.file.writing() as connection:
            batch = _Batch(connection, [account])
            put = batch.put(account, exact_only=False)
            batch.write()
            if put.created and author:
                append_audit(
                    connection, account.known_us, author, "account.put", account.tenant_id,
                    after=canonical_json(_as_row(account)),
                )  # fmt: skip
        return put

    def import_accounts(self, accounts: Iterable[Account], *, now_us: int) -> ImportReport:
        """Add many at once.

        The same content at the same effective time is a duplicate, whatever came in between. One
        that contradicts what is there is known from ``now_us``, and holds from then too unless it
        is dated (effective at another time than created): what was known in the past stays.
        """
        total = ImportReport()
        for chunk in chunks(accounts):
            with self.file.writing() as connection:
                batch = _Batch(connection, [account for _, account in chunk])
                total += _import_chunk(batch, chunk, now_us)
                batch.write()
        return total

    def accounts_as_of(
        self, as_of_us: int, tenants: Collection[str] | None = None
    ) -> dict[str, Account]:
        """Each tenant's version in force and known at ``as_of_us``, in order of tenant."""
        condition, bindings = among("tenant_id", tenants)
        rows = self.file.rows(
            f"{_SELECT} WHERE {condition} AND effective_us <= ? AND known_us <= ? "
            "ORDER BY tenant_id, effective_us, version",
            (*bindings, as_of_us, as_of_us),
        )
        latest = {row[0]: row for row in rows}
        return {tenant_id: _account(row) for tenant_id, row in latest.items()}

    def account(self, tenant_id: str, as_of_us: int) -> Account:
        """One tenant's account; raises NotFound if there was none."""
        found = self.accounts_as_of(as_of_us, (tenant_id,)).get(tenant_id)
        if found is None:
            raise NotFound(f"There is no tenant {tenant_id}.", "Import or PUT its account first.")
        return found

    def account_versions(self, tenant_id: str) -> list[Account]:
        """Every version of one tenant, in order of effective time."""
        rows = self.file.rows(
            f"{_SELECT} WHERE tenant_id = ? ORDER BY effective_us, version", (tenant_id,)
        )
        return [_account(row) for row in rows]

    def resolve(self, name: str) -> str | None:
        """The tenant that ``name`` (its id or an alias) stands for; None if nobody's."""
        found = self.file.rows(
            "SELECT tenant_id FROM account WHERE tenant_id = ?1 "
            "UNION ALL SELECT tenant_id FROM alias WHERE alias = ?1 LIMIT 1",
            (name,),
        )
        return str(found[0][0]) if found else None

    def aliases(self, tenants: Collection[str] | None = None) -> dict[str, str]:
        """Alias to tenant, for all or some tenants."""
        condition, bindings = among("tenant_id", tenants)
        return dict(
            self.file.rows(f"SELECT alias, tenant_id FROM alias WHERE {condition}", bindings)
        )

    def tenants_created(self) -> dict[str, int]:
        """Every tenant ever known and when its account began (µs)."""
        return dict(
            self.file.rows("SELECT tenant_id, min(created_us) FROM account GROUP BY tenant_id")
        )


def _import_chunk(batch: _Batch, chunk: list[tuple[int, Account]], now_us: int) -> ImportReport:
    accepted = duplicates = 0
    conflicts: list[Rejection] = []
    rejections: list[Rejection] = []
    for index, given in chunk:
        account = given
        if batch.contradicts(given):
            undated = given.effective_us == given.created_us
            effective_us = max(now_us, given.created_us) if undated else given.effective_us
            account = replace(given, effective_us=effective_us, known_us=now_us)
        try:
            put = batch.put(account, exact_only=account is given, also=given)
        except Conflict as error:
            conflicts.append(Rejection(index=index, code="alias_conflict", reason=str(error)))
        except InvalidInput as error:
            rejections.append(Rejection(index=index, code=error.code, reason=str(error)))
        else:
            accepted += put.created
            duplicates += not put.created
    return ImportReport(
        accepted=accepted,
        duplicates=duplicates,
        conflicts=tuple(conflicts),
        rejections=tuple(rejections),
    )


def _as_row(account: Account) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(account, name) for name in _COLUMNS}
    row["aliases"] = list(account.aliases)
    return row


def _values(account: Account) -> tuple[Any, ...]:
    """The columns of ``account``, aliases as JSON."""
    plain = tuple(getattr(account, name) for name in _COLUMNS[:-1])
    return (*plain, canonical_json(account.aliases) if account.aliases else "[]")


def _account(row: tuple[Any, ...]) -> Account:
    """The account in ``row``, without checking again what was checked when it went in."""
    account = object.__new__(Account)
    put = object.__setattr__
    for name, value in zip(_COLUMNS, row, strict=False):
        put(account, name, value)
    put(account, "aliases", () if row[-2] == "[]" else _decode_names(row[-2]))
    return account


class _Batch:
    """Accounts put inside one transaction, against what the ledger holds of their tenants."""

    def __init__(self, connection: Any, accounts: Collection[Account]) -> None:
        self._connection = connection
        tenants = name_list(account.tenant_id for account in accounts)
        names = {name for account in accounts for name in account.aliases}
        wanted = name_list(names | {account.tenant_id for account in accounts})
        self._versions: dict[str, list[tuple[Any, ...]]] = {}
        for row in connection.execute(
            f"{_SELECT} WHERE tenant_id IN (SELECT value FROM json_each(?)) "
            "ORDER BY tenant_id, effective_us, version",
            (tenants,),
        ):
            self._versions.setdefault(row[0], []).append(row)
        self._plans = {row[0] for row in connection.execute("SELECT DISTINCT plan FROM plan")}
        self._owner: dict[str, str] = dict(
            connection.execute(
                "SELECT alias, tenant_id FROM alias "
                "WHERE alias IN (SELECT value FROM json_each(?1)) "
                "UNION ALL SELECT DISTINCT tenant_id, tenant_id FROM account "
                "WHERE tenant_id IN (SELECT value FROM json_each(?1))",
                (wanted,),
            ).fetchall()
        )
        self._inserts: list[tuple[Any, ...]] = []
        self._renamed: dict[str, tuple[str, ...]] = {}

    def contradicts(self, account: Account) -> bool:
        """Whether a version of the same effective time exists, and none there says the same."""
        versions = self._versions.get(account.tenant_id, ())
        said = [row[3:-1] for row in versions if row[1] == account.effective_us]
        return bool(said) and _values(account)[3:] not in said

    def put(self, account: Account, *, exact_only: bool, also: Account | None = None) -> Put:
        """Queue a version unless it is there already.

        It is there if a version of the same effective time (``account``'s or ``also``'s) says the
        same or, unless ``exact_only``, if the one in force then does.
        """
        if account.plan not in self._plans:
            raise InvalidInput(
                f"plan {account.plan!r} of tenant {account.tenant_id} is not known.",
                "Import plans.json or PUT /v1/plans first.",
                field="plan",
                code="unknown_plan",
            )
        values = _values(account)
        versions = self._versions.get(account.tenant_id, [])
        for row in versions:
            same_time = row[1] == account.effective_us or (also and row[1] == also.effective_us)
            if same_time and row[3:-1] == values[3:]:
                return Put(version=row[-1], created=False)
        in_force = [row for row in versions if row[1] <= account.effective_us][-1:]
        if not exact_only and in_force and in_force[0][3:-1] == values[3:]:
            return Put(version=in_force[0][-1], created=False)
        self._claim(account)
        row = (*values, 1 + max((row[-1] for row in versions), default=0))
        self._inserts.append(row)
        versions = sorted([*versions, row], key=lambda row: (row[1], row[-1]))
        self._versions[account.tenant_id] = versions
        if versions[-1] is row:
            self._renamed[account.tenant_id] = account.aliases
        return Put(version=row[-1], created=True)

    def _claim(self, account: Account) -> None:
        for name in (account.tenant_id, *account.aliases):
            owner = self._owner.get(name)
            if owner is not None and owner != account.tenant_id:
                raise Conflict(
                    f"{name} belongs to tenant {owner} already.",
                    "A name stands for one tenant; take it from the other first.",
                )
        for name in (account.tenant_id, *account.aliases):
            self._owner[name] = account.tenant_id

    def write(self) -> None:
        """Write what was queued: versions, and each tenant's names as its latest version says."""
        self._connection.executemany(_INSERT, self._inserts)
        _rename(self._connection, self._renamed)


def _rename(connection: Any, names: Mapping[str, tuple[str, ...]]) -> None:
    connection.execute(
        "DELETE FROM alias WHERE tenant_id IN (SELECT value FROM json_each(?))", (name_list(names),)
    )
    connection.executemany(
        "INSERT OR REPLACE INTO alias (alias, tenant_id) VALUES (?, ?)",
        [(alias, tenant_id) for tenant_id, aliases in names.items() for alias in aliases],
    )
