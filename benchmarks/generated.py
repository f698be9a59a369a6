"""The service's own schema -> bodies that fit it, and bodies that nearly do, for each of its routes.

By strategies of our own: hypothesis-jsonschema 0.23 drew no objects with the Hypothesis of the lock.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

__all__ = ["bodies"]

_TEXT = st.text(max_size=20) | st.sampled_from(["The mass is in the left lung.", "P1", "perception", "{", "<think>"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=5,
)
_SIMPLE = {
    "string": _TEXT,
    "integer": st.integers(),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "null": st.none(),
}


def bodies(openapi: Mapping[str, Any], count: int, *, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Paths and bodies; every third of them has a value in it that the schema does not know.

    Args:
        openapi: As `/openapi.json` tells it.
        count: How many.
        seed: Of the dice.
    """
    known = openapi["components"]["schemas"]
    routes = {path: route["post"]["requestBody"] for path, route in openapi["paths"].items() if "post" in route}
    fitting = [
        st.tuples(st.just(path), _fitting(body["content"]["application/json"]["schema"], known))
        for path, body in routes.items()
    ]
    made: list[tuple[str, bytes]] = []

    @seeded(seed)
    @_settings(count)
    @given(st.one_of(fitting), st.integers(0, 2), _JSON, st.randoms(use_true_random=False))
    def collect(pair: tuple[str, Any], spoilt: int, other: Any, dice: Any) -> None:
        path, body = pair
        made.append((path, json.dumps(_spoilt(body, other, dice) if spoilt == 2 else body).encode()))

    collect()
    yield from made


def _settings(count: int) -> settings:
    calm = settings(database=None, deadline=None, phases=[Phase.generate], suppress_health_check=[*HealthCheck])
    return settings(calm, max_examples=count)


def _fitting(schema: Mapping[str, Any], known: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a schema, as far as ours go."""
    if "$ref" in schema:
        return _fitting(known[schema["$ref"].rsplit("/", 1)[1]], known)
    if "anyOf" in schema:
        return st.one_of([_fitting(one, known) for one in schema["anyOf"]])
    kinds = schema.get("type", "any")
    return st.one_of([_of_kind(kind, schema, known) for kind in (kinds if isinstance(kinds, list) else [kinds])])


def _of_kind(kind: str, schema: Mapping[str, Any], known: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    if kind == "any":
        return _JSON
    if kind == "array":
        return st.lists(_fitting(schema.get("items", {}), known), min_size=schema.get("minItems", 0), max_size=4)
    if kind == "object":
        return _object(schema, known)
    simple = _SIMPLE[kind]
    return simple.filter(bool) if schema.get("minLength") else simple


def _object(schema: Mapping[str, Any], known: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    fields = {name: _fitting(field, known) for name, field in schema.get("properties", {}).items()}
    required = {name: fields.pop(name) for name in schema.get("required", ())}
    named = st.fixed_dictionaries(required, optional=fields)
    more = schema.get("additionalProperties", True)
    if more is False:
        return named
    others = st.dictionaries(_TEXT, _fitting(more if isinstance(more, Mapping) else {}, known), max_size=2)
    return st.tuples(others, named).map(lambda pair: {**pair[0], **pair[1]})


def _spoilt(value: Any, other: Any, dice: Any) -> Any:
    """The same with another value somewhere in it."""
    if not value or not isinstance(value, dict | list) or dice.random() < 0.2:
        return other
    if isinstance(value, list):
        place = dice.randrange(len(value))
        return [_spoilt(child, other, dice) if at == place else child for at, child in enumerate(value)]
    name = dice.choice(sorted(value))
    return {**value, name: _spoilt(value[name], other, dice)}
