# SPDX-License-Identifier: MIT
"""What the tests of proxyd share: servers that misbehave on demand, and a proxy under test.

Everything runs on loopback with ports the kernel chose, as root in a network namespace of its own. PROXY names the
binary; the tests that hold for HAProxy too run with it as a twin, so that the expectation is not only ours.
"""
import csv
import io
import os
import random
import signal
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

WAIT = 30.0  # seconds until a state that must come has come, also on a busy machine and under a sanitizer


# Below those that the kernel gives to clients and to servers that take any; each once, so that no two of a test are the same.
ports = iter(random.sample(range(10000, 30000), 20000))


def free_port():
    while True:
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port := next(ports)))
                return port
            except OSError:  # somebody has it: without a namespace of our own
                pass


def until(what, condition, seconds=WAIT):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("did not happen in time: " + what)


def unix_connect(path, seconds=WAIT):
    """Waits until somebody listens there."""
    found = []

    def there():
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(seconds)
        try:
            s.connect(path)
        except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):  # the last: its queue is full
            s.close()
            return False
        found.append(s)
        return True

    until(f"{path} is listened at", there, seconds)
    return found[0]


def ask_api(path, line):
    """The answer of the runtime API at this socket."""
    with unix_connect(path) as s:
        s.sendall(line.encode() + b"\n")
        return read_all(s).decode()


def read_all(s):
    parts = []
    while True:
        part = s.recv(65536)
        if not part:
            return b"".join(parts)
        parts.append(part)


def read_message(f):
    """One head, and the body that its Content-Length tells, from a file of a socket: what follows stays in it."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = f.readline()
        if not line:
            return head, b""
        head += line
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return head, f.read(int(line[15:]))
    return head, b""


def read_head(s):
    """To the empty line, and what came with it; nothing if the peer ends before."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = s.recv(65536)
        if not part:
            return b""
        data += part
    return data


def read_n(s, n):
    data = b""
    while len(data) < n:
        part = s.recv(n - len(data))
        if not part:
            break
        data += part
    return data


def established(s):
    """By the kernel's word, since a thread of ours may not have noticed the FIN yet."""
    try:
        return s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == 1
    except OSError:
        return False


class Server:
    """Accepts on a port and hands each connection to `serve`, in a thread of its own."""

    def __init__(self, serve, port=0, backlog=1024, host="127.0.0.1"):
        self.serve = serve
        self.count = 0
        self.open = 0
        self.peak = 0  # of connections the other side had not closed
        self.live = set()
        self.lock = threading.Lock()
        self.backlog = backlog
        self.host, self.port = host, port or free_port()
        self.start()

    def start(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((self.host, self.port))
        self.socket.listen(self.backlog)
        threading.Thread(target=self._accept, args=(self.socket,), daemon=True).start()

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)  # wakes accept
        self.socket.close()

    def _accept(self, listener):
        while True:
            try:
                c, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._run, args=(c,), daemon=True).start()

    def _run(self, c):
        with self.lock:
            self.open += 1
            self.live.add(c)
            self.peak = max(self.peak, sum(established(x) for x in self.live))
        try:
            with c:
                self.serve(self, c)
        except OSError:
            pass
        finally:
            with self.lock:
                self.open -= 1
                self.live.discard(c)

    def counted(self):
        with self.lock:
            self.count += 1


def named(name):
    """Reads a line, answers with the name, closes."""

    def serve(server, c):
        if c.recv(4096):
            server.counted()
            c.sendall(name.encode() + b"\n")

    return serve


def echo(server, c):
    server.counted()
    while True:
        data = c.recv(65536)
        if not data:
            return
        c.sendall(data)


class Proxy:
    """A configuration, running. `text` may use {port} for the frontend's."""

    def __init__(self, binary, text, port=None, limit=None, args=(), under=()):
        self.binary = binary
        self.port = port or free_port()
        self.folder = tempfile.mkdtemp(prefix="proxyd-test.")
        self.file = os.path.join(self.folder, "test.cfg")
        self.log_name = os.path.join(self.folder, "log")
        self.write(text)
        self.log = open(self.log_name, "wb")
        command = [*under, binary, "-db", "-f", self.file, *args]
        if limit:
            command = ["prlimit", f"--nofile={limit}", *command]
        # HAProxy 2.6 hashes bytes in front of a header with use_domain_only: what lies there is not to depend on the run
        env = dict(os.environ, MALLOC_PERTURB_="0") if "haproxy" in binary else None
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=env)
        self.wait_for_port(self.port)

    def write(self, text):
        with open(self.file, "w") as f:
            f.write(text.replace("{port}", str(self.port)))

    def wait_for_port(self, port):
        def listening():
            if self.process.poll() is not None:
                raise AssertionError("the proxy ended: " + self.text())
            with open("/proc/net/tcp") as f:
                return any(
                    line.split()[1].endswith(":%04X" % port) and line.split()[3] == "0A"
                    for line in f.readlines()[1:]
                )

        until("the proxy listens", listening)

    def text(self):
        with open(self.log_name, errors="replace") as f:
            return f.read()

    def signal(self, number):
        self.process.send_signal(number)

    def connect(self, port=None, timeout=WAIT):
        return socket.create_connection(("127.0.0.1", port or self.port), timeout=timeout)

    def ask(self, line=b"hello\n", port=None):
        with self.connect(port) as s:
            s.sendall(line)
            return read_all(s).strip().decode()

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait_end(self, seconds=WAIT):
        return self.process.wait(seconds)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(WAIT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        assert "Sanitizer" not in self.text(), self.text()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            self.close()
        finally:
            if kind:
                sys.stderr.write("--- the proxy said:\n" + self.text())
            shutil.rmtree(self.folder, ignore_errors=True)


class Asked:
    """A proxy with a socket for its runtime API."""

    def __init__(self, binary, text):
        self.folder = tempfile.mkdtemp(prefix="proxyd-checks.")
        self.path = os.path.join(self.folder, "socket")
        self.proxy = Proxy(binary, text.replace("global\n", f"global\n    stats socket {self.path} level admin\n", 1))

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.proxy.__exit__(*what)
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, command):
        return ask_api(self.path, command).strip()

    def row(self, server, *fields):
        """Of "BACKEND/SERVER", as "show stat" says."""
        for row in csv.DictReader(io.StringIO(self.ask("show stat")[2:])):
            if f"{row['pxname']}/{row['svname']}" == server:
                return [row[f] for f in fields]
        raise AssertionError(f"no row of {server}")

    def status(self, server):
        return self.row(server, "status")[0]


DEFAULTS = """
global
    nbthread {threads}
    maxconn {maxconn}
defaults
    mode tcp
    timeout connect 2s
    timeout client 60s
    timeout server 60s
"""


def config(body, threads=1, maxconn=5000, **more):
    text = DEFAULTS.replace("{threads}", str(threads)).replace("{maxconn}", str(maxconn)) + body
    for name, value in more.items():
        text = text.replace("{" + name + "}", str(value))
    return text


def own_network():
    """Begins anew in a network namespace: what runs beside cannot take a port that free_port found free."""
    if os.geteuid() != 0:
        return
    if "PROXYD_OWN_NETWORK" not in os.environ:
        os.environ["PROXYD_OWN_NETWORK"] = "yes"
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def run(tests, binary):
    """Each test is a function of the binary. The exit status is the number of those that failed."""
    own_network()
    only = os.environ.get("PROXYD_TEST")
    failed = 0
    for test in tests:
        if only and only not in test.__name__:
            continue
        began = time.monotonic()
        try:
            test(binary)
            word = "ok"
        except Exception as e:  # every failure is told, then the next test runs
            word = f"FAILED: {type(e).__name__}: {e}"
            failed += 1
        print(f"{test.__name__[5:].replace('_', ' ')}: {word} ({time.monotonic() - began:.1f} s)", flush=True)
    return min(failed, 70)


def main(names, needs=(), leave_out=()):
    """Runs what is called test_… with the program on the command line; without it, or a program of `needs`: skipped."""
    missing = [program for program in (sys.argv[1], *needs) if not shutil.which(program)]
    if missing:
        print("skipped: not on this machine:", *missing)
        sys.exit(77)
    tests = [f for name, f in names.items() if name.startswith("test_") and f not in leave_out]
    failed = run(tests, os.path.realpath(shutil.which(sys.argv[1])))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(failed)  # threads of servers still hold TLS connections, which the end of the interpreter would take from under them
