"""A good configuration, and a way to write another."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel.config.load import load

GOOD = Path(__file__).parent / "good.yaml"
SECRETS = {"SMTP_PASSWORD": "canary-smtp", "CHAT": "canary-chat", "CRON": "canary-cron-0123456789abcdef"}


@pytest.fixture
def good():
    return load(GOOD, environ=SECRETS)


@pytest.fixture
def write(tmp_path):
    """Write a configuration and load it."""

    def written(text, **environ):
        path = tmp_path / "probes.yaml"
        path.write_text(text)
        return load(path, environ=environ)

    return written
