"""Pictures of the reports' own sections, from runs of the built-in samples: python docs/screenshots.py RUNS [NAME ...]

RUNS is a folder with finished runs called `run-RECIPE`. It needs Chromium.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

IMAGES = Path(__file__).parent / "images"
HEIGHTS = {"ner": 560, "dna": 300, "translation": 860, "language_model": 440, "sentiment": 390}
STYLE = "<style>body, main, section, h2 { margin-top: 0 !important; padding-top: 4px !important }</style>"
SECTIONS = {"sentiment": "training"}  # of the others the recipe's own


def screenshot(run: Path, name: str) -> None:
    """One section of a report, as a PNG."""
    page = (run / "report.html").read_text("utf-8")
    section = SECTIONS.get(name, "section-1")
    found = re.search(rf'<section id="{section}">.*?</section>', page, re.S)
    head = page[: page.index("<body")]
    assert found, f"{run} has no section {section}"
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder) / "section.html"
        alone.write_text(f"{head}{STYLE}<body><main>{found[0]}</main></body></html>", "utf-8")
        size = f"--window-size=1000,{HEIGHTS[name]}"
        target = f"--screenshot={IMAGES / f'report_{name}.png'}"
        command = ["chromium", "--headless", "--no-sandbox", "--hide-scrollbars", size, target, alone.as_uri()]
        subprocess.run(command, check=True, capture_output=True)


def main() -> None:
    folder, *names = sys.argv[1:]
    for name in names or HEIGHTS:
        screenshot(Path(folder) / f"run-{name}", name)


if __name__ == "__main__":
    main()
