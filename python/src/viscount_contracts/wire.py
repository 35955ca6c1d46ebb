"""Reading and making events."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, TypeVar
from uuid import UUID

from pydantic import ValidationError

from .contracts import CONTRACTS, MAJORS
from .event import Data, Envelope, Event, InvalidEvent, Problem, problems_of

_LEGACY = {data.CONTRACT.legacy: name for name, data in CONTRACTS.items() if data.CONTRACT.legacy}

D = TypeVar("D", bound=Data)


def parse(message: bytes | str | dict[str, Any]) -> Event[Data]:
    """Reads an event as a consumer does: both dialects, open vocabularies, unknown fields kept. InvalidEvent names every
    field that breaks the contract."""
    given = _object(message)
    members = _normalised(given)
    data = members.pop("data", None)
    problems: list[Problem] = []
    try:
        envelope = Envelope.model_validate(members)
    except ValidationError as error:
        envelope, problems = None, problems_of(error)
    model = _match(members, problems)
    typed: Data | None = None
    if data is None:
        problems.append(Problem("/data", "missing_field", "is required"))
    elif not isinstance(data, dict):
        problems.append(Problem("/data", "wrong_type", "must be an object"))
    elif model is not None:
        try:
            typed = model.model_validate(data, context={"consuming": True})
        except ValidationError as error:
            problems += problems_of(error, "/data")
    if problems or envelope is None or typed is None:
        if "event_version" not in given and "version" in given:  # told by the name under which it came
            problems = [replace(p, path="/version") if p.path == "/event_version" else p for p in problems]
        raise InvalidEvent(problems)
    return Event(envelope, typed)


def new_event(
    data: D, *, caused_by: Event[Data] | None = None, correlation_id: str = "", event_id: UUID | None = None, timestamp: datetime | None = None
) -> Event[D]:
    """Makes an event of this service. What caused it gives the correlation; the first event of a chain names its own."""
    contract = type(data).CONTRACT
    event_id = event_id or uuid7()
    correlation_id = correlation_id or (caused_by.envelope.correlation_id if caused_by else str(event_id))
    try:
        envelope = Envelope(
            event_id=event_id, correlation_id=correlation_id, timestamp=timestamp or datetime.now(timezone.utc),
            source_service=contract.publisher, event_version=contract.version, event_type=contract.type,
        )
    except ValidationError as error:
        raise InvalidEvent(problems_of(error)) from None
    return Event(envelope, data, str(caused_by.envelope.event_id) if caused_by else "")


def uuid7() -> UUID:
    """An id that sorts by time, so that indexes append."""
    return UUID(int=time.time_ns() // 1_000_000 << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62))


def _object(message: bytes | str | dict[str, Any]) -> dict[str, Any]:
    if isinstance(message, dict):
        return dict(message)
    try:
        members = json.loads(message, object_pairs_hook=_once, parse_constant=_no_constant)
    except InvalidEvent:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidEvent([Problem("", "malformed_json", f"the message is not valid JSON: {error}")]) from None
    if not isinstance(members, dict):
        raise InvalidEvent([Problem("", "not_object", "the message must be a JSON object")])
    return members


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise InvalidEvent([Problem("", "duplicate_key", "a key stands twice in its object")])
    return members


def _no_constant(name: str) -> Any:
    raise InvalidEvent([Problem("", "invalid_number", f"JSON has no {name}")])


def _normalised(members: dict[str, Any]) -> dict[str, Any]:
    """Rewrites the old dialect, which says version for event_version and a class's name for the type."""
    if "version" in members:
        if "event_version" not in members:
            members = {"event_version" if name == "version" else name: value for name, value in members.items()}
        elif members["version"] != members["event_version"]:
            raise InvalidEvent([Problem("/version", "version_conflict", "version and event_version differ")])
    kind = members.get("event_type")
    return {**members, "event_type": _LEGACY[kind]} if isinstance(kind, str) and kind in _LEGACY else dict(members)


def _match(members: dict[str, Any], problems: list[Problem]) -> type[Data] | None:
    kind, version, source = (members.get(name) for name in ("event_type", "event_version", "source_service"))
    if not isinstance(kind, str) or not kind:
        return None
    if kind not in MAJORS:
        problems.append(Problem("/event_type", "unknown_type", f"no contract is named {kind!r}"))
        return None
    major = str(version).partition(".")[0]
    model = next((m for m in MAJORS[kind] if m.CONTRACT.major == major), CONTRACTS[kind])
    contract, wrong = model.CONTRACT, {p.path for p in problems}
    if "/event_version" not in wrong and major != contract.major:
        problems.append(Problem("/event_version", "unsupported_version", f"is {version}, this package knows major version {contract.major}"))
    if "/source_service" not in wrong and source != contract.publisher:
        problems.append(Problem("/source_service", "wrong_publisher", f"{kind} is published by {contract.publisher}, not by {source}"))
    return model
