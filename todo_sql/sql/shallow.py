"""Cuts a protobuf message off in the depth, where it is nested too deeply to be read. Pure."""

from __future__ import annotations

from typing import Any

_LEVELS = 90  # protobuf reads 100
_VARINT, _LONG, _BYTES, _SHORT = 0, 1, 2, 5
_FIXED = {_LONG: 8, _SHORT: 4}


def shallow(data: bytes, descriptor: Any, levels: int = _LEVELS) -> bytes:
    """Return a message without what lies deeper than a number of levels.

    A part that would be left without its content is left out as a whole, so that what
    remains is a message as any other.
    """
    fields = descriptor.fields_by_number
    parts: list[bytes] = []
    at = 0
    while at < len(data):
        begin = at
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire != _BYTES:
            at = _varint(data, at)[1] if wire == _VARINT else at + _FIXED[wire]
            parts.append(data[begin:at])
            continue
        head = data[begin:at]
        length, at = _varint(data, at)
        inner = data[at : at + length]
        at += length
        below = fields[tag >> 3].message_type
        if below is not None:
            if levels < 2 and inner:
                continue
            inner = shallow(inner, below, levels - 1)
            if length and not inner:
                continue
        parts += (head, _encoded(len(inner)), inner)
    return b"".join(parts)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _encoded(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
