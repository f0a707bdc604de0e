# `make` lists the targets. Everything runs in .venv, which `make setup` creates and keeps up to date.

PYTHON ?= python3
BIN := .venv/bin

# A sourced ROS installation must not mix with the ROS wheels in .venv, nor another environment's libraries.
unexport PYTHONPATH PYTHONHOME AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH
unexport RMW_IMPLEMENTATION LD_LIBRARY_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format docs bench soak clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup:  ## create or update .venv: packages, ROS 2 wheels, messages
	@$(PYTHON) tools/setup_env.py

demo: setup  ## render a scene, run the live node on it; results in demo_output
	$(BIN)/python -m motionseg_ros.cli.demo --output demo_output

test:  ## run the test suite (installs torch, SAM 2 and transformers, for the tests of training and of the learned stages)
	@$(PYTHON) tools/setup_env.py train cues sam2
	$(BIN)/python -m pytest -q test

lint: setup  ## check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup  ## fix style and formatting
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup  ## write docs/parameters.md, config/cpu.yaml and the README's picture again
	$(BIN)/python tools/generate_docs.py
	$(BIN)/python tools/render_picture.py

bench: setup  ## measure throughput, latency and memory
	$(BIN)/motionseg bench

soak:  ## run the long tests
	@$(PYTHON) tools/setup_env.py train cues sam2
	$(BIN)/python -m pytest -q -s -m soak --timeout 0 test

clean:  ## remove the environment and all build outputs
	rm -rf .venv build dist install log demo_output *.egg-info .pytest_cache .ruff_cache
