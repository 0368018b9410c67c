"""A recipe of a user's own, by its path, with a capability of its own: everything that it brings appears."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

import seqtasks
from seqtasks.cli.main import main
from seqtasks.errors import UserError
from tests.reviews import SMALL

pytestmark = pytest.mark.usefixtures("opened_once")
OWN = '''

@dataclass(frozen=True)
class CountOptions(Declared):
    least: Count = option(1, "letters of a word that counts", "answering")


@dataclass(frozen=True)
class WordOptions(Declared):
    shout: bool = option(False, "upper-case labels", "answering")


@dataclass(frozen=True)
class Counts(Capability):
    """`seqtasks count RUN TEXT`: the words of a text."""

    def commands(self):
        def count(run, inputs, options):
            for text in inputs:
                yield {"text": text.decode(), "words": self.number(text.decode(), options.least)}

        def shout(run, inputs, options):
            return ({**answer, "label": answer["label"].upper()} for answer in run.answers(inputs))

        def write(run, options, answers, path):
            path.write_text("".join(f"{answer['words']}\\n" for answer in answers))
            return [{"file": path.name}]

        return (
            Command("count", "count words", count, CountOptions, "TEXT", writers={".count": write}),
            Command("predict", "add --shout", shout, WordOptions, applies=lambda options, given: options.shout),
        )

    def methods(self):
        return {"count": lambda run, text, least=1: self.number(text, least)}

    def signatures(self, predictor, serve):
        import tensorflow as tf

        specification = [tf.TensorSpec([None], tf.string, "inputs")]
        lengths = tf.function(lambda inputs: {"bytes": tf.strings.length(inputs)}, input_signature=specification)
        return {"lengths": lengths}

    def sections(self, predictor, examples):
        return [("Counted", f"<p>{len(examples)} texts</p>")]

    def figures(self, predictor, train):
        return {"train_words": sum(self.number(e.input, 1) for e in train)}

    def number(self, text, least):
        return sum(len(word) >= least for word in text.split())


RECIPE = replace(RECIPE, name="mine", capabilities=(*RECIPE.capabilities, Counts()))
'''


@pytest.fixture(scope="module")
def run(reviews, tmp_path_factory):
    """A finished run of the recipe, whose file is gone."""
    import seqtasks.recipes.sentiment as module

    folder = tmp_path_factory.mktemp("own")
    source = Path(module.__file__).read_text("utf-8")
    source = source.replace("from dataclasses import dataclass", "from dataclasses import dataclass, replace")
    capabilities = "import seqtasks as st\nfrom seqtasks.capabilities import Capability, Command\n"
    capabilities += "from seqtasks.options import Declared\n"
    source = source.replace("import seqtasks as st\n", capabilities, 1)
    (folder / "mine.py").write_text(source + OWN)
    run = folder / "run"
    seqtasks.train(folder / "mine.py", data=reviews, run=run, **SMALL | {"epochs": 1})
    (folder / "mine.py").unlink()
    return run


def test_the_recipe_is_copied_into_the_run(run):
    opened = seqtasks.load_run(run)
    assert opened.recipe.name == "mine"
    assert len(opened.predict(["a fine film"])) == 1


def test_its_command_takes_options_inputs_and_formats(run, capsys, tmp_path):
    assert main(["count", str(run), "a fine film", "dull"]) == 0
    assert [json.loads(line)["words"] for line in capsys.readouterr().out.splitlines()] == [3, 1]
    assert main(["count", str(run), "a fine film", "--least", "2", "--output", str(tmp_path / "n.count")]) == 0
    assert (tmp_path / "n.count").read_text() == "2\n" and "n.count" in capsys.readouterr().out
    assert main(["count", str(run), "a", "--least", "0"]) == 2
    assert "--least: 0 is out of range; give a number of at least 1" in capsys.readouterr().err
    assert main(["count", str(run), "a", "--output", str(tmp_path / "n.xyz")]) == 2
    assert "unknown format '.xyz'; end it in .count, .jsonl" in capsys.readouterr().err


def test_its_options_of_predict_change_the_answer(run, capsys):
    plain, loud = (seqtasks.load_run(run).predict(["a fine film"], **o)[0]["label"] for o in ({}, {"shout": True}))
    assert loud == plain.upper()
    assert main(["predict", str(run), "a fine film", "--shout"]) == 0
    assert json.loads(capsys.readouterr().out)["label"] == loud


def test_its_options_of_predict_read_files_too(run, capsys, tmp_path):
    (tmp_path / "texts.txt").write_text("a fine film\na dull film\n")
    assert main(["predict", str(run), "--shout", "--input", str(tmp_path / "texts.txt")]) == 0
    labels = [json.loads(line)["label"] for line in capsys.readouterr().out.splitlines()]
    assert labels == [a["label"].upper() for a in seqtasks.load_run(run).predict(["a fine film", "a dull film"])]
    assert main(["predict", str(run), "--shout"]) == 2
    assert "nothing to read" in capsys.readouterr().err


def test_the_run_comes_first(run, capsys):
    assert main(["predict", "runs/typo", str(run)]) == 2
    assert "runs/typo: no such run; the run comes first" in capsys.readouterr().err


def test_the_help_of_a_run_lists_what_it_brings(run, capsys):
    with pytest.raises(SystemExit):
        main(["predict", str(run), "--help"])
    text = capsys.readouterr().out
    assert "--shout" in text and "upper-case labels" in text and "--window" not in text
    with pytest.raises(SystemExit):
        main(["count", str(run), "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "letters of a word that counts (at least 1) (default: 1)" in text and ".count writes that format" in text


def test_its_method_is_one_of_the_run_and_of_no_other(run):
    opened = seqtasks.load_run(run)
    assert opened.count("a fine film", least=2) == 2
    assert not hasattr(opened, "counts")
    with pytest.raises(UserError, match="a run of mine has no generate; use a run of language_model or music"):
        opened.generate("a")


def test_its_signature_section_and_figures(run, tmp_path):
    opened = seqtasks.load_run(run)
    opened.export(tmp_path / "served", check=False)
    lengths = tf.saved_model.load(str(tmp_path / "served")).signatures["lengths"]
    assert lengths(inputs=tf.constant(["abc", ""]))["bytes"].numpy().tolist() == [3, 0]
    assert json.loads((run / "sections.json").read_text()) == [["Counted", "<p>12 texts</p>"]]
    words = sum(len(example.input.split()) for example in opened.splits().train)
    assert opened.evaluate()["train_words"] == words


def test_completion_knows_recipes_their_options_and_those_of_a_run(run):
    line = "seqtasks train sentiment --max_voc"
    environment = {"COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n"}
    code = "import os, sys; os.dup2(1, 8); from seqtasks.cli.main import main; main([])"
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True)
    assert "--max_vocabulary" in done.stdout, done.stderr
    from seqtasks.cli.completion import parser

    assert "--shout" in parser(["predict", str(run)])._subparsers._group_actions[0].choices["predict"].format_help()
