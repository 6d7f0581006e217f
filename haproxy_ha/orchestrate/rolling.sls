# The load balancers one at a time, those without the floating IP first: salt-run state.orchestrate haproxy_ha.orchestrate.rolling pillar='{target: "*", upgrade: false}'
# Each is changed, and proven by real requests, before the next one is touched; the first failure ends it. upgrade: true upgrades HAProxy's package as well.
# A minion that does not answer, or whose pillar is wrong, ends it before it begins.
{% from "haproxy_ha/orchestrate/ask.jinja" import ask, environment with context %}
{% set targets = salt["pillar.get"]("target", "*") %}
{% set upgrade = salt["pillar.get"]("upgrade", false) %}
{% set asked = ask(targets, "haproxy_ha.roles", arguments={"saltenv": environment}) | load_json %}
{% set wrong, balancers, active = asked.wrong, [], [] %}
{% for minion, roles in asked.answers.items() if "load_balancer" in roles %}
{% do balancers.append(minion) %}
{% endfor %}
{% if balancers %}
{% set statuses = ask(balancers, "haproxy_ha.status", "list") | load_json %}
{% do wrong.extend(statuses.wrong) %}
{% for status in statuses.answers.values() %}
{% do active.extend(status.active | reject("in", active) | list) %}
{% endfor %}
{% endif %}
{% if not wrong and not balancers %}
{% do wrong.append("no load balancer is among " ~ targets) %}
{% elif not wrong and not balancers | select("in", active) | list %}
{% do wrong.append("no load balancer among " ~ targets ~ " holds the floating IP; the cluster has it on " ~ (active | join(", ") or "no node")) %}
{% endif %}
{% set ordered = (balancers | reject("in", active) | sort) + (balancers | select("in", active) | list) %}

{% if wrong %}
haproxy_ha-rolling-answers:
  test.fail_without_changes:
    - name: {{ (["Nothing was done:"] + wrong) | join("\n") | json }}
{% else %}
haproxy_ha-rolling-settings:
  salt.state:
    - tgt: {{ targets | json }}
    - sls: haproxy_ha.guard
    - saltenv: {{ environment | json }}

{% for balancer in ordered %}
{% set before = "haproxy_ha-rolling-settings" if loop.first else "haproxy_ha-rolling-" ~ loop.previtem ~ "-verified" %}
{% set step = "haproxy_ha-rolling-" ~ balancer %}
{{ step }}-passive:
  salt.state:
    - tgt: {{ balancer | json }}
    - sls: haproxy_ha.load_balancer.passive
    - saltenv: {{ environment | json }}
    - require:
      - salt: {{ before }}

{% if upgrade %}
{{ step }}-upgrade:
  salt.state:
    - tgt: {{ balancer | json }}
    - sls: haproxy_ha.load_balancer.upgrade
    - saltenv: {{ environment | json }}
    - require:
      - salt: {{ step }}-passive
    - require_in:
      - salt: {{ step }}-change
{% endif %}

{{ step }}-change:
  salt.state:
    - tgt: {{ balancer | json }}
    - sls: haproxy_ha.load_balancer
    - saltenv: {{ environment | json }}
    - require:
      - salt: {{ step }}-passive

{{ step }}-verified:
  salt.state:
    - tgt: {{ balancer | json }}
    - sls: haproxy_ha.load_balancer.verify
    - saltenv: {{ environment | json }}
    - require:
      - salt: {{ step }}-change
{% endfor %}
{% endif %}
