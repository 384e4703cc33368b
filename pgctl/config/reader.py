"""A document under a cursor: typed leaves by place, and every fault gathered on the way instead of raised. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pgctl.model import addresses
from pgctl.model import document as documents
from pgctl.units import parse_bool, parse_bytes, parse_int


class Fault(NamedTuple):
    """What is wrong at a place such as `postgresql.listen`; an error keeps the agent from starting."""

    place: str
    message: str
    hint: str = ""
    error: bool = True


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads `document`; what cannot be used becomes a Fault and the default."""

    document: Mapping[str, Any]
    faults: list[Fault] = field(default_factory=list)

    def fault(self, place: str, message: str, hint: str = "", *, error: bool = True) -> None:
        self.faults.append(Fault(place, message, hint, error))

    def faulty(self, place: str) -> bool:
        return any(fault.place == place for fault in self.faults)

    def raw(self, place: str) -> Any:
        """The value at a dotted place; None when absent or when a section on the way is no mapping."""
        found: Any = self.document
        for name in place.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    def section(self, place: str) -> Mapping[str, Any]:
        value = self.raw(place)
        if value and documents.mapping(value) is None:
            self.fault(place, "must be a mapping of names to values")
        return documents.mapping(value) or {}

    def text(self, place: str, default: str = "") -> str:
        value = self.raw(place)
        if isinstance(value, (Mapping, list)):
            self.fault(place, "must be a text")
            return default
        return default if value is None or value == "" else str(value)

    def needed(self, place: str) -> str:
        value = self.text(place)
        if not value and not self.faulty(place):
            self.fault(place, "is missing")
        return value

    def number(self, place: str, default: int, least: int | None = None) -> int:
        value = self.raw(place)
        if value is None or value == "":
            return default
        try:
            number = parse_bytes(value) if isinstance(value, str) else parse_int(value)
        except (ValueError, OverflowError):
            self.fault(place, f'must be a number, not "{value}"')
            return default
        if least is not None and number < least:
            self.fault(place, f"must be at least {least}, not {number}")
            return default
        return number

    def flag(self, place: str, default: bool = False) -> bool:
        value = self.raw(place)
        if value is None or value == "":
            return default
        parsed = parse_bool(value)
        if parsed is None:
            self.fault(place, f'must be true or false, not "{value}"')
        return default if parsed is None else parsed

    def texts(self, place: str) -> tuple[str, ...]:
        """A list of texts, or comma text."""
        value = self.raw(place)
        if isinstance(value, Mapping):
            self.fault(place, "must be a list")
            return ()
        items = value if isinstance(value, list) else str(value).split(",") if value else []
        return tuple(str(item).strip() for item in items if str(item).strip())

    def items(self, place: str) -> tuple[Any, ...]:
        """The items of a list as they are."""
        value = self.raw(place)
        if value and not isinstance(value, list):
            self.fault(place, "must be a list")
            return ()
        return tuple(value or ())

    def mapped(self, place: str) -> dict[str, str]:
        """A mapping of texts to texts."""
        return {key: "" if value is None else str(value) for key, value in self.section(place).items()}

    def address(self, place: str, port: int) -> tuple[str, int] | None:
        """host and port; `*` and no host are both the empty host. None with a fault when it is no address."""
        text = self.text(place)
        pair = addresses.split(f"*{text}" if text.startswith(":") and text.count(":") == 1 else text, port)
        if text and pair is None:
            self.fault(place, f'must be host:port, not "{text}"')
        return pair and ("" if pair[0] == "*" else pair[0], pair[1])

    def pair(self, place: str) -> tuple[str, str]:
        """username and password of an `authentication`: both or none."""
        self.section(place)
        username, password = self.text(f"{place}.username"), self.text(f"{place}.password")
        if bool(username) != bool(password):
            given, other = ("username", "password") if username else ("password", "username")
            self.fault(f"{place}.{other}", f"is missing, and {given} is given", "Give both or none.")
        return username, password
