"""Runs on the hub: a dictionary takes the place of its repositories, behind the functions of huggingface_hub."""

import json

import huggingface_hub
import pytest

import seqtasks
from seqtasks.cli.main import main
from seqtasks.engine.hub import repository
from seqtasks.errors import UserError


@pytest.fixture
def hub(monkeypatch):
    """The files of each repository of a hub: {name: {path: content}}."""
    repositories = {}

    class Api:
        def create_repo(self, name, private, exist_ok):
            assert private and exist_ok
            repositories.setdefault(f"me/{name}" if "/" not in name else name, {})
            return type("Url", (), {"repo_id": f"me/{name}" if "/" not in name else name})

        def create_commit(self, name, operations, commit_message):
            for each in operations:
                with each.as_file() as file:
                    repositories[name][each.path_in_repo] = file.read()
            return type("Commit", (), {"commit_url": f"https://hub/{name}/commit/1"})

    def download(name, local_dir):
        if name not in repositories:
            raise OSError(f"404 Client Error: no repository {name}")
        for path, content in repositories[name].items():
            (local_dir / path).parent.mkdir(parents=True, exist_ok=True)
            (local_dir / path).write_bytes(content)
        (local_dir / ".cache" / "huggingface").mkdir(parents=True)

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return repositories


def test_a_run_that_is_pushed_and_pulled_answers_alike(hub, small_run, tmp_path, capsys):
    assert main(["push", str(small_run.directory), "hf://me/reviews", "--license", "mit"]) == 0
    assert json.loads(capsys.readouterr().out) == {"pushed": "https://hub/me/reviews/commit/1"}
    files = hub["me/reviews"]
    assert "model.keras" in files and "encoder/words.txt" in files and not any("checkpoints" in f for f in files)
    assert b"license: mit" in files["README.md"] and b"seqtasks pull hf://me/reviews model" in files["README.md"]
    assert main(["pull", "hf://me/reviews", str(tmp_path / "new" / "run")]) == 0
    assert json.loads(capsys.readouterr().out) == {"run": str(tmp_path / "new" / "run")}
    pulled, texts = seqtasks.load_run(tmp_path / "new" / "run"), ["a fine film", "boring"]
    assert pulled.predict(texts) == seqtasks.load_run(small_run.directory).predict(texts)
    assert not (pulled.directory / ".cache").exists()
    assert main(["pull", "hf://me/reviews", str(tmp_path / "new" / "run")]) == 2
    assert "run: exists already; take another directory" in capsys.readouterr().err


def test_what_is_no_run_is_not_kept(hub, tmp_path, capsys):
    hub["me/bert"] = {"config.json": b"{}"}
    assert main(["pull", "hf://me/bert", str(tmp_path / "new" / "run")]) == 2
    assert "hf://me/bert: is no run of seqtasks; name a model that `seqtasks push` made" in capsys.readouterr().err
    assert main(["pull", "hf://me/nothing", str(tmp_path / "new" / "run")]) == 2
    assert "hf://me/nothing: the hub says: 404 Client Error: no repository me/nothing; " in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("address", ["me/reviews", "hf://", "hf://a/b/c", "https://huggingface.co/me/x"])
def test_other_addresses_are_refused(address):
    with pytest.raises(UserError, match="not an address of a model; write hf://NAME or hf://OWNER/NAME"):
        repository(address)
