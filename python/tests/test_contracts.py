"""The package against the same examples and breakages that the Go contracts and the schemas are tried with."""

from __future__ import annotations

import copy
import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel, ValidationError

from viscount_contracts import (
    CONTRACTS, Address, Change, Envelope, InvalidEvent, InventoryUpdated, Item, Metadata, PaymentFailed, ProductUpdated, Reservation, Shortage, ValidationResults, new_event, parse,
)

EXAMPLES = {path.stem: json.loads(path.read_text()) for path in (Path(__file__).parents[2] / "events/testdata").glob("*.json")}
BREAKAGES = [json.loads(line) for line in (Path(__file__).parents[2] / "events/testdata/breakages.ndjson").read_text().splitlines()]
LEGACY = {"InventoryReserved", "InventoryReleased", "InventoryAdjusted", "LowStockAlert", "InventoryUpdated"}


def canonical(example: dict[str, Any]) -> dict[str, Any]:
    """What must come out for an example: the same, but for the two names of the old dialect."""
    out = {"event_version" if name == "version" else name: value for name, value in example.items()}
    if out["event_type"] in LEGACY:
        out["event_type"] = next(name for name in EXAMPLES if EXAMPLES[name] is example)
    return out


def test_every_contract_has_an_example() -> None:
    assert set(EXAMPLES) == set(CONTRACTS) and len(CONTRACTS) >= 22


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_round_trips(name: str) -> None:
    event = parse(json.dumps(EXAMPLES[name]).encode())
    assert type(event.data) is CONTRACTS[name]
    assert json.loads(event.to_json()) == canonical(EXAMPLES[name])
    assert parse(event.to_json()) == event
    key = next(field for field in event.data.CONTRACT.key if EXAMPLES[name]["data"].get(field))
    assert event.key == EXAMPLES[name]["data"][key]
    assert event.topic.endswith(f".{name}.v1")


def broken(breakage: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = copy.deepcopy(EXAMPLES[breakage["example"]])
    *way, last = [int(n) if n.isdigit() else n for n in (breakage.get("remove") or breakage["set"]).split("/")[1:]]
    node: Any = document
    for name in way:
        node = node[name]
    if "remove" in breakage:
        del node[last]
    else:
        node[last] = breakage["value"]
    return document


def test_there_are_200_breakages() -> None:
    assert len(BREAKAGES) >= 200


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda b: f"{b['example']}-{b.get('set', b.get('remove'))}-{b['what']}")
def test_a_breakage_is_refused_at_its_path(breakage: dict[str, Any]) -> None:
    with pytest.raises(InvalidEvent) as refused:
        parse(json.dumps(broken(breakage)))
    assert {p.path for p in refused.value.problems} == {breakage["path"]}, refused.value


@pytest.mark.parametrize("message, code", [("{", "malformed_json"), ("[]", "not_object"), ('{"a": 1, "a": 2}', "duplicate_key"), ('{"a": NaN}', "invalid_number"), (b"\xff", "malformed_json")])
def test_what_is_no_event_is_refused(message: str | bytes, code: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        parse(message)
    assert [p.code for p in refused.value.problems] == [code]


def test_two_versions_that_differ_are_refused() -> None:
    with pytest.raises(InvalidEvent, match="/version: version_conflict"):
        parse({**EXAMPLES["order.created"], "version": "1.1"})


def models(model: type[BaseModel]) -> list[type[BaseModel]]:
    """A model and those of its fields."""
    text = [str(field.annotation) for field in model.model_fields.values()]
    return [model, *(m for m in (Address, Change, Item, Reservation, Shortage, ValidationResults) if any(m.__name__ in t for t in text))]


@pytest.mark.parametrize("model", [*CONTRACTS.values(), Envelope])
def test_every_field_says_what_it_means(model: type[BaseModel]) -> None:
    for one in models(model):
        assert [name for name, field in one.model_fields.items() if not field.description] == [], one.__name__


def test_unknown_fields_are_kept() -> None:
    example = copy.deepcopy(EXAMPLES["order.created"])
    example["channel"] = {"name": "web", "score": None}
    example["data"]["loyalty"] = [1, None, "x"]
    example["data"]["items"][0]["gift"] = None
    assert json.loads(parse(example).to_json()) == example


def test_a_required_null_is_kept_and_an_optional_one_left_out() -> None:
    event = parse({**EXAMPLES["product.updated"], "data": EXAMPLES["product.updated"]["data"] | {"sku": None}})
    assert isinstance(event.data, ProductUpdated)
    written = json.loads(event.to_json())["data"]
    assert written["changes"][1]["old_value"] is None and "sku" not in written


def test_vocabularies_are_open_for_consumers_and_closed_for_publishers() -> None:
    example = copy.deepcopy(EXAMPLES["inventory.updated"])
    example["data"]["update_type"] = "teleport"
    event = parse(example)
    assert isinstance(event.data, InventoryUpdated) and event.data.update_type == "teleport"
    with pytest.raises(InvalidEvent, match="/data/update_type: invalid_value"):
        event.to_json()
    with pytest.raises(ValidationError, match="update_type"):
        InventoryUpdated(product_id="prod_1", quantity=1, update_type="teleport")


def failed(**other: Any) -> PaymentFailed:
    return PaymentFailed(**{"order_id": "order_1", "reason": "declined", "amount": "12.5", "currency": "USD", "failed_at": datetime(2026, 1, 2, 3, tzinfo=timezone.utc)} | other)


def test_money_is_a_decimal_and_written_with_two_decimals() -> None:
    assert failed().amount == Decimal("12.50")
    for amount, text in [("12", "12.00"), (Decimal("12.5"), "12.50"), (Decimal("1E+3"), "1000.00"), ("9999999999999.99", "9999999999999.99")]:
        assert new_event(failed(amount=amount)).to_dict()["data"]["amount"] == text
    for amount in (12.5, 12, "12.555", "-1", "1e3", Decimal("0.001"), Decimal("NaN"), ""):
        with pytest.raises(ValidationError, match="amount"):
            failed(amount=amount)


def test_times_have_a_zone_and_are_written_in_utc() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 120000, tzinfo=timezone(timedelta(hours=2)))
    assert new_event(failed(failed_at=at)).to_dict()["data"]["failed_at"] == "2026-01-02T01:04:05.12Z"
    with pytest.raises(ValidationError, match="failed_at"):
        failed(failed_at=datetime(2026, 1, 2))
    example = copy.deepcopy(EXAMPLES["payment.failed"])
    example["timestamp"] = "2026-01-02T03:04:05.123456789+00:00"
    assert parse(example).envelope.timestamp == datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=timezone.utc)


def test_a_new_event_takes_correlation_and_causation_from_what_caused_it() -> None:
    cause = parse(EXAMPLES["order.created"])
    event = new_event(failed(), caused_by=cause)
    assert event.envelope.correlation_id == cause.envelope.correlation_id
    assert event.envelope.source_service == "payment-service" and event.envelope.event_version == "1.0"
    assert event.envelope.event_id.version == 7
    assert event.topic == "payment.payment.failed.v1" and event.key == "order_1"
    headers = dict(event.headers(traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
    assert headers["_watermill_message_uuid"] == headers["event_id"] == str(event.envelope.event_id).encode()
    assert Metadata.of(headers) == Metadata(causation_id=str(cause.envelope.event_id), traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert Metadata.of([("sequence", b"7")]).sequence == 7 and Metadata.of(None) == Metadata()
    first = new_event(failed(), event_id=(own := uuid4()))
    assert first.envelope.correlation_id == str(own)
    with pytest.raises(InvalidEvent, match="/correlation_id"):
        new_event(failed(), correlation_id="a\nb")


def test_the_key_is_the_first_field_that_is_present() -> None:
    example = copy.deepcopy(EXAMPLES["inventory.reserved"])
    assert parse(example).key == example["data"]["order_id"]
    del example["data"]["order_id"]
    assert parse(example).key == example["data"]["reservation_id"]
