# Takes this machine out again, the cluster first: the floating IP goes to another load balancer before anything stops. What is there counts, not pillar.
{% set missing = salt["haproxy_ha.missing"]() if "haproxy_ha.missing" in salt else ["haproxy_ha"] %}

{% if missing %}
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
{% endif %}
