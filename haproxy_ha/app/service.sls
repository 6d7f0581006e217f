# nginx runs, now and after a boot.
{% set settings = salt["haproxy_ha.settings"](saltenv) if "haproxy_ha.settings" in salt else {"roles": []} %}

include:
  - haproxy_ha.app.config

{% if "app_server" in settings.roles %}
haproxy_ha-app-service:
  service.running:
    - name: {{ settings.services.nginx | json }}
    - enable: true
    - require:
      - haproxy_ha: haproxy_ha-app-config
{% endif %}
