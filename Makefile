# Everything a newcomer needs. Each target makes what it lacks; scripts/env.sh tells how, and why root is a special case.

# The interpreter to build the virtual environment with; by default the first that will do.
export PYTHON
# As root: the user to run PostgreSQL as.
export PGCTL_RUN_AS
PYTEST_ARGS =
BENCH_ARGS =
# make demo: NODES=5, DCS=etcd3, DETACH=1, FRESH=1
DEMO = $(if $(NODES),--nodes $(NODES)) $(if $(DCS),--dcs $(DCS)) $(if $(DETACH),--detach) $(if $(FRESH),--fresh)
# make services: more, such as SERVICES="kube-apiserver", which is built
SERVICES =
# make simulate: which seeds, in which modes (all that are live, when none is named), on how many processors
SEEDS = 1000
START = 0
MODE =
JOBS = 1

# make mutate: RULES="lead down.60", and how many seeds the simulator plays against each mutant
RULES =

.PHONY: help demo demo-stop test check docs simulate mutate bench services venv clean

help:
	@echo 'make demo       a cluster to try things on, until Ctrl-C (NODES=3, DCS=sqlite|etcd3|consul, FRESH=1, DETACH=1)'
	@echo 'make demo-stop  stop a demo that was left running'
	@echo 'make check      the fast checks: linters, types, layers, house and unit tests'
	@echo 'make test       every test that can run on this host (PYTEST_ARGS="-k word")'
	@echo 'make docs       write the generated pages of docs/ anew'
	@echo 'make simulate   seeded histories with faults (SEEDS=1000, START=0, MODE="pause ...", JOBS=1)'
	@echo 'make mutate     each rule broken in turn, and what notices (RULES="lead ...", SEEDS=2 for the simulator too)'
	@echo 'make bench      the benchmarks'
	@echo 'make services   PostgreSQL, etcd, Consul and ZooKeeper, by apt'
	@echo 'make clean      remove what was built here'

demo:
	@scripts/demo.sh $(DEMO)

demo-stop:
	@scripts/demo.sh stop

test:
	@scripts/run.sh python -m pytest $(PYTEST_ARGS)

# ruff, mypy and import-linter are tests too (tests/house).
check: venv
	@PATH="$(CURDIR)/.venv/bin:$$PATH" python -m pytest -q tests/house tests/unit $(PYTEST_ARGS)

docs: venv
	@PATH="$(CURDIR)/.venv/bin:$$PATH" python -m pytest -q tests/docs --rewrite

simulate: venv
	@.venv/bin/python -m tests.sim.simulate $(START) $(SEEDS) $(MODE) --jobs $(JOBS)

mutate: venv
	@.venv/bin/python -m tests.mutants.mutate --start $(START) --seeds $(if $(filter command line,$(origin SEEDS)),$(SEEDS),0) $(RULES)

bench:
	@scripts/run.sh python -m bench $(BENCH_ARGS)

services:
	@scripts/packages.sh $(SERVICES)

venv:
	@scripts/env.sh >/dev/null

clean:
	@scripts/clean.sh
