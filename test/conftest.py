"""Salt puts an importer without find_spec on sys.meta_path, which pytest's importlib mode cannot pass."""

import contextlib
import sys

with contextlib.suppress(ImportError):
    import salt  # noqa: F401

sys.meta_path[:] = [importer for importer in sys.meta_path if hasattr(importer, "find_spec")]
