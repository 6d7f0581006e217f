"""What the agents of DigitalOcean and of Hetzner take where no parameter says otherwise.

A module of its own, because the rules of the API take longer to import than a monitor should.
"""

API_URL = "https://api.digitalocean.com"
HETZNER_API_URL = "https://api.hetzner.cloud"
METADATA_URL = "http://169.254.169.254"
TOKEN_FILE = "/etc/haproxy_ha/token"
CA_FILE = ""  # the system's
# Seconds: the other one has waited for the cluster's delay by then, 15 by default, and has had the power taken.
ALONE_DELAY = "40"
