"""The power of machines of a cloud, as fencing asks for it: what each action does, by its API; of droplets, here."""

import time

import agent
from agent import Failure
from api import API
from fencing import seconds

from haproxy_ha_lib.cloud import calls
from haproxy_ha_lib.digitalocean.droplets import DROPLETS

OFF = 2  # what `status` returns for a plug without power
LOOK = 1.0  # seconds between two looks at the cluster's link
SWITCHED = 15.0  # seconds: who still lives then is locked for something else, such as a backup


class Cloud:
    """The machines that the options' token sees, by what the cluster calls them."""

    rules = DROPLETS  # of its API
    called = "droplets"  # the option with nodes whose machines have other names
    has_power = "active"  # the status of one

    def __init__(self, options):
        if not options["api_url"].startswith("https://"):
            raise Failure(1, f"api_url: found {options['api_url']!r}, allowed: a URL with https://")
        self._plugs = read_plugs(self.called, options[self.called])
        self._api = API(options["api_url"], options["ca_file"], options["token_file"])
        self._options = options

    def _run(self, steps, limit, share=1.0):
        """Runs a procedure of the rules within the seconds that an option has, or a share of them."""
        try:
            return self._api.run(steps, time.monotonic() + seconds(self._options, limit) * share)
        except calls.APIError as error:
            raise Failure(1, str(error)) from None

    def machines(self, share=1.0):
        """All of them, within a share of the time."""
        return self._run(self.rules.read_all(), "shell_timeout", share)

    def machine(self):
        """The one that the plug names."""
        plug = self._options["plug"]
        if not plug:
            raise Failure(1, "plug: is required, and is not given")
        return self._run(self.rules.find(self._plugs.get(plug, plug)), "shell_timeout")

    def is_under_way(self, node):
        """Whether a power action of a node's machine is under way, as far as the API says."""
        try:
            return self._run(self.rules.find(self._plugs.get(node, node), tries=1), "shell_timeout", 0.5)["locked"]
        except Failure:
            return False

    def names(self, machine):
        """What a machine is called by the cluster."""
        known = [node for node, plug in self._plugs.items() if plug in (machine["name"], str(machine["id"]))]
        return known or [machine["name"] or str(machine["id"])]

    def power(self, machine):
        """Its power in fencing's words."""
        return {self.has_power: "on", "off": "off"}.get(machine["status"], "unknown")

    def problems(self, nodes, share):
        """(Why fencing of the nodes would fail, as far as it can be known: lines; what cannot be known)."""
        plugs = {node: self._plugs.get(node, node) for node in nodes}
        return self._run(self.rules.fencing_problems(plugs), "shell_timeout", share)[:2]

    def switch(self, status):
        """Powers the plug's machine off or on."""
        self._run(self.rules.set_power(self.machine()["id"], status), "power_timeout")


def on(cloud, options):
    """Powers the plug on."""
    cloud.switch(cloud.has_power)


def off(cloud, options):
    """Powers the plug off."""
    take_power(cloud, options)


def reboot(cloud, options):
    """What matters is the off; a machine that does not come on again is told, and is fenced all the same."""
    take_power(cloud, options)
    try:
        cloud.switch(cloud.has_power)
    except Failure as failure:
        agent.log(f"{options['plug']} is off, and does not start: {failure.reason}")


def status(cloud, options):
    """Tells whether the plug has power."""
    machine = cloud.machine()
    print(f"{machine['name']} is {machine['status']}")
    return OFF if machine["status"] == "off" else 0


def list_machines(cloud, options):
    """Prints each machine's name and id."""
    for machine in cloud.machines():
        for name in cloud.names(machine):
            print(f"{name},{machine['id']}")


def list_status(cloud, options):
    """Prints whether each has power, too."""
    for machine in cloud.machines():
        for name in cloud.names(machine):
            print(f"{name},{machine['id']},{cloud.power(machine)}")


def monitor(cloud, options):
    """What an `off` would need is there: the API, a machine for each node, a token that may switch it."""
    nodes = members()
    if not nodes:
        cloud.machines(share=0.5)
    problems, unknown = cloud.problems(nodes, share=1.0 if nodes else 0.5)
    if unknown:
        agent.log(f"{options['agent']}: {unknown}")
    if problems:
        raise Failure(1, "; ".join(problems))


def validate(cloud, options):
    """Whether the options make sense, and there is a token: without these there is no cloud."""


def take_power(cloud, options):
    """Powers the plug off, after the other one, and unless its node is back meanwhile.

    Raises:
        Failure: It is, or the API does not show the machine as off.
    """
    import returned

    give_way(cloud, options)
    if returned.need_not_be_fenced(options["node"]):
        raise Failure(1, f"{options['node']} is a member of the cluster again, and well: it keeps its power")
    cloud.switch("off")


def give_way(cloud, options):
    """Waits where the other one, if it lives, is to be the first: of two that power each other off, nobody is left.

    This machine is then the one that is cut off, as nobody answers on the cluster's link, or the one that is being
    powered off already, which takes a cloud its time.
    """
    began, told = time.monotonic(), ""
    deadline = began + seconds(options, "alone_delay")
    while time.monotonic() < deadline and (why := reason_to_give_way(cloud, time.monotonic() - began)):
        if why != told:
            agent.log(f"{options['agent']}: {why}: the other one may fence first")
        told = why
        time.sleep(max(0.0, min(LOOK, deadline - time.monotonic())))


def reason_to_give_way(cloud, waited):
    """Why the other one is to be the first, after so many seconds; "" for no reason, or where no cluster runs."""
    import cluster
    import local

    try:
        name, address = cluster.own("name", 3.0), cluster.own("ring0_addr", 3.0)
    except Failure:
        return ""
    link = local.link_of(address)
    if link is not None and local.nobody_answers(link):
        return "nobody answers on the cluster's link"
    switched = name and waited < SWITCHED and cloud.is_under_way(name)
    return f"{name} is being switched itself" if switched else ""


def members():
    """The names of the cluster's nodes; none where no cluster runs to be asked."""
    import cluster

    try:
        return [name for name, _ in cluster.members(3.0) if name]
    except Failure:
        return []


def read_plugs(called, text):
    """The nodes whose machines have other names, from `node:machine;node:machine`."""
    pairs = [pair.strip().partition(":") for pair in text.split(";") if pair.strip()]
    for node, colon, plug in pairs:
        if not (node.strip() and colon and plug.strip()):
            allowed = f"node:{called.removesuffix('s')}, separated by semicolons"
            raise Failure(1, f"{called}: found {text!r}, allowed: {allowed}")
    return {node.strip(): plug.strip() for node, _, plug in pairs}


def actions(kind):
    """What each action does, of the machines of a cloud.

    Args:
        kind (type): `Cloud`, or one with other rules.
    """

    def of(action):
        return lambda options: action(kind(options), options)

    handlers = {
        "on": on,
        "off": off,
        "reboot": reboot,
        "status": status,
        "list": list_machines,
        "list-status": list_status,
        "monitor": monitor,
        "validate-all": validate,
    }
    return {name: of(action) for name, action in handlers.items()}
