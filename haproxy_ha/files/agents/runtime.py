"""What HAProxy says of itself: its CLI, by way of the master or of a stats socket (its management guide, 9.3 and 9.4).

`show proc`, `show info` and `show stat` are asked, whose formats the guide documents.
"""

import errno
import os
import time
from collections import namedtuple

import agent

SAID, MUTE, ABSENT = "said", "mute", "absent"

# state: SAID, MUTE (somebody is there and does not answer) or ABSENT (no CLI, which is no fault). text: what was tried.
# worker: the id of the process that serves, 0 when it was not told. info: `show info`. rows: of frontends and backends.
Word = namedtuple("Word", "state text worker info rows", defaults=(0, {}, ()))
Row = namedtuple("Row", "proxy side status current limit")

_SHOW = "show info", "show stat -1 3 -1"  # 3: frontends and backends
_MOST_BYTES = 64 << 20


def ask(main, configuration, deadline):
    """HAProxy's word.

    Args:
        main (int): The id of its main process.
        configuration (str): Path of a configuration, for what its command line does not tell.
        deadline (float): Monotonic seconds.

    Returns:
        Word: The master's, else that of the first stats socket that answers.
    """
    command = command_line(main)
    word = _master_word(main, command, deadline)
    if word.state == SAID:
        return word
    for address in stats_sockets([*configurations(main, command), configuration]):
        other = _socket_word(address, deadline if word.state == ABSENT else deadline + 0.3)
        if other.state == SAID and word.worker in (0, other.worker):
            return other
        if word.state == ABSENT:
            word = other
    return word


# --- Ways to its CLI


def command_line(pid):
    """The words of a process's command line."""
    return (agent.read_file(f"/proc/{pid}/cmdline") or "").rstrip("\0").split("\0")


def _values(command, option):
    return [value for word, value in zip(command, command[1:], strict=False) if word == option]


def master_socket(main, command):
    """The address of the master's CLI, which -S names; "" without one."""
    named = _values(command, "-S")
    return _in_directory(main, named[-1].split(",")[0]) if named else ""


def configurations(main, command):
    """The paths of the configuration files that a command line names."""
    after = command[command.index("--") + 1 :] if "--" in command else []
    paths = []
    for path in [*_values(command, "-f"), *after]:
        path = _in_directory(main, path)
        try:
            names = sorted(name for name in os.listdir(path) if name.endswith(".cfg") and name[0] != ".")
        except OSError:
            paths.append(path)
        else:
            paths += [os.path.join(path, name) for name in names]
    return paths


def _in_directory(main, address):
    """A path as the process means it; another address as it stands."""
    path = address.removeprefix("unix@")
    if path.startswith("/") or "@" in path or (":" in path and "/" not in path):
        return path
    try:
        return os.path.join(os.readlink(f"/proc/{main}/cwd"), path)
    except OSError:
        return path


def stats_sockets(paths):
    """The addresses that some configurations give their stats sockets, each once.

    No more than a hint: who answers there must say that it is the worker.
    """
    found = {}
    for path in paths:
        for line in (agent.read_file(path) or "").splitlines():
            words = line.split("#", 1)[0].replace('"', "").replace("'", "").replace("\\", "").split()
            if words[:2] == ["stats", "socket"] and len(words) > 2:
                found[words[2].removeprefix("unix@")] = None
    return list(found)


def _endpoint(address):
    """The family and the address of a CLI for socket(2); None for what only HAProxy itself can reach."""
    import socket

    kind, at, rest = address.rpartition("@")
    if address.startswith("/"):
        return socket.AF_UNIX, address
    if at and kind == "abns":
        return socket.AF_UNIX, "\0" + rest.ljust(107, "\0")
    if at and kind == "abnsz":
        return socket.AF_UNIX, "\0" + rest
    host, colon, port = rest.rpartition(":")
    if kind not in ("", "ipv4", "ipv6", "tcp", "tcp4", "tcp6") or not colon or not agent.number(port):
        return None
    host = host.strip("[]")
    six = ":" in host or kind.endswith("6")
    if host in ("", "*", "::", "0.0.0.0"):
        host = "::1" if six else "127.0.0.1"
    return (socket.AF_INET6 if six else socket.AF_INET), (host, agent.number(port))


def _connect(address, deadline):
    """A connection to a CLI.

    Raises:
        OSError: Nobody is there, or nobody takes it in time.
    """
    import socket

    endpoint = _endpoint(address)
    if endpoint is None:
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
    connection = socket.socket(endpoint[0])
    try:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        connection.connect(endpoint[1])
    except (OSError, ValueError) as error:
        connection.close()
        raise error if isinstance(error, OSError) else OSError(errno.EINVAL, str(error)) from None
    return connection


def read_answer(connection, deadline, end=b""):
    """What comes until a text ends with `end`, or the connection ends.

    Raises:
        OSError: Neither comes before the deadline, or too much.
    """
    answer = b""
    while not end or not answer.endswith(end):
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        part = connection.recv(1 << 16)
        if not part:
            break
        answer += part
        if len(answer) > _MOST_BYTES:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
    # An answer ends with an empty line, unless who answered has ended.
    if not (b"\n" + answer).endswith(b"\n\n"):
        raise ConnectionResetError(errno.ECONNRESET, "the answer ends early")
    return answer.decode("utf-8", "replace")


# --- Who answers


def _master_word(main, command, deadline):
    import socket

    address = master_socket(main, command)
    if not address:
        return Word(ABSENT, "")
    worker = 0
    try:
        with _connect(address, deadline) as connection:
            connection.sendall(b"show proc\n")
            worker = current_worker(read_answer(connection, deadline, b"\n\n"))
            if not worker:
                return Word(SAID, address)
            connection.sendall("".join(f"@!{worker} {command}\n" for command in _SHOW).encode())
            connection.shutdown(socket.SHUT_WR)
            return _said(address, worker, read_answer(connection, deadline))
    except OSError as error:
        return _unsaid(address, worker, error)


def is_heard(main, worker, seconds):
    """Whether a worker answers its master, at the least cost; True as well where nobody can ask it so.

    Args:
        main (int): The id of the main process.
        worker (int): The worker's.
        seconds (float): How long the answer may take.
    """
    import socket

    address = master_socket(main, command_line(main))
    deadline = time.monotonic() + seconds
    try:
        with _connect(address, deadline) as connection:
            connection.sendall(f"@!{worker} show version\n".encode())
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            connection.recv(1 << 12)
    except OSError as error:
        return _unsaid(address, worker, error).state != MUTE
    return True


def _socket_word(address, deadline):
    try:
        with _connect(address, deadline) as connection:
            connection.sendall(f"{';'.join(_SHOW)}\n".encode())
            text = read_answer(connection, deadline)
    except OSError as error:
        return _unsaid(address, 0, error)
    worker = agent.number(parse_info(text).get("Pid"))
    return _said(address, worker, text) if worker else Word(ABSENT, address)


def _said(address, worker, text):
    info = parse_info(text)
    if info.get("Pid") != str(worker):
        return Word(ABSENT, address, worker)  # it may have ended meanwhile, or the CLI does not let us ask
    return Word(SAID, address, worker, info, parse_stat(text))


def _unsaid(address, worker, error):
    # EAGAIN: the queue of a unix socket is full.
    silent = isinstance(error, (TimeoutError, BlockingIOError))
    return Word(MUTE if silent else ABSENT, address, worker)


# --- What they say


def current_worker(text):
    """The id of the worker that serves, in the master's `show proc`; 0 without one.

    After a reload that failed it is the newest of the old workers, which was told to go on.
    """
    current, old, section, failed = [], [], "", False
    for line in text.splitlines():
        words = line.split()
        if line.startswith("#"):
            section = line.strip("# ").strip()
        elif len(words) > 2 and words[0].isdigit() and words[1] == "master":
            failed = "[failed:" in line and "[failed: 0]" not in line
        elif len(words) > 2 and words[1] == "worker" and words[2].isdigit() and (pid := agent.number(words[0])):
            (old if section == "old workers" else current).append((agent.number(words[2]), pid))
    serving = current or (old if failed else [])
    return min(serving)[1] if serving else 0


def parse_info(text):
    """`show info`, which may be followed by other answers: {name: value}."""
    pairs = (line.split(": ", 1) for line in text.partition("\n\n")[0].splitlines() if ": " in line)
    return dict(pairs)


def parse_stat(text):
    """`show stat`, which may follow other answers: a tuple of Row."""
    table = text[text.find("# pxname") :].splitlines() if "# pxname" in text else []
    if not table:
        return ()
    names = table[0].removeprefix("# ").split(",")
    try:
        places = [names.index(name) for name in ("pxname", "svname", "status", "scur", "slim")]
    except ValueError:
        return ()
    rows = (line.split(",", max(places) + 1) for line in table[1:])
    return tuple(Row(*(row[place] for place in places)) for row in rows if len(row) > max(places))
