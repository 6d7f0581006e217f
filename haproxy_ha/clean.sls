# Takes this machine out again, the cluster first: the floating IP goes to another load balancer before anything stops. What is there counts, not pillar.
{% from "haproxy_ha/map.jinja" import settings with context %}

{% if settings.missing %}
include:
  - haproxy_ha.guard
{% else %}
haproxy_ha-clean-cluster:
  haproxy_ha.removed:
    - name: cluster

haproxy_ha-clean-load-balancer:
  haproxy_ha.removed:
    - name: load_balancer
    - require:
      - haproxy_ha: haproxy_ha-clean-cluster

haproxy_ha-clean-app:
  haproxy_ha.removed:
    - name: app_server

haproxy_ha-clean-quorum-helper:
  haproxy_ha.removed:
    - name: quorum_helper

haproxy_ha-clean-firewall:
  haproxy_ha.firewall_absent: []

# What the formula remembered about this machine goes last; the copies in its directory backup stay (haproxy_ha.purge).
haproxy_ha-clean-memory:
  haproxy_ha.removed:
    - name: memory
    - require:
      - haproxy_ha: haproxy_ha-clean-cluster
      - haproxy_ha: haproxy_ha-clean-load-balancer
      - haproxy_ha: haproxy_ha-clean-app
      - haproxy_ha: haproxy_ha-clean-quorum-helper
{% endif %}
