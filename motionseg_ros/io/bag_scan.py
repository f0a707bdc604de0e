"""Scan a storage file without its index for every message that is whole.

A recorder that was killed leaves an MCAP file without footer or a SQLite file with lost pages; a copy that
was cut off ends anywhere. Only the ends of such files are lost: what comes before is read here in file order.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Collection, Generator, Iterator
from io import BytesIO
from pathlib import Path
from sqlite3 import DatabaseError, connect
from typing import BinaryIO, NamedTuple

import lz4.frame
import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Message, Schema

_MAGIC = b"\x89MCAP0\r\n"
_MAX_RECORD = 1 << 31
_UNREADABLE = (McapError, struct.error, UnicodeDecodeError, zstandard.ZstdError, RuntimeError, EOFError)


class BagTopic(NamedTuple):
    """One topic of a recording."""

    name: str
    msgtype: str
    count: int


class BagMessage(NamedTuple):
    """One serialised message; `timestamp` is the recorder's, ns, `data` is CDR."""

    topic: str
    msgtype: str
    timestamp: int
    data: bytes


class ScannedFile:
    """A storage file read from its beginning. Opening it reads it once through, to count messages.

    `damage` says what ended the scan, or is None where the file proved whole.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.damage: str | None = None
        counts: Counter[tuple[str, str]] = Counter()
        times: list[int] = []
        for message in self.messages(()):
            counts[message.topic, message.msgtype] += 1
            times = [min([*times[:1], message.timestamp]), max([*times[1:], message.timestamp])]
        self.topics = tuple(BagTopic(topic, kind, count) for (topic, kind), count in sorted(counts.items()))
        self.span = (times[0], times[1]) if times else None

    def messages(self, topics: Collection[str]) -> Iterator[BagMessage]:
        """Messages of the given topics (all without any), in the order of the file."""
        scan = _scan_sqlite if self._path.suffix == ".db3" else _scan_mcap
        messages = scan(self._path)
        while True:
            try:
                message = next(messages)
            except StopIteration as stop:
                self.damage = stop.value
                return
            if not topics or message.topic in topics:
                yield message

    def close(self) -> None:
        """Nothing stays open between scans."""


def _scan_mcap(path: Path) -> Generator[BagMessage, None, str | None]:
    """Yield whole messages; returns what is wrong with the file, or None."""
    schemas: dict[int, Schema] = {}
    channels: dict[int, Channel] = {}
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            return "it is no MCAP file"
        try:
            for opcode, data, whole in _flat_records(file):
                stream = ReadDataStream(BytesIO(data))
                if not whole:
                    return f"it ends inside a record at byte {path.stat().st_size}"
                if opcode == Opcode.FOOTER:
                    return None
                if opcode == Opcode.SCHEMA:
                    schema = Schema.read(stream)
                    schemas[schema.id] = schema
                elif opcode == Opcode.CHANNEL:
                    channel = Channel.read(stream)
                    channels[channel.id] = channel
                elif opcode == Opcode.MESSAGE:
                    message = Message.read(stream, len(data))
                    known = channels.get(message.channel_id)
                    if known is not None and known.message_encoding == "cdr" and known.schema_id in schemas:
                        msgtype = schemas[known.schema_id].name
                        yield BagMessage(known.topic, msgtype, message.log_time, message.data)
        except _UNREADABLE:
            return f"a record before byte {file.tell()} is unreadable"
    return "its end is missing"


def _flat_records(file: BinaryIO) -> Iterator[tuple[int, bytes, bool]]:
    """Records with those of chunks in place of the chunks."""
    for opcode, content, whole in _records(file):
        if opcode != Opcode.CHUNK:
            yield opcode, content, whole
            continue
        yield from _records(BytesIO(_unpack_chunk(content)))
        if not whole:
            yield opcode, b"", False


def _records(file: BinaryIO) -> Iterator[tuple[int, bytes, bool]]:
    """(opcode, content, whole) of MCAP records; only the last can be less than whole."""
    while len(head := file.read(9)) == 9:
        opcode, length = struct.unpack("<BQ", head)
        content = file.read(min(length, _MAX_RECORD))
        yield opcode, content, len(content) == length
        if len(content) < length:
            return


def _unpack_chunk(content: bytes) -> bytes:
    """The records of a chunk; of a chunk that is cut off, those that come before the cut."""
    if len(content) < 32:
        return b""
    (name_length,) = struct.unpack_from("<I", content, 28)
    compression = content[32 : 32 + name_length].decode()
    data = content[40 + name_length :]
    if compression == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    if compression == "lz4":
        return lz4.frame.LZ4FrameDecompressor().decompress(data)
    return data


def _scan_sqlite(path: Path) -> Generator[BagMessage, None, str | None]:
    """Yield messages in the order in which they were stored; returns what is wrong with the file, or None."""
    connection = connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)
    try:
        # Without this, SQLite refuses a file that is shorter than its header says. Nothing is written.
        connection.execute("PRAGMA writable_schema=ON")
        names = {row[0]: (row[1], row[2]) for row in connection.execute("SELECT id, name, type FROM topics")}
        for topic, timestamp, data in connection.execute("SELECT topic_id, timestamp, data FROM messages"):
            if topic in names:
                yield BagMessage(*names[topic], timestamp, data)
    except DatabaseError as error:
        return str(error)
    finally:
        connection.close()
    return None
