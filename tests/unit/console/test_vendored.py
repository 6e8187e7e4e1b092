"""Files of others lie here at exact versions, unaltered."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[3] / "console" / "static"
TEMPLATES = STATIC.parent / "templates"

#: From the npm packages htmx.org 2.0.10 and @fontsource-variable/inter 5.3.0.
SHA256 = {
    "htmx-2.0.10.min.js": "71ea67185bfa8c98c39d31717c6fce5d852370fcdfd129db4543774d3145c0de",
    "inter-5.3.0-latin.woff2": "3100e775e8616cd2611beecfa23a4263d7037586789b43f035236a2e6fbd4c62",
    "inter-5.3.0-latin-ext.woff2": (
        "34b9c504cab7a73e37b746343a449132e56cf7b5481af2cb81dc74dcff25c956"
    ),
}


@pytest.mark.parametrize("name", sorted(SHA256))
def test_a_vendored_file_is_what_was_published(name: str) -> None:
    assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == SHA256[name]


def test_each_of_them_comes_with_its_licence() -> None:
    assert (
        "OFL" in (STATIC / "inter-LICENSE.txt").read_text().upper()
        or "SIL" in (STATIC / "inter-LICENSE.txt").read_text()
    )
    assert "Permission" in (STATIC / "htmx-LICENSE.txt").read_text()


def test_no_page_asks_for_anything_elsewhere_or_carries_script_or_style_inline() -> None:
    # A letter is read where no style sheet of ours is; the page of the same digest has one.
    for path in set(TEMPLATES.rglob("*.html")) - {TEMPLATES / "digest" / "mail.html"}:
        text = path.read_text()
        assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", text), path
        assert not re.search(
            r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", text
        )
        assert "|safe" not in text, path
    sheet = (STATIC / "console.css").read_text()
    assert "@import" not in sheet
    assert not re.search(r"url\((?![\"']inter-5\.3\.0-)", sheet)
