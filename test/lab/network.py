"""The lab's networks, all inside one namespace, the fabric: nothing of the machine's network is touched.

The fabric plays the cloud: it routes, it owns the gateways, and it rewrites the destination of what is sent to the
floating IP to the anchor IP of the droplet that owns it. The ports of the public network are isolated from one
another, so that all traffic passes the fabric's connection tracking, as it passes the hypervisor's in the cloud.
An address that arrives as it is, IPv6 or another cloud's, is routed to its owner.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from .shell import LabError, run
from .topology import (
    ANCHOR_GATEWAY,
    API_ADDRESS,
    ARCHIVE_ADDRESS,
    FABRIC,
    HOSTS,
    INTERNET_GATEWAY,
    INTERNET_IPV6,
    METADATA_ADDRESS,
    PUBLIC_GATEWAY,
    PUBLIC_IPV6,
    REALM,
    Host,
    link_name,
)

RULES = f"""
table ip cloud {{
  map anchors {{
    type ipv4_addr : ipv4_addr
  }}
  chain floating {{
    type nat hook prerouting priority dstnat
    dnat to ip daddr map @anchors
  }}
  chain forward {{
    type filter hook forward priority filter
    ct status dnat accept
    ip daddr {ANCHOR_GATEWAY}/16 drop
  }}
}}
"""


LATE = Path(__file__).with_name("late.py").read_text(encoding="utf-8")
_LATE: dict[tuple[str, str], subprocess.Popen[str]] = {}
BRIDGES = ("public", "private", "internet")
NEW_LINKS = ("accept_dad", "accept_redirects", "accept_ra")


def up() -> None:
    """Make the fabric and a namespace for each host, linked to its networks."""
    _namespace(FABRIC)
    _fabric("ip", "link", "set", "lo", "up")
    _fabric(
        "sysctl",
        "-qw",
        "net.ipv4.ip_forward=1",
        "net.ipv6.conf.all.forwarding=1",
        "net.ipv6.conf.default.accept_dad=0",
        "net.ipv4.conf.all.rp_filter=0",
        "net.ipv4.conf.all.send_redirects=0",
        "net.ipv4.conf.default.send_redirects=0",
    )
    # Where the kernel hands bridged packets to the IP rules, the floating IP would be rewritten below the routing.
    if Path("/proc/sys/net/bridge").is_dir():
        _fabric("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=0")
    _bridge(
        "public",
        f"{PUBLIC_GATEWAY}/24",
        f"{API_ADDRESS}/32",
        f"{ARCHIVE_ADDRESS}/32",
        f"{ANCHOR_GATEWAY}/16",
        f"{METADATA_ADDRESS}/32",
        f"{PUBLIC_IPV6}1/64",
    )
    _bridge("private")
    _bridge("internet", f"{INTERNET_GATEWAY}/24", f"{INTERNET_IPV6}1/64")
    # By default an answer for a neighbour is put off by up to 0.8 s.
    _fabric("sysctl", "-qw", "net.ipv4.conf.public.proxy_arp_pvlan=1", "net.ipv4.neigh.public.proxy_delay=0")
    run(["ip", "netns", "exec", FABRIC, "nft", "-f", "-"], input=RULES)
    for host in HOSTS.values():
        _attach(host)


def down() -> None:
    """Delete every namespace of the lab; their interfaces go with them."""
    for host, network in list(_LATE):
        set_late(host, network, 0)
    for namespace in _namespaces():
        run(["ip", "netns", "delete", namespace])


def is_up() -> bool:
    """Whether the fabric is there."""
    return FABRIC in _namespaces()


def set_link(host: str, network: str, state: str) -> None:
    """Cut (``state`` "down") or mend ("up") the link of a host to a network, at the fabric's end."""
    _fabric("ip", "link", "set", link_name(host, network), state)


def set_addresses(host: Host) -> None:
    """Give a host the addresses that it has when it is switched on, and no other."""
    for network, interface in host.links.items():
        run(["ip", "-n", host.namespace, "address", "flush", "dev", interface, "scope", "global"])
        run(["ip", "-n", host.namespace, "-4", "address", "flush", "dev", interface])
        for address in _addresses(host, network):
            run(["ip", "-n", host.namespace, "address", "add", address, "dev", interface])
    _route(host)


def set_port(host: str, network: str, state: str) -> None:
    """Have the fabric drop ("disabled") or pass ("forwarding") all packets of a host's link, whose carrier stays."""
    number = {"disabled": "0", "forwarding": "3"}[state]
    _fabric("bridge", "link", "set", "dev", link_name(host, network), "state", number)


def set_anchor(host: str, verb: str) -> None:
    """Take a host's anchor IP away ("delete") or give it back ("replace")."""
    target = HOSTS[host]
    address = f"{target.anchor}/16"
    run(["ip", "-n", target.namespace, "address", verb, address, "dev", target.links["public"]])


def set_path(one: str, other: str, state: str) -> None:
    """Cut (``state`` "down") or mend ("up") the path between the private addresses of two hosts, and nothing else."""
    verb = "replace" if state == "down" else "delete"
    for host, peer in ((HOSTS[one], HOSTS[other]), (HOSTS[other], HOSTS[one])):
        for address in (f"{peer.private}/32", f"{peer.private_ipv6}/128"):
            run(["ip", "-n", host.namespace, "route", verb, "blackhole", address])


def set_loss(host: str, network: str, percent: int) -> None:
    """Lose so many of the packets that reach a host from a network, at random; 0 loses none."""
    target = HOSTS[host]
    table = f"loss_{network}"
    chance = f"numgen random mod 100 < {percent}" if percent < 100 else ""
    rule = f'iifname "{target.links[network]}" {chance} counter drop'
    rules = f"table inet {table} {{}}\ndelete table inet {table}\n"
    if percent:
        rules += f"table inet {table} {{ chain input {{ type filter hook input priority raw; {rule}; }}; }}\n"
    run(["ip", "netns", "exec", target.namespace, "nft", "-f", "-"], input=rules)


def set_late(host: str, network: str, seconds: float) -> int:
    """Have all that passes a host's link take so much longer there and back, by half each way; 0 for no longer. Returns
    how many frames were late until now."""
    port, ends = link_name(host, network), (f"{host[:8]}-late0", f"{host[:8]}-late1")
    late = 0
    if process := _LATE.pop((host, network), None):
        late = int(process.communicate()[0] or 0)
        _fabric("ip", "link", "delete", ends[0])
        _join(port, network)
    if seconds:
        _fabric("ip", "link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for name in ends:
            _fabric("ip", "link", "set", name, "up")
        argv = fabric_command("python3", "-c", LATE, port, ends[0], str(seconds / 2))
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        _LATE[host, network] = process
        if not process.stdout or process.stdout.readline() != "open\n":
            raise LabError(f"what delays the {network} link of {host} does not run")
        _fabric("ip", "link", "set", port, "nomaster")
        _join(ends[1], network)
    return late


def set_unheard(host: str, other: str, unheard: bool) -> None:
    """Have nothing of a host reach another one on the private network; what that one sends arrives."""
    table = "table inet unheard"
    rules = f"{table} {{}}\ndelete {table}\n"
    if unheard:
        source = f"ip saddr {HOSTS[host].private} drop; ip6 saddr {HOSTS[host].private_ipv6} drop;"
        rules += f"{table} {{ chain input {{ type filter hook input priority raw; {source} }}; }}\n"
    run(["ip", "netns", "exec", HOSTS[other].namespace, "nft", "-f", "-"], input=rules)


def set_gateway_silent(host: str, silent: bool) -> None:
    """Have a host hear no answer to its pings; all else passes."""
    table = "table inet silent"
    rules = f"{table} {{}}\ndelete {table}\n"
    if silent:
        replies = "icmp type echo-reply drop; icmpv6 type echo-reply drop;"
        rules += f"{table} {{ chain input {{ type filter hook input priority raw; {replies} }}; }}\n"
    run(["ip", "netns", "exec", HOSTS[host].namespace, "nft", "-f", "-"], input=rules)


def dropped(host: str, network: str) -> int:
    """How many packets ``set_loss`` has lost."""
    table = ["nft", "list", "table", "inet", f"loss_{network}"]
    text = run(["ip", "netns", "exec", HOSTS[host].namespace, *table]).stdout
    return int(re.search(r"counter packets (\d+)", text)[1])


def fabric_command(*argv: str) -> list[str]:
    """``argv`` as it is run inside the fabric."""
    return ["ip", "netns", "exec", FABRIC, *argv]


def _fabric(*argv: str) -> None:
    run(fabric_command(*argv))


def _namespaces() -> list[str]:
    words = [line.split()[0] for line in run(["ip", "netns", "list"]).stdout.splitlines() if line.strip()]
    return [name for name in words if name.startswith(f"{REALM}-")]


def _namespace(name: str) -> None:
    run(["ip", "netns", "add", name])


def _bridge(name: str, *addresses: str) -> None:
    # One that is not told its MAC address takes a port's: as ports come and go, hosts would lose their gateway.
    mac = f"02:00:00:00:00:{BRIDGES.index(name):02x}"
    _fabric("ip", "link", "add", name, "address", mac, "type", "bridge", "forward_delay", "0")
    for address in addresses:
        _fabric("ip", "address", "add", address, "dev", name)
    _fabric("ip", "link", "set", name, "up")


def _attach(host: Host) -> None:
    _namespace(host.namespace)
    # As systemd sets it on a machine, and in no container. With the kernel's 10, corosync's real-time thread waits for
    # the journal while it takes the processor that the journal needs: for a second nothing else runs.
    # An IPv6 address serves at once, and the fabric's redirects to ports that are isolated mislead nobody.
    settings = ("net.unix.max_dgram_qlen=512", *(f"net.ipv6.conf.default.{name}=0" for name in NEW_LINKS))
    run(["ip", "netns", "exec", host.namespace, "sysctl", "-qw", *settings])
    inside = ["ip", "-n", host.namespace]
    run([*inside, "link", "set", "lo", "up"])
    for network, interface in host.links.items():
        port = link_name(host.name, network)
        _fabric("ip", "link", "add", port, "type", "veth", "peer", "name", interface, "netns", host.namespace)
        _join(port, network)
        _fabric("ip", "link", "set", port, "up")
        for address in _addresses(host, network):
            run([*inside, "address", "add", address, "dev", interface])
        run([*inside, "link", "set", interface, "up"])
    _route(host)


def _join(port: str, network: str) -> None:
    _fabric("ip", "link", "set", port, "master", network)
    if network == "public":
        _fabric("bridge", "link", "set", "dev", port, "isolated", "on")


def _route(host: Host) -> None:
    inside = ["ip", "-n", host.namespace]
    run([*inside, "route", "replace", "default", "via", INTERNET_GATEWAY if host.internet else PUBLIC_GATEWAY])
    network = INTERNET_IPV6 if host.internet else PUBLIC_IPV6
    # Everybody else is behind the gateway, as the ports of the public network are isolated.
    run([*inside, "-6", "route", "replace", "default", "via", f"{network}1", "dev", "eth0", "onlink"])


def _addresses(host: Host, network: str) -> list[str]:
    if network == "public":
        return [f"{host.public}/24", *([f"{host.anchor}/16"] if host.anchor else []), f"{host.public_ipv6}/128"]
    if network == "private":
        return [f"{host.private}/16", f"{host.private_ipv6}/64"]
    return [f"{host.internet}/24", f"{host.internet_ipv6}/128"]
