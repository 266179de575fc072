"""What ``check`` says of the identity provider: its extra, and with ``--online`` what it publishes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from joserfc.jwk import RSAKey

from sentinel.cli.online import faults_of
from sentinel.config.load import load
from tests.cli.conftest import run
from tests.fakes.identity_provider import IdentityProvider, identity_provider

WORLD = """\
site: {{url: "https://sentinel.example.org"}}
people:
  amina: {{email: amina@example.org, mobile: "+33639980001"}}
channels:
  mail: {{type: outbox, path: outbox, as: email}}
escalations:
  default:
    - {{at: 0m, to: amina}}
probes:
  home: {{type: tcp, target: "127.0.0.1:9"}}
auth: {{oidc: {{issuer: "{issuer}", client_id: sentinel, client_secret: "${{file:secret}}"}}}}
"""


def world(folder: Path, issuer: str) -> Path:
    (folder / "secret").write_text("c3f1e0aa-0000-4000-8000-000000000001")
    (folder / "secret").chmod(0o600)
    path = folder / "probes.yaml"
    path.write_text(WORLD.format(issuer=issuer))
    return path


async def said(folder: Path, issuer: str) -> list[str]:
    """Return what is wrong with the provider, as ``check --online`` finds it."""
    faults = await faults_of(load(world(folder, issuer)).setup)
    assert {fault["what"] for fault in faults} <= {"auth.oidc"}
    return [fault["why"] for fault in faults]


async def test_a_provider_that_publishes_what_is_needed_is_good(tmp_path):
    async with identity_provider() as provider:
        assert await said(tmp_path, provider.url) == []


def other_issuer(provider: IdentityProvider) -> None:
    provider.metadata = {"issuer": "https://other.example.org"}


def other_place(provider: IdentityProvider) -> None:
    provider.metadata = {"jwks_uri": "file:///etc/passwd"}


def weak_keys(provider: IdentityProvider) -> None:
    provider.published = [RSAKey.generate_key(1024)]


def no_key(provider: IdentityProvider) -> None:
    provider.published = []


@pytest.mark.filterwarnings("ignore:Key size")
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (other_issuer, "it calls itself 'https://other.example.org'"),
        (other_place, "it sends to 'file:///etc/passwd', which is not protected"),
        (weak_keys, "none of the keys it publishes is taken"),
        (no_key, "none of the keys it publishes is taken"),
    ],
)
async def test_what_would_let_nobody_in_is_said_before_the_night(tmp_path, change, why):
    async with identity_provider() as provider:
        change(provider)
        (found,) = await said(tmp_path, provider.url)
        assert why in found


async def test_a_provider_that_is_down_is_named(tmp_path):
    async with identity_provider() as provider:
        gone = provider.url
    (found,) = await said(tmp_path, gone)
    assert found


def test_a_missing_extra_is_said_with_what_installs_it_and_where_it_is_needed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "joserfc", None)
    path = world(tmp_path, "http://127.0.0.1:9")
    done = run("check", str(path))
    assert done.exit_code == 4
    assert f"{path}:11:14: `auth.oidc` needs the extra `oidc`, which is not installed: nobody signs in" in done.stdout
    assert "pip install 'sentinel-ops[oidc]'" in done.stdout
    done = run("check", str(path), "--online", "--json")
    assert done.exit_code == 4
    (fault,) = json.loads(done.stdout)["online"]
    assert fault["what"] == "auth.oidc"
    assert "the extra `oidc` is not installed" in fault["why"]
