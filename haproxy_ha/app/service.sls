# nginx runs, now and after a boot.
{% set settings = salt["haproxy_ha.rendered"](saltenv) if "haproxy_ha.rendered" in salt else {"roles": []} %}

include:
  - haproxy_ha.app.config

{% if "app_server" in settings.roles %}
haproxy_ha-app-service:
  haproxy_ha.running:
    - name: {{ settings.services.nginx | json }}
    - require:
      - haproxy_ha: haproxy_ha-app-config
{% endif %}
