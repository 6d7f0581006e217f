"""Pairs with other addresses than the tutorial's: both families, two at work, on a LAN, at Hetzner Cloud."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import yaml

from lab import audit, cloud, formula
from lab.topology import BALANCERS, FLOATING_IP, FLOATING_IPV6, PRIVATE_IPV6
from support import REPOSITORY

from .several import Clients

EXAMPLE = yaml.safe_load((REPOSITORY / "pillar.example").read_text(encoding="utf-8"))["haproxy_ha"]
LAN = {"provider": "lan"}
HETZNER = {"provider": "hetzner", "address": FLOATING_IP, "api_token": EXAMPLE["floating_ip"]["api_token"]}
WEB, MAIL, WEB_IPV6 = "10.132.20.100", "10.132.20.101", f"{PRIVATE_IPV6}100"
SPREAD = {"FloatIP-web": ["primary"], "FloatIP-mail": ["secondary"]}


def together(addresses: dict[str, list[str]]) -> bool:
    """Whether all are on one load balancer, each on no other."""
    nodes = list(addresses.values())
    return all(one == nodes[0] and len(one) == 1 for one in nodes)


@dataclass(frozen=True)
class Kind:
    """One kind of pair.

    Args:
        clients (Clients): Who asks its addresses, the one that is struck first.
        called (tuple): The addresses, in words.
        tree (dict): What its pillar has.
        balancers (dict): What is laid over each load balancer's own keys; None takes a key out.
        where (callable): Whether {resource: nodes} is as it should be.
        provider (str): Whose cloud the simulator is.
        struck (str): The resource of the first address.
        apart (bool): The last address is on the other load balancer, and is not struck.
    """

    clients: Clients
    called: tuple[str, ...]
    tree: dict
    balancers: dict[str, dict] = field(default_factory=dict)
    where: Callable[[dict[str, list[str]]], bool] = together
    provider: str = "digitalocean"
    struck: str = "FloatIP"
    apart: bool = False

    @contextlib.contextmanager
    def built(self, **keys: object) -> Iterator[None]:
        """The pair of the lab as this kind, with further ``keys`` in its tree; afterwards as it was."""
        if self.provider != "digitalocean":
            cloud.become(self.provider)
        with formula.another_tree(self.balancers, **self.tree, **keys):
            yield
            if self.provider != "digitalocean":
                cloud.become("digitalocean")
        audit.settle()


KINDS = {
    "digitalocean-pair": Kind(
        Clients("client", (FLOATING_IP, FLOATING_IPV6)),
        ("IPv4 of both families, DigitalOcean", "IPv6 of both families, DigitalOcean"),
        {
            "floating_ip": EXAMPLE["floating_ip"],
            "floating_ips": {"ipv6": {"address": FLOATING_IPV6, "stays_with": "floating_ip"}},
        },
    ),
    "hetzner": Kind(
        Clients("client", (FLOATING_IP,)),
        ("IPv4, Hetzner Cloud",),
        {"floating_ip": HETZNER},
        balancers=dict.fromkeys(BALANCERS, {"anchor_ip": None}),
        provider="hetzner",
    ),
    "lan-pair": Kind(
        Clients("master", (WEB, WEB_IPV6)),
        ("IPv4 of both families, LAN", "IPv6 of both families, LAN"),
        {
            "floating_ip": {"address": WEB, **LAN},
            "floating_ips": {"ipv6": {"address": WEB_IPV6, "stays_with": "floating_ip"}},
        },
    ),
    "lan-spread": Kind(
        Clients("master", (WEB, MAIL)),
        ("one of two at work, LAN", "the other one, not struck"),
        {"floating_ip": LAN, "floating_ips": {"web": {"address": WEB}, "mail": {"address": MAIL}}},
        where=SPREAD.__eq__,
        struck="FloatIP-web",
        apart=True,
    ),
}
