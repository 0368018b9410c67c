"""Recipes beside sentiment that start from language models."""

import numpy as np
import pytest
import tensorflow as tf

import seqtasks
from seqtasks.errors import UserError
from tests.untrained import untrained

pytestmark = pytest.mark.usefixtures("no_reports")
SENTENCES = ["Anna lives in Paris .", "Bob went to London yesterday .", "The firm Acme hired Carla ."]
TAGS = ["B-PER O O B-LOC O", "B-PER O O B-LOC O O", "O O B-ORG O B-PER O"]
NER = [{"tokens": s.split(), "tags": t.split()} for s, t in zip(SENTENCES, TAGS, strict=True)]
DNA = [(s, label) for s, label in (("ACGTACGT", "a"), ("TTTTGGGG", "b"), ("ACGAACGA", "a"), ("GTTTGGTT", "b"))]
TINY = {"units": 6, "dimension": 5, "layers": 1, "epochs": 1, "batch_size": 4, "gradient_flow": False}


def splits(rows):
    return {"train": rows, "valid": rows, "test": rows}


def model_of(texts, folder, **fields):
    """A language model of letters, with the weights it begins with."""
    options = {**TINY, "document": "line", **fields}
    return str(untrained("language_model", folder, **splits(texts), **options).directory)


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    folder = tmp_path_factory.mktemp("letters")
    return [model_of(SENTENCES, folder / d, direction=d) for d in ("forward", "backward")]


def test_ner_reads_the_states_at_the_ends_of_tokens(letters, tmp_path):
    options = {"units": 8, "dimension": 8, "affixes": 64, "epochs": 1, "batch_size": 2, "window": 0}
    given = {"pretrained": ",".join(letters), "gradient_flow": False, "quiet": True, **options}
    run = seqtasks.train("ner", **splits(NER), run=tmp_path / "run", **given)
    text = "Bob lives in Paris ."
    features = run.predictor.encode(tf.constant([text]))
    read = run.assets["pretrained"].tokenizer.decode(features["text_letters"])
    assert read.numpy().tolist() == [text.encode()]
    firsts, lasts = (features[name].to_list()[0] for name in ("first_letters", "last_letters"))
    assert [text[a - 1 : b] for a, b in zip(firsts, lasts, strict=True)] == text.split()
    sources = [seqtasks.load_run(path) for path in letters]
    for source, name in zip(sources, ("forward", "backward"), strict=True):
        kept, before = (
            model.get_layer(layer).cell.get_weights()
            for model, layer in ((run.model, f"pretrained_{name}_1"), (source.model, "recurrent_1"))
        )
        for one, other in zip(kept, before, strict=True):
            np.testing.assert_array_equal(one, other)
    answers = run.predict([text, "Carla"])
    serve = tf.saved_model.load(str(run.export(tmp_path / "export", check=False))).signatures["serving_default"]
    found = serve(tf.constant([text, "Carla"]))
    assert [[t.decode() for t in row if t] for row in found["text"].numpy()] == [
        [entity["text"] for entity in answer["entities"]] for answer in answers
    ]


@pytest.mark.slow
@pytest.mark.parametrize("task", ["classify", "tag"])
def test_dna_reads_bases_in_context(task, tmp_path):
    path = model_of([sequence for sequence, _ in DNA], tmp_path / "bases")
    rows = DNA if task == "classify" else [(s, "".join("xy"[c in "GT"] for c in s)) for s, _ in DNA]
    options = {"units": 4, "filters": 4, "width": 3, "positions": 0, "epochs": 1, "batch_size": 2, "task": task}
    given = {"pretrained": path, "gradient_flow": False, "quiet": True, **options}
    run = seqtasks.train("dna", **splits(rows), run=tmp_path / "run", **given)
    assert "pretrained_forward_1" in {layer.name for layer in run.model.layers}
    upper, lower = (run.predict([s])[0] for s in ("ACGTTTGA", "acgtttga"))
    assert upper == lower


def test_dna_starts_from_a_language_model_of_a_genome(tmp_path):
    genome = tmp_path / "genome.fa"  # with repeats in lower case, as genomes mark them
    genome.write_text(">chr1 first\nACGTTGCAnnacgt\nACGT\n>chr2 second\nttttGGGG\nACGA\n")
    options = {**TINY, "bptt_length": 4, "batch_size": 2}
    splits_of_it = {"train": genome, "valid": genome, "test": genome}
    model = seqtasks.train("language_model", **splits_of_it, run=tmp_path / "bases", **options)
    assert sorted(t for t in model.assets["tokens"].tokens if len(t) == 1) == ["A", "C", "G", "N", "T"]
    small = {"units": 4, "filters": 4, "width": 3, "positions": 0, "epochs": 1, "batch_size": 2, "pretrained_rate": 0}
    given = {"pretrained": str(model.directory), "gradient_flow": False, "quiet": True, **small}
    run = seqtasks.train("dna", **splits(DNA), run=tmp_path / "run", **given)
    tokens = run.predictor.encode(tf.constant(["acgtNACGT"]))["tokens"]
    assert model.assets["tokens"].decode(tokens).numpy().tolist() == [b"ACGTNACGT"]
    kept, before = (
        found.get_layer(layer).cell.get_weights()
        for found, layer in ((run.model, "pretrained_forward_1"), (model.model, "recurrent_1"))
    )
    for one, other in zip(kept, before, strict=True):
        np.testing.assert_array_equal(one, other)
    upper, lower = (run.predict([s])[0] for s in ("ACGTTTGA", "acgtttga"))
    assert upper == lower


@pytest.mark.slow
def test_language_models_of_words_have_no_letters(tmp_path):
    path = model_of(SENTENCES, tmp_path / "words", vocabulary="word")
    with pytest.raises(UserError, match="the tokens of the language model are of kind word; train one with"):
        seqtasks.train("ner", **splits(NER), run=tmp_path / "run", pretrained=path, quiet=True)
