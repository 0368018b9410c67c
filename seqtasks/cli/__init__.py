"""The command line, built from what recipes declare.

`main.py` finds the command. `commands.py` holds the commands that all recipes have; capabilities of recipes bring the
others. `arguments.py` makes the parser of a command on a run, with the options that the run's recipe adds. `console.py`
reads inputs and writes results, `completion.py` completes words in a shell.

Standard output carries only results, as JSON; progress, warnings and errors go to standard error. Exit status 2 is an
error of the user, 1 a fault of the program. Nothing here names a recipe or an option of one, and nothing imports
TensorFlow before it is needed. It may import the engine and recipes, no application.
"""
