# nginx, installed without starting its default site.
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.preflight

{% if "app_server" in settings.roles %}
haproxy_ha-app-package:
  haproxy_ha.packages_installed:
    - pkgs: {{ settings.packages.nginx | json }}
    - units: [{{ settings.services.nginx | json }}]
    - require:
      - haproxy_ha: haproxy_ha-preflight
{% endif %}
