from tools import lists


def test_the_lists_of_modules_and_agents_are_those_of_what_is_there():
    """Without them every minion says that its modules, or the agents, are of another version than the states."""
    assert not lists.outdated(), "run `make modules`"
