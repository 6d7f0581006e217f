# Proof that the tiers work together: the tutorial's own probes, from where it makes them.
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
{% if "app_server" in settings.roles %}
  - haproxy_ha.app.service
{% endif %}
{% if "load_balancer" in settings.roles %}
  - haproxy_ha.cluster.resources
{% endif %}
{% if "quorum_helper" in settings.roles %}
  - haproxy_ha.quorum_helper
{% endif %}
  - haproxy_ha.preflight

{% if settings.roles %}
haproxy_ha-verified:
  haproxy_ha.verified:
    - require:
{% if "app_server" in settings.roles %}
      - haproxy_ha: haproxy_ha-app-service
{% endif %}
{% if "load_balancer" in settings.roles %}
      # Not the cluster's states, after which it comes: while one of them fails, what this machine does counts as much.
      - haproxy_ha: haproxy_ha-load-balancer-config
{% endif %}
{% if "quorum_helper" in settings.roles %}
      - haproxy_ha: haproxy_ha-quorum-helper-service
{% endif %}
{% endif %}
