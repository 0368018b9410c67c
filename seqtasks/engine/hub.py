"""Runs on the Hugging Face hub: `seqtasks push` and `seqtasks pull`."""

import fnmatch
import shutil
from pathlib import Path
from typing import Any

from seqtasks.atomic_files import whole_folder
from seqtasks.engine.run import Run
from seqtasks.engine.run_folder import MANIFEST, RESULTS, SETUP, is_run
from seqtasks.errors import UserError, needs
from seqtasks.report.model_card import model_card

SCHEME = "hf://"
FILES = (*SETUP, *RESULTS, MANIFEST, "report.html")  # of a model; checkpoints and logs are of a training
CALL = """```sh
pip install seqtasks
seqtasks pull {address} model
seqtasks predict model "an input"
```"""


def repository(address: str) -> str:
    """The name of a repository, from its address.

    Raises:
        UserError: if it is no such address.

    Example:
        >>> repository("hf://someone/reviews")
        'someone/reviews'
    """
    name = address.removeprefix(SCHEME)
    parts = name.split("/")
    if not address.startswith(SCHEME) or len(parts) > 2 or not all(parts):
        raise UserError("not an address of a model", where=address, remedy="write hf://NAME or hf://OWNER/NAME")
    return name


def push(run: Run, address: str, public: bool = False, license: str = "") -> str:
    """Upload a run with a model card, in one commit; a repository that does not exist is made.

    What only a training needs, its checkpoints and logs, is left out.

    Args:
        run: the run.
        address: `hf://OWNER/NAME`.
        public: whether a new repository can be seen by everyone.
        license: for the card.

    Returns:
        The URL of the commit.

    Raises:
        UserError: if the hub refuses, or the run has not finished.
    """
    needs("huggingface_hub", extra="hub")
    from huggingface_hub import CommitOperationAdd, HfApi

    name = repository(address)
    fields, call = run.recipe.card(run.config), CALL.format(address=address)
    card = model_card(run.directory, run.recipe.summary, fields, call, license)
    files = [path for path in sorted(run.directory.rglob("*")) if path.is_file()]
    names = {path.relative_to(run.directory).as_posix(): path for path in files}
    kept = {n: p for n, p in names.items() if _matches(n, FILES)}
    added = [CommitOperationAdd(n, p) for n, p in kept.items()]
    added.append(CommitOperationAdd("README.md", card.encode()))
    api = HfApi()
    with _told(address):
        made = api.create_repo(name, private=not public, exist_ok=True)
        done = api.create_commit(made.repo_id, added, commit_message=f"{run.recipe.name} by seqtasks")
    return str(done.commit_url)


def pull(address: str, directory: str | Path) -> Path:
    """Download a run.

    Args:
        address: `hf://OWNER/NAME`.
        directory: where to; it must not exist.

    Raises:
        UserError: if there is no such model, it is no run, or the directory exists.
    """
    needs("huggingface_hub", extra="hub")
    from huggingface_hub import snapshot_download

    name, directory = repository(address), Path(directory)
    if directory.exists():
        raise UserError("exists already", where=directory, remedy="take another directory")
    with whole_folder(directory) as temporary:
        with _told(address):
            snapshot_download(name, local_dir=temporary)
        shutil.rmtree(temporary / ".cache", ignore_errors=True)
        if not is_run(temporary):
            raise UserError("is no run of seqtasks", where=address, remedy="name a model that `seqtasks push` made")
    return directory


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


class _told:
    """Errors of the hub and of the network in one line.

    Args:
        address: what they are about.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

        if isinstance(error, LocalTokenNotFoundError):
            raise UserError("you are not logged in", where=self.address, remedy="hf auth login") from None
        if isinstance(error, HfHubHTTPError | OfflineModeIsEnabled | OSError | ValueError):
            what = f"the hub says: {(str(error).strip().splitlines() or [kind.__name__])[0]}"
            remedy = "check the name, the connection, and `hf auth whoami`"
            raise UserError(what, where=self.address, remedy=remedy) from None
