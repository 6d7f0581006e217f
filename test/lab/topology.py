"""Who is in the lab and where: the addresses of pillar.example, and what surrounds them."""

from __future__ import annotations

import os
from dataclasses import dataclass

REALM = os.environ.get("LAB_REALM", "hha")  # prefix of every namespace and machine name the lab makes
FABRIC = f"{REALM}-fabric"  # the namespace that plays cloud: routing, floating IP, metadata, API

PUBLIC_GATEWAY = "203.0.113.1"
API_ADDRESS = "203.0.113.2"
ARCHIVE_ADDRESS = "203.0.113.3"
FLOATING_IP = "203.0.113.10"
SECOND_FLOATING_IP = "203.0.113.11"
FLOATING_IPV6 = "2001:db8:10::10"
ANCHOR_GATEWAY = "10.17.0.1"
METADATA_ADDRESS = "169.254.169.254"
INTERNET_GATEWAY = "198.51.100.1"
# The networks of IPv6; a host's part of an address is the last number of its IPv4 one.
PUBLIC_IPV6, PRIVATE_IPV6, INTERNET_IPV6 = "2001:db8:203::", "fd00:132:20::", "2001:db8:198::"
API_NAME = "api.digitalocean.com"
HETZNER_NAME = "api.hetzner.cloud"
ARCHIVE_NAME = "archive.lab"


@dataclass(frozen=True)
class Host:
    """One host of the lab; an address that is None means: not on that network."""

    name: str
    public: str | None = None
    private: str | None = None
    anchor: str | None = None
    internet: str | None = None
    droplet_id: int | None = None
    salt: str | None = None  # "master" or "minion"

    @property
    def namespace(self) -> str:
        return f"{REALM}-{self.name}"

    @property
    def address(self) -> str:
        """The address by which the other hosts of the lab know this one."""
        return self.private or self.internet or ""

    @property
    def public_ipv6(self) -> str | None:
        return _beside(PUBLIC_IPV6, self.public)

    @property
    def private_ipv6(self) -> str | None:
        return _beside(PRIVATE_IPV6, self.private)

    @property
    def internet_ipv6(self) -> str | None:
        return _beside(INTERNET_IPV6, self.internet)

    @property
    def links(self) -> dict[str, str]:
        """Network name -> interface inside the host."""
        names = {"public": "eth0", "private": "eth1", "internet": "eth0"}
        return {network: names[network] for network in names if getattr(self, network)}


def _beside(network: str, address: str | None) -> str | None:
    return f"{network}{address.rpartition('.')[2]}" if address else None


HOSTS: dict[str, Host] = {
    host.name: host
    for host in (
        Host("primary", "203.0.113.21", "10.132.20.10", "10.17.1.18", droplet_id=1001, salt="minion"),
        Host("secondary", "203.0.113.22", "10.132.20.11", "10.17.1.19", droplet_id=1002, salt="minion"),
        Host("app-1", "203.0.113.31", "10.132.20.236", "10.17.1.36", droplet_id=1011, salt="minion"),
        Host("app-2", "203.0.113.32", "10.132.20.237", "10.17.1.37", droplet_id=1012, salt="minion"),
        Host("master", private="10.132.0.2", public="203.0.113.5", salt="master"),
        Host("client", internet="198.51.100.100"),
    )
}
BALANCERS = ("primary", "secondary")
APP_SERVERS = ("app-1", "app-2")
MINIONS = tuple(name for name, host in HOSTS.items() if host.salt == "minion")


def link_name(host: str, network: str) -> str:
    """The fabric's end of a host's link; at most 15 characters, as the kernel wants."""
    return f"{host[:9]}-{network[:3]}"


def etc_hosts() -> str:
    """The lab has no DNS: every host knows every name."""
    lines = ["127.0.0.1 localhost", f"{API_ADDRESS} {API_NAME} {HETZNER_NAME}", f"{ARCHIVE_ADDRESS} {ARCHIVE_NAME}"]
    lines += [f"{host.address} {host.name}" for host in HOSTS.values()]
    lines += [f"{HOSTS['master'].address} salt"]
    return "\n".join(lines) + "\n"
