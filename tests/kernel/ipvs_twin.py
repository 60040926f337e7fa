#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ipvs_twin.py KEEPALIVED VIPD, in the guest: both in turn take the same steps with the same files; the IPVS table and what FIFO and
scripts are told must be the same after each. Story "kinds": every kind of virtual server, servers that die and come back, a reload.
Story "crowd": 200 services and reloads that change some of them. Story "dumps": every kind of check. What SIGUSR1 writes of them is
the same.
"""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

RUN = pathlib.Path("/run/twin")
NET = "10.1.0."  # of real servers, all on the loopback

HEAD = """
global_defs {
    script_user root
    rs_init_notifies
    lvs_notify_fifo /run/twin/fifo
}
vrrp_instance HELD {
    interface front
    state MASTER
    priority 255
    virtual_router_id 1
    version 3
    virtual_ipaddress {
        10.9.0.200/24
    }
}
"""

KINDS = HEAD + """
virtual_server_group web {
    10.9.0.110-112 80
    10.9.0.120 443
    fwmark 7
}
virtual_server 10.9.0.100 80 {
    delay_loop 1
    lb_algo wrr
    lb_kind DR
    persistence_timeout 50
    protocol TCP
    omega
    quorum_up SAY/100-up
    quorum_down SAY/100-down
    RS 1 80 "weight 3 | notify_up SAY/100-1-up | notify_down SAY/100-1-down"
    RS 2 80 "notify_up SAY/100-2-up | notify_down SAY/100-2-down"
}
virtual_server 10.9.0.101 80 {
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol TCP
    sorry_server 10.1.0.99 8080
    omega
    quorum_up SAY/101-up
    quorum_down SAY/101-down
    RS 1 80 "notify_up SAY/101-1-up | notify_down SAY/101-1-down"
}
virtual_server 10.9.0.102 80 {
    delay_loop 1
    lb_algo wlc
    lb_kind NAT
    protocol TCP
    inhibit_on_failure
    RS 1 80 ""
    RS 2 81 ""
}
virtual_server 10.9.0.103 80 {
    delay_loop 1
    lb_algo lc
    lb_kind NAT
    protocol TCP
    quorum 2
    hysteresis 0
    quorum_up SAY/103-up
    quorum_down SAY/103-down
    sorry_server 10.1.0.99 8080
    sorry_server_inhibit
    RS 1 80 ""
    RS 2 80 ""
    RS 3 80 ""
}
virtual_server 10.9.0.98 80 {
    delay_loop 1
    lb_algo lc
    lb_kind NAT
    protocol TCP
    quorum 2
    inhibit_on_failure
    sorry_server 10.1.0.99 8080
    RS 1 80 ""
    RS 2 80 ""
}
virtual_server 10.9.0.99 80 {
    delay_loop 1
    lb_algo lc
    lb_kind NAT
    protocol TCP
    quorum 2
    sorry_server 10.1.0.99 8080
    RS 1 80 ""
    RS 2 80 "inhibit_on_failure"
    RS 3 80 ""
}
virtual_server 10.9.0.104 80 {
    delay_loop 1
    lb_algo sh
    flag-1
    flag-2
    lb_kind NAT
    protocol TCP
    RS 1 80 "uthreshold 100 | lthreshold 10 | weight 5"
    RS 2 80 "inhibit_on_failure | weight 4 | notify_down SAY/104-2-down"
}
virtual_server 10.9.0.105 53 {
    delay_loop 1
    lb_algo rr
    ops
    lb_kind NAT
    protocol UDP
    persistence_timeout 30
    persistence_granularity 255.255.255.0
    real_server 10.1.0.2 53 {
        MISC_CHECK {
            misc_path "/bin/true"
            misc_timeout 20
        }
    }
}
virtual_server 10.9.0.109 80 {
    delay_loop 1
    lb_algo mh
    mh-port
    mh-fallback
    lb_kind TUN
    protocol TCP
    RS 2 80 "weight 2"
}
virtual_server 10.9.0.106 0 {
    delay_loop 1
    lb_algo rr
    lb_kind DR
    persistence_timeout 600
    protocol TCP
    RS 2 0 "" 80
}
virtual_server 10.9.0.107 80 {
    delay_loop 1
    lb_algo wlc
    lb_kind NAT
    protocol TCP
    RS 1 80 "lvs_method TUN"
    RS 2 80 "lvs_method DR | weight 0"
}
virtual_server group web {
    delay_loop 1
    lb_algo wrr
    lb_kind DR
    protocol TCP
    RS 1 0 "weight 2" 80
    RS 2 0 "" 80
}
virtual_server fwmark 9 {
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    quorum_down SAY/9-down
    RS 2 0 "notify_down SAY/9-2-down" 80
}
virtual_server 10.9.0.200 80 {
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol TCP
    ha_suspend
    RS 1 80 ""
    RS 2 80 ""
}
virtual_server 10.9.0.201 80 {
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol TCP
    ha_suspend
    alpha
    RS 1 80 ""
}
virtual_server 10.9.0.108 80 {
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol TCP
    alpha
    quorum_up SAY/108-up
    quorum_down SAY/108-down
    RS 2 80 "notify_up SAY/108-2-up | notify_down SAY/108-2-down"
    RS 9 80 "notify_up SAY/108-9-up | notify_down SAY/108-9-down"
}
virtual_server 10.9.0.97 80 {
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol TCP
    alpha
    sorry_server 10.1.0.99 8080
    quorum_up SAY/97-up
    quorum_down SAY/97-down
    RS 9 80 ""
}
virtual_server 10.9.0.96 80 {
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol TCP
    quorum 50
    quorum_up SAY/96-up
    quorum_down SAY/96-down
    RS 1 80 ""
    RS 2 80 "weight 2"
}
virtual_server 10.9.0.95 80 {
    delay_loop 20
    warmup 0
    lb_algo rr
    lb_kind NAT
    protocol TCP
    quorum_up SAY/95-up
    quorum_down SAY/95-down
    real_server 10.1.0.2 80 {
        notify_down SAY/95-2-down
        MISC_CHECK {
            misc_path "/bin/false"
            misc_timeout 20
        }
    }
}
virtual_server 10.9.0.93 0 {
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol tcp
    RS 2 0 "" 80
}
virtual_server 10.9.0.92 80 {
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol TCP
    ops
    persistence_engine sip
    RS 2 80 ""
}
virtual_server 10.9.0.91 80 {
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol Tcp
    persistence_granularity 255.255.0.0
    RS 2 80 ""
}
virtual_server 10.9.0.94 80 {
    delay_loop 20
    warmup 0
    lb_algo rr
    lb_kind NAT
    protocol TCP
    quorum_up SAY/94-up
    real_server 10.1.0.2 80 {
        alpha
        notify_up SAY/94-2-up
        MISC_CHECK {
            misc_path "/bin/true"
            misc_timeout 20
        }
    }
}
""".replace("SAY", f"{RUN}/say")


CHECKS = """
global_defs {
    checker_process_name the_checker
    checker_no_swap
    script_user root
    notification_email {
        root@localhost
    }
    smtp_server 127.0.0.1 2525
}
track_file number {
    file /run/twin/number
    weight 1
    init_file 0
}
bfd_instance beside {
    neighbor_ip 10.9.0.9
    source_ip 10.9.0.1
    min_rx 200
    min_tx 300
    multiplier 4
    idle_tx 2000
}
virtual_server_group web {
    10.9.0.110-112 80
    10.9.0.120 443
    fwmark 7
}
virtual_server group web {
    lb_algo sh
    sh-port
    lb_kind TUN
    protocol TCP
    virtualhost www.example.org
    alpha
    retry 3
    delay_before_retry 4
    connect_timeout 7
    real_server 10.1.0.1 80 {
        smtp_alert
        virtualhost real.example.org
        HTTP_GET {
            http_protocol 1.1
            connect_ip 10.1.0.2
            connect_port 8080
            bindto 10.1.0.3
            bind_port 99
            bind_if lo
            fwmark 3
            log_all_failures
            warmup 5
            url {
                path /
                status_code 200-202 404
            }
            url {
                path /other
                digest 0123456789abcdef0123456789abcdef
                virtualhost url.example.org
                regex "hello"
            }
        }
        SSL_GET {
            enable_sni
            url {
                path /
            }
        }
        FILE_CHECK {
            track_file number
            weight 3
        }
    }
}
virtual_server fwmark 9 {
    lb_algo wlc
    flag-1
    lb_kind TUN
    real_server 10.1.0.1 0 {
        lvs_method TUN type gue port 99 nocsum
        PING_CHECK {
            alpha
            delay_loop 3
        }
    }
    real_server 10.1.0.2 0 {
        lvs_method TUN type gre csum
        BFD_CHECK {
            name beside
        }
    }
}
virtual_server 10.9.0.101 53 {
    lb_algo rr
    ops
    lb_kind NAT
    protocol UDP
    persistence_timeout 50
    persistence_granularity 255.255.255.0
    sorry_server 10.1.0.99 8080
    sorry_server_inhibit
    smtp_alert
    quorum 2
    hysteresis 1
    real_server 10.1.0.1 53 {
        smtp_alert off
        weight 5
        SMTP_CHECK {
            helo_name me.example.org
        }
        DNS_CHECK {
            type A
            name example.org
        }
        UDP_CHECK {
            payload 0102
            require_reply 0a
            min_reply_length 1
            max_reply_length 20
        }
        MISC_CHECK {
            misc_path "/bin/false with words"
            misc_timeout 3
            misc_dynamic
        }
    }
}
virtual_server fd00::1 80 {
    lb_algo mh
    mh-port
    lb_kind NAT
    protocol SCTP
    inhibit_on_failure
    real_server fd00::2 80 {
        TCP_CHECK {
        }
    }
}
"""


def expand(text):
    """RS N PORT "LINE | LINE" [CHECKED]: a real server with a TCP_CHECK."""
    out = []
    for line in text.splitlines():
        words = line.split(None, 3)
        if words[:1] != ["RS"]:
            out.append(line)
            continue
        lines, _, checked = words[3][1:].partition('"')
        more = "".join(f"        {w.strip()}\n" for w in lines.split("|") if w.strip())
        port = f"            connect_port {checked.strip()}\n" if checked.strip() else ""
        out.append(f"    real_server {NET}{words[1]} {words[2]} {{\n{more}        TCP_CHECK {{\n            connect_timeout 2\n"
                   f"            retry 0\n{port}        }}\n    }}")
    return "\n".join(out) + "\n"


def changed(text):
    """Of a service the scheduler, of others flags, weights, servers; one goes, one comes. The group stays: of one whose lines change
    keepalived 2.2.7 keeps services that are gone, and gives new ones servers with port 0."""
    for old, new in (("lb_algo wrr\n    lb_kind DR\n    persistence_timeout 50", "lb_algo wlc\n    lb_kind DR\n    persistence_timeout 70"),
                     ('RS 1 80 "weight 3 ', 'RS 1 80 "weight 7 '),
                     ("    flag-1\n", ""),
                     (f'    RS 2 80 "inhibit_on_failure | weight 4 | notify_down {RUN}/say/104-2-down"\n', ""),
                     ('RS 2 81 ""', 'RS 2 81 ""\n    RS 3 80 "weight 80000"'),
                     ("    rs_init_notifies\n", ""),
                     ("virtual_server fwmark 9", "virtual_server fwmark 10"),
                     ("quorum 2", "quorum 1")):
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def many(first, last, weight, algo):
    """200 services of three servers each, without checks: of services first to last everything is different."""
    text = HEAD
    for n in range(200):
        other = first <= n < last
        text += (f"virtual_server 10.8.0.{n + 1} {8080 if other and n % 7 == 0 else 80} {{\n    lb_algo {algo if other else 'rr'}\n    lb_kind NAT\n"
                 f"    protocol TCP\n")
        for server in range(2 if other and n % 3 == 0 else 3):
            text += f"    real_server 10.2.{n}.{server + 1} 80 {{\n        weight {weight if other and n % 2 == 0 else 1}\n    }}\n"
        text += "}\n"
    return text


class Servers:
    """Those of the loopback that answer."""

    def __init__(self):
        self.open = {}

    @staticmethod
    def serve(listener):
        with contextlib.suppress(OSError):
            while True:
                listener.accept()[0].close()

    def start(self, host):
        self.open[host] = [socket.create_server((f"{NET}{host}", port), backlog=256) for port in (80, 81)]
        for listener in self.open[host]:
            threading.Thread(target=self.serve, args=(listener,), daemon=True).start()

    def set(self, *hosts):
        for host in [h for h in self.open if h not in hosts]:
            for listener in self.open.pop(host):
                listener.shutdown(socket.SHUT_RDWR)  # its thread ends
                listener.close()
        for host in hosts:
            if host not in self.open:
                self.start(host)


def table():
    return sorted(subprocess.run(["ipvsadm", "-Sn"], check=True, capture_output=True, text=True).stdout.splitlines())


def servers_of(service):
    return " ".join(line for line in table() if line.startswith("-a") and f" {service} " in line)


def has(service, count, weight=None):
    """As many servers, of that weight."""
    lines = [line for line in table() if line.startswith("-a") and f" {service} " in line]
    return len(lines) == count and (weight is None or all(line.endswith(f"-w {weight}") for line in lines))


class Daemon:
    def __init__(self, program, text):
        shutil.rmtree(RUN, ignore_errors=True)
        RUN.mkdir()
        subprocess.run(["ipvsadm", "-C"], check=True)  # what the one before may have left
        os.mkfifo(RUN / "fifo")
        self.fifo = os.open(RUN / "fifo", os.O_RDWR | os.O_NONBLOCK)
        self.log = open(RUN / "log", "w", encoding="ascii")
        self.write(text)
        self.process = subprocess.Popen([program, "-n", "-l", "-f", "conf", "-p", "p.pid", "-r", "r.pid", "-c", "c.pid"], cwd=RUN, env={**os.environ, "TMPDIR": str(RUN)},
                                        stdout=self.log, stderr=self.log)

    @staticmethod
    def write(text):
        """Each script that the file names says its own name."""
        (RUN / "say").mkdir(exist_ok=True)
        for name in re.findall(rf"{RUN}/say/(\S+)", text):
            script = RUN / "say" / name
            script.write_text(f"#!/bin/sh\necho {name} >>{RUN}/told\n")
            script.chmod(0o755)
        (RUN / "conf").write_text(text)

    @staticmethod
    def told():
        """What scripts were run since the last time; keepalived's run at the same time, in any order."""
        if not (RUN / "told").exists():
            return []
        lines = sorted((RUN / "told").read_text().splitlines())
        (RUN / "told").unlink()
        return lines

    def reload(self, text):
        self.write(text)
        self.process.send_signal(signal.SIGHUP)

    def lines(self):
        """What was told since the last time."""
        text = b""
        with contextlib.suppress(BlockingIOError):
            while True:
                text += os.read(self.fifo, 65536)
        return sorted(text.decode().splitlines())

    def dumped(self, skipped):
        """Lines of keepalived_check.data with the object that they are of: each that keepalived has, but for its internals."""
        file = RUN / "keepalived_check.data"
        file.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        wait_for("a dump", lambda: file.exists() and "Health checkers" in file.read_text())
        time.sleep(0.5)  # its end
        internal = re.compile(rf"[rR]eloaded|previous eff|Alive:|Current weight|Retries iter|Default delay|System is|uid:gid|Last |live weight|In use|Runs |Failed URL"
                              rf"|Retry |Warmup = \d+\.|Regex (options|ref)|Tracking RS|.* (18446744073709551615 us|4294967295)$|{skipped}")
        lines, at = set(), ""
        for line in file.read_text().split("LVS Topology", 1)[1].splitlines()[1:]:
            line = line.strip().split(", uid:gid")[0].replace("'/usr/bin/", "'/bin/")
            if re.match(r"-----|VS |RIP|.* -> \[|Virtual Server Group|Keepalive|Track file", line):
                at = line
            if not internal.match(line):
                lines.add(f"{at}: {line}")
        return sorted(lines)

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


def wait_for(what, condition):
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"{what}: does not come\n" + "\n".join(table()) + "\n" + (RUN / "log").read_text()[-3000:])
        time.sleep(0.1)


def scripts_run():
    found = []
    for file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            found.append(file.read_bytes())
    return any(f"{RUN}/say/".encode() in words for words in found)


def settle(what, condition):
    """When it is so, and for a second nothing changes any more."""
    wait_for(what, condition)
    last = None
    told = RUN / "told"
    while scripts_run() or last != (last := (table(), told.exists() and told.read_text())):
        time.sleep(1.5)  # a script takes long here
    return last[0]


def kinds(program):
    seen, servers = {}, Servers()
    servers.set(1, 2, 3)
    daemon = Daemon(program, expand(KINDS))

    def step(what, condition):
        seen[what] = settle(f"{os.path.basename(program)}, {what}", condition)
        seen[f"FIFO, {what}"] = daemon.lines()
        seen[f"scripts, {what}"] = daemon.told()

    step("all alive", lambda: has("10.9.0.100:80", 2) and has("10.9.0.103:80", 4) and has("10.9.0.108:80", 1) and has("10.9.0.95:80", 0) and has("10.9.0.94:80", 1))
    servers.set(2)
    step("two have died", lambda: has("10.9.0.100:80", 1) and has("10.9.0.101:80", 1) and f"{NET}1:80" not in servers_of("10.9.0.103:80")
         and has("10.9.0.98:80", 3) and f"{NET}1:80" not in servers_of("10.9.0.99:80") and f"{NET}99:8080" in servers_of("10.9.0.99:80")
         and has("10.9.0.200:80", 1) and f"-a -t 10.9.0.102:80 -r {NET}1:80 -m -w 0" in table() and has("10.9.0.107:80", 1))
    seen["dump"] = daemon.dumped("Enabled|Has run")  # of checks without their address ha_suspend; a first check may not have been
    daemon.reload(expand(changed(KINDS)))
    step("another file", lambda: any(line.startswith("-A -f 10 ") for line in table())
         and f"-a -t 10.9.0.102:80 -r {NET}3:80 -m -w 0" in table() and not any(" -f 9 " in line for line in table()))
    servers.set(1, 2, 3)
    step("all are back", lambda: has("10.9.0.100:80", 2) and has("10.9.0.102:80", 3) and has("10.9.0.103:80", 4) and has("10.9.0.112:80", 2) and has("10.9.0.99:80", 3)
         and has("10.9.0.200:80", 2) and has("10.9.0.107:80", 2))
    daemon.stop()
    servers.set()
    seen["the end"] = table()
    seen["FIFO, the end"] = daemon.lines()
    seen["scripts, the end"] = daemon.told()
    return seen


def statuses():
    """/proc/PID/status of all processes that have memory."""
    found = []
    for file in pathlib.Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            found.append({key: value.strip() for key, _, value in (line.partition(":") for line in file.read_text().splitlines())})
    return [status for status in found if "VmLck" in status]


def dumps(program):
    daemon = Daemon(program, CHECKS)
    wait_for("a table", lambda: len([line for line in table() if line.startswith("-A")]) == 8)
    seen = {"dump": daemon.dumped("Up =|Has run|alive|num failed|RS set|quorum_state|effective|RIP"),
            "checker": [f"all of it stays in memory: {not status['VmLck'].startswith('0 ')}" for status in statuses() if status["Name"] == "the_checker"]}
    daemon.stop()
    return seen


def crowd(program):
    seen = {}
    stories = {"200 services": (0, 0, 1, "rr"), "some changed": (10, 60, 5, "wlc"), "others changed": (40, 200, 9, "wrr"), "as before": (0, 0, 1, "rr")}
    daemon = None
    for what, how in stories.items():
        text = many(*how)
        if daemon:
            daemon.reload(text)
        else:
            daemon = Daemon(program, text)
        want = text.count("real_server ")
        # A service more than others have says that the file is in force.
        seen[what] = settle(f"{os.path.basename(program)}, {what}", lambda: len([l for l in table() if l.startswith("-a")]) == want
                            and sum(l.endswith(f"-w {how[2]}") for l in table()) >= text.count(f"weight {how[2]}\n"))
    daemon.stop()
    seen["the end"] = table()
    return seen


def main():
    programs = sys.argv[1:3]
    for command in (programs[0], "ipvsadm"):
        if not shutil.which(command):
            print(f"skipped: needs {command}")
            return 77
    for words in ("link add front type veth peer name back", "link set front up", "link set back up", "addr add 10.9.0.1/24 dev front",
                  *(f"addr add {NET}{n}/32 dev lo" for n in (1, 2, 3))):
        subprocess.run(["ip", *words.split()], check=True)
    for story in (dumps, kinds, crowd):
        theirs, ours = (story(os.path.abspath(shutil.which(p) or p)) for p in programs)
        failed = 0
        for what in theirs:
            # At its end keepalived leaves scripts behind that have not run yet, and services, if it does not come to remove them
            # within the five seconds after which it kills its own processes: ours has to remove all.
            ours_only, theirs_only = "scripts, the end" not in what, what != "the end"
            assert theirs_only or not ours[what], f"{what}: vipd leaves {ours[what]}"
            only = ([f"- {line}" for line in theirs[what] if theirs_only and line not in ours[what]]
                    + [f"+ {line}" for line in ours[what] if ours_only and line not in theirs[what]])
            if only:
                print(f"{story.__name__}, {what}: keepalived (-) and vipd (+) differ\n" + "\n".join(only))
                failed = 1
                continue
            assert "the end" in what or "scripts" in what or ours[what], f"{what}: {ours[what]}"
            print(f"{story.__name__}, {what}: the same {len(ours[what])} lines")
        if failed:
            return 1
    return 0


sys.exit(main())
