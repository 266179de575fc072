"""The routes about the API itself: its description, who asks, who may."""

from __future__ import annotations

from sentinel.web import openapi, tokens
from sentinel.web.guard import Route


def routes(api: str) -> list[Route]:
    """Return the description of the API and the tokens, below ``api``."""
    return [
        Route("GET", f"{api}/openapi.json", openapi.show),
        Route("GET", f"{api}/me", tokens.me),
        Route("GET", f"{api}/tokens", tokens.list_tokens),
        Route("POST", f"{api}/tokens", tokens.issue),
        Route("DELETE", f"{api}/tokens/{{id}}", tokens.revoke),
    ]
