"""What every event is: an envelope around typed data, with the topic, key and headers that it travels with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from . import rules
from .values import Id, RequiredText, Time, _matching, write_money, write_time


@dataclass(frozen=True)
class Problem:
    """One broken rule: where (a JSON Pointer), which (the platform's code), and what to do."""

    path: str
    code: str
    detail: str

    def __str__(self) -> str:
        return f"{self.path}: {self.code}: {self.detail}" if self.path else f"{self.code}: {self.detail}"


class InvalidEvent(ValueError):
    """A message that breaks its contract, with every problem found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(str(p) for p in self.problems))


_CODES = {"missing": "missing_field", "string_too_short": "missing_field", "greater_than_equal": "invalid_value", "less_than_equal": "out_of_range"}


def problems_of(error: ValidationError, under: str = "") -> list[Problem]:
    """Pydantic's errors as the platform tells them."""

    def code(e: ErrorDetails) -> str:
        kind = e["type"]
        if kind in _CODES:
            return _CODES[kind]
        return "wrong_type" if kind.endswith("_type") and kind != "wrong_type" else kind if "_" in kind else "invalid_value"

    return [Problem(under + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in e["loc"]), code(e), e["msg"]) for e in error.errors()]


@dataclass(frozen=True)
class Contract:
    """What the world may rely on about one event type."""

    type: str
    version: str
    topic: str
    key: tuple[str, ...]
    publisher: str
    consumers: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()
    retention_days: int | None = None
    legacy: str = ""

    @property
    def major(self) -> str:
        return self.version.partition(".")[0]

    @property
    def dead_letter_topic(self) -> str:
        return self.topic + ".dlq"


class Model(BaseModel):
    """An object of a contract. Fields that the contract does not know are kept."""

    model_config = ConfigDict(extra="allow", validate_assignment=True)


class Data(Model):
    """The data of one event type."""

    CONTRACT: ClassVar[Contract]

    @property
    def key(self) -> str:
        """The value that orders this event: events of one key are handled one at a time, in order."""
        return next((value for name in self.CONTRACT.key if (value := getattr(self, name))), "")


def _uuid(value: Any) -> UUID:
    if isinstance(value, str) and re.fullmatch(rules.UUID_PATTERN, value):
        value = UUID(value)
    if not isinstance(value, (str, UUID)):
        raise PydanticCustomError("wrong_type", "must be a string")
    if isinstance(value, str) or not value.int:
        raise PydanticCustomError("invalid_event_id", "must be a UUID, not the nil one")
    return value


class Envelope(Model):
    """What stands around the data of every event."""

    event_id: Annotated[UUID, BeforeValidator(_uuid)] = Field(description=rules.ENVELOPE["event_id"])
    correlation_id: Id = Field(description=rules.ENVELOPE["correlation_id"])
    timestamp: Time = Field(description=rules.ENVELOPE["timestamp"])
    source_service: Annotated[RequiredText, _matching(rules.SERVICE_PATTERN, "invalid_value", "must be kebab-case, such as order-management-service")] = Field(description=rules.ENVELOPE["source_service"])
    event_version: Annotated[RequiredText, _matching(rules.VERSION_PATTERN, "invalid_value", "must be MAJOR.MINOR, such as 1.0")] = Field(description=rules.ENVELOPE["event_version"])
    event_type: RequiredText = Field(description=rules.ENVELOPE["event_type"])


@dataclass(frozen=True)
class Metadata:
    """What travels beside an event: Kafka headers, Pub/Sub attributes. Nobody has to send any of it."""

    causation_id: str = ""  # event_id of the event that caused this one
    sequence: int = 0  # the publisher's number of the event among those of its key; 0 where it sends none
    traceparent: str = ""
    tracestate: str = ""

    @classmethod
    def of(cls, headers: Mapping[str, Any] | Iterable[tuple[str, Any]] | None) -> Metadata:
        """Reads headers as Kafka clients give them: pairs of a name and bytes."""
        pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
        found = {name: value.decode() if isinstance(value, bytes) else str(value or "") for name, value in pairs}
        number = found.get("sequence", "")
        return cls(found.get("causation_id", ""), int(number) if number.isdecimal() else 0, found.get("traceparent", ""), found.get("tracestate", ""))


D = TypeVar("D", bound=Data, covariant=True)


@dataclass(frozen=True)
class Event(Generic[D]):
    """A typed event."""

    envelope: Envelope
    data: D
    causation_id: str = ""

    @property
    def topic(self) -> str:
        return self.data.CONTRACT.topic

    @property
    def key(self) -> str:
        return self.data.key

    def headers(self, traceparent: str = "", tracestate: str = "") -> list[tuple[str, bytes]]:
        """The metadata as Kafka headers."""
        e = self.envelope
        all_ = {
            "_watermill_message_uuid": str(e.event_id), "event_id": str(e.event_id), "event_type": e.event_type, "correlation_id": e.correlation_id,
            "causation_id": self.causation_id, "traceparent": traceparent, "tracestate": tracestate,
        }
        return [(name, value.encode()) for name, value in all_.items() if value]

    def to_dict(self) -> dict[str, Any]:
        """The canonical form as JSON values, checked as its publisher: vocabularies are closed."""
        try:
            type(self.data).model_validate(_wire(self.data))
        except ValidationError as error:
            raise InvalidEvent(problems_of(error, "/data")) from None
        return {**_wire(self.envelope), "data": _wire(self.data)}

    def to_json(self) -> str:
        """The canonical form, checked as its publisher."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _wire(value: Any) -> Any:
    """JSON values; an optional field that is not set is left out, what the contract does not know stays as it came."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        known = {name: value.__dict__[name] for name in fields}  # not getattr, which warns of deprecated ones
        return {name: _wire(v) for name, v in known.items() if v is not None or fields[name].is_required()} | (value.model_extra or {})
    if isinstance(value, list):
        return [_wire(v) for v in value]
    if isinstance(value, datetime):
        return write_time(value)
    if isinstance(value, Decimal):
        return write_money(value)
    if isinstance(value, UUID):
        return str(value)
    return value

