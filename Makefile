.PHONY: install test lint types docs

install:
	pip install -e ".[dev]"

test:
	pytest $(ARGS)

lint:
	ruff check .
	ruff format --check .

types:
	mypy

docs:
	python docs/generate.py
	mkdocs build --strict
