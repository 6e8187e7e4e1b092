"""Tasks in SQLite: made once, every change another row."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from flyball.errors import InvalidInput, NotFound, Refused
from flyball.identity import check_label
from ledger.canonical import canonical_json
from ledger.follow_up import Task, TaskState
from ledger.sqlite_audit import append_audit
from ledger.sqlite_base import SqlitePart

MAX_TITLE_CHARS = 120

_SELECT = (
    "SELECT seq, tenant_id, title, due_us, assignee, author, created_us, state, changed_us "
    "FROM task_now"
)


class SqliteTasks(SqlitePart):
    """See :class:`ledger.follow_up_store.TaskStore`."""

    def add_tasks(
        self,
        tenants: Collection[str],
        title: str,
        *,
        due_us: int | None,
        assignee: str,
        author: str,
        now_us: int,
    ) -> int:
        """The same task for one or many tenants, in one transaction; how many were made.

        Raises
        ------
        InvalidInput
            The title is blank, too long or hides something.
        """
        title = check_title(title)
        with self.file.writing() as connection:
            for tenant_id in tenants:
                connection.execute(
                    "INSERT INTO task (tenant_id, title, due_us, assignee, author, created_us) "
                    "VALUES (?,?,?,?,?,?)",
                    (tenant_id, title, due_us, assignee, author, now_us),
                )
                append_audit(
                    connection, now_us, author, "task.add", tenant_id, reason=title,
                    after=canonical_json({"assignee": assignee, "dueUs": due_us}),
                )  # fmt: skip
        return len(tenants)

    def change_task(
        self,
        tenant_id: str,
        task_id: int,
        *,
        author: str,
        now_us: int,
        state: TaskState | None = None,
        assignee: str | None = None,
        comment: str = "",
    ) -> Task:
        """Close, open again or hand over a task of the tenant's; raises NotFound for others."""

        def moved(task: Task) -> Task:
            return replace(task, state=state or task.state, assignee=assignee or task.assignee)

        return self._changed(tenant_id, task_id, moved, author=author, now_us=now_us, why=comment)

    def rewrite_task(
        self,
        tenant_id: str,
        task_id: int,
        *,
        title: str,
        due_us: int | None,
        assignee: str,
        author: str,
        now_us: int,
    ) -> Task:
        """Say anew what an open task is, by when and whose.

        Raises
        ------
        InvalidInput
            The title is blank, too long or hides something.
        NotFound
            The tenant has no such task.
        Refused
            It is done: what was done is not rewritten.
        """
        title = check_title(title)

        def rewritten(task: Task) -> Task:
            if task.state is not TaskState.OPEN:
                raise Refused("This task is done.", "Open it again before you change it.")
            return replace(task, title=title, due_us=due_us, assignee=assignee)

        return self._changed(tenant_id, task_id, rewritten, author=author, now_us=now_us)

    def _changed(
        self,
        tenant_id: str,
        task_id: int,
        change: Callable[[Task], Task],
        *,
        author: str,
        now_us: int,
        why: str = "",
    ) -> Task:
        with self.file.writing() as connection:
            rows = connection.execute(
                f"{_SELECT} WHERE seq = ? AND tenant_id = ?", (task_id, tenant_id)
            ).fetchall()
            if not rows:
                raise NotFound("There is no such task.", "Go back to the account.")
            before = _task(rows[0])
            after = replace(change(before), changed_us=now_us)
            connection.execute(
                "INSERT INTO task_change (task_seq, tenant_id, at_us, author, state, title, "
                "due_us, assignee, comment) VALUES (?,?,?,?,?,?,?,?,?)",
                (
                    task_id, tenant_id, now_us, author, after.state.value, after.title,
                    after.due_us, after.assignee, why,
                ),
            )  # fmt: skip
            append_audit(
                connection, now_us, author, "task.change", tenant_id, reason=why,
                before=_said(before), after=_said(after),
            )  # fmt: skip
        return after

    def task(self, tenant_id: str, task_id: int) -> Task:
        """One task of the tenant's; raises NotFound for others."""
        rows = self.file.rows(f"{_SELECT} WHERE seq = ? AND tenant_id = ?", (task_id, tenant_id))
        if not rows:
            raise NotFound("There is no such task.", "Go back to the account.")
        return _task(rows[0])

    def tasks(self, tenant_id: str, *, most: int = 50) -> list[Task]:
        """A tenant's tasks: open ones first, the most pressing at the top."""
        rows = self.file.rows(
            f"{_SELECT} WHERE tenant_id = ? "
            "ORDER BY state <> 'open', due_us IS NULL, due_us, seq LIMIT ?",
            (tenant_id, most),
        )
        return [_task(row) for row in rows]


def check_title(title: str) -> str:
    """Return what a task is called (NFC, stripped), which must not be blank."""
    text = check_label(title, field="title").strip()
    if not text or len(text) > MAX_TITLE_CHARS:
        raise InvalidInput(
            f"A task is called something of 1-{MAX_TITLE_CHARS} characters.",
            "Say what should be done, such as: call about the renewal.",
            field="title",
        )
    return text


def _said(task: Task) -> str:
    return canonical_json(
        {
            "task": task.task_id, "state": task.state, "assignee": task.assignee,
            "title": task.title, "dueUs": task.due_us,
        }
    )  # fmt: skip


def _task(row: tuple[Any, ...]) -> Task:
    return Task(
        task_id=row[0], tenant_id=row[1], title=row[2], due_us=row[3], assignee=row[4],
        author=row[5], created_us=row[6], state=TaskState(row[7]), changed_us=row[8],
    )  # fmt: skip
