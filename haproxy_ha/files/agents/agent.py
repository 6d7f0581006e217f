"""What every OCF resource agent of this provider needs: parameters, codes, reasons, deadlines, programs, files.

Follows the Open Cluster Framework's resource agent API 1.1. Imports only what starts fast: an agent is started for each
monitor, and python3 itself is the smaller part of that cost.
"""

import os
import sys
import time

SUCCESS = 0
ERR_GENERIC = 1  # soft: Pacemaker tries again, here and then elsewhere
ERR_ARGS = 2  # hard: not on this node
ERR_UNIMPLEMENTED = 3
ERR_PERM = 4  # hard
ERR_INSTALLED = 5  # hard
ERR_CONFIGURED = 6  # fatal: nowhere. Only for what is wrong on every node alike, which is the CIB's parameters
NOT_RUNNING = 7
DEGRADED = 190  # runs, and Pacemaker shows the reason without acting on it
DEGRADED_ONCE = "haproxy_ha-degraded-"  # how the names of files begin that tell of it (note_degraded)


class Parameter:
    """What the cluster's configuration may tell an agent.

    Args:
        name (str): The parameter.
        short (str): What it is, in a few words.
        long (str): What it does, for people.
        default (str): What counts where it is not given. Default "": nothing.
        type (str): `string` (default), `integer` or `time`.
        required (bool): Whether it must be given. Default False.
        unique_group (str): No two resources may have the same value of it. Default "": they may.
        reloadable (bool): Whether a change restarts nothing. Default True.
    """

    def __init__(
        self, name, *, short, long, default="", type="string", required=False, unique_group="", reloadable=True
    ):  # fmt: skip
        self.name, self.short, self.long, self.default, self.type = name, short, long, default, type
        self.required, self.unique_group, self.reloadable = required, unique_group, reloadable


class Action:
    """What an agent can do, the seconds that this may take, and those between two of a recurring one."""

    def __init__(self, name, *, timeout, interval=0):
        self.name, self.timeout, self.interval = name, timeout, interval


class Description:
    """An agent: what it is called, what people are told of it, its parameters and its actions."""

    def __init__(self, *, name, version, short, long, parameters, actions):
        self.name, self.version, self.short, self.long = name, version, short, long
        self.parameters, self.actions = parameters, actions


class Failure(Exception):
    """Ends an action with a code and one line that says why."""

    def __init__(self, code, reason):
        super().__init__(reason)
        self.code, self.reason = code, reason


PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
secrets = set()  # never in a reason or a log


def run(command, timeout, check=True):
    """Runs a program, without a terminal and with a PATH of our own.

    Args:
        command (list[str]): The program and its arguments.
        timeout (float): Seconds after which it is killed.
        check (bool): Whether a code other than 0 is a failure.

    Returns:
        subprocess.CompletedProcess: With text.

    Raises:
        Failure: It is not there (5), failed or did not end in time (1).
    """
    import subprocess

    said = " ".join(command)
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=timeout,
            env={"PATH": PATH, "LC_ALL": "C"}, start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError:
        raise Failure(ERR_INSTALLED, f"{command[0]}: is not installed") from None
    except subprocess.TimeoutExpired:
        raise Failure(ERR_GENERIC, f"{said}: did not end in time") from None
    except (OSError, ValueError) as error:
        raise Failure(ERR_GENERIC, f"{said}: {error}") from None
    if check and done.returncode:
        raise Failure(ERR_GENERIC, f"{said}: {done.stderr.strip() or f'code {done.returncode}'}")
    return done


class Environment:
    """What the cluster hands to an agent.

    Args:
        description (Description): Whose parameters to read.
        environ (dict): The environment.
        action (str): The action; its advised timeout holds where the cluster gives none.
    """

    def __init__(self, description, environ, action):
        self._values = {
            parameter.name: environ.get(f"OCF_RESKEY_{parameter.name}") or parameter.default
            for parameter in description.parameters
        }
        self.parameters, self._parent = description.parameters, os.getppid()
        self.action = action
        self.instance = environ.get("OCF_RESOURCE_INSTANCE") or description.name
        self.check_level = number(environ.get("OCF_CHECK_LEVEL"), 0)
        self.is_probe = is_probe(action, environ)
        self.interval = number(environ.get("OCF_RESKEY_CRM_meta_interval"), 0) / 1000
        self.state_directory = environ.get("HA_RSCTMP") or "/run/resource-agents"
        advised = next((entry.timeout for entry in description.actions if entry.name == action), 20)
        timeout = (number(environ.get("OCF_RESKEY_CRM_meta_timeout"), 0) or advised * 1000) / 1000
        self.began = time.monotonic()
        # The cluster kills at its timeout; a reason must be told before.
        self.deadline = self.began + max(timeout * 0.9 - 0.5, timeout / 2)

    def __getitem__(self, name):
        return self._values[name]

    @property
    def left(self):
        """Seconds until this action must have ended."""
        return max(0.0, self.deadline - time.monotonic())

    def refuse_orphan(self):
        """Raises when Pacemaker's executor has died: the cluster has looked anew, and waits for nothing of this."""
        if os.getppid() != self._parent:
            raise Failure(ERR_GENERIC, "Pacemaker's executor has died, and nobody waits for this any more")

    def seconds(self, name):
        """A parameter as a positive number of seconds; `10`, `10s` and `500ms` are accepted."""
        text = self._values[name].strip()
        number, factor = (text[:-2], 0.001) if text.endswith("ms") else (text.removesuffix("s"), 1)
        try:
            value = float(number) * factor
        except ValueError:
            value = -1.0
        if not 0 <= value < 1e9:
            raise Failure(ERR_CONFIGURED, f"{name}: found {text!r}, allowed: seconds, such as 10 or 10s")
        return value

    def require(self):
        """Raises for a required parameter that is not given."""
        for parameter in self.parameters:
            if parameter.required and not self._values[parameter.name]:
                raise Failure(ERR_CONFIGURED, f"{parameter.name}: is required, and is not given")


def is_probe(action, environ):
    """Whether an action is the monitor that only looks where a resource runs."""
    return action == "monitor" and environ.get("OCF_RESKEY_CRM_meta_interval", "0") == "0"


def number(text, default=0):
    """A whole number in decimal digits; the default for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else default


def log(text):
    """One line for Pacemaker's log, which takes an agent's standard error."""
    _say(_line(text))


def reason(text):
    """The line that Pacemaker shows in crm_mon, of which it keeps 128 characters."""
    _say(f"ocf-exit-reason:{_line(text)}")


def _say(text):
    try:
        print(text, file=sys.stderr)
    except OSError:
        return  # Pacemaker's executor has died: what is under way is brought to its end


def _line(text):
    for secret in secrets:
        text = text.replace(secret, "***")
    return " ".join(text.split())


def replace_file(path, text):
    """Writes a file as a whole, readable by all, or not at all.

    Args:
        path (str): Its directory is made where it is missing.
        text (str): The content.

    Raises:
        Failure: The code tells a lack of permission (4) from the rest (1).
    """
    directory, name = os.path.split(path)
    temporary = os.path.join(directory, f".{name}.{os.getpid()}")
    try:
        os.makedirs(directory, mode=0o755, exist_ok=True)
        with open(temporary, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)
        os.replace(temporary, path)
    except OSError as error:
        remove_file(temporary)
        code = ERR_PERM if isinstance(error, PermissionError) else ERR_GENERIC
        raise Failure(code, f"cannot write {path}: {error.strerror}") from None


def remove_file(path):
    """Removes a file if it is there; tells whether it was."""
    try:
        os.unlink(path)
    except OSError:
        return False
    return True


def open_at_once(path, flags):
    """Opens without waiting: a named pipe would be waited for, for ever. For `open` as its opener."""
    return os.open(path, flags | os.O_NONBLOCK)


def read_file(path):
    """The text of a small file; None when there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace", opener=open_at_once) as file:
            return file.read(65536)
    except OSError:
        return None


def main(description, handlers, argv, environ):
    """Runs one action.

    Args:
        description (Description): The agent.
        handlers (dict): Action name -> function of an Environment that returns a code or raises Failure.
        argv (list[str]): The command line; only the action counts.
        environ (dict): The environment.

    Returns:
        int: The code to exit with.
    """
    action = argv[1] if len(argv) > 1 else ""
    if action == "meta-data":
        from meta_data import meta_data

        sys.stdout.write(meta_data(description))
        return SUCCESS
    if action in ("", "usage", "help"):
        print(f"usage: {description.name} {{{'|'.join([*handlers, 'meta-data'])}}}")
        return SUCCESS if action else ERR_ARGS
    if action not in handlers:
        reason(f"the agent has no action {action}")
        return ERR_UNIMPLEMENTED
    env = Environment(description, environ, action)
    try:
        code = handlers[action](env)
    except Failure as failure:
        reason(failure.reason)
        code = failure.code
    except Exception as error:  # noqa: BLE001 - a slip of ours must not be what takes a service away
        code = _unexpected(error, action, environ)
    note_degraded(env, code)
    return code


def note_degraded(env, code):
    """Of a resource that was degraded once: when its monitor came last, and how often it comes (unwatched.py)."""
    path = os.path.join(env.state_directory, f"{DEGRADED_ONCE}{env.instance.partition(':')[0]}")
    if env.action == "stop" or env.is_probe and code == NOT_RUNNING:
        remove_file(path)
    elif env.action == "monitor" and not env.is_probe and (code == DEGRADED or os.path.exists(path)):
        try:
            replace_file(path, f"{time.monotonic():.3f} {env.interval:g}\n")
        except Failure as failure:
            log(failure.reason)


def _unexpected(error, action, environ):
    """What serves goes on, and the slip is shown; whoever asks where the resource runs is told that nobody knows."""
    place = error.__traceback__
    while place.tb_next:
        place = place.tb_next
    where = f"{os.path.basename(place.tb_frame.f_code.co_filename)}:{place.tb_lineno}"
    reason(f"{action}: unexpected {type(error).__name__} at {where}: {error} (a defect of the agent: please report it)")
    return DEGRADED if action == "monitor" and not is_probe(action, environ) else ERR_GENERIC


def leave(code):
    """Ends the process with a code, whatever a thread that nobody waits for is doing.

    Python's own end would abort when such a thread holds a socket's buffer.
    """
    import contextlib

    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)
