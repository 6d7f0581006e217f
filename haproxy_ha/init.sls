# Everything that the roles of this minion ask for.
{% from "haproxy_ha/map.jinja" import roles, settings with context %}

include:
  - haproxy_ha.guard
{% if "app_server" in roles %}
  - haproxy_ha.app
{% endif %}
{% if "load_balancer" in roles %}
  - haproxy_ha.load_balancer
{% endif %}
{% if roles and settings.firewall.enabled %}
  - haproxy_ha.firewall
{% endif %}
{% if "quorum_helper" in roles %}
  - haproxy_ha.quorum_helper
{% endif %}
{% if "load_balancer" in roles %}
  - haproxy_ha.cluster
{% endif %}
{% if roles and settings.verify %}
  - haproxy_ha.verify
{% endif %}
