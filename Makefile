# The course in a few words: `make book` builds the site, `make test` proves it. `make help` lists the rest.
.PHONY: book test bench serve pdf linkcheck notebooks lint mutants requirements help clean

ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
READY := .venv/installed

# The first Python on the path that TensorFlow has a wheel for.
PYTHON ?= $(shell for p in python3 python python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$p && break; done)

book: $(READY)  ## execute every chapter and build the site into _build/html
	$(BIN)/jupyter-book build . -W -n --keep-going
	@echo "Open _build/html/index.html, or run 'make serve'."

test: book  ## build the book, then test the library, the chapters and the site
	$(BIN)/python -m pytest --ignore=tests/test_lighthouse.py
	$(BIN)/python -m pytest --numprocesses=0 tests/test_lighthouse.py  # alone: it times the pages

bench: $(READY)  ## time the library beside Keras, PyTorch and the roofline; add them by pip install -e '.[bench]' torch
	$(BIN)/python -m benchmarks

serve: book  ## show the site on this machine
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html 8000

pdf: book  ## print the whole book into _build/print/book.pdf; needs a Chromium
	$(BIN)/python tools/pdf.py

linkcheck: $(READY)  ## follow every link that leaves the book; needs a network
	$(BIN)/jupyter-book build . --builder linkcheck -n --keep-going

notebooks: $(READY)  ## execute every chapter in place and write it in its normal form
	$(BIN)/python tools/notebooks.py

lint: $(READY)  ## check the style of the code and the form of the notebooks
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python tools/notebooks.py --check

mutants: $(READY)  ## break the mathematics on purpose, one change at a time, and list what no test noticed
	$(BIN)/python -m pip install --quiet -e '.[mutants]'
	$(BIN)/mutmut run --max-children 2
	$(BIN)/mutmut results

requirements: $(READY)  ## pin every package again, for Linux, macOS and Windows
	$(BIN)/python -m pip install --quiet uv
	echo '-e .[course,book,test]' | $(BIN)/python -m uv pip compile - --universal --upgrade \
		--python-version 3.11 --custom-compile-command "make requirements" --output-file requirements.txt

clean:  ## remove what was built, executed chapters included
	rm -rf _build mutants .hypothesis .pytest_cache .ruff_cache

help:  ## list these commands
	@sed -n 's/^\([a-z]*\):.*##/make \1:/p' $(firstword $(MAKEFILE_LIST))

$(READY): requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 found: install one, or say make PYTHON=..."; exit 1; }
	$(PYTHON) tools/bootstrap.py
