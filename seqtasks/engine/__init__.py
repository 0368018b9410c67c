"""The engine: trains, evaluates, serves and exports any recipe over a run directory. It meets a model only as Keras."""
