# Corosync and Pacemaker run, now and after a boot. They start last of all that is local: a node that is online in the cluster is ready to run everything.
{% from "haproxy_ha/map.jinja" import settings with context %}

include:
  - haproxy_ha.load_balancer
  - haproxy_ha.cluster.config
  - haproxy_ha.cluster.agents
  - haproxy_ha.cluster.events
  - haproxy_ha.cluster.monitoring
  - haproxy_ha.cluster.token

{% if "load_balancer" in settings.roles %}
# haproxy_ha.running has systemd read it before it looks at the service.
haproxy_ha-cluster-restart:
  file.managed:
    - name: {{ settings.paths.corosync_drop_in }}
    - source: salt://haproxy_ha/files/corosync.service.conf
    - user: root
    - group: root
    - mode: "0644"
    - makedirs: true
    - require:
      - haproxy_ha: haproxy_ha-cluster-package

haproxy_ha-cluster-watch-unit:
  file.managed:
    - name: {{ settings.paths.pacemaker_watch }}
    - source: salt://haproxy_ha/files/pacemaker-watch.service
    - user: root
    - group: root
    - mode: "0644"
    - require:
      - haproxy_ha: haproxy_ha-cluster-package

haproxy_ha-cluster-watch:
  haproxy_ha.running:
    - name: {{ settings.services.pacemaker_watch | json }}
    - watch:
      - haproxy_ha: haproxy_ha-cluster-agents
      - file: haproxy_ha-cluster-watch-unit

haproxy_ha-cluster-watcher-unit:
  file.managed:
    - name: {{ settings.paths.watch }}
    - source: salt://haproxy_ha/files/watch.service.jinja
    - template: jinja
    - context: {addresses: {{ settings.floating_ip.pinged | json }}}
    - user: root
    - group: root
    - mode: "0644"
    - require:
      - haproxy_ha: haproxy_ha-cluster-package

{% set maintenance = settings.cluster.maintenance %}
haproxy_ha-cluster-maintenance:
  file.managed:
    - name: {{ settings.paths.maintenance }}
    - contents: {{ {"url": settings.floating_ip.announces, "file": maintenance.file, "command": maintenance.command} | json | json }}
    - user: root
    - group: root
    - mode: "0600"
    - makedirs: true
    - dir_mode: "0700"
    - require:
      - haproxy_ha: haproxy_ha-cluster-package

haproxy_ha-cluster-watcher:
  haproxy_ha.running:
    - name: {{ settings.services.watch | json }}
    - watch:
      - haproxy_ha: haproxy_ha-cluster-agents
      - file: haproxy_ha-cluster-watcher-unit
      - file: haproxy_ha-cluster-maintenance

haproxy_ha-cluster-corosync:
  haproxy_ha.running:
    - name: {{ settings.services.corosync | json }}
    - require:
      - haproxy_ha: haproxy_ha-cluster-config
      - haproxy_ha: haproxy_ha-load-balancer-config
      - haproxy_ha: haproxy_ha-load-balancer-service
      - haproxy_ha: haproxy_ha-cluster-time
      - haproxy_ha: haproxy_ha-cluster-agents
      - file: haproxy_ha-cluster-restart
      - haproxy_ha: haproxy_ha-cluster-watch
      - haproxy_ha: haproxy_ha-cluster-watcher
{% if settings.floating_ip.needs_token %}
      - haproxy_ha: haproxy_ha-cluster-token
{% endif %}

{% if settings.quorum_helper %}
haproxy_ha-cluster-quorum-restart:
  file.managed:
    - name: {{ settings.paths.qdevice_drop_in }}
    - source: salt://haproxy_ha/files/quorum.service.conf
    - user: root
    - group: root
    - mode: "0644"
    - makedirs: true
    - require:
      - haproxy_ha: haproxy_ha-cluster-package

{% if settings.cluster.quorum_device.tls %}
haproxy_ha-cluster-quorum-certificates:
  haproxy_ha.quorum_certificates:
    - name: balancer
    - require:
      - haproxy_ha: haproxy_ha-cluster-package
    - watch_in:
      - haproxy_ha: haproxy_ha-cluster-quorum-device
{% endif %}

haproxy_ha-cluster-quorum-device:
  haproxy_ha.running:
    - name: {{ settings.services.quorum_device | json }}
    - require:
      - haproxy_ha: haproxy_ha-cluster-corosync
      - file: haproxy_ha-cluster-quorum-restart
{% endif %}

haproxy_ha-cluster-pacemaker:
  haproxy_ha.running:
    - name: {{ settings.services.pacemaker | json }}
    - require:
      - haproxy_ha: haproxy_ha-cluster-corosync
{% endif %}
