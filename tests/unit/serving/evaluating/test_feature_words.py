"""The feature table's index is little-endian whatever the machine is."""

from __future__ import annotations

import struct
import sys

import pytest

from serving.evaluating.feature_table import little_endian

WORDS = (0, 1, 0x0102030405060708, 2**64 - 1)


def test_words_are_read_as_the_file_has_them() -> None:
    raw = memoryview(struct.pack("<4Q", *WORDS))
    assert tuple(little_endian(raw)) == WORDS


@pytest.mark.skipif(sys.byteorder != "little", reason="a little-endian machine plays a big one")
def test_words_are_turned_round_on_a_machine_of_the_other_order() -> None:
    # As such a machine would see them, read natively by this one.
    raw = memoryview(struct.pack(">4Q", *WORDS))
    assert tuple(little_endian(raw, "big")) == WORDS
