#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vipd_mail.py VIPD: mail about changes is keepalived's, word by word, as far as both run here; a server that is away, silent or
refuses stops nothing. Everything is in a network namespace of its own.
"""
import atexit
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

GLOBAL = """
global_defs {
    router_id NODE1
    notification_email {
        one@example.org
        "Number Two" <two@example.org>
    }
    notification_email_from lb@example.org
    smtp_server 127.0.0.1 2525
    smtp_connect_timeout 1
    smtp_helo_name lb.example.org
}
"""
VRRP = GLOBAL + """
vrrp_sync_group G {
    group { VI_1 }
    smtp_alert
}
vrrp_instance VI_1 {
    version 3
    interface v0
    virtual_router_id 51
    advert_int 0.1
    smtp_alert
    virtual_ipaddress { 10.9.0.100/24 }
}
vrrp_instance SILENT {
    version 3
    interface v0
    virtual_router_id 52
    advert_int 0.1
    virtual_ipaddress { 10.9.0.101/24 }
}
"""
SERVERS = GLOBAL + """
virtual_server 10.255.0.1 80 {
    lb_algo rr
    lb_kind NAT
    protocol TCP
    delay_loop 0.2
    retry 0
    warmup 0
    quorum 2
    smtp_alert
    real_server 127.0.0.1 8001 { TCP_CHECK { connect_timeout 1 } }
    real_server 127.0.0.1 8002 { TCP_CHECK { connect_timeout 1 } }
    real_server 127.0.0.1 8003 {
        smtp_alert off
        TCP_CHECK { connect_timeout 1 }
    }
}
"""


class Server:
    """Takes mail, as `mode` says."""

    def __init__(self):
        self.mails, self.commands, self.connections, self.mode = [], [], 0, "good"
        self.listener = None

    def open(self):
        self.listener = socket.create_server(("127.0.0.1", 2525))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.talk, args=(peer,), daemon=True).start()

    def talk(self, peer):
        try:
            self.serve(peer, peer.makefile("rb"))
        except OSError:
            pass

    def answer(self, line):
        if self.mode == "busy" and line.startswith("MAIL"):
            return b"451 later\r\n"
        if self.mode == "refuse" and "<two@" in line:
            return b"550 no such user\r\n"
        if self.mode == "refuse all" and line.startswith("RCPT"):
            return b"550-nobody\r\n550 lives here\r\n"
        return {"DATA": b"354 go on\r\n", "QUIT": b"221 bye\r\n"}.get(line, b"250-fine\r\n250 ok\r\n")

    def serve(self, peer, lines):
        if self.mode == "silent":
            time.sleep(30)
        if self.mode == "slow":
            time.sleep(0.7)
        if self.mode == "junk":
            peer.sendall(b"\x00\xff" * 600)
        peer.sendall(b"220 mail\r\n")
        for line in lines:
            line = line.decode().rstrip("\r\n")
            self.commands.append(line)
            peer.sendall(self.answer(line))
            if line == "DATA":
                text = []
                for part in lines:
                    if part == b".\r\n":
                        break
                    assert part.endswith(b"\r\n"), part
                    text.append(part.decode()[:-2])
                self.mails.append(text)
                peer.sendall(b"250 taken\r\n")

    def told(self):
        """(subject, first line) of each mail."""
        return [(next(l for l in m if l.startswith("Subject: ")), m[m.index("") + 1]) for m in self.mails]


def log():
    return pathlib.Path("log").read_text(errors="replace")


def wait_for(what, condition, seconds=30):
    for _ in range(seconds * 20):
        if condition():
            return
        time.sleep(0.05)
    sys.exit(f"{what} does not come\n{SERVER.commands}\n{SERVER.mails}\n" + log())


def start(program, conf):
    pathlib.Path("conf").write_text(conf, errors="surrogateescape")
    out = open("log", "w")
    daemon = subprocess.Popen([program, "-n", "-l", "-G", "-f", "conf", "-p", f"{os.getcwd()}/p", "-r", f"{os.getcwd()}/r", "-c",
                               f"{os.getcwd()}/c"], stdout=out, stderr=out)
    atexit.register(daemon.terminate)  # a test that fails leaves nobody behind
    return daemon


def stop(daemon):
    daemon.terminate()
    daemon.wait(30)
    SERVER.mails.clear()
    SERVER.commands.clear()


def link(state):
    subprocess.run(["ip", "link", "set", "v1", state], check=True)


def has_told(*states):
    told = {s for s, _ in SERVER.told()}
    return all(f"Subject: [NODE1] VRRP {who} - Entering {state} state" in told for who in ("Instance VI_1", "Group G")
               for state in states)


def changes_of(program):
    daemon = start(program, VRRP)
    wait_for("mail about MASTER", lambda: has_told("MASTER"))
    link("down")
    wait_for("mail about FAULT", lambda: has_told("FAULT"))
    SERVER.mails, told = [], SERVER.told()
    link("up")
    wait_for("mail about MASTER again", lambda: has_told("BACKUP", "MASTER"))
    told += SERVER.told()
    commands, mail = list(SERVER.commands), list(SERVER.mails[-1])
    stop(daemon)
    return sorted(told), commands, mail


def check_changes():
    told, commands, mail = changes_of(VIPD)
    assert len(told) == len(set(told)) * 2 - 4, told  # MASTER of both twice, all else once
    assert not [t for t in told if "SILENT" in t[0]], told
    assert ("Subject: [NODE1] VRRP Instance VI_1 - Entering MASTER state", "=> VRRP Instance is now owning VRRP VIPs <=") in told
    assert "HELO lb.example.org" in commands and "MAIL FROM:<lb@example.org>" in commands, commands
    assert "RCPT TO:<one@example.org>" in commands and "RCPT TO:<two@example.org>" in commands, commands
    assert [l.split(":")[0] for l in mail[:4]] == ["Date", "From", "Subject", "X-Mailer"], mail
    if shutil.which("keepalived"):
        peer = changes_of("keepalived")[0]
        assert set(told) == set(peer), (told, peer)


def check_a_reload_into_fault():
    """The group, too, was MASTER when the new configuration began, and is not told as one that begins."""
    daemon = start(VIPD, VRRP)
    wait_for("mail about MASTER", lambda: has_told("MASTER"))
    SERVER.mails.clear()
    pathlib.Path("conf").write_text(VRRP.replace("    smtp_alert\n    virtual", "    smtp_alert\n    track_interface { down0 }\n    virtual"))
    daemon.send_signal(signal.SIGHUP)
    wait_for("mail about FAULT", lambda: has_told("FAULT"))
    assert "VRRP_Group(G) Syncing instances to FAULT state, was MASTER" in log()
    stop(daemon)


def check_bad_servers():
    SERVER.mode = "silent"
    daemon = start(VIPD, VRRP)
    wait_for("MASTER", lambda: "(VI_1) Entering MASTER STATE" in log())
    link("down")
    wait_for("FAULT", lambda: "(VI_1) Entering FAULT STATE" in log())
    link("up")
    wait_for("MASTER while mail waits", lambda: log().count("(VI_1) Entering MASTER STATE") == 2)
    wait_for("patience ends", lambda: "mails wait; the next attempt is in 10 s" in log())
    for mode, message in (("junk", "does not speak SMTP"), ("busy", "says: 451 later")):
        SERVER.mode = mode
        daemon.send_signal(signal.SIGHUP)  # a reload tries at once
        wait_for(message, lambda: message in log())
        wait_for("the end of the attempt", lambda: log().rindex("mails wait") > log().index(message))
    assert not SERVER.mails
    SERVER.mode = "refuse"
    daemon.send_signal(signal.SIGHUP)
    wait_for("what waited", lambda: has_told("FAULT", "BACKUP", "MASTER"))
    assert "does not take mail for two@example.org: 550 no such user" in log()
    SERVER.mode = "refuse all"
    SERVER.mails.clear()
    link("down")
    wait_for("a refusal", lambda: log().count("refuses the mail") == 2)
    SERVER.mode = "good"
    link("up")
    wait_for("mail again", lambda: has_told("MASTER"))
    assert not has_told("FAULT"), SERVER.told()
    stop(daemon)


def check_an_upgrade():
    """What waits for a server that is busy, and what is just told to a slow one, comes, and once; of an instance
    whose interface and group have names that are not UTF-8 nothing is told again.
    """
    conf = VRRP.replace("interface v0", "interface v\udce9", 1).replace("group G", "group G\udce9")
    conf = conf.replace("}\n    smtp_alert\n}", f"}}\n    notify {os.getcwd()}/tell\n}}", 1)
    told = pathlib.Path("told")
    for mode, waits in (("busy", lambda: "mails wait" in log()), ("slow", lambda: SERVER.connections > before)):
        told.write_text("")
        SERVER.mode, before = mode, SERVER.connections
        daemon = start(VIPD, conf)
        wait_for("MASTER", lambda: "MASTER" in told.read_text())
        wait_for(f"a {mode} server", waits)
        subprocess.run([VIPD, "--upgrade", "-p", f"{os.getcwd()}/p"], check=True, stdout=subprocess.DEVNULL)
        wait_for("an upgrade", lambda: "takes over" in log())
        SERVER.mode = "good"
        wait_for("mail about MASTER", lambda: [s for s, _ in SERVER.told() if "VI_1 - Entering MASTER" in s], 30)
        time.sleep(0.5)
        assert len(SERVER.mails) == 1, SERVER.told()
        assert told.read_text() == "MASTER\n", told.read_text()
        stop(daemon)


def check_servers():
    listeners = [socket.create_server(("127.0.0.1", port)) for port in (8001, 8002)]
    daemon = start(VIPD, SERVERS)
    wait_for("a check", lambda: ":8003 from VS" in log())
    listeners[0].close()
    expected = [("Subject: [NODE1] Realserver [127.0.0.1]:tcp:8001 of virtual server [10.255.0.1]:tcp:80 - DOWN",
                 "=> TCP CHECK failed on service <="),
                ("Subject: [NODE1] Virtualserver [10.255.0.1]:tcp:80 - DOWN", "=> Lost quorum 2+0=2 <= 1 <=")]
    wait_for("mail about DOWN", lambda: sorted(SERVER.told()) == expected)
    SERVER.mails.clear()
    listeners[0] = socket.create_server(("127.0.0.1", 8001))
    expected = [(s.replace("DOWN", "UP"), b.replace("failed", "succeed").replace("Lost", "Gained").replace("<= 1", "<= 2"))
                for s, b in expected]
    wait_for("mail about UP", lambda: sorted(SERVER.told()) == expected)
    stop(daemon)


if os.geteuid() != 0:
    print("skipped: needs root to make a network namespace")
    sys.exit(77)
VIPD = os.path.abspath(sys.argv[1])
if sys.argv[-1] != "inside":
    os.execvp("unshare", ["unshare", "-n", sys.executable, os.path.abspath(__file__), VIPD, "inside"])
for command in ("link set lo up", "link add v0 type veth peer name v1", "link set v0 up", "link set v1 up",
                "addr add 10.9.0.1/24 dev v0", "link add down0 type veth peer name down1",
                "link add v\udce9 type veth peer name v2", "link set v2 up", "link set v\udce9 up", "addr add 10.9.1.1/24 dev v\udce9"):
    subprocess.run(["ip", *command.split()], check=True)
SERVER = Server()
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    SERVER.open()
    pathlib.Path("tell").write_text('#!/bin/sh\n[ "$3" = MASTER ] && echo $3 >>told\n')
    os.chmod("tell", 0o755)
    check_changes()
    check_a_reload_into_fault()
    check_bad_servers()
    check_an_upgrade()
    check_servers()
