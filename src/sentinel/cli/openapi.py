"""``sentinel openapi``: the description of the API, without a daemon."""

from __future__ import annotations

import click

from sentinel.cli.output import print_json


@click.command()
def openapi() -> None:
    """Write the description of the API (OpenAPI 3.1), as ``/api/v1/openapi.json`` has it."""
    from sentinel.web.app import routes
    from sentinel.web.openapi import document

    print_json(document(routes("/metrics")))
