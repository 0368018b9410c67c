"""The folder of a run: whose it is, which files are the run's, and whether they are as the run wrote them.

`manifest.json` is the first file of a run. It holds the SHA-256 of each file that decides about the answers or the
report. A list of them is written before the last of the files that it lists, so that a run that is killed at any time
is either unfinished or whole.
"""

import contextlib
import fnmatch
import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from seqtasks.atomic_files import TEMPORARY, cannot_write, write_json, write_text
from seqtasks.errors import UserError
from seqtasks.yaml_files import read_yaml

try:
    import fcntl
except ImportError:  # where there are no such locks
    fcntl = None  # type: ignore[assignment]

MANIFEST, LOCK = "manifest.json", ".lock"
OPENED = "config.yaml", "recipe.py", "encoder/*.txt"  # what is read when a run is opened
SETUP = (*OPENED, "environment.json")
RESULTS = "model.keras", "metrics.json", "history.csv", "mistakes.json", "sections.json", "gradient_flow.csv"
BESIDE = "checkpoints/*.npz", "logs/events.*", "report.html"  # not in the manifest
ALWAYS = MANIFEST, LOCK, TEMPORARY
FOLDS, VARIANTS = "folds.json", "runs.json"  # in a folder of runs that one command made: what lists them
FOLDERS = "encoder", "checkpoints", "logs"
COPY = "copy the whole run again, or train a new one"


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: Path) -> Any:
    """The value in a JSON file of a run.

    Raises:
        UserError: if it is not JSON, or not UTF-8.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError):
        raise UserError("not JSON", where=path, remedy=COPY) from None


def manifest(directory: Path) -> dict[str, Any] | None:
    """What `manifest.json` holds: `files`, {name: SHA-256}, and `runs`, names of the runs in a folder of them.

    Returns:
        None if there is none, as in runs of older versions.

    Raises:
        UserError: if it is damaged.
    """
    path = directory / MANIFEST
    if not path.is_file():
        return None
    found = read_json(path)
    files, runs = (found.get("files"), found.get("runs", [])) if isinstance(found, dict) else (None, None)
    if not isinstance(files, dict) or not isinstance(runs, list) or not all(type(x) is str for x in [*files, *runs]):
        raise UserError("not the manifest of a run", where=path, remedy=COPY)
    return {"files": files, "runs": runs}


def check(directory: Path, *patterns: str) -> bool:
    """Check that files of a run are as the run wrote them.

    Args:
        directory: the run.
        patterns: of the names of the files; those that the manifest does not list are not checked, but files of
            `encoder/` that a finished run does not list are refused.

    Returns:
        Whether there is a manifest; otherwise it warns.

    Raises:
        UserError: naming the file that is missing, or differs.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "model.keras").write_text("weights")
        >>> seal(folder)
        >>> check(folder, "model.keras")
        True
        >>> _ = (folder / "model.keras").write_text("other weights")
        >>> check(folder, "model.keras")
        Traceback (most recent call last):
        seqtasks.errors.UserError: ...model.keras: not as the run wrote it (its SHA-256 differs); copy the whole run ...
    """
    known = manifest(directory)
    if known is None:
        count = sum(_matches(name, *SETUP, *RESULTS) for name in _files(directory))
        warnings.warn(
            f"{directory}: no {MANIFEST} (a run of an older version?): its {count} files are used unchecked",
            stacklevel=3,
        )
        return False
    for name, sha256 in known["files"].items():
        if not _matches(name, *patterns):
            continue
        path = directory / name
        if not path.is_file():
            raise UserError("is missing", where=path, remedy=COPY)
        if digest(path) != sha256:
            what, remedy = "not as the run wrote it (its SHA-256 differs)", "copy the whole run again"
            raise UserError(what, where=path, remedy=f"{remedy}; if the change is meant, delete {MANIFEST}")
    if "metrics.json" in known["files"]:
        for path in directory.glob("encoder/*.txt"):
            if f"encoder/{path.name}" not in known["files"]:
                raise UserError("not a file of the run", where=path, remedy="remove it, or copy the whole run again")
    return True


def checked_json(directory: Path, name: str) -> Any:
    """The value in a JSON file of a run that is as the run wrote it.

    Raises:
        UserError: if it is missing, differs, or is not JSON.
    """
    check(directory, name)
    if not (directory / name).is_file():
        raise UserError("is missing", where=directory / name, remedy=COPY)
    return read_json(directory / name)


def seal(directory: Path, last: Mapping[str, str] | None = None, forget: Iterable[str] = ()) -> None:
    """Write the manifest of the files of a run, and after it files that make the run complete.

    Args:
        directory: the run.
        last: None, or {name: text} of files that are written after it.
        forget: names of files that are not listed, because they are about to change.
    """
    names = sorted(name for name in _files(directory) if _matches(name, *SETUP, *RESULTS))
    files = {name: digest(directory / name) for name in names if name not in {*forget, *(last or {})}}
    files |= {name: hashlib.sha256(text.encode()).hexdigest() for name, text in (last or {}).items()}
    write_json(directory / MANIFEST, {"version": 1, "files": files})
    for name, text in (last or {}).items():
        write_text(directory / name, text)


def is_unbegun(directory: Path) -> bool:
    """Whether a folder is empty, or holds a run that was stopped before its `config.yaml` was written.

    Example:
        >>> import tempfile
        >>> is_unbegun(Path(tempfile.mkdtemp()))
        True
    """
    if not directory.is_dir():
        return False
    early = ("recipe.py", "environment.json", "encoder/*.txt") if (directory / MANIFEST).is_file() else ()
    return all(_matches(name, *ALWAYS, *early) for name in _files(directory))


def is_run(directory: Path) -> bool:
    """Whether a directory is a run: its `config.yaml` names a recipe."""
    path = directory / "config.yaml"
    if known := manifest(directory):  # without it in the list, another run was about to replace the one that is there
        return path.name in known["files"] and not is_unbegun(directory)
    return path.is_file() and "recipe" in read_yaml(path)


def runs_in(directory: Path) -> list[str]:
    """The names of the runs in a folder that one command made, such as a cross-validation; else none."""
    found = next((directory / name for name in (VARIANTS, FOLDS) if (directory / name).is_file()), None)
    listed = read_json(found) if found else {}
    runs = listed.get("runs", []) if isinstance(listed, dict) else []
    if not isinstance(runs, list) or not all(isinstance(n, str) and n == Path(n).name for n in runs):
        raise UserError("does not list runs", where=found or directory, remedy=COPY)
    return runs


def check_free(directory: Path, overwrite: bool, reads: Iterable[Any] = (), kind: str = "run") -> None:
    """Raise `UserError` if a run would be overwritten unasked, or something else than a run.

    Args:
        directory: of the run to be.
        overwrite: whether a run in it may be replaced.
        reads: what the training reads; paths among it must not be in the folder.
        kind: what is replaced: `run`, or the kind of a folder of runs.
    """
    if not os.path.lexists(directory) or is_unbegun(directory):
        return
    if not directory.is_dir():
        raise UserError("is a file", where=directory, remedy="take another --run")
    if not overwrite:
        resumed = " (or --resume to continue it)" * (kind != "cross-validation")
        raise UserError("exists already", where=directory, remedy=f"take another --run, or add --overwrite{resumed}")
    known = manifest(directory)
    if known is None or bool(known["runs"]) == (kind == "run"):
        what = f"is {'not a' if kind == 'run' else 'no'} {kind}, so it is not overwritten"
        what += f" (no {MANIFEST})" * (known is None and (directory / "config.yaml").is_file())
        raise UserError(what, where=directory, remedy="take another --run")
    for path in _paths(reads):
        if directory.resolve() in (path, *path.parents):
            what = f"holds {path}, which the training reads: nothing is overwritten"
            raise UserError(what, where=directory, remedy="take another --run")
    own = set(_own(directory))
    for name in sorted(_files(directory)):
        if name not in own:
            what = f"holds {name}, which is kept: nothing is overwritten"
            raise UserError(what, where=directory, remedy="take another --run")


@contextlib.contextmanager
def beginning(
    directory: Path, overwrite: bool = False, reads: Iterable[Any] = (), kind: str = "run", runs: Iterable[str] = ()
) -> Iterator[None]:
    """A context in which a new run is written; it removes the run that was in the folder.

    Args:
        directory, overwrite, reads, kind: as of `check_free`.
        runs: of a folder of runs their names.

    Raises:
        UserError: if the folder is not free, another process trains in it, or it cannot be written.
    """
    with locked(directory):
        check_free(directory, overwrite, reads, kind)
        old = [name for name in _files(directory) if name != LOCK]
        first = {"version": 1, "files": {}} | ({"runs": list(runs)} if runs else {})
        write_json(directory / MANIFEST, first)
        try:
            for name in (name for name in old if name != MANIFEST):
                (directory / name).unlink()
            for folder in sorted({parent for name in old for parent in Path(name).parents} - {Path()}, reverse=True):
                with contextlib.suppress(OSError):  # a folder that the run did not make is in it
                    (directory / folder).rmdir()
        except OSError as error:
            raise cannot_write(directory, error) from None
        yield


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """A context in which no other process trains in a folder, which is made if there is none.

    The lock is that of the operating system: it ends with the process, so that the `.lock` of one that was killed keeps
    nobody out.

    Raises:
        UserError: if another process holds it, or the folder cannot be written.
    """
    made = not directory.exists()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = _lock(directory)
    except OSError as error:
        raise cannot_write(directory, error) from None
    try:
        yield
    finally:
        (directory / LOCK).unlink(missing_ok=True)
        os.close(file)
        if made:
            with contextlib.suppress(OSError):  # it is not empty
                directory.rmdir()


def _lock(directory: Path) -> int:
    path = directory / LOCK
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            if fcntl:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(file, 20).decode("ascii", "replace")
            os.close(file)
            what = f"another process trains in it{f' ({holder})' * bool(holder)}"
            raise UserError(what, where=directory, remedy="wait until it has ended, or take another --run") from None
        except OSError:  # a file system without locks
            return file
        if path.exists() and os.fstat(file).st_ino == path.stat().st_ino:  # else the one before has just removed it
            os.ftruncate(file, 0)
            os.write(file, f"process {os.getpid()}".encode())
            return file
        os.close(file)


def _files(directory: Path) -> Iterator[str]:
    """The names of all files and links in a folder, relative to it; those behind links are not."""
    for folder, folders, files in os.walk(directory):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in (*files, *links):
            yield Path(folder, name).relative_to(directory).as_posix()


def _own(directory: Path) -> Iterator[str]:
    """Those files in a folder that the run, or the runs in it, wrote. A run writes no links."""
    known = manifest(directory)
    if known is None or directory.is_symlink():
        return
    finished = "metrics.json" in known["files"]
    unlisted = (FOLDS, VARIANTS) if known["runs"] else BESIDE if finished else (*BESIDE, *SETUP, *RESULTS)
    for name in _files(directory):
        if (name in known["files"] or _matches(name, *ALWAYS, *unlisted)) and not (directory / name).is_symlink():
            yield name
    for run in known["runs"]:
        if run == Path(run).name and (directory / run).is_dir():
            yield from (f"{run}/{name}" for name in _own(directory / run))


def _matches(name: str, *patterns: str) -> bool:
    """Whether the name of a file in a run is one of some patterns, in which `*` stands for no slash."""
    found = (p for p in patterns if fnmatch.fnmatchcase(name, p) and name.count("/") == p.count("/"))
    return (TEMPORARY in patterns and fnmatch.fnmatchcase(Path(name).name, TEMPORARY)) or any(found)


def _paths(values: Iterable[Any]) -> Iterator[Path]:
    """The paths that exist among values, which may name several with commas between them, or a pattern."""
    for value in values:
        if isinstance(value, str | os.PathLike):
            for part in (os.fspath(value), *str(value).split(",")):
                path = Path(os.path.abspath(part.strip()))
                path = next((p for p in (path, *path.parents) if p.exists()), path) if "*" in part else path
                if part.strip() and path.exists():
                    yield path.resolve()
