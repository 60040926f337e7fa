#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How servers are found well or not, as HAProxy does:   checks_twin.py BINARY

What a client sees is what counts: a server that is down gets nothing."""
import os
import re
import socket
import struct
import subprocess
import tempfile
import threading

from support import WAIT, Asked, Proxy, Server, config, free_port, main, named, read_all, until

EVERY = "    default-server inter 100 rise 1 fall 1\n    retries 0\n"


def served_by(proxy):
    """The server's name; "" when there is none."""
    try:
        return proxy.ask()
    except OSError:
        return ""


def listen(lines):
    return config("listen l\n    bind 127.0.0.1:{port}\n" + EVERY + lines)


def test_a_server_is_as_the_one_it_tracks(binary):
    web = Server(named("web"))
    checked = Server(named("checked"))
    text = listen("    server t 127.0.0.1:%d track a/s\n    server u 127.0.0.1:%d track t\n" % (web.port, web.port))
    text += "backend a\n    server s 127.0.0.1:%d check inter 100 rise 2 fall 2\n" % checked.port
    text += "    server d 127.0.0.1:%d check disabled\nbackend b\n    server v 127.0.0.1:1 track a/d\n" % checked.port
    with Asked(binary, text) as p:
        until("it is checked", lambda: p.row("a/s", "check_status") == ["L4OK"])
        assert served_by(p.proxy) == "web"
        assert p.row("l/t", "status", "tracked", "check_status", "chkfail", "downtime") == ["UP", "a/s", "", "", ""]
        assert p.row("l/u", "status", "tracked") == ["UP", "l/t"]
        assert p.row("b/v", "status", "tracked") == ["MAINT (via a/d)", "a/d"]
        checked.stop()
        until("it is down with it", lambda: p.status("l/u") == "DOWN" == p.status("l/t"))
        assert served_by(p.proxy) == ""
        assert p.ask("set server l/t health up") == "cannot change health on a tracking server."
        checked = Server(named("checked"), checked.port)
        until("it is up with it", lambda: p.status("l/u") == "UP" and served_by(p.proxy) == "web")
        # an operator's word goes down the chain, and back
        p.ask("set server a/s state drain")
        assert (p.status("l/t"), p.status("l/u")) == ("DRAIN", "DRAIN")
        assert served_by(p.proxy) == ""
        flags = [line.split()[6] for line in p.ask("show servers state l").splitlines() if " l " in line]
        assert flags == ["16", "16"], flags
        p.ask("set server a/s state maint")
        assert (p.status("l/t"), p.status("l/u")) == ("MAINT (via a/s)", "MAINT (via l/t)")
        assert served_by(p.proxy) == ""
        p.ask("set server a/s state ready")
        until("all are ready", lambda: served_by(p.proxy) == "web")
        # its own maintenance is its own
        p.ask("set server l/t state maint")
        assert [p.status(s) for s in ("l/t", "l/u")] == ["MAINT", "MAINT (via l/t)"]
        p.ask("set server l/t state ready")
        until("they are back", lambda: served_by(p.proxy) == "web")


def test_the_log_says_what_happens_to_servers(binary):
    web, backup, log = Server(named("web")), Server(named("backup")), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    log.bind(("127.0.0.1", 0))
    log.settimeout(WAIT)

    def told(said):
        """Up to the line that ends so: without its head and the milliseconds."""
        lines = []
        while not lines or said not in lines[-1]:
            text = log.recv(4096).decode().strip()
            lines.append(text[1:4] + re.sub(r"duration: \d+ms", "duration: N", text.split("]: ", 1)[1]))
        return lines

    text = listen(f"    log 127.0.0.1:{log.getsockname()[1]} local0\n    server s 127.0.0.1:{web.port} check\n"
                  f"    server b 127.0.0.1:{backup.port} check backup\n")  # fmt: skip
    text += f"backend c\n    log 127.0.0.1:{log.getsockname()[1]} local0\n    option log-health-checks\n"
    text += f"    server h 127.0.0.1:{web.port} check inter 100 rise 1 fall 1\n    server t 127.0.0.1:{web.port} track l/s\n"
    left, on = "sessions active, 0 requeued, 0 remaining in queue.", "0 sessions requeued, 0 total in queue."
    with Asked(binary, text) as p:
        until("all are checked", lambda: p.row("l/s", "check_status") == p.row("l/b", "check_status") == p.row("c/h", "check_status") == ["L4OK"])
        for command, lines in (
            ("l/s state drain", {"133Server l/s enters drain state. 0 active and 1 backup servers online. Running on backup. " + on,
                                 "133Server c/t enters drain state via l/s. 1 active and 0 backup servers online. " + on}),
            ("l/s state ready", {"133Server l/s is UP (leaving forced drain).", "133Server c/t is UP (leaving forced drain)."}),
            ("l/s state maint", {"129Server l/s is going DOWN for maintenance. 0 active and 1 backup servers left. Running on backup. 0 " + left,
                                 "129Server c/t is going DOWN for maintenance via l/s. 1 active and 0 backup servers left. 0 " + left}),
            ("l/s state ready", {"133Server l/s is UP/READY (leaving forced maintenance).", "133Server c/t is UP/READY (leaving maintenance)."}),
        ):  # fmt: skip
            p.ask("set server " + command)
            got = told("c/t")
            assert lines <= set(got), (command, got)
        web.stop()
        until("all is down", lambda: p.status("l/s") == p.status("c/h") == p.status("c/t") == "DOWN")
        backup.stop()
        refused = ', reason: Layer4 connection problem, info: "Connection refused", check duration: N'
        got = set(told("proxy l has no server available!"))
        for line in (f"129Server l/s is DOWN{refused}. 0 active and 1 backup servers left. Running on backup. 0 {left}",
                     f"129Backup Server l/b is DOWN{refused}. 0 active and 0 backup servers left. 0 {left}",
                     "128proxy l has no server available!", f"133Health check for server c/h failed{refused}, status: 0/1 DOWN."):  # fmt: skip
            assert line in got, (line, got)
        assert any(re.fullmatch(r"129Server c/t is DOWN via l/s\. \d active and 0 backup servers left\. 0 " + left, x) for x in got), got
        web = Server(named("web"), web.port)
        passed = "reason: Layer4 check passed, check duration: N"
        got = set(told("l/s is UP"))
        assert f"133Server l/s is UP, {passed}. 1 active and 0 backup servers online. {on}" in got, got


def test_first_checks_come_in_the_order_of_the_configuration(binary):
    """The first one at once; with an interval of a minute the limit alone tells how far the others may lie apart."""
    came, dead = [], free_port()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def serve():
        """All at one port and one after the other, so that the kernel keeps their order, however late we are."""
        while True:
            with listener.accept()[0] as c:
                came.append(re.match(rb"(?:GET /)?(\w+)", c.recv(1000))[1].decode())
                c.sendall(b"up\n" if came[-1] == "agent" else b"HTTP/1.0 200 OK\r\n\r\n")

    threading.Thread(target=serve, daemon=True).start()
    text = config(f"backend a\n    option httpchk GET /a1\n    default-server check inter 60s\n    server dead 127.0.0.1:{dead}\n"
                  f"    server a1 127.0.0.1:{port} agent-check agent-port {port} agent-inter 60s agent-send agent\\n\n"
                  f"    server a2 127.0.0.1:{port} disabled\n"
                  f"listen l\n    bind 127.0.0.1:{{port}}\n    option httpchk GET /b1\n    server b1 127.0.0.1:{port} check inter 50s\n")  # fmt: skip
    with Asked(binary, text.replace("global\n", "global\n    max-spread-checks 2s\n")) as p:
        until("the dead one is found", lambda: p.status("a/dead") == "DOWN")
        until("all were asked", lambda: len(came) == 3)
        assert came == ["a1", "agent", "b1"], came


def silent(server, c):
    """Answers half of it when asked for half."""
    if b"/half" in c.recv(999):
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    server.counted()
    c.recv(1)


class Lines:
    """What the proxy logs of connections: server and how they ended."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(WAIT)
        self.port = self.socket.getsockname()[1]

    def take(self, n):
        got = []
        while len(got) < n:
            line = self.socket.recv(4096).decode().strip()
            if "@@" in line:
                got.append(line.split("@@")[1])
        return sorted(got)


def test_sessions_end_when_a_server_is_marked(binary):
    main, backup, log = Server(silent), Server(silent), Lines()
    marks = "on-marked-down shutdown-sessions on-marked-up shutdown-backup-sessions"
    servers = f"    server s 127.0.0.1:{main.port} check inter 100 rise 1 fall 1 {marks}\n    server b 127.0.0.1:{backup.port} backup\n"
    logs = f"    log 127.0.0.1:{log.port} local0\n    log-format @@%s,%ts,%ST\n"
    web = free_port()
    text = listen(logs.replace(",%ST", "") + servers) + f"listen h\n    mode http\n    bind 127.0.0.1:{web}\n" + logs + EVERY + servers
    requests = (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"GET /half HTTP/1.1\r\nHost: a\r\n\r\n",
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")  # fmt: skip

    with Asked(binary, text.replace("nbthread 1", "nbthread 2")) as p:

        def begin(server):
            before = server.count
            clients = [p.proxy.connect(), *(p.proxy.connect(web) for _ in requests)]
            for c, data in zip(clients, (b"x", *requests)):
                c.sendall(data)
            until("the server has them all", lambda: server.count == before + 4)
            return clients

        def see(clients, server, who):
            got = [read_all(c) for c in clients]
            assert got[0] == b"" and got[3] == b"", got
            assert got[1].startswith(b"HTTP/1.1 502 ") and got[2].endswith(b"half"), got
            assert log.take(4) == [f"{server},{who}-", f"{server},{who}-,-1", f"{server},{who}D,200", f"{server},{who}H,502"]

        for state in ("maint", "down"):
            clients = begin(main)
            for listener in "lh":
                p.ask(f"set server {listener}/s " + ("state maint" if state == "maint" else "health down"))
            see(clients, "s", "D")
            for listener in "lh":
                p.ask(f"set server {listener}/s state maint")
            clients = begin(backup)
            for listener in "lh":
                p.ask(f"set server {listener}/s state ready")
            see(clients, "b", "U")
        # it is found to be down
        until("both are up", lambda: p.status("l/s") == "UP" == p.status("h/s"))
        clients = begin(main)
        main.stop()
        see(clients, "s", "D")


BAD = b"HTTP/1.1 500 no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
WELL = BAD.replace(b"500 no", b"200 ok")
RESET = b"reset"
WRONG = BAD.replace(b"500 no", b"501 no")  # says nothing of the server


def test_traffic_is_observed(binary):
    answer = [WELL]

    def serve(server, c):
        if c.recv(999) and answer[0] is RESET:
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            c.sendall(answer[0])

    web = Server(serve)
    words = {
        "fail": "error-limit 3",
        "sudden": "error-limit 3 on-error sudden-death",
        "mark": "error-limit 3 on-error mark-down",
        "fast": "error-limit 3 on-error fastinter",
        "ten": "",
    }
    ports = {name: free_port() for name in words}
    text = listen("    server s 127.0.0.1:1\n")
    for name, more in words.items():
        text += f"listen {name}\n    mode http\n    bind 127.0.0.1:{ports[name]}\n"
        text += f"    server s 127.0.0.1:{web.port} check inter 1h rise 2 fall 3 observe layer7 {more}\n"
    with Asked(binary, text) as p:

        def ask(name, *answers):
            for answer[0] in answers:
                with p.proxy.connect(ports[name]) as s:
                    s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                    read_all(s)

        def becomes(name, *what):
            fields = ("status", "hanafail", "chkfail", "chkdown", "check_status")
            until(f"{name} is {what}", lambda: p.row(name + "/s", *fields)[: len(what)] == list(what))

        def tells(name, what):
            until(f"{name} tells of {what}", lambda: p.row(name + "/s", "last_chk") == ["Detected " + what])

        until("the first one was checked", lambda: p.row("fail/s", "check_status") == ["L4OK"])  # the others are in a while
        for name in words:
            p.ask(f"set server {name}/s health up")  # as if it had been checked often
            becomes(name, "UP", "0", "0", "0")
        ask("fail", BAD, b"", WELL, BAD, b"", WRONG)  # never three in a row
        becomes("fail", "UP", "0", "0", "0")
        ask("fail", BAD, b"", BAD)
        becomes("fail", "UP 2/3", "1", "1", "0", "HANA")
        ask("fail", *[BAD] * 6)
        becomes("fail", "DOWN", "3", "3", "1", "HANA")
        tells("fail", "3 consecutive errors, last one was: Wrong http response")
        ask("sudden", *[BAD] * 3)
        becomes("sudden", "UP 1/3", "1", "1", "0", "HANA")
        ask("sudden", *[BAD] * 3)
        becomes("sudden", "DOWN", "2", "2", "1", "HANA")
        ask("mark", *[BAD] * 3)
        becomes("mark", "DOWN", "1", "1", "1", "HANA")
        ask("fast", *[BAD] * 3)
        becomes("fast", "UP", "1", "0", "0")
        ask("ten", *[BAD] * 9)
        becomes("ten", "UP", "0", "0", "0")
        ask("ten", BAD)
        becomes("ten", "UP 2/3", "1", "1", "0", "HANA")
        for error, last in ((b"", "Close from server (http)"), (b"nonsense\r\n\r\n", "Invalid http response (headers)"), (RESET, "Read error (http)")):
            p.ask("set server mark/s health up")
            ask("mark", *[error] * 3)
            tells("mark", f"3 consecutive errors, last one was: {last}")


def test_connections_are_observed(binary):
    web, checked = Server(named("web")), Server(named("checked"))
    words = f"check port {checked.port} inter 1h rise 1 fall 1 observe layer4 error-limit 3"
    with Asked(binary, listen(f"    server s 127.0.0.1:{web.port} {words}\n")) as p:
        until("the first check passed", lambda: p.row("l/s", "check_status") == ["L4OK"])
        web.stop()
        for _ in range(2):
            served_by(p.proxy)
        web = Server(named("web"), web.port)
        assert served_by(p.proxy) == "web"
        web.stop()
        for _ in range(2):
            served_by(p.proxy)
        assert p.row("l/s", "status", "hanafail") == ["UP", "0"]
        served_by(p.proxy)
        until("it is down", lambda: p.row("l/s", "status", "hanafail", "check_status") == ["DOWN", "1", "HANA"])
        assert p.row("l/s", "last_chk") == ["Detected 3 consecutive errors, last one was: L4 unsuccessful connection"]


def test_words_of_a_server_that_cannot_be_are_told(binary):
    head = listen("    server s 127.0.0.1:1 check\n    server n 127.0.0.1:1\n").replace("{port}", "1")
    for words, well in (
        ("track l/s", True),
        ("track l/x", False),
        ("track x/s", False),
        ("track l/n", False),
        ("track t", False),
        ("check track l/s", False),
        ("agent-check agent-port 1 track l/s", True),
        ("on-marked-down shutdown-backup-sessions", False),
        ("on-marked-up shutdown-sessions", False),
        ("check observe none error-limit 1 on-error fail-check", True),
        ("check observe layer5", False),
        ("check observe layer4 error-limit 0", False),
        ("check observe layer4 on-error mark-up", False),
    ):
        with tempfile.NamedTemporaryFile("w", suffix=".cfg") as f:
            f.write(head + f"backend b\n    server t 127.0.0.1:1 {words}\n")
            f.flush()
            done = subprocess.run([binary, "-c", "-f", f.name], capture_output=True, timeout=20)
        assert (done.returncode == 0) == well, (words, done.stderr)


def test_an_agent_takes_its_server_down_and_brings_it_back(binary):
    web = Server(named("web"))
    said = [b"up\n"]

    def serve(server, c):
        server.counted()
        assert c.recv(16) == b"well?\n"
        c.sendall(said[0])

    agent = Server(serve)
    lines = "    server s 127.0.0.1:%d agent-check agent-port %d agent-inter 100 agent-send well?\\n\n"
    with Proxy(binary, listen(lines % (web.port, agent.port))) as p:
        until("it is asked", lambda: agent.count > 0)
        assert served_by(p) == "web"
        said[0] = b"down #tired\n"
        until("it is down", lambda: served_by(p) == "")
        said[0] = b"up\n"
        until("it is up", lambda: served_by(p) == "web")
        said[0] = b"down tired\n"  # a word that is none takes nothing from the others
        until("it is down again", lambda: served_by(p) == "")
        said[0] = b"up rested\n"
        until("it is up again", lambda: served_by(p) == "web")
        said[0] = b"drain\n"
        until("it drains", lambda: served_by(p) == "")
        said[0] = b"ready\n"
        until("it is ready", lambda: served_by(p) == "web")


def test_an_agent_is_where_the_checks_go(binary):
    """addr and port are the agent's, too, unless it has its own; show servers state tells."""
    web, agent, asked = Server(named("web")), Server(lambda server, c: c.sendall(b"7%\n")), []
    words = (f"port {agent.port}", f"addr 127.0.0.1 port {agent.port}", f"agent-addr 127.0.0.1 agent-port {agent.port} addr 127.0.0.9 port 1")
    lines = "".join(f"    server s{i} 127.0.0.{1 + (i == 1)}:{web.port} weight 100 agent-check {w} agent-inter 100\n" for i, w in enumerate(words))
    with Asked(binary, listen(lines + f"    server none 127.0.0.1:{web.port}\n")) as p:
        for i in range(3):
            until(f"s{i} is heard", lambda: p.row(f"l/s{i}", "weight") == ["7"])
        for line in p.ask("show servers state l").splitlines()[2:]:
            words = line.split()
            asked += [(words[3], str(int(words[14]) & ~1), *words[22:])] if words else []  # 1: it runs just now
    assert asked == [
        ("s0", "22", "-", "-", str(agent.port)),
        ("s1", "22", "127.0.0.1", "127.0.0.1", str(agent.port)),
        ("s2", "22", "127.0.0.9", "127.0.0.1", str(agent.port)),
        ("none", "0", "-", "-", "0"),
    ], asked


def test_what_an_agent_said_is_shown(binary):
    web, said = Server(named("web")), [b""]
    agent = Server(lambda server, c: c.sendall(said[0]))
    fields = ("status", "agent_status", "agent_code", "agent_desc", "last_agt", "agent_rise", "agent_fall", "agent_health")
    lines = "    server s 127.0.0.1:%d agent-check agent-port %d agent-inter 100\n    server other 127.0.0.1:%d\n"
    with Asked(binary, listen(lines % (web.port, agent.port, web.port))) as p:

        def shows(*wanted):
            row = p.row("l/s", *fields)
            return [row[0], row[1].removeprefix("* "), *row[2:]] == [*wanted[:-1], "1", "1", wanted[-1]]

        for word, *wanted in (
            (b"up\n", "no check", "L7OK", "0", "Layer7 check passed", "via agent : up", "1"),
            (b"50%\n", "no check", "CHECKED", "", "No status change", "", "1"),
            (b"down # too hot\n", "DOWN (agent)", "L7STS", "0", "Layer7 wrong status", "via agent : down (too hot)", "0"),
            (b"ready up\n", "no check", "L7OK", "0", "Layer7 check passed", "via agent : up", "1"),
            (b"stopped #by hand\n", "DOWN (agent)", "L7STS", "0", "Layer7 wrong status", "via agent : stopped (by hand)", "0"),
            (b"fail\n", "DOWN (agent)", "L7STS", "0", "Layer7 wrong status", "via agent : fail", "0"),
            (b"up\tdrain\n", "DRAIN (agent)", "L7OK", "0", "Layer7 check passed", "via agent : up", "1"),
            (b"ready up\n", "no check", "L7OK", "0", "Layer7 check passed", "via agent : up", "1"),
            (b"tired down old # to and fro\n", "DOWN (agent)", "L7STS", "0", "Layer7 wrong status", "via agent : down (to and fro)", "0"),
            (b"up tired # not really\n", "no check", "L7OK", "0", "Layer7 check passed", "via agent : up (tired)", "1"),
            (b"down#a\n", "no check", "CHECKED", "", "No status change", "agent reports an error : down#a", "1"),
            (b"up # as ever\n", "no check", "L7OK", "0", "Layer7 check passed", "via agent : up (as ever)", "1"),
        ):
            said[0] = word
            until(f"{word} is shown", lambda: shows(*wanted))
        said[0] = b"up 30000%\n"
        until("a great weight is the greatest", lambda: p.row("l/s", "weight") == ["256"])
        assert p.row("l/other", *fields[1:]) == [""] * 7
        agent.stop()
        until("nobody is there", lambda: shows("no check", "L4CON", "", "Layer4 connection problem", "Connection refused", "1"))


def test_what_changes_an_agents_word_is_logged(binary):
    """option log-health-checks: the reason stands there, and not with the server's own line."""
    web, said = Server(named("web")), [b"up\n"]
    agent = Server(lambda server, c: c.sendall(said[0]))
    lines = ("    log stdout format raw daemon\n    option log-health-checks\n    timeout check 5s\n"
             "    server s 127.0.0.1:%d agent-check agent-port %d agent-inter 50\n")  # fmt: skip
    with Proxy(binary, listen(lines % (web.port, agent.port))) as p:
        for word, run, change in (
            (b"up\n", 'Agent check for server l/s succeeded, reason: Layer7 check passed, code: 0, info: "via agent : up", check duration: ', ""),
            (b"fail #x\n", 'Agent check for server l/s failed, reason: Layer7 wrong status, code: 0, info: "via agent : fail (x)", check duration: ',
             "Server l/s is DOWN. 0 active"),
            (b"up\n", 'Agent check for server l/s succeeded, reason: Layer7 check passed, code: 0, info: "via agent : up", check duration: ',
             "Server l/s is UP. 1 active"),
        ):
            n = len(p.text())
            said[0] = word
            until(f"{run} and {change} are logged", lambda: run in p.text()[n if change else 0:] and change in p.text()[n if change else 0:])
        agent.stop()
        run = 'Agent check for server l/s failed, reason: Layer4 connection problem, info: "Connection refused", check duration: '
        until("that nobody is there is logged", lambda: re.search(re.escape(run) + r"\d+ms, status: 1/1 UP\.\n", p.text()))
        assert re.search(r"duration: \d+ms, status: 1/1 UP\.\n", p.text()) and re.search(r"duration: \d+ms, status: 0/1 DOWN\.\n", p.text()), p.text()


def test_a_script_is_played_over_two_connections(binary):
    web = Server(named("web"))
    role = [b"role:slave\r\n"]

    def redis(server, c):
        while True:
            word = c.recv(64)
            if not word:
                return
            c.sendall(b"+PONG\r\n" if word == b"PING\r\n" else role[0])

    def greets(server, c):
        server.counted()
        c.sendall(b"220 ready\r\n")
        c.recv(1)

    first, second = Server(redis), Server(greets)
    lines = (
        "    option tcp-check\n"
        "    tcp-check connect port %d\n"
        "    tcp-check send PING\\r\\n\n"
        "    tcp-check expect string +PONG\n"
        "    tcp-check send-binary 494e464f0d0a\n"
        "    tcp-check expect rstring role:(master|primary)\n"
        "    tcp-check connect port %d\n"
        "    tcp-check expect binary 323230\n"
        "    server s 127.0.0.1:%d check\n"
    )
    with Proxy(binary, listen(lines % (first.port, second.port, web.port))) as p:
        until("a slave is down", lambda: served_by(p) == "")
        role[0] = b"role:master\r\n"
        until("a master is up", lambda: served_by(p) == "web")
        assert second.count > 0


def test_where_a_check_failed_is_told(binary):
    for lines, told in (
        ("option tcp-check", "Connection refused at initial connection step of tcp-check"),
        ("option tcp-check\n    tcp-check connect\n    tcp-check send X", "Connection refused at step 1 of tcp-check (connect)"),
        ("option tcp-check\n    tcp-check expect string X", "Connection refused at initial connection step of tcp-check"),
        ("balance roundrobin", "Connection refused"),
    ):
        with Proxy(binary, listen(f"    {lines}\n    server s 127.0.0.1:{free_port()} check\n")) as p:
            until("it is down", lambda: "l/s is DOWN" in p.text())
            assert f'info: "{told}", check duration' in p.text(), (lines, p.text())


def test_a_program_decides(binary):
    web = Server(named("web"))
    with Proxy(binary, listen("    server s 127.0.0.1:%d\n" % web.port)) as p:
        flag = os.path.join(p.folder, "well")
        script = os.path.join(p.folder, "check")
        with open(script, "w") as f:
            f.write('#!/bin/sh\n[ "$HAPROXY_SERVER_NAME:$4" = "s:%d" ] && [ -e %s ]\n' % (web.port, flag))
        os.chmod(script, 0o755)
        text = listen(
            "    option external-check\n    external-check command %s\n    server s 127.0.0.1:%d check\n" % (script, web.port)
        ).replace("global\n", "global\n    external-check\n    insecure-fork-wanted\n")
        with Proxy(binary, text) as q:
            until("it is down", lambda: served_by(q) == "")
            with open(flag, "w"):
                pass
            until("it is up", lambda: served_by(q) == "web")


def test_a_server_that_comes_up_begins_with_a_small_share(binary):
    old, new = Server(named("old")), Server(named("new"))
    port = new.port
    new.stop()
    lines = "    default-server slowstart 600s weight 100 check\n    server old 127.0.0.1:%d\n    server new 127.0.0.1:%d\n"
    with Proxy(binary, listen(lines % (old.port, port))) as p:
        until("it is down", lambda: all(served_by(p) == "old" for _ in range(4)))
        Server(named("new"), port)
        until("it is up", lambda: "l/new is UP" in p.text())
        got = [served_by(p) for _ in range(100)]
        assert got.count("new") < 40, got.count("new")  # 50 without; the rotation lets it catch up first


def test_a_growing_share_is_shown(binary):
    s = Server(named("s"))
    server = f"    server s 127.0.0.1:{s.port} check inter 100ms weight 100 maxqueue 7 slowstart"
    text = f"listen l\n    bind 127.0.0.1:{{port}}\n{server} 600s\nbackend b\n{server} 2s\n    server bare 127.0.0.1:{s.port}\n"
    with Asked(binary, config(text)) as a:
        shown = lambda name: a.row(name, "weight", "throttle", "uweight", "qlimit")
        op_state = lambda: a.ask("show servers state l").splitlines()[2].split()[5]
        assert shown("l/s") == ["100", "", "100", "7"], "it was there from the beginning"
        assert shown("b/bare") == ["1", "", "1", ""] and op_state() == "2"
        s.stop()
        until("it is down", lambda: a.status("l/s") == a.status("b/s") == "DOWN")
        s.start()
        until("it is back", lambda: a.status("l/s") == a.status("b/s") == "UP")
        weight, throttle = map(int, shown("l/s")[:2])
        assert 1 <= weight < 20 and 1 <= throttle < 20 and shown("l/s")[2:] == ["100", "7"], shown("l/s")
        assert a.row("l/BACKEND", "weight", "throttle", "uweight") == [str(weight), "", "100"] and op_state() == "1"
        until("another has all of its share", lambda: shown("b/s") == ["100", "", "100", "7"])


# The lines of the backend, the words of the server, and how its check begins.
INTRODUCTIONS = [
    ("", "check", b"GET "),
    ("", "check send-proxy", b"PROXY "),
    ("", "check send-proxy-v2", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0GET "),
    ("", "check check-send-proxy", b"PROXY "),
    ("", "check send-proxy port {own}", b"GET "),
    ("http-check connect send-proxy", "check", b"PROXY "),
    ("http-check connect", "check send-proxy", b"GET "),
    ("http-check connect default", "check send-proxy", b"PROXY "),
    ("http-check connect ssl", "check verify none", b"\x16\x03\x01"),
    ("http-check connect", "check ssl verify none", b"GET "),
    ("option tcp-check\n    tcp-check connect send-proxy\n    tcp-check send X", "check", b"PROXY "),
    ("option tcp-check\n    tcp-check connect ssl\n    tcp-check send X", "check verify none", b"\x16\x03\x01"),
]


def test_a_check_introduces_itself(binary):
    begins = {}

    def server(n):
        def serve(_, c):
            data = b""
            c.settimeout(0.1)  # pieces may come apart
            try:
                while len(data) < 20:
                    piece = c.recv(4096)
                    if not piece:
                        break
                    data += piece
            except OSError:  # or it was all, and the check is over
                pass
            if data:
                begins.setdefault(n, data)

        return Server(serve)

    text, servers = "frontend f\n    mode http\n    bind 127.0.0.1:{port}\n", []
    for n, (lines, words, _) in enumerate(INTRODUCTIONS):
        servers.append(server(n))
        port = servers[-1].port
        text += f"backend b{n}\n    mode http\n    option httpchk GET /\n    {lines}\n"
        text += f"    server s 127.0.0.1:{port} {words.replace('{own}', str(port))} inter 400ms\n"
    with Proxy(binary, config(text)):
        until("all are checked", lambda: len(begins) == len(INTRODUCTIONS), 20)
    for n, (lines, words, begin) in enumerate(INTRODUCTIONS):
        assert begins[n].startswith(begin), (lines, words, begins[n][:60])


if __name__ == "__main__":
    main(globals())
