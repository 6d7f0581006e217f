"""Several addresses: what the examples of docs/addresses.md make of a pair."""

import yaml

from support import documents
from support.pillars import EXAMPLE, valid

PAGE = "docs/addresses.md"


def made_by(heading, number=1):
    """The configuration of a pair by an example of the page, and where its HAProxy listens."""
    place = f"{PAGE}, {heading}" + (f", {number}" if number > 1 else "")
    [example] = [one for one in documents.examples() if one.place == place]
    tree = yaml.safe_load(example.text)["haproxy_ha"]
    changes = {"floating_ip": {**EXAMPLE["floating_ip"], **tree.pop("floating_ip")}}
    found = valid({**changes, **tree})
    binds = {name: [f"{bind['address']} {bind['port']}" for bind in one["bind"]]
             for table in ("frontends", "listens") for name, one in found.haproxy[table].items()}  # fmt: skip
    return found.cluster.configuration, binds


def test_each_of_several_addresses_has_its_resource():
    built_in, binds = made_by("Several addresses")
    assert {"FloatIP", "FloatIP-shop", "FloatIP-mail"} < set(built_in["primitives"])
    assert binds["http"] == [f"10.132.20.{number} 80" for number in (100, 101, 102)]


def test_a_bind_names_one_of_them():
    _, binds = made_by("Several addresses", 2)
    assert binds["smtp"] == ["10.132.20.102 25"]
    assert binds["http"] == ["10.132.20.100 80", "10.132.20.102 80"]


def test_an_ipv6_address_stays_with_its_ipv4_one():
    built_in, binds = made_by("Together")
    together = {"resource": "FloatIP-ipv6", "with": "FloatIP", "score": "INFINITY"}
    assert built_in["colocations"]["FloatIP-ipv6-FloatIP"] == together
    assert binds["http"] == ["10.17.1.18 80", "2001:db8::10 80"]


def test_many_addresses_of_a_lan_are_one_resource():
    built_in, binds = made_by("Together", 2)
    params = {"address": "10.132.20.100", "addresses": "10.132.20.101 10.132.20.102 fd00::100"}
    assert built_in["primitives"]["FloatIP"]["params"] == params
    assert len(binds["http"]) == 4
