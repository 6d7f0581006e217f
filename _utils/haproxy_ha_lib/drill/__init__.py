"""A drill: what is done to a pair on purpose, what clients see of it meanwhile, and the report."""
