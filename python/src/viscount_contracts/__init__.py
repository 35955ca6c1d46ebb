"""First Viscount's event contracts: typed events, both dialects in, one out."""

from . import contracts
from .contracts import *
from .contracts import CONTRACTS, MAJORS
from .event import Contract, Data, Envelope, Event, InvalidEvent, Metadata, Problem
from .wire import new_event, parse

__all__ = ["CONTRACTS", "MAJORS", "Contract", "Data", "Envelope", "Event", "InvalidEvent", "Metadata", "Problem", "new_event", "parse"]
__all__ += contracts.__all__
