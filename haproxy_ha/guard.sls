# The one state of a minion that is not ready or has no part: every other file includes this one and adds its own states only when all is well.
{% set settings = salt["haproxy_ha.rendered"](saltenv, preflighted=false) if "haproxy_ha.rendered" in salt else {"missing": ["haproxy_ha.rendered"]} %}

haproxy_ha-settings:
{% if settings.missing %}
{% set remedy = "Modules of haproxy_ha are not on this minion. Run: salt '" ~ opts.id ~ "' saltutil.sync_all" %}
  test.fail_without_changes:
    - name: {{ remedy | json }}
    - comment: {{ (remedy ~ "\nMissing: " ~ settings.missing | join(", ")) | json }}
{% else %}
  haproxy_ha.settings_valid:
    - rendered: {{ settings.seen | json }}
{% endif %}
