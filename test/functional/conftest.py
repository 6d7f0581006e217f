"""What functional tests share: a masterless minion with this checkout as its file server, and what tests need."""

import json
import logging
from pathlib import Path

import agentset
