"""Files of a run, each written under a temporary name and renamed, so that none is ever half there."""

import contextlib
import csv
import errno
import io
import json
import os
from pathlib import Path

from seqtasks.errors import UserError


@contextlib.contextmanager
def replacing(path):
    """A temporary path beside `path` that takes its name when the block ends well, and vanishes when not.

    Raises:
        UserError: if the disk is full.

    Example:
        >>> import tempfile
        >>> with replacing(Path(tempfile.mkdtemp()) / "a.txt") as temporary:
        ...     _ = temporary.write_text("whole")
    """
    path = Path(path)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise full(path) from None
        raise
    finally:
        temporary.unlink(missing_ok=True)


def full(path):
    return UserError(
        "no space left on the device", where=path, remedy="free some space; a training goes on with --resume"
    )


def write_text(path, text):
    with replacing(path) as temporary:
        temporary.write_text(text, "utf-8")


def write_json(path, value):
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_csv(path, rows):
    """Rows (dicts) as a table; the columns are all that appear, in the order of their first appearance."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, buffer.getvalue())
