"""
What keeps an address from ever arriving at a droplet, beside what :mod:`reserved` knows: the prefix that somebody has
brought along (BYOIP), and the droplet's anchor IP.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from haproxy_ha_lib.cloud import calls
from haproxy_ha_lib.cloud.answers import text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from haproxy_ha_lib.cloud.calls import Steps


def obstacles(address: str, region: str | None) -> Steps:
    """What is in the way of an address of the account's own prefixes. One try: what nobody tells is none.

    Args:
        address (str): The address.
        region (str): The droplet's region; None where unknown.

    Returns:
        list[str]: Texts; empty for an address of no prefix, and where the token may see none.
    """
    found = yield from containing(address)
    return problems(address, region, found) if found else []


def containing(address: str) -> Steps:
    """The account's prefix with an address, as the API has it; None where there is none, or nobody tells."""
    if ":" in address:
        return None  # these are IPv4 alone
    try:
        entries = yield from calls.pages("/v2/byoip_prefixes", "byoip_prefixes", tries=1)
    except calls.APIError:
        return None
    return next((one for one in entries if _has(one.get("prefix"), address)), None)


def problems(address: str, region: str | None, prefix: Mapping[str, Any]) -> list[str]:
    """What is wrong with a prefix, as the API has it, for an address of it and a droplet's region."""
    name, status, there = (text(prefix.get(key)) for key in ("prefix", "status", "region"))
    what = f"{address} is of the prefix {name} (BYOIP)"
    found = []
    if there and region and there != region:
        found.append(
            f"{what}, which is in {there}, and this droplet is in {region}: a prefix is of one region. Have the load"
            f" balancers in {there}, or an address of {region}"
        )
    if status and status != "active":
        found.append(f"{what}, which is {status}: DigitalOcean has to make it active first")
    elif prefix.get("advertised") is False:
        found.append(f"{what}, which is not advertised, so that nobody reaches it: set advertise for the prefix")
    network = ipaddress.ip_network(str(name), strict=False)
    if ipaddress.ip_address(address) in (network[0], network[1]):
        found.append(f"{what}, whose first two addresses are DigitalOcean's: take another one")
    return found


def unassigned(address: str, prefix: Mapping[str, Any]) -> str:
    """What to do about an address of a prefix that the API does not know."""
    return (
        f"{address} is of the prefix {text(prefix.get('prefix'))} (BYOIP), and was never assigned, so that the API does"
        " not know it: assign it to a load balancer once, by hand (doctl compute reserved-ip-action assign)"
    )


def misplaced(anchor_ip: str | None, here: Mapping[str, Any]) -> list[str]:
    """Why a reserved IPv4 address would not come to where HAProxy binds.

    Args:
        anchor_ip (str): What pillar says; None: nothing.
        here (dict): The metadata service's answer (`metadata.normalised`).
    """
    anchor, public = here["anchor_ip"], here["public_ip"]
    if not anchor_ip or anchor_ip == (anchor or public) or not (anchor or public):
        return []
    if anchor:
        return [f"anchor_ip is {anchor_ip} in pillar, and this droplet's is {anchor}: the reserved IP arrives there"]
    return [
        f"anchor_ip is {anchor_ip} in pillar, and this droplet has none, as one from a custom image: the reserved IP"
        f" arrives at its public address {public}. Take anchor_ip out of pillar (a droplet from before 20 October 2015"
        " has to be given one: docs/digitalocean.md)"
    ]


def _has(prefix: Any, address: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(str(prefix), strict=False)
    except ValueError:
        return False
