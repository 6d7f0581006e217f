# Proof that the tiers work together: the tutorial's own probes, from where it makes them.
{% from "haproxy_ha/map.jinja" import roles with context %}

include:
{% if "app_server" in roles %}
  - haproxy_ha.app.service
{% endif %}
{% if "load_balancer" in roles %}
  - haproxy_ha.cluster.resources
{% endif %}
{% if "quorum_helper" in roles %}
  - haproxy_ha.quorum_helper
{% endif %}
  - haproxy_ha.guard

{% if roles %}
haproxy_ha-verified:
  haproxy_ha.verified:
    - require:
{% if "app_server" in roles %}
      - service: haproxy_ha-app-service
{% endif %}
{% if "load_balancer" in roles %}
      - pacemaker: haproxy_ha-cluster-resources
{% endif %}
{% if "quorum_helper" in roles %}
      - service: haproxy_ha-quorum-helper-service
{% endif %}
{% endif %}
