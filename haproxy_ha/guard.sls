# The one state of a minion that is not ready or has no part: every other file includes this one and adds its own states only when all is well.
{% from "haproxy_ha/map.jinja" import settings with context %}

haproxy_ha-settings:
{% if settings.get("idle") %}
{% set nothing = "Nothing to do: the pillar of " ~ opts.id ~ " has no haproxy_ha." %}
  test.succeed_without_changes:
    - name: {{ nothing | json }}
    - comment: {{ nothing | json }}
{% elif settings.missing %}
{% set what = "of another version than the states are" if "haproxy_ha.settings" in salt else "are not" %}
{% set environment = "" if saltenv == "base" else " saltenv=" ~ saltenv %}
{% set of_extension = "(of an extension, " in settings.missing | join %}
{% set cure = "Install the extensions of the states' version" if of_extension else "Run: salt '" ~ opts.id ~ "' saltutil.sync_all" ~ environment %}
{% set remedy = "Modules of haproxy_ha " ~ what ~ " on this minion. " ~ cure %}
{% if "_ssh_version" in opts %}
{% set beside = "the extension saltext-haproxy-ha of the states' version beside it" %}
{% set remedy = "salt-ssh needs Salt 3008 or later, " ~ beside ~ ", and --regen-thin once after each installation" %}
{% endif %}
  test.fail_without_changes:
    - name: {{ remedy | json }}
    - comment: {{ (remedy ~ "\nThese: " ~ settings.missing | join(", ") ~ "\nAfter a change of the formula's own modules: make modules") | json }}
{% else %}
  haproxy_ha.settings_valid:
    - rendered: {{ settings.seen | json }}
{% endif %}
