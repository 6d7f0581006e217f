# The load balancers one at a time, those without the floating IP first: salt-run state.orchestrate haproxy_ha.orchestrate.rolling pillar='{target: "*", upgrade: false}'
# Each is changed, and proven by real requests, before the next one is touched; the first failure ends it. upgrade: true upgrades HAProxy's package as well.
{% set targets = salt["pillar.get"]("target", "*") %}
{% set upgrade = salt["pillar.get"]("upgrade", false) %}
{% set balancers = [] %}
{% for minion, answer in salt["saltutil.cmd"](targets, "haproxy_ha.roles").items() if "load_balancer" in answer.ret %}
{% do balancers.append(minion) %}
{% endfor %}
{% set status = salt["saltutil.cmd"](balancers[0], "haproxy_ha.status")[balancers[0]].ret if balancers else {} %}
{% set active = status.active if status is mapping else [] %}
{% set ordered = (balancers | reject("in", active) | sort) + (balancers | select("in", active) | list) %}

haproxy_ha-rolling-settings:
  salt.state:
    - tgt: {{ targets | json }}
    - sls: haproxy_ha.guard

{% if not active %}
haproxy_ha-rolling-active:
  test.fail_without_changes:
    - name: {{ ("No load balancer among " ~ targets ~ " holds the floating IP. The cluster says: " ~ status) | json }}
    - failhard: true
    - require:
      - salt: haproxy_ha-rolling-settings
{% else %}
{% for balancer in ordered %}
{% set before = "haproxy_ha-rolling-settings" if loop.first else "haproxy_ha-rolling-" ~ loop.previtem ~ "-verified" %}
{% set step = "haproxy_ha-rolling-" ~ balancer %}
{{ step }}-passive:
  salt.state:
    - tgt: {{ balancer | json }}
    - sls: haproxy_ha.load_balancer.passive
    - require:
      - salt: {{ before }}

{% if upgrade %}
{{ step }}-upgrade:
  salt.state:
    - tgt: {{ balancer | json }}
    - sls: haproxy_ha.load_balancer.upgrade
    - require:
      - salt: {{ step }}-passive
    - require_in:
      - salt: {{ step }}-change
{% endif %}

{{ step }}-change:
  salt.state:
    - tgt: {{ balancer | json }}
    - sls: haproxy_ha.load_balancer
    - require:
      - salt: {{ step }}-passive

{{ step }}-verified:
  salt.state:
    - tgt: {{ balancer | json }}
    - sls: haproxy_ha.load_balancer.verify
    - require:
      - salt: {{ step }}-change
{% endfor %}
{% endif %}
