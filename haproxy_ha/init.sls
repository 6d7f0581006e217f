# Everything that the roles of this minion ask for.
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.{{ "guard" if settings.get("idle") else "preflight" }}
{% if "app_server" in settings.roles %}
  - haproxy_ha.app
{% endif %}
{% if "load_balancer" in settings.roles %}
  - haproxy_ha.load_balancer
{% endif %}
{% if "load_balancer" in settings.roles or "app_server" in settings.roles %}
  - haproxy_ha.upgrades
{% endif %}
{% if settings.roles and settings.firewall.enabled %}
  - haproxy_ha.firewall
{% endif %}
{% if "quorum_helper" in settings.roles %}
  - haproxy_ha.quorum_helper
{% endif %}
{% if "load_balancer" in settings.roles %}
  - haproxy_ha.cluster
{% endif %}
{% if settings.roles and settings.verify %}
  - haproxy_ha.verify
{% endif %}
