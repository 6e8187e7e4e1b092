"""What became of the rows of an import: every row read is counted exactly once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class RowCounts:
    """Rows of one file by what became of them; ``rejected`` is by reason code."""

    read: int = 0
    accepted: int = 0
    duplicates: int = 0
    conflicts: int = 0
    pending: int = 0
    rejected: Counter[str] = field(default_factory=Counter)

    def reject(self, code: str, count: int = 1) -> None:
        """Count refused rows."""
        self.read += count
        self.rejected[code] += count

    def add(self, other: RowCounts) -> None:
        """Count another file's rows too."""
        self.read += other.read
        self.accepted += other.accepted
        self.duplicates += other.duplicates
        self.conflicts += other.conflicts
        self.pending += other.pending
        self.rejected.update(other.rejected)
