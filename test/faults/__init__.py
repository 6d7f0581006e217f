"""Everything that can break, broken on purpose, under traffic, with an audit after each fault.

``make faults`` runs the whole catalogue and writes docs/failure-modes.md; ``make soak`` runs faults at random, from a
seed that is printed; ``python3 -m faults --help`` says how to run some.
"""
