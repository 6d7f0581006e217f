"""The files of this system: where each is, and what tells two sets of them apart."""
