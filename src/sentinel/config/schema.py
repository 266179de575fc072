"""The JSON Schema of the whole file, every kind's options folded in, for editors and for other tools."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from sentinel import channels as channel_kinds
from sentinel import probes as probe_kinds
from sentinel import tickets as ticket_kinds
from sentinel.config import model as m
from sentinel.config.fields import Secret, write_duration
from sentinel.config.ladders import LADDERS_MAX, LadderEntry
from sentinel.config.telling import StepEntry

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
REFERENCE: Final = "#/$defs/"


class _Generator(GenerateJsonSchema):
    """Writes defaults as people do."""

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, timedelta):
            return write_duration(dft)
        if isinstance(dft, BaseModel):
            return {}
        if isinstance(dft, tuple | list | frozenset | set):
            return [self.encode_default(one) for one in dft]
        if isinstance(dft, Secret):
            return None
        return dft if isinstance(dft, str | int | float | bool | dict | None) else str(dft)


def json_schema() -> dict[str, Any]:
    """Return the schema of a configuration file, in draft 2020-12."""
    definitions: dict[str, Any] = {}
    properties: dict[str, Any] = {"version": {"const": 1}, "include": _one_or_many({"type": "string"})}
    for name, section in m.SINGLE.items():
        properties[name] = _or_nothing(_put(definitions, name, section))
    definitions["tickets"]["properties"]["mirror"]["items"] = _mirror(definitions)
    for name in ("people", "groups", "services", "calendars", "sla", "rotas", "crises", "status_pages"):
        properties[name] = _named(_or_nothing(_put(definitions, name, m.NAMED[name])))
    steps = {"type": "array", "items": _put(definitions, "step", StepEntry), "minItems": 1}
    ladder = _put(definitions, "ladder", LadderEntry)
    ladders = {"type": "array", "items": ladder, "minItems": 1, "maxItems": LADDERS_MAX}
    properties["escalations"] = _named({"anyOf": [steps, ladder, ladders]})
    for name, section in m.LISTED.items():
        properties[name] = _or_nothing({"type": "array", "items": _put(definitions, name, section)})
    properties["probes"] = _named(_kinded(definitions, "probe", m.ProbeEntry, _kinds(probe_kinds)))
    properties["channels"] = _named(_kinded(definitions, "channel", m.ChannelEntry, _kinds(channel_kinds)))
    properties |= _inlined(definitions, "ordered", m.Ordered)["properties"]
    return {
        "$schema": DIALECT,
        "title": "Sentinel configuration",
        "type": "object",
        "anyOf": [{"required": [name]} for name in ("probes", "intake", "server")],
        "properties": properties,
        "patternProperties": {"^x-": True},
        "additionalProperties": False,
        "$defs": _relaxed(definitions),
    }


def _kinds(table: Any) -> dict[str, type[BaseModel]]:
    names = {*table.KINDS, *getattr(table, "ALIASES", {})}
    return {name: table.kind(name).options for name in sorted(names)}


def _kinded(
    definitions: dict[str, Any], what: str, shared_model: type[BaseModel], kinds: dict[str, type[BaseModel]]
) -> dict[str, Any]:
    """Describe an entry whose further keys follow from its ``type``."""
    shared = _inlined(definitions, what, shared_model)
    choices = []
    for name, options in kinds.items():
        own = _inlined(definitions, f"{what}.{name}", options)
        properties = {**own.get("properties", {}), **shared["properties"], "type": {"const": name}}
        for key in shared["properties"].keys() & own.get("properties", {}).keys() - {"type"}:
            properties[key] = {"anyOf": [shared["properties"][key], own["properties"][key]]}
        definitions[f"{what}.{name}"] = {
            "type": "object",
            "description": own.get("description", ""),
            "properties": properties,
            "required": ["type", *own.get("required", [])],
            "additionalProperties": False,
        }
        given = {"properties": {"type": {"const": name}}, "required": ["type"]}
        choices.append({"if": given, "then": {"$ref": f"{REFERENCE}{what}.{name}"}})
    return {"type": "object", "required": ["type"], "properties": {"type": {"enum": list(kinds)}}, "allOf": choices}


def _mirror(definitions: dict[str, Any]) -> dict[str, Any]:
    """Describe a mirror, whose further keys follow from its ``backend``."""
    choices = []
    for name, options in _kinds(ticket_kinds).items():
        given = {"properties": {"backend": {"const": name}}, "required": ["backend"]}
        choices.append({"if": given, "then": _put(definitions, f"mirror.{name}", options)})
    known = {"backend": {"enum": sorted(ticket_kinds.KINDS)}}
    return {"type": "object", "required": ["backend"], "properties": known, "allOf": choices}


def _inlined(definitions: dict[str, Any], prefix: str, section: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of a model, with the models inside it among the definitions under a prefix of their own."""
    schema = section.model_json_schema(schema_generator=_Generator, ref_template=f"{REFERENCE}{prefix}.{{model}}")
    for name, inner in schema.pop("$defs", {}).items():
        definitions[f"{prefix}.{name}"] = inner
    if set(schema) == {"$ref"} or "$ref" in schema:
        return dict(definitions[schema["$ref"].removeprefix(REFERENCE)])
    return schema


def _put(definitions: dict[str, Any], name: str, section: type[BaseModel]) -> dict[str, Any]:
    definitions[name] = _inlined(definitions, name, section)
    return {"$ref": REFERENCE + name}


def _named(entry: dict[str, Any]) -> dict[str, Any]:
    return {"type": ["object", "null"], "additionalProperties": entry}


def _or_nothing(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _one_or_many(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "array", "items": schema}]}


def _relaxed(schema: Any) -> Any:
    """Let a plain text also be what YAML takes for a number or a truth value: Sentinel reads it as text."""
    return _walk(schema, _relax)


def _relax(node: dict[str, Any]) -> dict[str, Any]:
    node.pop("title", None) if isinstance(node.get("title"), str) else None
    if node.get("type") == "string" and not node.keys() & {"enum", "const", "pattern", "format", "anyOf"}:
        return {**node, "type": ["string", "number", "boolean"]}
    return node


def _walk(node: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    if isinstance(node, dict):
        return change({key: _walk(value, change) for key, value in node.items()})
    if isinstance(node, list):
        return [_walk(value, change) for value in node]
    return node
