"""Terms are read again exactly when the answer may have changed."""

from __future__ import annotations

from pathlib import Path

from models.signature import create_keypair, load_private_key, load_public_key
from serving.snapshot.answer import FRESH_US
from serving.snapshot.reader import KILL_CHECK_US, SnapshotReader
from serving.snapshot.writer import SnapshotWriter
from serving.terms_book import TermsBook
from tests.integration.service.running import entry

NOW = 1_700_000_000_000_000


class Answers:
    """A real snapshot, and how often it was asked."""

    def __init__(self, root: Path) -> None:
        create_keypair(root / "signing.pem", root / "signing.pub")
        self.writer = SnapshotWriter(root / "snapshot", load_private_key(root / "signing.pem"))
        self.kill = root / "kill"
        self.reader = SnapshotReader(
            root / "snapshot", load_public_key(root / "signing.pub"), kill=self.kill
        )
        self.now_us = NOW
        self.asked = 0
        self.publish(85)

    def publish(self, arm: int) -> None:
        self.writer.publish_all(
            [entry("ent_1", arm, base=100)], aliases={}, created_us=NOW, as_of_us=NOW
        )
        self.reader.refresh()

    def change(self, arm: int) -> None:
        self.writer.publish_changes([entry("ent_1", arm, base=100)], created_us=NOW, as_of_us=NOW)
        self.reader.refresh()

    def answer(self, name: str) -> bytes:
        self.asked += 1
        return self.reader.answer(name, self.now_us)

    def mark(self) -> int:
        return self.reader.mark(self.now_us)


def test_an_answer_is_asked_for_once_and_again_after_every_kind_of_change(tmp_path: Path) -> None:
    answers = Answers(tmp_path)
    book = TermsBook(answers.answer, lambda: answers.reader.created_us, answers.mark)

    def limit() -> int:
        for _ in range(3):
            terms, _ = book.look_up("ent_1")
        return terms.limits[0].limit

    assert (limit(), answers.asked) == (85, 1)
    answers.change(70)
    assert (limit(), answers.asked) == (70, 2)
    answers.publish(115)
    assert (limit(), answers.asked) == (115, 3)
    answers.change(85)
    answers.kill.touch()
    answers.now_us += KILL_CHECK_US
    assert (limit(), answers.asked) == (100, 4)
    answers.kill.unlink()
    answers.now_us += KILL_CHECK_US
    assert (limit(), answers.asked) == (85, 5)
    answers.now_us = NOW + FRESH_US + 1  # nobody publishes: the next rung of the ladder
    assert (limit(), answers.asked) == (100, 6)


def test_without_a_mark_every_look_asks(tmp_path: Path) -> None:
    answers = Answers(tmp_path)
    book = TermsBook(answers.answer, lambda: answers.reader.created_us)
    first, _ = book.look_up("ent_1")
    again, _ = book.look_up("ent_1")
    assert answers.asked == 2
    assert again is first
