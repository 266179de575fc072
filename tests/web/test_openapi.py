"""The description of the API says what the code does."""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import textwrap

from sentinel.web.app import routes
from sentinel.web.openapi import document
from sentinel.web.rights import API

DOCUMENT = document(routes("/metrics"))
OURS = [route for route in routes("/metrics") if route.path.startswith(f"{API}/") and route.access == "local"]


async def test_it_is_served_and_is_what_the_command_prints(served):
    async with served.http.get("/api/v1/openapi.json") as answer:
        assert answer.content_type == "application/json"
        assert await answer.json() == json.loads(json.dumps(DOCUMENT))


def test_every_route_of_the_api_is_described():
    assert [f"{route.method} {route.path}" for route in OURS if route.operation is None] == []
    described = {f"{method.upper()} {path}" for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert described == {f"{route.method} {route.path}" for route in OURS}
    for methods in DOCUMENT["paths"].values():
        for operation in methods.values():
            assert operation["summary"], operation["operationId"]


def read_by(handler) -> set[type]:
    """The shapes that a handler reads the body as."""
    source = ast.parse(textwrap.dedent(inspect.getsource(handler)))
    module = vars(sys.modules[handler.__module__])
    found = set()
    for node in ast.walk(source):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "bodies.read":
            found.add(eval(ast.unparse(node.args[1]), module))
    return found


def test_what_is_described_as_taken_is_what_the_handler_reads():
    for route in OURS:
        handler = inspect.unwrap(route.handler)
        taken = {route.operation.takes} if route.operation.takes else set()
        assert read_by(handler) == taken, f"{route.method} {route.path}"


def test_every_parameter_that_a_handler_knows_is_described():
    for route in OURS:
        source = inspect.getsource(inspect.unwrap(route.handler))
        for names in re.findall(r'known_parameters\(request((?:, "\w+")*)\)', source):
            known = set(re.findall(r'"(\w+)"', names))
            assert known == {one.name for one in route.operation.query}, route.path


def test_every_reference_leads_somewhere_and_no_two_operations_have_one_name():
    text = json.dumps(DOCUMENT)
    for reference in set(re.findall(r'"#/components/(\w+)/([^"]+)"', text)):
        assert reference[1] in DOCUMENT["components"][reference[0]], reference
    ids = [one["operationId"] for methods in DOCUMENT["paths"].values() for one in methods.values()]
    assert len(ids) == len(set(ids))


async def test_a_parameter_that_means_nothing_is_refused_everywhere(served):
    for route in OURS:
        path = route.path.replace("{", "").replace("}", "")
        async with served.http.request(route.method, f"{path}?seervice=campus") as answer:
            assert answer.status == 400, route.path
            assert "Unknown parameter `seervice`" in (await answer.json())["detail"]
