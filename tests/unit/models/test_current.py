"""Publication: one step, never backwards by accident, never half."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flyball.errors import (
    BundleCorrupt,
    BundleOutdated,
    Conflict,
    ReadOnlyHome,
    SignatureInvalid,
    StorageFull,
)
from models import current
from models.current import POINTER_FILE, open_current, publish, read_current

Signed = Callable[..., Path]
DAY_US = 86_400_000_000


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    return tmp_path / "home" / "bundles"


@pytest.fixture(autouse=True)
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the trial in a child process to the tests of bundles."""
    monkeypatch.setattr("models.probe.try_in_child", lambda contents: None)


def test_before_the_first_publication_there_is_nothing(bundles: Path, keys: Any) -> None:
    assert read_current(bundles) is None
    assert open_current(bundles, keys.public) is None


def test_a_published_bundle_is_the_current_one(signed: Signed, bundles: Path, keys: Any) -> None:
    pointer = publish(signed(), bundles, keys.public, published_us=DAY_US)
    assert read_current(bundles) == pointer
    assert pointer.published_us == DAY_US
    opened = open_current(bundles, keys.public)
    assert opened is not None
    assert opened.version == "v1"


def test_publishing_again_changes_nothing(signed: Signed, bundles: Path, keys: Any) -> None:
    source = signed()
    first = publish(source, bundles, keys.public, published_us=1)
    assert publish(source, bundles, keys.public, published_us=2) == first


def test_an_older_bundle_needs_a_rollback(signed: Signed, bundles: Path, keys: Any) -> None:
    publish(signed("v2", created_us=2 * DAY_US), bundles, keys.public, published_us=1)
    older = signed("v1", created_us=DAY_US)
    with pytest.raises(BundleOutdated):
        publish(older, bundles, keys.public, published_us=2)
    serving = open_current(bundles, keys.public)
    assert serving is not None
    assert serving.version == "v2"
    publish(older, bundles, keys.public, published_us=3, rollback=True)
    back = open_current(bundles, keys.public, serving=serving.manifest)
    assert back is not None
    assert back.version == "v1"


def test_a_pointer_moved_back_by_hand_is_refused(signed: Signed, bundles: Path, keys: Any) -> None:
    publish(signed("v1", created_us=DAY_US), bundles, keys.public, published_us=1)
    old_pointer = (bundles / POINTER_FILE).read_bytes()
    publish(signed("v2", created_us=2 * DAY_US), bundles, keys.public, published_us=2)
    serving = open_current(bundles, keys.public)
    assert serving is not None
    (bundles / POINTER_FILE).write_bytes(old_pointer)
    with pytest.raises(BundleOutdated):
        open_current(bundles, keys.public, serving=serving.manifest)


def test_one_version_has_one_content(signed: Signed, bundles: Path, keys: Any) -> None:
    source = signed("v1")
    publish(source, bundles, keys.public, published_us=1)
    source.rename(source.with_name("first"))
    with pytest.raises(Conflict, match="another version"):
        publish(signed("v1", as_of_us=5), bundles, keys.public, published_us=2)


def test_a_damaged_copy_is_replaced(signed: Signed, bundles: Path, keys: Any) -> None:
    source = signed()
    publish(source, bundles, keys.public, published_us=1)
    (bundles / "v1" / "card.md").write_bytes(b"altered")
    with pytest.raises(SignatureInvalid):
        open_current(bundles, keys.public)
    publish(source, bundles, keys.public, published_us=2)
    assert open_current(bundles, keys.public) is not None


def test_a_bad_bundle_leaves_the_pointer(signed: Signed, bundles: Path, keys: Any) -> None:
    pointer = publish(signed("v1"), bundles, keys.public, published_us=1)
    bad = signed("v2")
    (bad / "card.md").write_bytes(b"altered")
    with pytest.raises(SignatureInvalid):
        publish(bad, bundles, keys.public, published_us=2)
    assert read_current(bundles) == pointer
    assert not (bundles / "v2").exists()


def test_only_the_last_bundles_are_kept(signed: Signed, bundles: Path, keys: Any) -> None:
    for number in range(1, 6):
        source = signed(f"v{number}", created_us=number * DAY_US)
        publish(source, bundles, keys.public, published_us=number, keep=3)
        os.utime(bundles / f"v{number}", (number, number))
    assert sorted(p.name for p in bundles.iterdir() if p.is_dir()) == ["v3", "v4", "v5"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"version": "v1"}',
        b'{"version": "../../etc", "created_us": 1, "published_us": 1}',
        b'{"version": "/etc", "created_us": 1, "published_us": 1}',
        b'{"version": "v1", "created_us": "1", "published_us": 1}',
    ],
    ids=["empty", "half", "fields", "traversal", "absolute", "types"],
)
def test_a_damaged_pointer_is_refused(bundles: Path, keys: Any, body: bytes) -> None:
    bundles.mkdir(parents=True)
    (bundles / POINTER_FILE).write_bytes(body)
    with pytest.raises(BundleCorrupt, match="publish"):
        open_current(bundles, keys.public)


def test_a_directory_that_holds_another_bundle_is_refused(
    signed: Signed, bundles: Path, keys: Any
) -> None:
    publish(signed("v1"), bundles, keys.public, published_us=1)
    publish(signed("v2"), bundles, keys.public, published_us=2)
    for file in (bundles / "v1").iterdir():
        (bundles / "v2" / file.name).write_bytes(file.read_bytes())
    with pytest.raises(BundleCorrupt, match="holds the bundle v1"):
        open_current(bundles, keys.public)


@pytest.mark.parametrize(("number", "kind"), [(28, StorageFull), (30, ReadOnlyHome)])
def test_a_disk_that_cannot_be_written_is_named_and_leaves_no_pointer(
    signed: Signed,
    bundles: Path,
    keys: Any,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    kind: type[Exception],
) -> None:
    def fail(directory: Path, contents: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(current, "write_files", fail)
    with pytest.raises(kind):
        publish(signed(), bundles, keys.public, published_us=1)
    assert read_current(bundles) is None
    assert not [path for path in bundles.iterdir() if path.is_dir()]
