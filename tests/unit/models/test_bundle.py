"""A bundle opens only if it is what it says, and of this time and format."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from flyball.errors import BundleCorrupt, BundleOutdated, Conflict, InvalidInput, SignatureInvalid
from models.bundle import Bundle, open_bundle, write_bundle
from models.manifest import FactorGroup, decode_manifest, encode_manifest
from models.probe import try_in_child
from models.scorer import Scorer
from models.signature import SIGNATURE_FILE, signature_of

Signed = Callable[..., Path]


def test_a_written_bundle_opens_as_it_was(signed: Signed, draft: Bundle, keys: Any) -> None:
    opened = open_bundle(signed(), keys.public)
    assert opened.version == "v1"
    assert opened.card == draft.card
    assert dict(opened.graphs) == dict(draft.graphs)
    assert msgspec.structs.replace(opened.manifest, files={}) == draft.manifest


def test_the_same_bundle_is_written_byte_for_byte_alike(
    signed: Signed, draft: Bundle, keys: Any, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    write_bundle(again, draft, keys.private)
    first = {file.name: file.read_bytes() for file in signed().iterdir()}
    assert first == {file.name: file.read_bytes() for file in again.iterdir()}


def test_a_directory_in_use_is_not_written(signed: Signed, draft: Bundle, keys: Any) -> None:
    directory = signed()
    with pytest.raises(Conflict):
        write_bundle(directory, draft, keys.private)


def test_a_corrupt_file_is_refused(signed: Signed, keys: Any) -> None:
    graph = signed() / "hazards.onnx"
    body = bytearray(graph.read_bytes())
    body[len(body) // 2] ^= 1
    graph.write_bytes(bytes(body))
    with pytest.raises(SignatureInvalid):
        open_bundle(graph.parent, keys.public)


def test_a_truncated_graph_is_refused_even_with_a_valid_signature(
    signed: Signed, draft: Bundle, keys: Any
) -> None:
    for graph in draft.graphs:
        body = draft.graphs[graph]
        directory = signed(graph.split(".")[0], graphs={graph: body[: len(body) // 2]})
        with pytest.raises(BundleCorrupt):
            open_bundle(directory, keys.public)


def test_a_graph_in_anothers_place_is_refused(signed: Signed, draft: Bundle, keys: Any) -> None:
    directory = signed(graphs={"hazards.onnx": draft.graphs["attribution.onnx"]})
    with pytest.raises(BundleCorrupt, match=r"hazards\.onnx"):
        open_bundle(directory, keys.public)


def test_golden_rows_that_differ_are_refused(signed: Signed, draft: Bundle, keys: Any) -> None:
    golden = draft.manifest.golden
    off = [[value + 1e-3 for value in row] for row in golden.hazards]
    directory = signed(golden=msgspec.structs.replace(golden, hazards=off))
    with pytest.raises(BundleCorrupt, match="hazards of the golden rows"):
        open_bundle(directory, keys.public)


@pytest.mark.parametrize("field", ["x", "segment", "dose", "mean", "contribution"])
def test_golden_rows_of_the_wrong_shape_are_refused(
    signed: Signed, draft: Bundle, keys: Any, field: str
) -> None:
    golden = draft.manifest.golden
    shorter = msgspec.structs.replace(golden, **{field: getattr(golden, field)[1:]})
    with pytest.raises(BundleCorrupt):
        open_bundle(signed(golden=shorter), keys.public)


def test_an_older_bundle_is_refused_unless_allowed(
    signed: Signed, draft: Bundle, keys: Any
) -> None:
    made = draft.manifest.created_us
    directory = signed()
    with pytest.raises(BundleOutdated, match="rollback"):
        open_bundle(directory, keys.public, not_before_us=made + 1, probe=False)
    assert open_bundle(directory, keys.public, not_before_us=made, probe=False).version == "v1"


def test_other_features_are_refused(signed: Signed, draft: Bundle, keys: Any) -> None:
    directory = signed()
    with pytest.raises(BundleOutdated, match="flyball train"):
        open_bundle(directory, keys.public, feature_hash="cd" * 16, probe=False)
    hash_now = draft.manifest.feature_hash
    open_bundle(directory, keys.public, feature_hash=hash_now, probe=False)


def _resigned(directory: Path, keys: Any, name: str, body: bytes) -> Path:
    (directory / name).write_bytes(body)
    contents = {f.name: f.read_bytes() for f in directory.iterdir() if f.name != SIGNATURE_FILE}
    (directory / SIGNATURE_FILE).write_bytes(signature_of(contents, keys.private))
    return directory


def test_an_unknown_format_is_refused_before_its_fields_are_read(signed: Signed, keys: Any) -> None:
    body = b'{"format": 99, "whatever": {"a": [1]}}'
    directory = _resigned(signed(), keys, "manifest.json", body)
    with pytest.raises(BundleOutdated, match="format 99"):
        open_bundle(directory, keys.public)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"format": "1"}', b'{"format": 1}', b"\xff\xfe", b"[" * 100_000],
    ids=["empty", "half", "list", "text", "bare", "binary", "deep"],
)
def test_a_manifest_that_cannot_be_read_is_refused(signed: Signed, keys: Any, body: bytes) -> None:
    directory = _resigned(signed(), keys, "manifest.json", body)
    with pytest.raises(BundleCorrupt):
        open_bundle(directory, keys.public)


def test_an_extra_signed_file_is_refused(signed: Signed, keys: Any) -> None:
    directory = _resigned(signed(), keys, "model.pkl", b"\x80\x04.")
    with pytest.raises(BundleCorrupt, match="not complete"):
        open_bundle(directory, keys.public)


def test_a_file_that_the_manifest_does_not_describe_is_refused(signed: Signed, keys: Any) -> None:
    directory = _resigned(signed(), keys, "card.md", b"another card")
    with pytest.raises(BundleCorrupt, match="other files"):
        open_bundle(directory, keys.public)


def test_an_unknown_manifest_field_is_refused(draft: Bundle) -> None:
    body = encode_manifest(draft.manifest).replace(b'"format": 1', b'"format": 1, "code": "x"')
    with pytest.raises(BundleCorrupt, match="code"):
        decode_manifest(body)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": "../../etc"},
        {"version": ""},
        {"arms": (85, 70, 100)},
        {"arms": (70, 85)},
        {"features": ()},
        {"features": ("share_mean", "share_mean", "logins", "tenure")},
        {"factor_groups": (FactorGroup("usage", ("share_mean",)),)},
        {"segments": ("a", "a")},
        {"period_days": 0},
        {"feature_hash": "not a hash"},
        {"outcome_models": {}},
        {"outcomes": ("churn", "upgrade", "downgrade")},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_manifest_that_contradicts_itself_is_not_written(
    tmp_path: Path, draft: Bundle, keys: Any, changes: dict[str, Any]
) -> None:
    wrong = Bundle(msgspec.structs.replace(draft.manifest, **changes), draft.graphs)
    with pytest.raises(BundleCorrupt):
        write_bundle(tmp_path / "wrong", wrong, keys.private)
    assert not (tmp_path / "wrong").exists()


def test_a_bundle_without_a_graph_is_not_written(tmp_path: Path, draft: Bundle, keys: Any) -> None:
    graphs = {name: body for name, body in draft.graphs.items() if name != "effects.onnx"}
    with pytest.raises(InvalidInput):
        write_bundle(tmp_path / "wrong", Bundle(draft.manifest, graphs), keys.private)


def test_a_huge_manifest_is_refused() -> None:
    with pytest.raises(BundleCorrupt, match="larger"):
        decode_manifest(b" " * (5 * 1024 * 1024))


def test_a_crash_while_loading_is_an_error_and_not_an_outage() -> None:
    crash = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]
    with pytest.raises(BundleCorrupt, match="signal 9"):
        try_in_child({"manifest.json": b""}, command=crash)


def test_a_bundle_that_takes_too_long_to_load_is_refused() -> None:
    slow = [sys.executable, "-c", "import time; time.sleep(60)"]
    with pytest.raises(BundleCorrupt, match="more than"):
        try_in_child({}, command=slow, timeout_seconds=0.2)


def test_a_child_that_cannot_start_properly_is_an_error() -> None:
    with pytest.raises(BundleCorrupt, match="exit code 3"):
        try_in_child({}, command=[sys.executable, "-c", "raise SystemExit(3)"])


def test_the_written_file_table_is_right(signed: Signed, keys: Any) -> None:
    directory = signed()
    files = open_bundle(directory, keys.public, probe=False).manifest.files
    sizes = {name: entry.size for name, entry in files.items()}
    expected = {
        file.name: file.stat().st_size
        for file in directory.iterdir()
        if file.name not in (SIGNATURE_FILE, "manifest.json")
    }
    assert sizes == expected


def test_an_opened_bundle_scores(signed: Signed, keys: Any) -> None:
    scorer = Scorer(open_bundle(signed(), keys.public))
    x = np.zeros((1, 4), np.float32)
    scores = scorer.score(x, np.zeros(1, np.int64), np.zeros((1, 5), np.float32))
    assert scores.hazards.shape == (1, 3)
