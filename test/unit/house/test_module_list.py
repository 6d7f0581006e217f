from support import REPOSITORY, module_list


def test_the_list_of_modules_is_that_of_the_modules():
    """Without it every minion says that its modules are of another version than the states."""
    written = (REPOSITORY / module_list.LISTED).read_text(encoding="ascii")
    assert written == module_list.listing(), "haproxy_ha/modules.sha256 is of other modules: run `make modules`"
