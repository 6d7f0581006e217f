"""nginx's files on an app server as data. Words from pillar were checked in schema.py."""

import re

from haproxy_ha_lib.values import bracketed

LOG_FORMAT = {
    "name": "haproxy_log",
    "parts": [
        "ProxyIP: $remote_addr - ClientIP: $http_x_forwarded_for - $remote_user [$time_local] ",
        '"$request" $status $body_bytes_sent "$http_referer" ',
        '"$http_user_agent"',
    ],
}
"""The log format that shows both the load balancer and the client."""

_FORMAT_DEFINED = re.compile(rf"^\s*log_format\s+{LOG_FORMAT['name']}\b", re.MULTILINE)
_PAGE = re.compile(r"Droplet: \S+(, IP Address: \S+)?\s*")


def defines_log_format(text):
    """Whether a file of nginx has a log format of our name, as the tutorial's own nginx.conf has."""
    return bool(_FORMAT_DEFINED.search(text))


def is_page(text):
    """Whether this is the tutorial's page, of our making or by hand."""
    return bool(_PAGE.fullmatch(text))


def model(settings):
    """Return the model of each file of an app server, None where it is off: {"log_format", "site", "page"}."""
    nginx = settings["nginx"]
    return {
        "log_format": LOG_FORMAT if nginx["site"]["enabled"] else None,
        "site": _site(settings) if nginx["site"]["enabled"] else None,
        "page": _page(settings) if nginx["page"]["enabled"] else None,
    }


def _site(settings):
    server = settings["app_servers"][settings["minion_id"]]
    return {
        "listen": f"{bracketed(settings['me']['private_ip'])}:{server['port']}",
        "allow": [balancer["private_ip"] for balancer in settings["load_balancers"].values()],
        "access_log": settings["paths"]["nginx_access_log"],
        "log_format": LOG_FORMAT["name"],
        "root": settings["nginx"]["page"]["document_root"],
    }


def _page(settings):
    me = settings["me"]
    return {"hostname": me.get("hostname") or settings["minion_id"], "public_ip": me["public_ip"]}
