"""The power of droplets, as fencing asks for it: what each action does, by DigitalOcean's API."""

import time

import agent
from agent import Failure
from api import API
from fencing import seconds

from haproxy_ha_lib.digitalocean import calls, droplets

OFF = 2  # what `status` returns for a plug without power
POWER = {"active": "on", "off": "off"}  # a droplet's status, in fencing's words


class Cloud:
    """The droplets that the options' token sees, by what the cluster calls them."""

    def __init__(self, options):
        if not options["api_url"].startswith("https://"):
            raise Failure(1, f"api_url: found {options['api_url']!r}, allowed: a URL with https://")
        self._plugs = read_plugs(options["droplets"])
        self._api = API(options["api_url"], options["ca_file"], options["token_file"])
        self._options = options

    def _run(self, steps, limit, share=1.0):
        """Runs a procedure of the rules within the seconds that an option has, or a share of them."""
        try:
            return self._api.run(steps, time.monotonic() + seconds(self._options, limit) * share)
        except calls.APIError as error:
            raise Failure(1, str(error)) from None

    def droplets(self, share=1.0):
        """All of them, within a share of the time."""
        return self._run(droplets.read_all(), "shell_timeout", share)

    def droplet(self):
        """The one that the plug names."""
        plug = self._options["plug"]
        if not plug:
            raise Failure(1, "plug: is required, and is not given")
        return self._run(droplets.find(self._plugs.get(plug, plug)), "shell_timeout")

    def names(self, droplet):
        """What a droplet is called by the cluster."""
        known = [node for node, plug in self._plugs.items() if plug in (droplet["name"], str(droplet["id"]))]
        return known or [droplet["name"] or str(droplet["id"])]

    def problems(self, nodes, share):
        """(Why fencing of the nodes would fail, as far as it can be known: lines; what cannot be known)."""
        plugs = {node: self._plugs.get(node, node) for node in nodes}
        return self._run(droplets.fencing_problems(plugs), "shell_timeout", share)[:2]

    def switch(self, status):
        """Powers the plug's droplet off or on."""
        droplet = self.droplet()
        self._run(droplets.set_power(droplet["id"], status), "power_timeout")


def on(options):
    """Powers the plug on."""
    Cloud(options).switch("active")


def off(options):
    """Powers the plug off."""
    Cloud(options).switch("off")


def reboot(options):
    """What matters is the off; a droplet that does not come on again is told, and is fenced all the same."""
    cloud = Cloud(options)
    cloud.switch("off")
    try:
        cloud.switch("active")
    except Failure as failure:
        agent.log(f"{options['plug']} is off, and does not start: {failure.reason}")


def status(options):
    """Tells whether the plug has power."""
    droplet = Cloud(options).droplet()
    print(f"{droplet['name']} is {droplet['status']}")
    return OFF if droplet["status"] == "off" else 0


def list_droplets(options):
    """Prints each droplet's name and id."""
    cloud = Cloud(options)
    for droplet in cloud.droplets():
        for name in cloud.names(droplet):
            print(f"{name},{droplet['id']}")


def list_status(options):
    """Prints whether each has power, too."""
    cloud = Cloud(options)
    for droplet in cloud.droplets():
        for name in cloud.names(droplet):
            print(f"{name},{droplet['id']},{POWER.get(droplet['status'], 'unknown')}")


def monitor(options):
    """What an `off` would need is there: the API, a droplet for each node, a token that may switch it."""
    cloud, nodes = Cloud(options), members()
    if not nodes:
        cloud.droplets(share=0.5)
    problems, unknown = cloud.problems(nodes, share=1.0 if nodes else 0.5)
    if unknown:
        agent.log(f"{options['agent']}: {unknown}")
    if problems:
        raise Failure(1, "; ".join(problems))


def validate(options):
    """Whether the options make sense, and there is a token."""
    Cloud(options)


def members():
    """The names of the cluster's nodes; none where no cluster runs to be asked."""
    import cluster

    try:
        return [name for name, _ in cluster.members(3.0) if name]
    except Failure:
        return []


def read_plugs(text):
    """The nodes whose droplets have other names, from `node:droplet;node:droplet`."""
    pairs = [pair.strip().partition(":") for pair in text.split(";") if pair.strip()]
    for node, colon, plug in pairs:
        if not (node.strip() and colon and plug.strip()):
            raise Failure(1, f"droplets: found {text!r}, allowed: node:droplet, separated by semicolons")
    return {node.strip(): plug.strip() for node, _, plug in pairs}


ACTIONS = {
    "on": on,
    "off": off,
    "reboot": reboot,
    "status": status,
    "list": list_droplets,
    "list-status": list_status,
    "monitor": monitor,
    "validate-all": validate,
}
