#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""vipd_control.py VIPD SCHEMA LBCTL: the control socket keeps its contract: every answer is what the schema says, nonsense gets an
error and harms nobody, limits hold. Everything is in a network namespace of its own.
"""
import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time

try:
    import jsonschema
except ImportError:
    print("skipped: needs python3-jsonschema")
    sys.exit(77)

CONF = """
global_defs {
    router_id lab
    lvs_notify_fifo FOLDER/fifo
    vrrp_notify_fifo FOLDER/no-fifo
}
vrrp_script yes {
    script /bin/true
    interval 1
    weight 10
}
vrrp_sync_group G {
    group { VI_1 }
    sync_group_tracking_weight
}
vrrp_instance VI_1 {
    interface v0
    virtual_router_id 51
    version 3
    advert_int 0.1
    virtual_ipaddress {
        10.9.0.100/24
        10.9.0.100/24 dev lo
    }
    track_script { yes }
}
virtual_server 10.9.0.100 80 {
    delay_loop 0.2
    lb_algo rr
    lb_kind NAT
    protocol TCP
    retry 0
    warmup 0
    sorry_server 10.9.0.1 99
    real_server 10.9.0.1 8001 { TCP_CHECK { connect_timeout 1 } }
    real_server 10.9.0.1 8002 { TCP_CHECK { connect_timeout 1 } }
    real_server 10.9.0.1 8003 { MISC_CHECK { misc_path /bin/true } }
}
"""


def listens(path):
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(path) == 0


class Client:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(path)
        self.lines = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        line = self.lines.readline()
        return json.loads(line) if line else None

    def call(self, method, **params):
        self.send(json.dumps({"id": method, "method": method, "params": params}).encode() + b"\n")
        while True:
            answer = self.receive()
            check(answer)
            if "id" in answer:
                assert answer["id"] == method, answer
                return answer

    def result(self, method, **params):
        answer = self.call(method, **params)
        assert "result" in answer, answer
        if method in schema["definitions"]["result"]:
            part = dict(schema["definitions"]["result"][method], definitions=schema["definitions"])
            jsonschema.validate(answer["result"], part)
        return answer["result"]

    def error(self, method, **params):
        answer = self.call(method, **params)
        assert "error" in answer, answer
        return answer["error"]


def check(message):
    jsonschema.validate(message, schema)


def wait_for(what, condition):
    for _ in range(400):
        if condition():
            return
        time.sleep(0.1)
    sys.exit(f"{what} does not come")


def real(client, name):
    show = client.result("show", virtual_server="10.9.0.100:80")
    return next(r for r in show["virtual_servers"][0]["real_servers"] if r["name"] == name)


def reads(client):
    status = client.result("status")
    assert status["instances"][0]["effective_priority"] == 110, status
    assert status["forwarding_backend"] in ("nft", "ipvs", "none"), status
    show = client.result("show")
    assert [i["name"] for i in show["instances"]] == ["VI_1"] and show["instances"][0]["trackers"], show
    assert show["instances"][0]["counters"]["adverts_sent"] > 0, show
    assert show["instances"][0]["addresses"] == ["10.9.0.100/24", "10.9.0.100/24 dev lo"], show
    assert show["scripts"][0]["state"] == "up", show
    text = " ".join(client.result("explain", instance="VI_1")["sentences"])
    assert "VI_1 has been MASTER" in text and "no adverts were heard" in text, text
    text = " ".join(client.result("explain", real_server="10.9.0.1:8002")["sentences"])
    assert "is down" in text and "Connection refused" in text, text
    text = " ".join(client.result("explain", virtual_server="10.9.0.100:80")["sentences"])
    assert "has its quorum" in text, text
    text = " ".join(client.result("explain", group="G")["sentences"])
    assert "The group G has been MASTER" in text and "VI_1 has been MASTER" in text, text
    text = " ".join(client.result("explain", script="yes")["sentences"])
    assert "The script yes is up: exit status 0" in text and "VI_1 tracks it" in text, text
    for kind in ("group", "script", "virtual_server", "instance"):
        assert client.error("explain", **{kind: "nobody"})["code"] == 1
    kinds = {e["type"] for e in client.result("events", limit=500)["events"]}
    assert {"transition", "group_transition", "real_server"} <= kinds, kinds
    assert len(client.result("events", limit=2)["events"]) == 2
    assert "status" in [m["method"] for m in client.result("help")]


def next_order(watcher):
    """Between orders come events of servers, whose scripts are late on a busy machine."""
    while True:
        event = watcher.receive()
        check(event)
        if event["params"]["type"] == "order":
            return event["params"]
        assert event["params"]["type"] in ("real_server", "quorum"), event


def orders(client):
    watcher = Client("p.sock")
    watcher.result("subscribe")
    for what, weight in (("drain", 0), ("disable", None)):
        client.result(what, real_server="10.9.0.1:8001")
        wait_for(what, lambda: real(client, "10.9.0.1:8001")["weight_in_use"] == weight)
        assert next_order(watcher)["order"] == what
    client.result("enable", real_server="10.9.0.1:8001", virtual_server="10.9.0.100:80")
    client.result("weight", real_server="10.9.0.1:8001", weight=9)
    wait_for("the weight", lambda: real(client, "10.9.0.1:8001")["weight_in_use"] == 9)
    # All out of use by order: the sorry server.
    client.result("drain", real_server="10.9.0.1:8001")
    client.result("drain", real_server="10.9.0.1:8003")
    wait_for("the sorry server", lambda: client.result("status")["virtual_servers"][0]["sorry_server"]["in_use"])
    client.result("enable", real_server="10.9.0.1:8003")
    wait_for("no sorry server", lambda: not client.result("status")["virtual_servers"][0]["sorry_server"]["in_use"])
    # A crash and a reload forget nothing.
    health = client.result("status")["processes"]["vipd_health"]
    os.kill(health, 9)
    wait_for("another health", lambda: client.result("status")["processes"]["vipd_health"] not in (0, health))
    client.result("reload")
    wait_for("the reload", lambda: any(e["type"] == "reload" for e in client.result("events")["events"]))
    wait_for("the order again", lambda: (real(client, "10.9.0.1:8001")["admin"], real(client, "10.9.0.1:8001")["weight"],
                                         real(client, "10.9.0.1:8001")["weight_in_use"]) == ("drain", 9, 0))
    client.result("enable", real_server="10.9.0.1:8001")
    client.result("weight", real_server="10.9.0.1:8001", weight=None)
    wait_for("the configuration's weight", lambda: real(client, "10.9.0.1:8001")["weight_in_use"] == 1)
    runs = real(client, "10.9.0.1:8002")["checks"][0]["runs"]
    client.result("check", real_server="10.9.0.1:8002")
    wait_for("a check", lambda: real(client, "10.9.0.1:8002")["checks"][0]["runs"] > runs)
    client.result("check", script="yes")
    assert client.error("failover", instance="VI_2")["code"] == 1
    assert client.error("drain", real_server="10.9.0.1:1")["code"] == 1
    assert client.error("drain")["code"] == -32602
    assert client.error("weight", real_server="10.9.0.1:8001", weight=-1)["code"] == -32602
    assert client.error("drain", real_server=7)["code"] == -32602
    # Held by force: nobody else is there.
    client.result("hold", instance="VI_1", force=True)
    wait_for("FAULT", lambda: client.result("status")["instances"][0]["state"] == "FAULT")
    assert client.error("failover", instance="VI_1")["code"] == 2
    assert "an administrator holds it" in " ".join(client.result("explain", instance="VI_1")["sentences"])
    client.result("release", instance="VI_1")
    wait_for("MASTER", lambda: client.result("status")["instances"][0]["state"] == "MASTER")
    client.result("clear")
    # Without an heir it goes on, and says so.
    client.result("hold", instance="VI_1")
    wait_for("no heir", lambda: any(e.get("remark") == "nobody took over" for e in client.result("events")["events"]))
    status = client.result("status")["instances"][0]
    assert (status["state"], status["held"]) == ("MASTER", False), status


def backend(client):
    """forwarding_backend may change by a reload; nothing is left with the one before."""
    good = pathlib.Path("conf").read_text()

    def change_to(name):
        pathlib.Path("conf").write_text(good.replace("router_id lab", f"router_id lab\n    forwarding_backend {name}"))
        client.result("reload")
        wait_for(name, lambda: client.result("status")["forwarding_backend"] in ((name,) if name == "nft" else ("ipvs", "none")))

    def tables():
        return subprocess.run(["nft", "list", "tables"], check=True, capture_output=True, text=True).stdout

    change_to("nft")
    wait_for("the table", lambda: "table inet hawser-" in tables())
    change_to("ipvs")
    wait_for("no table", lambda: "table inet hawser-" not in tables())
    change_to("nft")
    wait_for("the table again", lambda: "table inet hawser-" in tables())


def nonsense():
    for line, code in ((b"x\n", -32700), (b"{}\n", -32600), (b"[]\n", -32600), (b"7\n", -32700), (b'{"method":7}\n', -32600),
                       (b'{"method":"nix"}\n', -32601), (b'{"method":"status","params":[]}\n', -32602),
                       (b'{"method":"status","params":{"x":1}}\n', -32602), (b'{"method":"status","method":"x"}\n', -32700),
                       (b"[" * 4000 + b"\n", -32700), (b'{"method":"\\u0000"}\n', -32700), (b"\xff\xfe\n", -32700)):
        client = Client("p.sock")
        client.send(line)
        answer = client.receive()
        check(answer)
        assert answer["error"]["code"] == code, (line[:40], answer)
    client = Client("p.sock")
    client.send(b"x" * 4096)
    assert client.receive()["error"]["code"] == -32600
    assert client.receive() is None
    # Two requests in one piece, one request in two, and a client that sends and closes its side.
    client = Client("p.sock")
    client.send(b'{"id":1,"method":"status"}\n{"id":2,"method":"help"}\n{"id":3,"me')
    assert [client.receive()["id"], client.receive()["id"]] == [1, 2]
    client.send(b'thod":"events"}\n')
    client.socket.shutdown(socket.SHUT_WR)
    assert client.receive()["id"] == 3 and client.receive() is None
    # One who asks and never reads is not listened to, and keeps nobody from being served.
    lazy = Client("p.sock")
    lazy.socket.settimeout(1)
    try:
        for _ in range(20000):
            lazy.send(b'{"method":"show"}\n')
        sys.exit("vipd reads on though nobody takes its answers")
    except TimeoutError:
        pass
    crowd = [Client("p.sock") for _ in range(31)]
    one_more = Client("p.sock")
    assert one_more.receive()["error"]["message"].startswith("too many clients")
    crowd[0].result("status")


def silence(client):
    """A process that is stuck is waited for once: what was known before is shown, until it answers again."""
    vrrp = int(pathlib.Path("r").read_text())
    sent = lambda: client.result("status")["instances"] and client.result("show")["instances"][0]["counters"]["adverts_sent"]
    os.kill(vrrp, signal.SIGSTOP)
    try:
        before = {sent() for _ in range(4)}
        heard, shown = client.result("status")["silent"], subprocess.run([lbctl, "-s", "p.sock", "status"], capture_output=True, text=True).stdout
    finally:
        os.kill(vrrp, signal.SIGCONT)
    assert list(heard) == ["vipd_vrrp"] and 1 <= time.time() - heard["vipd_vrrp"] < 60, heard
    assert re.search(r"^vipd_vrrp DOES NOT ANSWER: what is shown of it is \d+ s old$", shown, re.M), shown
    assert len(before) == 1 and pathlib.Path("log").read_text().count("vipd_vrrp does not say what it knows") == 1, before
    wait_for("adverts again", lambda: sent() > max(before))
    assert client.result("status")["silent"] == {}
    # One that dies over a question has a successor, which is asked: also later, when it is stuck.
    kernel = client.result("status")["processes"]["vipd_kernel"]
    stuck = lambda: pathlib.Path("log").read_text().count("vipd_kernel does not say what it knows")
    os.kill(kernel, signal.SIGSTOP)
    client.send(b'{"id":1,"method":"show"}\n')
    time.sleep(0.1)
    os.kill(kernel, signal.SIGKILL)
    assert client.receive()["id"] == 1
    wait_for("another kernel", lambda: client.result("status")["processes"]["vipd_kernel"] not in (0, kernel))
    kernel, before = client.result("status")["processes"]["vipd_kernel"], stuck()
    os.kill(kernel, signal.SIGSTOP)
    try:
        client.result("show")
        assert stuck() == before + 1, (stuck(), before)
    finally:
        os.kill(kernel, signal.SIGCONT)


def main(vipd):
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        pathlib.Path("conf").write_text(CONF.replace("FOLDER", name))
        pathlib.Path("no-fifo").write_text("mine")
        stale = socket.socket(socket.AF_UNIX)
        stale.bind("p.sock")
        stale.close()  # as a crash leaves it
        server = socket.create_server(("10.9.0.1", 8001), backlog=100)
        with open("log", "w") as out:
            daemon = subprocess.Popen([vipd, "-n", "-l", "-G", "-f", "conf", "-p", "p.pid", "-r", "r", "-c", "c"],
                                      stdout=out, stderr=out)
        try:
            wait_for("the socket", lambda: listens("p.sock"))
            mode = os.stat("p.sock").st_mode
            assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600, oct(mode)
            client = Client("p.sock")
            wait_for("MASTER", lambda: client.result("status")["instances"][0]["state"] == "MASTER")
            wait_for("the checks", lambda: real(client, "10.9.0.1:8002")["state"] == "down"
                     and real(client, "10.9.0.1:8001")["checks"][0].get("runs", 0) > 1)
            fifo = os.open("fifo", os.O_RDONLY | os.O_NONBLOCK)
            assert stat.S_IMODE(os.fstat(fifo).st_mode) == 0o600
            lines = os.read(fifo, 65536).decode().splitlines()
            os.close(fifo)
            assert "RS [10.9.0.1]:tcp:8002 [10.9.0.100]:tcp:80 DOWN" in lines, lines
            assert pathlib.Path("no-fifo").read_text() == "mine" and "something else than a FIFO" in pathlib.Path("log").read_text()
            reads(client)
            orders(client)
            backend(client)
            nonsense()
            silence(client)
            assert client.result("status")["processes"]
        except BaseException:
            sys.stderr.write(pathlib.Path("log").read_text()[-3000:])
            raise
        finally:
            daemon.terminate()
            daemon.wait(30)
            server.close()
        assert not pathlib.Path("p.sock").exists() and not pathlib.Path("fifo").exists()
        # What lies there and is no socket of ours stays, and vipd runs all the same.
        for make in (lambda: pathlib.Path("p.sock").write_text("mine"), lambda: os.symlink("victim", "p.sock")):
            make()
            with open("log", "w") as out:
                daemon = subprocess.Popen([vipd, "-n", "-l", "-G", "-f", "conf", "-p", "p.pid", "-r", "r", "-c", "c"],
                                          stdout=out, stderr=out)
            wait_for("the message", lambda: "cannot open the control socket" in pathlib.Path("log").read_text())
            daemon.terminate()
            assert daemon.wait(30) == 0
            assert not pathlib.Path("victim").exists()
            os.unlink("p.sock")


if os.geteuid() != 0:
    print("skipped: needs root to make a network namespace")
    sys.exit(77)
if sys.argv[-1] != "inside":
    os.execvp("unshare", ["unshare", "-n", sys.executable, os.path.abspath(__file__), os.path.abspath(sys.argv[1]),
                          os.path.abspath(sys.argv[2]), os.path.abspath(sys.argv[3]), "inside"])
schema, lbctl = json.loads(pathlib.Path(sys.argv[2]).read_text()), sys.argv[3]
for command in ("link set lo up", "link add v0 type veth peer name v1", "link set v0 up", "link set v1 up",
                "addr add 10.9.0.1/24 dev v0"):
    subprocess.run(["ip", *command.split()], check=True)
main(sys.argv[1])
