# Each target is a command that also runs without make; HOST, LINK and CMD are its arguments.
LAB = PYTHONPATH=test /usr/bin/python3 -m lab

.PHONY: demo test test-all nonsense faults simulation soak bench bench-failover docs site release extensions modules lint lab lab-down lab-status lab-enter \
	lab-reboot lab-power-off lab-power-on lab-cut lab-mend

demo:
	./test/demo

test:
	./test/run

test-all:
	./test/run --all

# What neighbours can say, 100,000 answers for most laws, an hour and more; SEED=7 repeats a run.
nonsense:
	@. test/prepare && $(LAB) tools python3 -m pytest -q -p no:cacheprovider --show-capture=no -m slow $(if $(SEED),--hypothesis-seed=$(SEED)) \
		test/unit/digitalocean/test_neighbours.py test/unit/host/test_whatever_is_answered.py

# Hours; TRIALS=3 is a quick look.
bench-failover:
	@. test/prepare && /usr/bin/python3 -m bench.failover --trials $(or $(TRIALS),20) --documents docs

# Breaks the running system in every way that the lab knows, about two hours, and writes docs/failure-modes.md.
faults:
	@. test/prepare && /usr/bin/python3 -m faults all --documents docs

# The agents against worlds that are drawn from seeds, docs/simulation.md; DO="replay 170" tells one, DO=known looks for fixes of the past.
simulation:
	@. test/prepare && $(LAB) tools env PYTHONPATH=_utils:test python3 -m simulation $(or $(DO),run --histories 10000)

soak:
	@. test/prepare && /usr/bin/python3 -m faults soak --minutes $(or $(MINUTES),30) $(if $(SEED),--seed $(SEED))

bench:
	@. test/prepare && /usr/bin/python3 -m bench
	$(LAB) tools python3 -m pytest -q -p no:cacheprovider --show-capture=no test/bench
	PYTHONPATH=test /usr/bin/python3 -m pytest -q -p no:cacheprovider -m bench test/lab

# Writes docs/pillar.md, the comments of pillar.example, and docs/reference/.
docs:
	python3 tools/pillar_reference.py
	python3 tools/api_reference.py

# The documents as a web site: build/site/. Needs the Debian packages python3-myst-parser and python3-sphinx-rtd-theme.
site:
	python3 tools/site.py

# A release of this commit, with checksums: build/.
release:
	python3 tools/release.py

# The formula as two Salt extensions, an sdist and a wheel of each: build/dist/. Needs the PyPI package build.
extensions:
	python3 tools/extensions.py
	python3 -m build -o build/dist build/saltext-pacemaker
	python3 -m build -o build/dist build/saltext-haproxy-ha

# Tells minions which modules and agents belong to the states: after each change of one.
modules:
	python3 tools/lists.py

lint:
	$(LAB) tools sh test/lint

lab:
	@. test/prepare && $(LAB) up

lab-down:
	$(LAB) down

lab-status:
	$(LAB) status

lab-enter:
	$(LAB) enter $(HOST) $(CMD)

lab-reboot:
	$(LAB) reboot $(HOST)

lab-power-off:
	$(LAB) power-off $(HOST)

lab-power-on:
	$(LAB) power-on $(HOST)

lab-cut:
	$(LAB) cut $(HOST) $(LINK)

lab-mend:
	$(LAB) mend $(HOST) $(LINK)
