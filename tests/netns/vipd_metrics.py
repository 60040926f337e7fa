#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""vipd_metrics.py VIPD DOCUMENT: /metrics is what Prometheus' own parser takes, has the names of keepalived's exporters, and
every family of it stands in the document. Everything is in a network namespace of its own.
"""
import os
import pathlib
import re
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

try:
    from prometheus_client.parser import text_string_to_metric_families
except ImportError:
    print("skipped: needs python3-prometheus-client")
    sys.exit(77)

CONF = """
vrrp_script "odd name" {
    script /bin/true
    interval 1
    weight 2
}
vrrp_instance "VI \\"1\\"" {
    interface v0
    virtual_router_id 51
    version 3
    advert_int 0.1
    virtual_ipaddress {
        10.9.0.100/24
        10.9.0.100/24 dev lo
    }
    virtual_ipaddress_excluded { 10.9.0.101/24 }
    track_script { "odd name" }
}
virtual_server 10.9.0.100 80 {
    delay_loop 0.2
    lb_algo rr
    lb_kind NAT
    protocol TCP
    warmup 0
    real_server 10.9.0.1 8001 { TCP_CHECK { connect_timeout 1 } }
}
"""
EXPORTER = ["keepalived_up", "keepalived_vrrp_state", "keepalived_vrrp_excluded_state", "keepalived_script_status",
            "keepalived_script_state"] + [
    f"keepalived_{name}_total" for name in (
        "advertisements_received advertisements_sent become_master release_master packet_length_errors "
        "advertisements_interval_errors ip_ttl_errors invalid_type_received address_list_errors authentication_invalid "
        "authentication_mismatch authentication_failure priority_zero_received priority_zero_sent gratuitous_arp_delay").split()] + [
    f"keepalived_vrrp_{name}" for name in (
        "advert_rcvd advert_sent become_master release_master packet_len_err advert_interval_err ip_ttl_err invalid_type_rcvd "
        "addr_list_err invalid_authtype authtype_mismatch auth_failure pri_zero_rcvd pri_zero_sent").split()] + [
    f"keepalived_lvs_{of}_{name}" for of in ("vip", "rs") for name in "in_packets out_packets in_bytes out_bytes conn".split()]


def start(where):
    out = open("log", "w")
    return subprocess.Popen([VIPD, "-n", "-l", "-G", "-f", "conf", "-p", "p.pid", "-r", "r", "-c", "c", f"--metrics={where}"],
                            stdout=out, stderr=out)


def wait_for(what, condition):
    for _ in range(400):
        if condition():
            return
        time.sleep(0.1)
    sys.exit(f"{what} does not come\n" + pathlib.Path("log").read_text())


def scrape():
    try:
        with urllib.request.urlopen("http://127.0.0.1:9650/metrics", timeout=10) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            return answer.read().decode()
    except urllib.error.URLError:
        return ""


def samples(text):
    found = [((s.name, frozenset(s.labels.items())), s.value) for f in text_string_to_metric_families(text) for s in f.samples]
    assert len(dict(found)) == len(found), "a series is there twice, which Prometheus refuses"
    return dict(found)


def value(text, metric, **labels):
    return next((v for (n, l), v in samples(text).items() if n == metric and labels.items() <= dict(l).items()), None)


def listens(path):
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(path) == 0


def talk(data, at=("127.0.0.1", 9650)):
    with socket.socket(socket.AF_UNIX if isinstance(at, str) else socket.AF_INET) as s:
        s.settimeout(10)
        s.connect(at)
        s.sendall(data)
        answer = b""
        while True:
            try:
                more = s.recv(65536)
            except ConnectionResetError:
                return answer
            if not more:
                return answer
            answer += more


def check(text):
    assert samples(text)
    names = set(re.findall(r"^([a-z_]+)", text, re.M))  # as they are: the parser appends _total to counters
    assert not [n for n in EXPORTER if n not in names], [n for n in EXPORTER if n not in names]
    documented = set(re.findall(r"`([a-z_]+)`", DOCUMENT.read_text()))
    families = set(re.findall(r"^# TYPE (\S+)", text, re.M))
    assert families <= documented, families - documented
    assert value(text, "keepalived_vrrp_state", iname='VI "1"', intf="v0", vrid="51", ip_address="10.9.0.100/24") == 2
    assert value(text, "keepalived_vrrp_excluded_state", ip_address="10.9.0.101/24") == 2
    assert value(text, "keepalived_script_status", name="odd name") == 1
    assert value(text, "hawser_vrrp_effective_priority") == 102
    assert value(text, "hawser_real_server_up", real_server="10.9.0.1:8001") == 0
    assert value(text, "hawser_check_failures_total", check="TCP_CHECK") > 0
    bounds = [v for (n, _), v in samples(text).items() if n == "hawser_vrrp_timer_lateness_seconds_bucket"]
    assert bounds == sorted(bounds) and bounds[-1] == value(text, "hawser_vrrp_timer_lateness_seconds_count") > 0, bounds


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        pathlib.Path("conf").write_text(CONF)
        daemon = start("127.0.0.1:9650")
        try:
            wait_for("MASTER", lambda: value(scrape(), "keepalived_vrrp_state") == 2)
            wait_for("a check", lambda: (value(scrape(), "hawser_check_failures_total") or 0) > 0)
            check(scrape())
            before = value(scrape(), "keepalived_advertisements_sent_total")
            # A crash of the VRRP process does not begin the counters anew, and is counted.
            os.kill(int(pathlib.Path("r").read_text()), 9)
            wait_for("another vrrp", lambda: value(scrape(), "hawser_vipd_process_deaths_total", process="vipd_vrrp") == 1)
            wait_for("adverts", lambda: value(scrape(), "keepalived_advertisements_sent_total") > before)
            assert talk(b"POST /metrics HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 405 ")
            assert talk(b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 404 ")
            assert talk(b"GET /metricsx HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 404 ")
            assert talk(b"x" * 2047).startswith(b"HTTP/1.1 431 ")
            assert talk(b"GET /metrics?x=1 HTTP/1.0\n\n").startswith(b"HTTP/1.1 200 ")
            idle = [socket.create_connection(("127.0.0.1", 9650)) for _ in range(12)]
            for s in idle:
                s.close()
            wait_for("an answer", scrape)
        finally:
            daemon.terminate()
            daemon.wait(30)
        daemon = start(f"{folder}/m.sock")
        wait_for("the socket", lambda: listens("m.sock"))
        assert stat.S_IMODE(os.stat("m.sock").st_mode) == 0o600
        assert b"keepalived_up 1" in talk(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", f"{folder}/m.sock")
        daemon.terminate()
        assert daemon.wait(30) == 0 and not pathlib.Path("m.sock").exists()
        for where in ("0.0.0.0:9650", "10.9.0.1:9650", "[::]:9650", "9650", "127.0.0.1:0", "127.0.0.1:99999", "127.0.0.1:x"):
            daemon = start(where)
            wait_for("the message", lambda: "no metrics at" in pathlib.Path("log").read_text())
            daemon.terminate()
            assert daemon.wait(30) == 0


if os.geteuid() != 0:
    print("skipped: needs root to make a network namespace")
    sys.exit(77)
VIPD, DOCUMENT = os.path.abspath(sys.argv[1]), pathlib.Path(os.path.abspath(sys.argv[2]))
if sys.argv[-1] != "inside":
    os.execvp("unshare", ["unshare", "-n", sys.executable, os.path.abspath(__file__), VIPD, str(DOCUMENT), "inside"])
for command in ("link set lo up", "link add v0 type veth peer name v1", "link set v0 up", "link set v1 up",
                "addr add 10.9.0.1/24 dev v0"):
    subprocess.run(["ip", *command.split()], check=True)
main()
