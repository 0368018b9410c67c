"""Data on other machines: `gs://`, `s3://` and other URLs that TensorFlow's file system knows are copied once."""

import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path

from seqtasks.errors import UserError

URL = re.compile(r"[a-z][a-z0-9+]+://.+")


def local(name: str) -> str:
    """The local path of data: its own, or that of a copy of the file or folder at a URL.

    The copy is in `$SEQTASKS_CACHE`, or else in `~/.cache/seqtasks`, and is made again if the size or the time of the
    original changes.

    Args:
        name: a path, or a URL such as `gs://bucket/reviews.csv`.

    Raises:
        UserError: if TensorFlow does not know the file system, or there is nothing at the URL.

    Example:
        >>> local("reviews.csv")
        'reviews.csv'
    """
    if not URL.fullmatch(name):
        return name
    import tensorflow as tf

    gfile, errors = tf.io.gfile, tf.errors.OpError
    try:
        if not gfile.exists(name):
            raise UserError("no such file or folder", where=name, remedy="check the URL")
        stat = gfile.stat(name)
        cache = Path(os.environ.get("SEQTASKS_CACHE", Path.home() / ".cache" / "seqtasks"))
        version = hashlib.sha256(f"{name} {stat.length} {stat.mtime_nsec}".encode()).hexdigest()[:16]
        target = cache / version / name.rstrip("/").rsplit("/", 1)[1]
        if target.exists():
            return str(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            copied = Path(folder) / target.name
            _copy(name.rstrip("/"), copied)
            shutil.move(copied, target)
    except (errors, NotImplementedError) as error:
        message = str(getattr(error, "message", error)).splitlines()[0]
        remedy = "copy the data to this machine, or install what TensorFlow needs for it (tensorflow-io)"
        raise UserError(f"cannot be read ({message})", where=name, remedy=remedy) from None
    return str(target)


def _copy(url: str, path: Path) -> None:
    import tensorflow as tf

    if not tf.io.gfile.isdir(url):
        tf.io.gfile.copy(url, str(path))
        return
    path.mkdir()
    for inner in tf.io.gfile.listdir(url):
        _copy(f"{url}/{inner.rstrip('/')}", path / inner.rstrip("/"))
