# make demo   installs, fetches two real samples, maps them, prints where the reports are
# make test   the test suite, a quarter of an hour
# make test-long  ten minutes more: kills, clusters, other back ends, the matrix of all choices (marked long)
# make types  static types of the package and the benchmarks, a minute
# make lab    the notebooks in JupyterLab
# make bench  the benchmarks against peer programs (minutes; some need Debian's otb-bin and gdal-bin)
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test test-long types lab bench lock clean

demo: $(READY)
	$(BIN)/lulc run havelland romania --jobs 2 --without romania/08_lstm_fixed --without romania/08_lstm_random

test: $(READY)
	$(BIN)/pytest -n 2 --dist loadfile -m "not long"

test-long: $(READY)
	$(BIN)/pytest -n 2 --dist loadfile -m long

types: $(READY)
	$(BIN)/mypy

lab: $(READY)
	$(BIN)/jupyter lab --notebook-dir=. notebooks/

bench: $(READY)
	$(BIN)/python -m benchmarks

# Installed anew when the lock changes; a broken install leaves no .ready behind.
$(READY): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet "uv>=0.5"
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	touch $@

# Resolved for all platforms and Pythons at once; hashes, no addresses.
lock: $(READY)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header --extra fast --extra csmask --extra eopf --extra segments --extra tensorboard --extra dev pyproject.toml -o requirements.lock

clean:
	rm -rf .venv outputs
