"""Signatures as Standard Webhooks has them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from flyball.errors import InvalidInput, SignatureInvalid
from serving.webhooks.secret_file import ensure_secrets, read_secrets, rotate_secret
from serving.webhooks.signature import Secret, headers, new_secret, secret_from, sign, verify

#: The example that the standard's reference libraries are tested with.
KEY = secret_from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}'
SIGNED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_standards_example_has_the_standards_signature() -> None:
    assert sign([KEY], ID, AT, BODY) == SIGNED
    assert verify([KEY], headers([KEY], ID, AT, BODY), BODY, now_s=AT + 299) == ID


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg_other"},
        {"webhook-timestamp": str(AT + 1)},
        {"webhook-timestamp": "soon"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": SIGNED.replace("v1", "v1a")},
        {"webhook-signature": "v1,ÿ"},
    ],
)
def test_what_was_altered_is_refused(change: dict[str, str]) -> None:
    given = headers([KEY], ID, AT, BODY) | change
    with pytest.raises(SignatureInvalid):
        verify([KEY], given, BODY, now_s=AT)


def test_another_body_secret_or_an_old_message_is_refused() -> None:
    given = headers([KEY], ID, AT, BODY)
    with pytest.raises(SignatureInvalid):
        verify([KEY], given, BODY + b" ", now_s=AT)
    with pytest.raises(SignatureInvalid):
        verify([new_secret()], given, BODY, now_s=AT)
    for off in (301, -301):
        with pytest.raises(SignatureInvalid, match="clocks"):
            verify([KEY], given, BODY, now_s=AT + off)
    with pytest.raises(SignatureInvalid):
        verify([KEY], {}, BODY, now_s=AT)


def test_a_secret_is_read_as_it_was_written_and_is_not_repeated_in_errors() -> None:
    secret = new_secret()
    assert secret_from(f" {secret.text()}\n") == secret
    assert "key" not in repr(secret)
    for wrong in ("whsec_!!", "whsec_", "topsecret", "whsec_" + "QUJD" * 40):
        with pytest.raises(InvalidInput) as caught:
            secret_from(wrong)
        assert "topsecret" not in str(caught.value)
    with pytest.raises(InvalidInput):
        Secret(b"short")


def test_receivers_may_change_over_in_their_own_time_after_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "webhook.secrets"
    assert read_secrets(path) == ()
    (first,) = ensure_secrets(path)
    assert ensure_secrets(path) == (first,)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    second, kept = rotate_secret(path)
    assert kept == first
    given = headers(read_secrets(path), ID, AT, BODY)
    for known in (first, second):
        assert verify([known], given, BODY, now_s=AT) == ID
    third = rotate_secret(path)[0]
    assert read_secrets(path) == (third, second)
