# Packages are upgraded on one machine of a tier after the other, by whatever upgrades them (pillar's upgrades: as_they_come takes that away).
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.preflight
  - haproxy_ha.cluster.agents

{% if "load_balancer" in settings.roles or "app_server" in settings.roles %}
haproxy_ha-upgrades:
  haproxy_ha.upgrades:
    - require:
      - haproxy_ha: haproxy_ha-preflight
{% if "load_balancer" in settings.roles %}
      - haproxy_ha: haproxy_ha-cluster-agents
{% endif %}
{% endif %}
