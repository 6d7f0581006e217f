"""What a fence agent needs, as the FenceAgentAPI has it: options from standard input or words, metadata, one action."""

import sys

import agent
from agent import Failure

SHORT_OPTIONS = {"-o": "action", "-n": "plug"}


class Option:
    """What a fence agent is told.

    Args:
        name (str): The option.
        short (str): What it is, for people.
        default (str): What counts where it is not given. Default "": nothing.
        type (str): `string` (default) or `second`.
        required (bool): Whether the metadata says that it must be given. Default False.
    """

    def __init__(self, name, *, short, default="", type="string", required=False):
        self.name, self.short, self.default, self.type, self.required = name, short, default, type, required


class Description:
    """A fence agent: what it is called, what people are told of it, its options and its actions."""

    def __init__(self, *, name, vendor_url, short, long, options, actions):
        self.name, self.vendor_url, self.short, self.long = name, vendor_url, short, long
        self.options, self.actions = options, actions


def seconds(options, name):
    """A duration of the options."""
    text = options[name].removesuffix("s")
    digits = text.replace(".", "", 1)
    if not (digits.isascii() and digits.isdigit() and len(digits) < 7):
        raise Failure(1, f"{name}: found {options[name]!r}, allowed: seconds")
    return float(text)


def read_options(description, words, lines):
    """The options: from the command line, or, without one, from lines `name=value`. What is unknown is not ours.

    Returns:
        dict: Each option's text by its name; `agent` is the name of the agent, for what it logs, and `node` what the
            cluster calls the plug's machine.
    """
    given = _of_words(words) if words else _of_lines(lines)
    options = {option.name: given.get(option.name) or option.default for option in description.options}
    options["agent"] = description.name
    options["plug"] = options["plug"] or options["port"] or given.get("nodename", "")
    options["node"] = given.get("nodename") or options["plug"]
    return options


def _of_words(words):
    pairs = zip(words, words[1:], strict=False)
    given = {SHORT_OPTIONS[name]: value for name, value in pairs if name in SHORT_OPTIONS}
    for word in words:
        name, equals, value = word.partition("=")
        if equals and name.startswith("--"):
            given[name[2:].replace("-", "_")] = value
    return given


def _of_lines(lines):
    pairs = [line.strip().partition("=") for line in lines]
    return {name.strip(): value.strip() for name, equals, value in pairs if equals and not name.startswith("#")}


def metadata(description):
    """The agent's metadata, as XML."""
    lines = [
        '<?xml version="1.0"?>',
        f'<resource-agent name="{description.name}" shortdesc="{description.short}">',
        f"<longdesc>{description.long}</longdesc>",
        f"<vendor-url>{description.vendor_url}</vendor-url>",
        "<parameters>",
    ]
    for option in description.options:
        content = f' default="{option.default}"' if option.default else ""
        lines += [
            f'<parameter name="{option.name}" unique="0" required="{int(option.required)}">',
            f'<getopt mixed="--{option.name.replace("_", "-")}=[{option.name}]"/>',
            f'<content type="{option.type}"{content}/>',
            f'<shortdesc lang="en">{option.short}</shortdesc>',
            "</parameter>",
        ]
    actions = [f'<action name="{name}"/>' for name in description.actions if name != "on"]
    actions.insert(0, '<action name="on" automatic="0"/>')
    return "\n".join([*lines, "</parameters>", "<actions>", *actions, "</actions>", "</resource-agent>", ""])


def main(description, actions, words, lines):
    """Runs one action.

    Args:
        description (Description): The agent.
        actions (callable): Returns, for each action by its name, a function of the options that returns a code or
            None, or raises Failure.
        words (list[str]): The command line.
        lines (Iterable[str]): Standard input, which counts without a command line.

    Returns:
        int: The code to exit with.
    """
    options = read_options(description, words, lines)
    if options["action"] == "metadata":
        sys.stdout.write(metadata(description))
        return 0
    handlers = actions()
    if options["action"] not in handlers:
        agent.log(f"action: found {options['action']!r}, allowed: {', '.join(description.actions)}")
        return 1
    try:
        return handlers[options["action"]](options) or 0
    except Failure as failure:
        text = failure.reason
    except Exception as error:  # nobody expected it, and nothing is known to be off
        text = f"{type(error).__name__}: {error}"
    agent.log(f"{description.name}: {options['action']} {options['plug']}: {' '.join(text.split())}")
    return 1
