"""The description of the API in OpenAPI 3.1, made from the tables of routes, rights and operations."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import msgspec
from aiohttp import web

from sentinel import __version__
from sentinel.core.access import RIGHTS_OF, ROLES
from sentinel.web.guard import Route
from sentinel.web.operations import MOMENT, TEXT, Operation, Parameter
from sentinel.web.problem import PROBLEM_TYPE, Details
from sentinel.web.repeats import HEADER, KEY_MAX_CHARS
from sentinel.web.rights import API, Grant

DESCRIBE: Final = web.AppKey("DESCRIBE", partial[bytes])
OPENAPI: Final = "3.1.0"
REFERENCE: Final = "#/components/schemas/{name}"
ABOUT: Final = (
    "What the commands do, for programs. Errors are problem details (RFC 9457). Lists that are cut name the next page "
    'in `Link: <…>; rel="next"`. With `Idempotency-Key` a request that is repeated is not done twice.'
)
PROBLEMS: Final = (400, 401, 403, 404, 409, 413, 415, 422, 429, 501, 503)
_IN_PATH: Final = re.compile(r"\{(\w+)\}")


async def show(request: web.Request) -> web.Response:
    """Describe the API."""
    # Made at the first request, beside the loop: no start waits for it, and nothing that is probed.
    body = await asyncio.to_thread(request.app[DESCRIBE])
    return web.Response(body=body, content_type="application/json")


def encoded(routes: Iterable[Route]) -> bytes:
    """Return the description as it is sent."""
    return msgspec.json.encode(document(routes))


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """Return the description of all routes that have an operation."""
    described = [route for route in routes if route.operation is not None]
    schemas = Schemas(described)
    paths: dict[str, dict[str, Any]] = {}
    for route in described:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": OPENAPI,
        "info": {"title": "Sentinel", "version": __version__, "description": ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {}],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {str(status): _problem(status) for status in PROBLEMS},
        },
    }


class Schemas:
    """The JSON Schemas of all that the operations take and give."""

    def __init__(self, routes: Iterable[Route]) -> None:
        operations = [route.operation for route in routes if route.operation is not None]
        types = [Details, *(shape for one in operations for shape in (one.takes, *one.given()) if shape is not None)]
        made, components = msgspec.json.schema_components(types, ref_template=REFERENCE)
        self._of = {repr(shape): _shortened(schema) for shape, schema in zip(types, made, strict=True)}
        self.components = {_short(name): _shortened(schema) for name, schema in components.items()}

    def of(self, shape: Any) -> Any:
        """Return the schema of a type."""
        return self._of[repr(shape)]


def _short(name: str) -> str:
    """Return the name of a component: that of its module stands before it only where two have the same."""
    return ".".join(name.split(".")[-2:])


def _shortened(schema: Any, key: str = "") -> Any:
    """Return a schema with short names, and moments marked as such: their names end in `at` throughout."""
    if isinstance(schema, Mapping):
        found = {name: _shortened(value, name) for name, value in schema.items()}
        is_moment = key == "at" or key.endswith("_at")
        if is_moment and found.get("type") == "string":
            found.setdefault("format", "date-time")
        if is_moment and "anyOf" in found:
            found["anyOf"] = [MOMENT if one == TEXT else one for one in found["anyOf"]]
        return found
    if isinstance(schema, list | tuple):
        return [_shortened(value) for value in schema]
    if isinstance(schema, str) and schema.startswith("#/"):
        head, _, name = schema.rpartition("/")
        return f"{head}/{_short(name)}"
    return schema


def _operation(route: Route, schemas: Schemas) -> dict[str, Any]:
    operation, grant = route.operation, route.grant
    assert operation is not None, "only what has one is described"
    found: dict[str, Any] = {
        "operationId": _id(route),
        "summary": _summary(route),
        "tags": [route.path.removeprefix(f"{API}/").partition("/")[0].removesuffix(".json")],
        "parameters": list(_parameters(route, operation)),
        "responses": _responses(operation, schemas),
        "x-roles": roles_of(grant),
    }
    if operation.takes is not None:
        content = {"application/json": {"schema": schemas.of(operation.takes)}}
        found["requestBody"] = {"content": content, "required": True}
    return found


def roles_of(grant: Grant | None) -> list[str]:
    """Return the roles that may ask: a customer's among them where it sees a part."""
    if grant is None:
        return []
    return [
        role for role in ROLES if (grant.tenant != "nothing" if role == "customer" else grant.right in RIGHTS_OF[role])
    ]


def _id(route: Route) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "_", route.path.removeprefix(API)).strip("_")
    return f"{route.method.lower()}_{words}"


def _summary(route: Route) -> str:
    text = inspect.getdoc(inspect.unwrap(route.handler)) or ""
    return text.partition("\n")[0].removesuffix(".")


def _parameters(route: Route, operation: Operation) -> Iterator[dict[str, Any]]:
    for name in _IN_PATH.findall(route.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    yield from map(_in_query, operation.query)
    if route.method != "GET" and not (route.grant and route.grant.shows_secret):
        schema = {"type": "string", "pattern": f"^[!-~]{{1,{KEY_MAX_CHARS}}}$"}
        yield {"name": HEADER, "in": "header", "required": False, "schema": schema}


def _in_query(one: Parameter) -> dict[str, Any]:
    schema = {"type": "array", "items": one.schema} if one.many else one.schema
    return {"name": one.name, "in": "query", "required": False, "description": one.about, "schema": schema}


def _responses(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    given = [schemas.of(shape) for shape in operation.given()]
    schema = given[0] if len(given) == 1 else {"anyOf": given}
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    content |= {kind: {"schema": {"type": "string"}} for kind in operation.also}
    good = {"description": HTTPStatus(operation.status).phrase, "content": content}
    bad = {str(status): {"$ref": f"#/components/responses/{status}"} for status in PROBLEMS}
    return {str(operation.status): good, **bad}


def _problem(status: int) -> dict[str, Any]:
    content = {PROBLEM_TYPE: {"schema": {"$ref": REFERENCE.format(name=Details.__name__)}}}
    return {"description": HTTPStatus(status).phrase, "content": content}
