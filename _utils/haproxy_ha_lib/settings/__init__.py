"""The settings of a machine, from pillar, metadata and mine, and what is wrong with them."""
