"""Assets of a run: the class of each file, and missing files."""

import pytest

from seqtasks.data.token_ids import SPECIAL_TOKENS
from seqtasks.data.vocabulary import Vocabulary
from seqtasks.errors import UserError
from seqtasks.text.assets import asset_class, load_assets
from seqtasks.text.tokenizer import KINDS, Tokenizer

SCORES = {"bpe": [0.0] * 5, "unigram": [0.0] * 5}
TOKENIZERS = [Tokenizer(kind, [*SPECIAL_TOKENS, "a"], SCORES.get(kind)) for kind in KINDS]


@pytest.mark.parametrize("asset", [Vocabulary([]), Vocabulary(["{", "}"]), Vocabulary(["a\nb"]), *TOKENIZERS])
def test_class_of_a_file_is_that_of_the_asset(asset, tmp_path):
    asset.save(tmp_path / "asset.txt")
    assert asset_class(tmp_path / "asset.txt") is type(asset)
    loaded = load_assets(str(tmp_path))
    assert list(loaded) == ["asset"] and loaded["asset"].text() == asset.text()


def test_files_are_read_in_alphabetical_order_and_others_ignored(tmp_path):
    for name in ("target", "source", "labels"):
        Vocabulary([name]).save(tmp_path / f"{name}.txt")
    (tmp_path / "notes.md").write_text("no asset")
    assert {name: asset.tokens for name, asset in load_assets(tmp_path).items()} == {
        "labels": ["labels"],
        "source": ["source"],
        "target": ["target"],
    }


def test_missing_file_is_reported(tmp_path):
    assets = load_assets(tmp_path)
    assert assets.get("tokens") is None
    with pytest.raises(UserError) as error:
        assets["tokens"]
    assert str(error.value) == f"{tmp_path / 'tokens.txt'}: no such file; copy the whole run again, or train a new one"


def test_invalid_line_is_reported(tmp_path):
    (tmp_path / "labels.txt").write_text('"a"\nb\n', "utf-8")
    with pytest.raises(UserError, match="labels.txt:2: not a token: 'b'"):
        load_assets(tmp_path)
