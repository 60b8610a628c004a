# make demo   from a bare checkout: two real hosts on this machine, deployed to, with four hot slots each
# make test   from a bare checkout: everything, the lab included
# make lab    the lab alone; make lab-down: gone again. LAB_HOSTS=n gives n hosts, gpu1 to gpun; LAB_ENGINE=0.16.2 has
#             another Ollama on them than 0.34.4, and so have the tests with it: 0.32.15 or 0.16.2 (no simulated GPU);
#             LAB_RELEASE=trixie makes them of another Debian than this machine's, for all that the lab is used for here
# make engines  the main jobs on each of these versions, minutes a version; ENGINES="0.16.2" for some of them
# make faults docs/faults.md, from a run of all faults; make pages: docs/configuration.md, from group_data/all.py,
#             and the summary in docs/status.md, from a deploy to 200 simulated hosts
# make hosts  docs/hosts.md, from a run on all flavours of a host; make watch: the table of docs/watch.md, and the watch
#             beside 200 rotations, rollbacks and prunes, and beside a user; make cold: that of docs/cold.md
# make benchmark  the benchmark's whole chain on the lab: measured, chosen, deployed, verified; its report in docs/
# make chaos  100 random steps on gpu1 (STEPS=n), and what has to hold after each; SEED=n repeats a walk. With
#             WALK="--disk xfs" the power takes away what is not synced; WALK=--watch: with the watch on; WALK=--alone:
#             slots leave memory, and nothing is ever deployed
# make powercut  gpu1 loses its power at 10 moments of a first deploy and 10 of a rotation (MOMENTS=n), its disk on
#             DISK=xfs or ext4; SEED=n repeats the moments
# make performance  the measurements beside Ansible, and docs/performance.md from them; takes two hours, and the
#             machine alone. PARTS="user report" for some of them, REPEATS=n
# The lab needs root on Debian or Ubuntu; what is slow to build is kept in the user's cache directory.

# Where it is set, each start of Python compiles all modules anew: 0.2 s more for each deploy of the tests.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
STEPS  ?= 100
DISK   ?= xfs
MOMENTS ?= 10
BENCHMARK := ollama_slots/benchmark/requirements
SLOT4  := 10.79.0.1:5000/lab/smollm2-math:135m

.PHONY: demo test check faults hosts watch cold benchmark pages chaos powercut engines performance lab lab-down awks requirements

demo: lab
	.venv/bin/pyinfra inventory.py deploy.py -y --data slot4_model=$(SLOT4)

# Half of the lab's tests each: they wait more than they work.
APART := --dist loadfile --tx 'popen//python=tests/lab/apart one' --tx 'popen//python=tests/lab/apart two'

# The lab is built here, where there is a network; each half of its tests brings up one of its own.
test: check awks lab lab-down
	.venv/bin/pytest -n auto tests/unit
	.venv/bin/pytest --durations=15 $(APART) tests/lab

faults: lab lab-down
	.venv/bin/pytest --dist loadfile --tx 'popen//python=tests/lab/apart one' tests/lab/test_faults.py
	cp .lab/apart-one/faults.md docs/faults.md

# What some of the flavours are made of, and a disk.
hosts cold: export LAB_HOSTS := 1
hosts cold: export LAB_PACKAGES := fish,e2fsprogs
hosts: lab lab-down
	.venv/bin/pytest --dist loadfile --tx 'popen//python=tests/lab/apart one' tests/lab/hosts/table.py
	cp .lab/apart-one/hosts.md docs/hosts.md

watch: export WATCH_SECONDS := 30
watch: lab lab-down
	.venv/bin/pytest --dist loadfile --tx 'popen//python=tests/lab/apart one' tests/lab/test_watch.py -k leaves_memory
	sed -i '/by make watch/q' docs/watch.md
	(echo && cat .lab/apart-one/ways.md) >>docs/watch.md
	.venv/bin/pytest --dist loadfile --tx 'popen//python=tests/lab/apart one' tests/lab/watch.py

# Slows a disk of the machine down, and drops what the kernel has in memory of all: the machine alone.
cold: lab lab-down
	.venv/bin/pytest --dist loadfile --tx 'popen//python=tests/lab/apart one' tests/lab/cold.py
	sed -i '/by make cold/q' docs/cold.md
	(echo && cat .lab/apart-one/cold.md) >>docs/cold.md

# Measures models on gpu2 while users ask all slots: minutes, and the machine alone.
benchmark: lab lab-down
	.venv/bin/pytest --dist loadfile --tx 'popen//python=tests/lab/apart one' tests/lab/benchmark.py
	cp .lab/apart-one/benchmark-report.* docs/

pages: .venv/installed
	.venv/bin/python -m tests.configuration
	.venv/bin/python -m tests.fleet

chaos: lab
	.venv/bin/python -m tests.chaos --steps $(STEPS) $(if $(SEED),--seed $(SEED)) $(WALK)

powercut: lab
	.venv/bin/python -m tests.powercut --disk $(DISK) --moments $(MOMENTS) $(if $(SEED),--seed $(SEED))

engines: .venv/installed
	.venv/bin/python -m tests.engines $(ENGINES)
	.venv/bin/python -m lab down

performance: .venv/performance-installed
	LAB_HOSTS=20 LAB_PACKAGES=python3 .venv/bin/python -m lab up
	.venv/bin/python -m tests.performance $(PARTS) $(if $(REPEATS),--repeats $(REPEATS))
	.venv/bin/python -m lab down

check: .venv/installed
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

lab: .venv/installed
	.venv/bin/python -m lab up

lab-down: .venv/installed
	.venv/bin/python -m lab down

# The JSON reader of the hosts is tested under each awk that one may have.
awks:
	@command -v gawk >/dev/null && command -v busybox >/dev/null || \
		{ apt-get update -q && apt-get install -y -q gawk busybox; }

.venv/installed: requirements.txt $(BENCHMARK).txt pyproject.toml
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { apt-get update -q && apt-get install -y -q python3-venv; }
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt -r $(BENCHMARK).txt
	.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@# pyinfra keeps no bytecode of what it imports: without this, each deploy would compile all of it again.
	.venv/bin/python -m compileall -q ollama_slots
	@touch $@

.venv/performance-installed: .venv/installed tests/performance/requirements.txt
	.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r tests/performance/requirements.txt
	@touch $@

# Pins anew what the files named requirements.in name; needs uv.
PIN := uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-annotate --no-header \
	--universal --python-version 3.11

requirements:
	$(PIN) requirements.in -o requirements.txt
	$(PIN) -c requirements.txt $(BENCHMARK).in -o $(BENCHMARK).txt
	$(PIN) -c requirements.txt tests/performance/requirements.in -o tests/performance/requirements.txt
