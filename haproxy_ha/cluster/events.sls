# Events of the cluster on Salt's event bus: an alert agent leaves them in a directory, a unit at low priority sends them.
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.cluster.package
  - haproxy_ha.cluster.agents

{% if "load_balancer" in settings.roles and settings.cluster.events %}
haproxy_ha-cluster-events-spool:
  file.directory:
    - name: {{ settings.paths.events_spool }}
    - user: hacluster
    - group: haclient
    - mode: "0700"
    - require:
      - haproxy_ha: haproxy_ha-cluster-package

haproxy_ha-cluster-events-service:
  file.managed:
    - name: {{ settings.paths.events_service }}
    - source: salt://haproxy_ha/files/events.service.jinja
    - template: jinja
    - context:
        python: {{ grains.pythonexecutable | json }}
        config_dir: {{ opts.get("config_dir", "/etc/salt") | json }}
    - user: root
    - group: root
    - mode: "0644"
    - require:
      - haproxy_ha: haproxy_ha-cluster-agents

haproxy_ha-cluster-events-path:
  file.managed:
    - name: {{ settings.paths.events_path }}
    - source: salt://haproxy_ha/files/events.path
    - user: root
    - group: root
    - mode: "0644"
    - require:
      - file: haproxy_ha-cluster-events-spool
      - file: haproxy_ha-cluster-events-service

haproxy_ha-cluster-events:
  haproxy_ha.running:
    - name: {{ settings.services.events | json }}
    - watch:
      - file: haproxy_ha-cluster-events-path
{% elif "load_balancer" in settings.roles %}
haproxy_ha-cluster-events:
  haproxy_ha.removed:
    - name: events
    - require:
      - haproxy_ha: haproxy_ha-cluster-agents
{% endif %}
