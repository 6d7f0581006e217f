"""Examples that tests of other files than test_documents.py take from the documents: they need a live cluster."""

BY_HAND = ("test_pacemaker_live.py", "test_a_cluster_that_was_built_by_hand_is_adopted_without_a_change")
ELSEWHERE = {
    "docs/adopt.md, 1. Take over what is there": BY_HAND,
    "docs/adopt.md, 1. Take over what is there, 2": BY_HAND,
    "docs/adopt.md, An nginx that is there already":
        ("test_export_nginx.py", "test_the_document_s_example_is_what_an_export_prints"),
    "docs/migrate.md, From keepalived": ("../lab/test_20_migration.py", "test_from_keepalived"),
    **dict.fromkeys(
        ("docs/platforms.md, Systems", "docs/platforms.md, Other names", "docs/platforms.md, nginx with conf.d alone",
         "docs/platforms.md, firewalld"),
        ("../unit/settings/test_platform.py", "test_the_examples_of_the_document_do_what_it_says")),
    "docs/events.md, Events": ("../lab/test_22_events.py", "test_a_planned_move_is_told_and_the_reactor_reacts"),
    "docs/monitoring.md, Monitoring": ("../lab/test_23_monitoring.py", "test_a_pair_that_is_well_has_no_alert"),
    "docs/monitoring.md, What only the load balancer knows":
        ("../integration/test_haproxy_ha.py", "test_the_schedule_of_the_page_on_monitoring_writes_metrics"),
    "docs/operate.md, Maintenance that the cloud announces":
        ("../lab/test_26_maintenance.py", "test_another_cloud_tells_by_a_file_or_a_command"),
    "docs/operate.md, A load balancer is dead":
        ("test_operator.py", "test_the_survivor_of_a_dead_pair_waits_for_nobody_and_proves_what_it_can"),
    "docs/http.md, Browsers that ask by TLS alone":
        ("test_edge_tls.py", "test_each_answer_by_tls_has_the_header_once_and_none_without"),
    "docs/http.md, Client certificates":
        ("test_edge_tls.py", "test_only_who_shows_a_certificate_that_counts_is_answered"),
    **dict.fromkeys(
        ("docs/secrets.md, In a store", "docs/secrets.md, In a store, 2"),
        ("test_secrets_elsewhere.py", "test_the_document_s_store_has_the_secrets_of_its_pillar")),
    "docs/secrets.md, In pillar, encrypted": ("test_secrets_encrypted.py", "test_every_secret_may_be_encrypted"),
    **dict.fromkeys(
        ("docs/secrets.md, In Vault", "docs/secrets.md, In Vault, 2", "docs/secrets.md, In Vault, 3"),
        ("test_secrets_of_vault.py",
         "test_a_secret_of_vault_is_installed_rotated_and_stays_while_vault_has_none_to_say")),
    "docs/secrets.md, In a file that something else writes":
        ("test_secrets_elsewhere.py", "test_a_token_file_that_something_else_writes_is_used_as_it_is"),
    "docs/addresses.md, Several addresses":
        ("test_several_addresses.py", "test_each_of_several_addresses_has_its_resource"),
    "docs/addresses.md, Several addresses, 2": ("test_several_addresses.py", "test_a_bind_names_one_of_them"),
    "docs/addresses.md, Together": ("test_several_addresses.py", "test_an_ipv6_address_stays_with_its_ipv4_one"),
    "docs/addresses.md, Together, 2": ("test_several_addresses.py", "test_many_addresses_of_a_lan_are_one_resource"),
}
"""{place of the example: (file of the test, from test/functional, and its name)}"""
