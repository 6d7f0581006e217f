# The resource agents and what they need, which run without Salt: DigitalOcean's rules are installed beside them, so that they stand once.
{% set settings = salt["haproxy_ha.rendered"](saltenv) if "haproxy_ha.rendered" in salt else {"roles": []} %}

include:
  - haproxy_ha.cluster.package

{% if "load_balancer" in settings.roles %}
haproxy_ha-cluster-agents:
  file.managed:
    - names:
      - {{ settings.paths.agents_dir }}/floatip:
        - source: salt://haproxy_ha/files/agents/floatip
        - mode: "0755"
      - {{ settings.paths.agents_dir }}/haproxy:
        - source: salt://haproxy_ha/files/agents/haproxy
        - mode: "0755"
      - {{ settings.paths.agents_dir }}/agent.py:
        - source: salt://haproxy_ha/files/agents/agent.py
        - mode: "0644"
      - {{ settings.paths.agents_dir }}/reach.py:
        - source: salt://haproxy_ha/files/agents/reach.py
        - mode: "0644"
      - {{ settings.paths.agents_dir }}/api.py:
        - source: salt://haproxy_ha/files/agents/api.py
        - mode: "0644"
      - {{ settings.paths.agents_dir }}/pacemaker_watch.sh:
        - source: salt://haproxy_ha/files/agents/pacemaker_watch.sh
        - mode: "0644"
      - {{ settings.paths.fence_agent }}:
        - source: salt://haproxy_ha/files/agents/fence_haproxy_ha_digitalocean
        - mode: "0755"
      - {{ settings.paths.agents_dir }}/digitalocean.py:
        - source: salt://_utils/haproxy_ha_lib/digitalocean.py
        - mode: "0644"
    - user: root
    - group: root
    - makedirs: true
    - require:
      - haproxy_ha: haproxy_ha-cluster-package
{% endif %}
