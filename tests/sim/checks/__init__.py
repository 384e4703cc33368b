"""The laws of every history, one pure function each, in rooms by subject. `tests.sim.checkers` gathers and judges them."""
