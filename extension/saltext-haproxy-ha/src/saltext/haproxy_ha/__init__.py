"""The formula haproxy_ha as a Salt extension. ``python3 -m saltext.haproxy_ha`` prints where its SLS files are."""

import os

FORMULA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "formula")
"""The directory to name in ``file_roots``."""
