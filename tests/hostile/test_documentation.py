"""The page on hostile targets names the limits that there are, with the values that they have."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel.config import fields
from sentinel.probes import base, capture, css, dns, dns_message, expect, http_sink, program, tlsinfo, wire

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
LIMITS = [
    (http_sink, "CHUNKS_MAX", "20,000 parts"),
    (http_sink, "CHUNK_MIN_BYTES", "16 bytes"),
    (http_sink, "HEADERS_MAX", "256 lines"),
    (http_sink, "HEADERS_MAX_BYTES", "64 KiB"),
    (wire, "LINE_MAX_BYTES", "64 KiB"),
    (wire, "LINES_MAX", "10,000 a run"),
    (wire, "TOTAL_MAX_BYTES", "1 MiB"),
    (wire, "HANDSHAKE_MAX_BYTES", "256 KiB"),
    (wire, "ENCRYPTED_MAX_BYTES", "2 MiB"),
    (tlsinfo, "NAMES_MAX", "100 names"),
    (tlsinfo, "CHAIN_MAX_CERTS", "16 certificates"),
    (dns_message, "RECORDS_MAX", "2,000 records"),
    (dns_message, "POINTER_CHAIN_MAX", "8 pointers"),
    (dns_message, "LABELS_MAX", "20,000 labels"),
    (dns, "STRANGERS_MAX", "1,000"),
    (program, "FLOOD_MAX_BYTES", "1 MiB"),
    (program, "OUTPUT_MAX_BYTES", "64 KiB"),
    (expect, "JSON_MAX_BYTES", "6 MiB"),
    (css, "PAGE_MAX_CHARS", "1 Mi characters"),
    (css, "TREE_MAX_BYTES", "4 MiB"),
    (css, "ATTRIBUTES_MAX", "500"),
    (css, "TRIES_MAX", "100,000 tries"),
    (fields, "REGEX_MAX_CHARS", "4,096 characters"),
    (capture, "VALUE_MAX_CHARS", "8,192 characters"),
    (base, "DETAIL_MAX_CHARS", "500 characters"),
]
UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "Mi": 1 << 20}


@pytest.mark.parametrize(("module", "name", "said"), LIMITS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_limit_is_documented_with_its_value(module: object, name: str, said: str) -> None:
    row = next(line for line in PAGE.splitlines() if f"`{name}`" in line)
    assert said in row
    number, _, unit = said.partition(" ")
    assert getattr(module, name) == int(number.replace(",", "")) * UNITS.get(unit.split(" ")[0], 1)
