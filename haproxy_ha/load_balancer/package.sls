# HAProxy, installed without starting it.
{% set settings = salt["haproxy_ha.settings"](saltenv) if "haproxy_ha.settings" in salt else {"roles": []} %}

include:
  - haproxy_ha.load_balancer.nginx_removed
  - haproxy_ha.load_balancer.repository

{% if "load_balancer" in settings.roles %}
haproxy_ha-load-balancer-package:
  haproxy_ha.packages_installed:
    - pkgs: {{ settings.packages.haproxy | json }}
    - units: [{{ settings.services.haproxy | json }}]
    - require:
      - haproxy_ha: haproxy_ha-preflight
{% if settings.haproxy.repository %}
      - haproxy_ha: haproxy_ha-load-balancer-repository
{% endif %}
{% endif %}
