"""Whatever byte of a signed bundle changes, it is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.errors import SignatureInvalid
from models.bundle import write_bundle
from models.signature import verified

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture(scope="module")
def written(fitted: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("bundles") / "v1"
    write_bundle(directory, fitted.bundle, KEY)
    return directory


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_changed_byte_is_refused(written: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(file.name for file in written.iterdir())))
    body = bytearray((written / name).read_bytes())
    if body:
        at = data.draw(st.integers(0, len(body) - 1))
        body[at] ^= data.draw(st.integers(1, 255))
    else:
        body = bytearray(b"x")
    copy = written.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(written, copy)
    (copy / name).write_bytes(bytes(body))
    with pytest.raises(SignatureInvalid):
        verified(copy, KEY.public_key())


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_truncation_is_refused(written: Path, data: st.DataObject) -> None:
    files = sorted(file.name for file in written.iterdir() if file.stat().st_size)
    name = data.draw(st.sampled_from(files))
    body = (written / name).read_bytes()
    copy = written.parent / "shorter"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(written, copy)
    (copy / name).write_bytes(body[: data.draw(st.integers(0, len(body) - 1))])
    with pytest.raises(SignatureInvalid):
        verified(copy, KEY.public_key())
