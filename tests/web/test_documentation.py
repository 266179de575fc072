from __future__ import annotations

from pathlib import Path

from sentinel.web.app import routes

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


def test_every_route_is_documented():
    text = PAGE.read_text()
    missing = []
    for route in routes("/metrics"):
        written = f"`{route.path}`" if route.path.startswith("/ping/") else f"`{route.method} {route.path}`"
        if written not in text:
            missing.append(written)
    assert missing == []
