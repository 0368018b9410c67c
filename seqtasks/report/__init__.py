"""The report of a run: one HTML page that needs no other file.

`page.write_report` reads the files of a run directory and fills the template `page.html.jinja`; `charts` draws the
pictures as inline SVG; `formatting` writes numbers and names. `notebook.card` fills `card.html.jinja`, which a notebook
shows for a run. Applications draw their own sections with `charts.svg`
and `formatting`.

The package imports `seqtasks.atomic_files` and `seqtasks.errors` only: neither the engine nor TensorFlow, so a report
can be written again wherever the run directory is. Start with `page.write_report`.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from seqtasks.report import charts, formatting, notebook, page

__all__ = ["charts", "formatting", "notebook", "page"]
__getattr__, __dir__, _ = lazy_loader.attach(__name__, __all__)
