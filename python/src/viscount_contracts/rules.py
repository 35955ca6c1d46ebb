# Generated from the Go contracts by `make generate`; change those instead.

"""Limits and patterns of values. Patterns match a whole text."""

MAX_ID = 128
MAX_INTEGER = 9007199254740992
ID_PATTERN = "^[^\\x00-\\x1f\\x7f-\\xa0\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890-\u0891\u08e2\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ue000-\uf8ff\ufdd0-\ufdef\ufeff\ufff0-\ufffb\ufffe-\uffff\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f\U000f0000-\U0010ffff]*$"
MONEY_PATTERN = "^[0-9]{1,13}(\\.[0-9]{1,2})?$"
CURRENCY_PATTERN = "^[A-Z]{3}$"
SERVICE_PATTERN = "^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
VERSION_PATTERN = "^(0|[1-9][0-9]{0,5})\\.(0|[1-9][0-9]{0,5})$"
UUID_PATTERN = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
TIME_PATTERN = "^([1-9][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))|([1-9][0-9](0[48]|[2468][048]|[13579][26])|([2468][048]|[13579][26])00)-02-29)T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]+)?(Z|\\+00:00)$"

# What the envelope's fields mean.
ENVELOPE = {
    "event_id": "Unique to the event; a repetition has no effect.",
    "correlation_id": "Kept through all that follows from one cause; an order has one for life.",
    "timestamp": "When it happened, in the publisher's clock.",
    "source_service": "Who publishes it, in kebab-case.",
    "event_version": "Version of the contract, MAJOR.MINOR.",
    "event_type": "What happened, as domain.action.",
    "data": "What the contract of its type says.",
}
