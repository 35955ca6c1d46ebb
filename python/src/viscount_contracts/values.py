"""The kinds of values that contracts know, with the rules of the Go contracts."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StrictBool, StrictInt, StrictStr, ValidationInfo
from pydantic_core import PydanticCustomError

from . import rules


def _matching(pattern: str, code: str, detail: str) -> Any:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise PydanticCustomError(code, detail)
        return value

    return AfterValidator(check)


def _money(value: Any) -> Decimal:
    """Accepts a decimal string or a Decimal, never a number: floats do not hold cents."""
    if not isinstance(value, (str, Decimal)):
        raise PydanticCustomError("wrong_type", "must be a decimal string, or a Decimal")
    text = format(value, "f") if isinstance(value, Decimal) else value
    if not _MONEY.fullmatch(text):
        raise PydanticCustomError("invalid_money", "must be an amount with at most two decimals, such as 24.99")
    return Decimal(text)


_MONEY = re.compile(rules.MONEY_PATTERN)
_TIME = re.compile(rules.TIME_PATTERN)


def _time(value: Any) -> datetime:
    if isinstance(value, str):
        if not _TIME.fullmatch(value):
            raise PydanticCustomError("invalid_timestamp", "must be ISO 8601 in UTC, such as 2024-01-15T10:30:00Z")
        main, dot, fraction = re.sub(r"(Z|\+00:00)$", "", value).partition(".")
        return datetime.fromisoformat(main + dot + (fraction + "000000")[:6] * bool(dot)).replace(tzinfo=timezone.utc)
    if not isinstance(value, datetime):
        raise PydanticCustomError("wrong_type", "must be a time string, or a datetime")
    if value.tzinfo is None:
        raise PydanticCustomError("invalid_timestamp", "must have a time zone")
    return value.astimezone(timezone.utc)


def write_time(value: datetime) -> str:
    """ISO 8601 in UTC, as short as it can be."""
    text = value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{value.microsecond:06d}".rstrip("0").rstrip(".")
    return text + fraction + "Z"


def write_money(value: Decimal) -> str:
    return f"{value:.2f}"


class OneOf:
    """A vocabulary: closed for publishers, open for consumers, who meet words that are newer than they are."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        def check(value: str, info: ValidationInfo) -> str:
            consuming = bool(info.context and info.context.get("consuming"))
            if value and value not in self.words and not consuming:
                raise PydanticCustomError("invalid_value", "must be one of {words}", {"words": ", ".join(self.words)})
            return value

        return core_schema.with_info_after_validator_function(check, handler(source))


_printable = _matching(rules.ID_PATTERN, "invalid_value", "must be 1–128 printable characters")
_currency = _matching(rules.CURRENCY_PATTERN, "invalid_value", "must be three capital letters, as in USD")
_no_or_currency = _matching(f"({rules.CURRENCY_PATTERN})?", "invalid_value", "must be three capital letters, as in USD")

Text = StrictStr
RequiredText = Annotated[StrictStr, Field(min_length=1)]
Id = Annotated[StrictStr, Field(min_length=1, max_length=rules.MAX_ID), _printable]
OptionalId = Annotated[StrictStr, Field(max_length=rules.MAX_ID), _printable]
Currency = Annotated[StrictStr, _currency]
OptionalCurrency = Annotated[StrictStr, _no_or_currency]
Integer = Annotated[StrictInt, Field(ge=-rules.MAX_INTEGER, le=rules.MAX_INTEGER)]
NotNegative = Annotated[StrictInt, Field(ge=0, le=rules.MAX_INTEGER)]
Positive = Annotated[StrictInt, Field(ge=1, le=rules.MAX_INTEGER)]
Flag = StrictBool
Money = Annotated[Decimal, BeforeValidator(_money), PlainSerializer(write_money, return_type=str, when_used="json")]
Time = Annotated[datetime, BeforeValidator(_time), PlainSerializer(write_time, return_type=str, when_used="json")]
