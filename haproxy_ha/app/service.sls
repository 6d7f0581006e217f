# nginx runs, now and after a boot.
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.app.config

{% if "app_server" in settings.roles %}
haproxy_ha-app-service:
  haproxy_ha.running:
    - name: {{ settings.services.nginx | json }}
    - require:
      - haproxy_ha: haproxy_ha-app-config
{% endif %}
