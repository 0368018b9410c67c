"""The engine: trains, evaluates, serves and exports any recipe over a run directory.

It knows a model as `keras.Model`, a target as a task (`seqtasks.tasks`), and a recipe by its core and its capabilities.
It names no application, no recipe and no option of one.

Start with `training.py` (`train`, `finetune`), which uses `experiment.py` (data, vocabularies, batches and the
compiled model), `loop.py` (epochs, checkpoints, interrupts) and `evaluation.py` (metrics, baselines). `run.py` opens
a finished run and `predictor.py` answers raw inputs, for `predict`, `evaluate` and `export.py` alike; `checking.py`
runs an export where only its runtime is, `serving.py` and `network.py` write other formats, `calls.py` says how each
is called. `data_summary.py` checks the data before training, `gradient_flow.py` measures the gradient over time,
`distribute.py` knows devices, `kernels.py` what computes the recurrences, `accumulation.py` computes a step in parts.
`cross_validation.py` and `variants.py` train several runs by one command, `comparison.py` compares runs. `hub.py`
uploads and downloads them. `resuming.py` knows what a stopped run lacks, `signals.py` Ctrl-C and SIGTERM,
`stopping.py` lack of progress, `cluster.py` the processes of a training on several machines, `multiworker_fit.py`
mends Keras' `fit` there, and `tpu.py` finds a TPU. `run_folder.py` knows which files are the run's and whether they
are as it wrote them, `trust.py` which recipes may run.
`callbacks.py` checks callbacks of Keras, `progress.py` counts what takes long and `displays.py` shows it.

It may import everything except applications, recipes and the command line.
"""
