# Every target makes .venv if it is missing, so each one works on a fresh clone.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: demo test test-slow test-faults lint format docs bench labs soak clean

$(VENV)/installed: requirements.txt setup.py
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

demo: $(VENV)/installed
	$(RUN) -m tfgans train --dataset=digits --model=wgan_gp --network=dcgan --width=32 \
	  --num_generators=4 --learning_rate=5e-4 --steps=3000 --batch_size=64 --seed=0 \
	  --run_dir=runs/demo
	$(RUN) -m tfgans sample --run_dir=runs/demo --num=64 --seed=1 --show=8 --out=runs/demo/samples.png
	$(RUN) -m tfgans evaluate --run_dir=runs/demo
	$(RUN) -m tfgans export --run_dir=runs/demo --out=exported/digits
	@echo "Look at it in a browser: $(VENV)/bin/tfgans serve --model_dir=exported/digits --ui"

test: lint
	$(RUN) -m pytest -n 2 --dist=worksteal -m "not slow"

test-slow: $(VENV)/installed
	$(RUN) -m pytest -n 2 -m slow --ignore=tests/faults

test-faults: $(VENV)/installed
	$(RUN) -m pytest -n 2 -m "slow or not slow" tests/faults

lint: $(VENV)/installed
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

format: $(VENV)/installed
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

docs: $(VENV)/installed
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict
	@echo "Open site/index.html, or serve it: $(RUN) -m mkdocs serve"

bench: $(VENV)/installed
	$(RUN) benchmarks/train_step.py
	$(RUN) benchmarks/mix_cost.py
	$(RUN) benchmarks/process_settings.py
	$(RUN) benchmarks/augmentation.py
	$(RUN) benchmarks/import_time.py
	OMP_NUM_THREADS=1 $(RUN) benchmarks/metrics.py
	$(RUN) benchmarks/loading.py
	$(RUN) benchmarks/serving.py
	$(RUN) benchmarks/scaling.py

labs: $(VENV)/installed
	$(RUN) -m tfgans experiment --lab=all --quick --seeds=5 --out=runs/labs

soak: $(VENV)/installed
	$(RUN) benchmarks/soak.py --minutes=30 --out=soak.json

clean:
	rm -rf $(VENV) build site *.egg-info .mypy_cache .pytest_cache .ruff_cache
