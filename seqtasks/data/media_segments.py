"""Segments of recordings and clips: `a.wav#t=1.5,3` names the part from 1.5 to 3 seconds of a file."""

import functools
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqtasks.data.columns import find_column
from seqtasks.data.reading import Reading
from seqtasks.data.tables import Record, Records, value_of
from seqtasks.data.values import missing
from seqtasks.errors import UserError

SEGMENT = "#t"  # the column that holds the segment of a record
SAMPLE = 100  # records of JSON in whose fields the columns are looked for
FRAGMENT = re.compile(r"(.+)#t=([0-9.]*)(?:,([0-9.]+))?")
START_NAMES = (
    "start", "start_time", "start_sec", "start_secs", "start_seconds", "start_timestamp", "time_start", "segment_start",
    "t_start", "t-start", "begin", "begin_time", "onset", "offset",
)  # fmt: skip
END_NAMES = (
    "end", "end_time", "end_sec", "end_secs", "end_seconds", "end_timestamp", "time_end", "segment_end", "t_end",
    "t-end", "stop", "stop_time", "stop_timestamp", "finish",
)  # fmt: skip
DURATION_NAMES = ("duration", "duration_sec", "duration_secs", "duration_seconds", "segment_duration")
BOUND, UNIT = "(?:start|end|stop|begin|onset|offset)_?(?:time)?", "(?:ms|msecs?|millis|milliseconds|frames?|samples?)"
OTHER_UNITS = re.compile(f"{BOUND}_?{UNIT}|{UNIT}_{BOUND}", re.IGNORECASE)


@dataclass(frozen=True)
class SegmentColumns:
    """The columns of a table with the start and the end of a segment.

    Values are seconds, or times such as `0:01:02.5`. A missing start is the start of the file, a missing end its end.
    Beside a start, `duration` can take the place of the end; alone it is the length of the file.

    Args:
        start, end: names or numbers (from 1); None looks for usual names.
        start_option, end_option: the options that name them, for messages.
        off: how messages tell to read whole files.
        manifest: the name of a column beside which `duration` alone is the length of the segment; None for no such one.
    """

    start: str | None = None
    end: str | None = None
    start_option: str = "--start_column"
    end_option: str = "--end_column"
    off: str = ""
    manifest: str | None = None

    def found(self, names: Sequence[str], where: str) -> tuple[str | None, str | None, str | None]:
        """The columns with the start, the end and the duration, each None if it is not among the names.

        Raises:
            UserError: if a column that is wanted is not there, or there are columns of another unit alone.

        Example:
            >>> SegmentColumns().found(["path", "offset", "duration"], "a.csv")
            ('offset', None, 'duration')
        """
        start = find_column(names, self.start, START_NAMES, "start", self.start_option, where)
        end = find_column(names, self.end, END_NAMES, "end", self.end_option, where)
        duration = None
        if end is None and (start or self.manifest in names):
            duration = find_column(names, None, DURATION_NAMES, "duration", "", where)
        if not (start or end) and (other := next((name for name in names if OTHER_UNITS.fullmatch(name)), None)):
            given = " and ".join(filter(None, (self.start_option, self.end_option)))
            remedy = f"give seconds with {given}" if given else "give seconds in columns start and end"
            remedy += f", or read whole files with {self.off}" * bool(self.off)
            raise UserError(f"the column {other!r} is not in seconds", where=where, remedy=remedy)
        return start, end, duration


def segment_of(name: str) -> tuple[str, float, float | None]:
    """The file, the start and the end of a name with a segment; the end is None where it is that of the file.

    Example:
        >>> segment_of("a.wav#t=1.5,3"), segment_of("a.wav#t=2"), segment_of("a.wav")
        (('a.wav', 1.5, 3.0), ('a.wav', 2.0, None), ('a.wav', 0.0, None))
    """
    found = FRAGMENT.fullmatch(name)
    if not found or Path(name).exists():
        return name, 0.0, None
    try:
        start, end = float(found[2] or 0), float(found[3]) if found[3] else None
    except ValueError:
        start, end = 1.0, 0.0
    if end is not None and end <= start:
        raise UserError("not a segment", where=name, remedy="give start and end in seconds, such as #t=1.5,3")
    return found[1], start, end


def fragment(start: float, end: float | None) -> str:
    """The end of a name with a segment; empty for a whole file.

    Example:
        >>> fragment(1.5, 3.0), fragment(2.0, None), fragment(0.0, None)
        ('#t=1.5,3', '#t=2', '')
    """
    if not start and end is None:
        return ""
    return f"#t={_plain(start)}" + (f",{_plain(end)}" if end is not None else "")


def _plain(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


def seconds_of(value: Any) -> float:
    """A time in seconds: a number, or hours, minutes and seconds.

    Raises:
        ValueError: if it is neither, or below 0.

    Example:
        >>> seconds_of("12.5"), seconds_of("0:01:02.5"), seconds_of("01:02,5")
        (12.5, 62.5, 62.5)
    """
    try:
        parts = [float(part) for part in str(value).strip().replace(",", ".").split(":")]
    except ValueError:
        raise ValueError(f"not a time: {value!r:.40}") from None
    seconds = sum(part * 60**power for power, part in enumerate(reversed(parts)))
    if len(parts) > 3 or min(parts) < 0 or not math.isfinite(seconds):
        raise ValueError(f"not a time: {value!r:.40}")
    return seconds


def with_segments(records: Records, reading: Reading, columns: SegmentColumns) -> tuple[Records, Reading]:
    """Records with a column `SEGMENT` that holds `fragment` of their segment, and a `Reading` that carries it.

    Args:
        records: the records.
        reading: how they are read.
        columns: the columns with start and end.

    Returns:
        What was given, if there are no such columns.

    Raises:
        UserError: if a column is not there, or there are columns of another unit but none of seconds. A record whose
            segment is not understood is an error in its place.

    Example:
        >>> rows = [(1, {"path": "a.wav", "start": 1.5, "end": "3"}), (2, {"path": "b.wav", "start": 2, "end": 1})]
        >>> records = Records(lambda: iter(rows), "here", ("path", "start", "end"))
        >>> records, _ = with_segments(records, Reading(), SegmentColumns())
        >>> [str(r) if isinstance(r, UserError) else r["#t"] for _, r in records.read()]
        ['#t=1.5,3', 'here:2: the segment ends at 1, but begins at 2; give seconds from the start of the file, or ...']
    """
    first = columns.found(records.names or _first_names(records), records.name)
    if records.names and not any(first):
        return records, reading

    @functools.cache  # records of JSON have names of their own
    def of_names(names: tuple[str, ...]) -> tuple[str | None, ...]:
        return first if records.names or columns.start or columns.end else columns.found(names, records.name)

    def read() -> Iterator[tuple[int | str, Record | UserError]]:
        for place, record in records.read():
            if not isinstance(record, UserError):
                try:
                    record = {**record, SEGMENT: _fragment_of(record, *of_names(records.names or tuple(record)))}
                except ValueError as error:
                    remedy = "give seconds from the start of the file, or hours:minutes:seconds"
                    record = UserError(str(error), where=records.where(place), remedy=remedy)
                except UserError as error:
                    record = error
            yield place, record

    names = (*records.names, SEGMENT) if records.names else ()
    return replace(records, read=read, names=names), replace(reading, carry=(*reading.carry, SEGMENT))


def _first_names(records: Records) -> tuple[str, ...]:
    """The names of the fields of the first records."""
    first = (record for _, record in itertools.islice(records.read(), SAMPLE) if not isinstance(record, UserError))
    return tuple(dict.fromkeys(str(name) for record in first for name in record))


def _fragment_of(record: Record, *columns: str | None) -> str:
    values = [value_of(record, name) if name else None for name in columns]
    start, end, duration = (None if missing(v) or not str(v).strip() else seconds_of(v) for v in values)
    begin = start or 0.0
    if end is None and duration is not None:
        end = begin + duration
    if end is not None and end <= begin:
        raise ValueError(f"the segment ends at {_plain(end)}, but begins at {_plain(begin)}")
    return fragment(begin, end)
