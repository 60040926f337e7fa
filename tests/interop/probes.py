#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hold every probe against the real server, from Debian's packages: what is right passes, what is wrong is told apart.

    probes.py HELLO_HEALTH [SERVER...]

The servers run on their own ports in a network, process and mount namespace of the test, so nothing of them is left
behind. All start at once; each is asked as soon as it answers. A server that is not installed is left out, and said.
Exit 77: not root, or none is installed.
"""
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

START_S = 100  # for a server to answer, on a machine that starts all of them
INSIDE = "HAWSER_PROBES_INSIDE"


class Server:
    """One of them: its directory, its process, and what to ask it."""

    package = None  # Debian's name
    program = None  # a path that is there when the package is installed
    user = "root"

    def __init__(self, where):
        self.where = f"{where}/{self.name()}"
        os.makedirs(self.where)
        os.chmod(self.where, 0o755)
        account = pwd.getpwnam(self.user)
        os.chown(self.where, account.pw_uid, account.pw_gid)
        self.log = open(f"{self.where}/log", "wb")
        self.process = None

    @classmethod
    def name(cls):
        return cls.__name__.lower()

    @classmethod
    def missing(cls):
        """Why it cannot run, or None."""
        if not os.path.exists(cls.program):
            return f"apt-get install {cls.package}"
        try:
            pwd.getpwnam(cls.user)
        except KeyError:
            return f"there is no user {cls.user}: apt-get install {cls.package}"
        return None

    def write(self, name, text):
        path = f"{self.where}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("@", self.where).replace("(AT)", "@"))
        account = pwd.getpwnam(self.user)
        os.chown(path, account.pw_uid, account.pw_gid)
        return path

    def as_user(self, argv):
        return argv if self.user == "root" else ["setpriv", f"--reuid={self.user}", "--clear-groups",
                                                 f"--regid={pwd.getpwnam(self.user).pw_gid}", *argv]

    def run(self, *argv, stdin=None):
        subprocess.run(self.as_user(argv), input=stdin, stdout=self.log, stderr=self.log, check=True, text=bool(stdin),
                       cwd=self.where, timeout=START_S)

    def spawn(self, *argv, env=None):
        self.process = subprocess.Popen(self.as_user(argv), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        cwd=self.where, env={**os.environ, **(env or {})})

    def certificate(self, name, days=30):
        """The paths of a certificate of its own and its key."""
        key, request, names, pem = (self.write(f"{name}.{end}", "") for end in ("key", "csr", "names", "pem"))
        with open(names, "w", encoding="ascii") as file:
            file.write(f"subjectAltName=DNS:{name},IP:127.0.0.1\n")
        self.run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                 f"/CN={name}", "-keyout", key, "-out", request)
        self.run("openssl", "x509", "-req", "-in", request, "-signkey", key, "-days", str(days), "-extfile", names, "-out", pem)
        os.chmod(key, 0o600)
        return pem, key

    def start(self):
        raise NotImplementedError

    def checks(self):
        """(URL, code or (code, a part of the text)); the first one is asked until it is right: then the server is up."""
        raise NotImplementedError

    def end_of_log(self):
        self.log.flush()
        with open(f"{self.where}/log", encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-25:])


class Nginx(Server):
    package, program = "nginx", "/usr/sbin/nginx"

    def tls(self, name, days):
        return "ssl_certificate %s; ssl_certificate_key %s;" % self.certificate(name, days)

    def start(self):
        self.write("page", "it works\n")
        good = self.tls("good.example", 30)
        expired = self.tls("expired.example", -1)
        shutil.copy(f"{self.where}/good.example.pem", "/run/trusted.pem")
        conf = self.write("conf", f"""daemon off; worker_processes 1; user root; pid @/pid; error_log stderr;
events {{}}
http {{ access_log off; root @; client_body_temp_path @/b; proxy_temp_path @/p; fastcgi_temp_path @/f;
  uwsgi_temp_path @/u; scgi_temp_path @/g; default_type text/plain;
  server {{ listen 127.0.0.1:80; listen [::1]:80; listen 127.0.0.1:443 ssl http2; {good}
    add_header X-State up always;
    location = / {{ return 200 "hello"; }}  location = /gone {{ return 404; }}  location = /moved {{ return 301 /; }}
    location = /page {{ }}  location = /post {{ limit_except POST {{ deny all; }} return 204; }} }}
  server {{ listen 127.0.0.1:82 http2; location = / {{ return 200; }} }}
  server {{ listen 127.0.0.1:80; server_name other.example; return 200 "the other house"; }}
  server {{ listen 127.0.0.1:444 ssl; {expired} return 200 "old"; }} }}
""")
        self.spawn("nginx", "-c", conf, "-e", "stderr")

    def checks(self):
        at = "http://127.0.0.1"
        md5 = "5d41402abc4b2a76b9719d911017c592"  # of "hello"
        return [
            (f"{at}/", "L7OK"), ("http://[::1]/", "L7OK"), (f"{at}#version=1.0", "L7OK"),
            ("tcp://127.0.0.1:80", "L4OK"), ("tcp://127.0.0.1:81", "L4CON"), (f"{at}/gone", "L7STS"),
            (f"{at}/gone#404-drains", "L7OKC"), (f"{at}/moved", "L7STS"), (f"{at}/moved#status=200-399", "L7OK"),
            (f"{at}#body=hell", "L7OK"), (f"{at}#body=heaven", "L7RSP"), (f"{at}#host=other.example&body=house", "L7OK"),
            (f"{at}#md5={md5}", "L7OK"), (f"{at}/page#md5={md5}", "L7RSP"), (f"{at}#regex=^h.l{{2}}o$", "L7OK"),
            (f"{at}#regex=^x", "L7RSP"), (f"{at}#field=x-state:up", "L7OK"), (f"{at}#field-is=X-State:down", "L7RSP"),
            (f"{at}/post#method=POST&content=a=b&status=204", "L7OK"), (f"{at}#next=/page&next=/moved", "L7STS"),
            (f"{at}#next=/page&next=/page", "L7OK"), ("https://127.0.0.1/#body=hello", "L7OK"),
            ("https://127.0.0.1#verify", "L7OK"), ("https://127.0.0.1#verify&sni=good.example", "L7OK"),
            ("https://127.0.0.1#verify&sni=bad.example", "L6RSP"), ("https://127.0.0.1:444/", "L7OK"),
            ("https://127.0.0.1:444/#verify", "L6RSP"), ("https://127.0.0.1:80/", "L6RSP"),
            ("tls://127.0.0.1", "L6OK"), ("tls://127.0.0.1:444#verify", ("L6RSP", "certificate")),
            ("tls://127.0.0.1#alpn=h2&expires=60", ("L6OK", "certificate expires")), ("tls://127.0.0.1:80", "L6RSP"),
            ("h2://127.0.0.1/", "L7OK"), ("h2://127.0.0.1/gone", "L7STS"), ("h2://127.0.0.1:444/", "L6RSP"),
            ("h2c://127.0.0.1:82/", "L7OK"), ("h2c://127.0.0.1:82/none", "L7STS"), ("h2c://127.0.0.1:80/", "L7RSP"),
            ("grpc://127.0.0.1:82", ("L7STS", "404")), ("ssl-hello://127.0.0.1", "L6OK"), ("ssl-hello://127.0.0.1:80", "L7RSP"),
            ("expect://127.0.0.1:80#send=HEAD / HTTP/1.0%0d%0a%0d%0a&expect=X-State: up", "L7OK"),
            ("redis://127.0.0.1:80", "L7RSP"), ("smtp://127.0.0.1:80", "L7TOUT")]


class Postfix(Server):
    package, program = "postfix", "/usr/sbin/postfix"

    def start(self):
        pem, key = self.certificate("mail.example")
        self.write("conf/main.cf", """compatibility_level = 3.6
queue_directory = @/queue
data_directory = @/data
maillog_file = /dev/stdout
myhostname = mail.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_tls_security_level = may
smtpd_tls_chain_files = CHAIN
smtpd_helo_required = yes
smtpd_delay_reject = no
smtpd_helo_restrictions = check_helo_access inline:{{bad.example = 554 go away}}
""".replace("CHAIN", f"{key}, {pem}"))
        self.write("conf/master.cf", """smtp inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
proxymap unix - - n - - proxymap
rewrite unix - - n - - trivial-rewrite
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
""")
        os.makedirs(f"{self.where}/queue")
        os.makedirs(f"{self.where}/data")
        shutil.chown(f"{self.where}/data", "postfix", "postfix")
        self.spawn("postfix", "-c", f"{self.where}/conf", "start-fg")

    def checks(self):
        at = "smtp://127.0.0.1"
        return [(at, ("L7OK", "250 mail.example")), (f"{at}#ehlo&helo=lb.example", "L7OK"),
                (f"{at}#helo=bad.example", ("L7STS", "554")), ("lmtp://127.0.0.1:25", "L7STS"),
                (f"{at}#starttls", "L7OK"), (f"{at}#starttls&expires=60", ("L7OK", "certificate expires")),
                (f"{at}#starttls&verify", ("L6RSP", "certificate")), ("imap://127.0.0.1:25#starttls", "L7RSP"),
                ("pop3://127.0.0.1:25", "L7RSP"), ("http://127.0.0.1:25", "L7RSP")]


class Dovecot(Server):
    package, program = "dovecot-imapd dovecot-pop3d dovecot-lmtpd", "/usr/sbin/dovecot"

    def start(self):
        self.write("users", "probe:{PLAIN}secret:65534:65534::@/home::\n")
        os.makedirs(f"{self.where}/home")
        os.chown(f"{self.where}/home", 65534, 65534)
        pem, key = self.certificate("mail.example")
        conf = self.write("conf", """base_dir = @/run
log_path = /dev/stderr
listen = 127.0.0.1
protocols = imap pop3 lmtp
ssl = yes
ssl_cert = <CERT
ssl_key = <KEY
disable_plaintext_auth = no
auth_failure_delay = 0
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
mail_location = maildir:@/home/mail
first_valid_uid = 1
passdb {
  driver = passwd-file
  args = @/users
}
userdb {
  driver = passwd-file
  args = @/users
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = 24
  }
}
""".replace("CERT", pem).replace("KEY", key))
        self.spawn("dovecot", "-F", "-c", conf)

    def checks(self):
        return [("imap://probe:secret@127.0.0.1/INBOX", "L7OK"), ("imap://127.0.0.1", "L7OK"),
                ("imap://probe:wrong@127.0.0.1", ("L7STS", "AUTHENTICATIONFAILED")),
                ("imap://probe:secret@127.0.0.1/none", "L7STS"), ("pop3://127.0.0.1", "L7OK"),
                ("pop3://probe:secret@127.0.0.1", "L7OK"), ("pop3://probe:wrong@127.0.0.1", "L7STS"),
                ("imap://probe:secret@127.0.0.1/INBOX#starttls", "L7OK"), ("imap://127.0.0.1#starttls&expires=60",
                ("L7OK", "certificate expires")), ("pop3://probe:secret@127.0.0.1#starttls", "L7OK"),
                ("pop3://127.0.0.1#starttls", "L7OK"), ("pop3://probe:wrong@127.0.0.1#starttls", "L7STS"),
                ("imaps://probe:secret@127.0.0.1/INBOX", "L7OK"), ("pop3s://127.0.0.1", "L7OK"),
                ("imap://127.0.0.1#starttls&verify", ("L6RSP", "certificate")),
                ("lmtp://127.0.0.1", "L7OK"), ("lmtp://127.0.0.1:143", "L7RSP"), ("pop3://127.0.0.1:143", "L7RSP")]


class Vsftpd(Server):
    package, program = "vsftpd", "/usr/sbin/vsftpd"

    def start(self):
        self.write("pub/health.txt", "well\n")
        pem, key = self.certificate("ftp.example")
        conf = self.write("conf", """listen=YES
listen_address=127.0.0.1
background=NO
anonymous_enable=YES
anon_root=@/pub
secure_chroot_dir=@/empty
ftp_username=daemon
seccomp_sandbox=NO
ssl_enable=YES
allow_anon_ssl=YES
force_local_logins_ssl=NO
force_local_data_ssl=NO
""" + f"rsa_cert_file={pem}\nrsa_private_key_file={key}\n")
        os.makedirs(f"{self.where}/empty")
        self.spawn("vsftpd", conf)

    def checks(self):
        return [("ftp://127.0.0.1", "L7OK"), ("ftp://anonymous:me@127.0.0.1/health.txt", ("L7OK", "213 5")),
                ("ftp://anonymous:me@127.0.0.1/none.txt", ("L7STS", "550")),
                ("ftp://nobody:wrong@127.0.0.1", ("L7STS", "530")),
                ("ftp://127.0.0.1#starttls", "L7OK"), ("ftp://anonymous:me@127.0.0.1/health.txt#starttls", ("L7OK", "213 5")),
                ("ftp://nobody:wrong@127.0.0.1#starttls", "L7STS"),
                ("ftp://127.0.0.1#starttls&expires=60", ("L7OK", "certificate expires")), ("imap://127.0.0.1:21", "L7RSP")]


class Slapd(Server):
    package, program = "slapd", "/usr/sbin/slapd"

    def start(self):
        pem, key = self.certificate("ldap.example")
        conf = self.write("conf", f"TLSCertificateFile {pem}\nTLSCertificateKeyFile {key}\n" + """include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile @/pid
database mdb
suffix dc=example
rootdn cn=probe,dc=example
rootpw secret
directory @/db
maxsize 1048576
access to * by anonymous auth by users read
""")
        os.makedirs(f"{self.where}/db")
        self.run("/usr/sbin/slapadd", "-f", conf,
                 stdin="dn: dc=example\nobjectClass: organization\nobjectClass: dcObject\no: example\ndc: example\n")
        self.spawn("/usr/sbin/slapd", "-d", "0", "-f", conf, "-h", "ldap://127.0.0.1")

    def checks(self):
        who = "ldap://cn=probe,dc=example"
        return [("ldap://127.0.0.1", "L7OK"), (f"{who}:secret@127.0.0.1/dc=example", "L7OK"),
                (f"{who}:wrong@127.0.0.1", ("L7STS", "invalidCredentials")),
                (f"{who}:secret@127.0.0.1/dc=none", ("L7STS", "noSuchObject")),
                ("ldap://127.0.0.1#starttls", "L7OK"), (f"{who}:secret@127.0.0.1/dc=example#starttls", "L7OK"),
                (f"{who}:wrong@127.0.0.1#starttls", ("L7STS", "invalidCredentials")),
                ("ldap://127.0.0.1#starttls&expires=60", ("L7OK", "certificate expires")), ("mysql://u@127.0.0.1:389", "L7TOUT")]


class Unbound(Server):
    package, program = "unbound", "/usr/sbin/unbound"

    def start(self):
        conf = self.write("conf", """server:
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "@"
  pidfile: "@/pid"
  use-syslog: no
  logfile: ""
  interface: 127.0.0.1
  module-config: "iterator"
  local-zone: "example." static
  local-data: "www.example. A 192.0.2.7"
  local-data: "www.example. AAAA 2001:db8::7"
  local-data: "example. MX 10 mail.example."
  local-data: 'example. TXT "v=spf1 -all"'
  local-data: "ns.example. CNAME www.example."
  local-data: "example. SOA ns.example. root.example. 1 2 3 4 5"
""")
        self.spawn("unbound", "-p", "-d", "-c", conf)

    def checks(self):
        at = "dns://127.0.0.1"
        return [(f"{at}/example", "L7OK"), (f"{at}/www.example#type=A&answer=192.0.2.7", "L7OK"),
                (f"{at}/www.example#type=A&answer=192.0.2.8", "L7RSP"),
                (f"{at}/www.example#type=AAAA&answer=2001:db8::7", "L7OK"),
                (f"{at}/example#type=MX&answer=mail.example", "L7OK"), (f"{at}/example#type=TXT&answer=spf1", "L7OK"),
                (f"{at}/ns.example#type=CNAME&answer=WWW.example.", "L7OK"),
                (f"{at}/none.example#type=A", ("L7STS", "NXDOMAIN")), (f"{at}/none.example#any-rcode", "L7OK"),
                (f"{at}/www.example#type=MX&has-answer", "L7RSP"), ("dns://127.0.0.1:5353", "L4CON"),
                ("udp://127.0.0.1:53#send=%00%07%01%00%00%01%00%00%00%00%00%00%07example%00%00%06%00%01&expect=%00%07%85"
                 "%80&mask=%ff%ff%f0%0f", "L7OK"),
                ("udp://127.0.0.1:5353#silence-ok", "L4CON")]


class Mariadb(Server):
    package, program, user = "mariadb-server", "/usr/sbin/mariadbd", "mysql"

    def start(self):
        pem, key = self.certificate("db.example")
        init = self.write("init.sql", "CREATE USER haproxy(AT)'%';\nCREATE USER probe(AT)'%' IDENTIFIED BY 'secret';\n"
                          "CREATE USER secure(AT)'%' IDENTIFIED BY 'secret' REQUIRE SSL;\n")
        self.run("mariadb-install-db", "--no-defaults", f"--datadir={self.where}/db", "--skip-test-db",
                 "--auth-root-authentication-method=normal", "--innodb-log-file-size=4M", "--skip-name-resolve")
        self.spawn("mariadbd", "--no-defaults", f"--datadir={self.where}/db", f"--socket={self.where}/socket",
                   "--bind-address=127.0.0.1", f"--init-file={init}", "--innodb-log-file-size=4M", "--skip-name-resolve",
                   f"--pid-file={self.where}/pid", "--innodb-flush-log-at-trx-commit=0",
                   f"--ssl-cert={pem}", f"--ssl-key={key}")

    def checks(self):
        at = "127.0.0.1"
        return [(f"mysql://haproxy@{at}", ("L7OK", "MariaDB")), (f"mysql://{at}", ("L7OK", "MariaDB")),
                (f"mysql://probe:secret@{at}", "L7OK"), (f"mysql://probe:secret@{at}/information_schema", "L7OK"),
                (f"mysql://probe:wrong@{at}", ("L7STS", "1045")), (f"mysql://probe@{at}", ("L7STS", "1045")),
                (f"mysql://probe:secret@{at}/none", ("L7STS", "error 10")),
                (f"mysql://probe:secret@{at}#starttls", "L7OK"), (f"mysql://probe:wrong@{at}#starttls", ("L7STS", "1045")),
                (f"mysql://secure:secret@{at}#starttls", "L7OK"), (f"mysql://secure:secret@{at}", ("L7STS", "1045")),
                (f"mysql://haproxy@{at}#starttls&verify", ("L6RSP", "certificate")), (f"pgsql://probe@{at}:3306", "L7RSP"),
                (f"ftp://{at}:3306", "L7RSP")]


class Postgresql(Server):
    package, user = "postgresql", "postgres"
    program = next((f"/usr/lib/postgresql/{v}/bin/postgres" for v in range(18, 12, -1)
                    if os.path.exists(f"/usr/lib/postgresql/{v}/bin/postgres")), "/usr/lib/postgresql/15/bin/postgres")

    def start(self):
        pem, key = self.certificate("db.example")
        home = os.path.dirname(self.program)
        db = f"{self.where}/db"
        self.run(f"{home}/initdb", "-D", db, "-N", "-A", "trust", "--no-instructions", "--locale=C")
        hba = self.write("hba", "host all clear 127.0.0.1/32 password\nhost all old 127.0.0.1/32 md5\n"
                                "host all probe 127.0.0.1/32 scram-sha-256\nhostssl all hidden 127.0.0.1/32 scram-sha-256\nhost all free 127.0.0.1/32 trust\n")
        self.run(self.program, "--single", "-F", "-D", db, "postgres",
                 stdin="SET password_encryption = 'md5'; CREATE USER old PASSWORD 'secret';\n"
                       "SET password_encryption = 'scram-sha-256'; CREATE USER probe PASSWORD 'secret';\n"
                       "CREATE USER clear PASSWORD 'secret'; CREATE USER free; CREATE USER hidden PASSWORD 'secret';\n")
        self.spawn(self.program, "-D", db, "-F", "-k", self.where, "-h", "127.0.0.1", "-c", f"hba_file={hba}", "-c",
                   "fsync=off", "-c", "ssl=on", "-c", f"ssl_cert_file={pem}", "-c", f"ssl_key_file={key}")

    def checks(self):
        at = "127.0.0.1/postgres"
        return [(f"pgsql://probe@{at}", "L7OK"), (f"pgsql://probe:secret@{at}", ("L7OK", "logged in")),
                (f"pgsql://probe:wrong@{at}", ("L7STS", "password authentication failed")),
                (f"pgsql://old:secret@{at}", "L7OK"), (f"pgsql://old:wrong@{at}", "L7STS"),
                (f"pgsql://clear:secret@{at}", "L7OK"), (f"pgsql://clear:wrong@{at}", "L7STS"),
                (f"pgsql://free:any@{at}", "L7OK"), (f"pgsql://nobody@{at}", ("L7STS", "no pg_hba.conf entry")),
                ("pgsql://probe:secret@127.0.0.1/none", ("L7STS", "does not exist")),
                (f"pgsql://hidden:secret@{at}#starttls", ("L7OK", "logged in")), (f"pgsql://hidden:secret@{at}", "L7STS"),
                (f"pgsql://clear:secret@{at}#starttls", "L7OK"), (f"pgsql://probe:wrong@{at}#starttls", "L7STS"),
                (f"pgsql://probe@{at}#starttls&expires=60", ("L7OK", "certificate expires")),
                ("redis://127.0.0.1:5432", "L7RSP")]


class Redis(Server):
    package, program = "redis-server", "/usr/bin/redis-server"

    def start(self):
        self.spawn("redis-server", "--bind", "127.0.0.1", "--requirepass", "secret", "--save", "", "--dir", self.where)

    def checks(self):
        at = "redis://:secret@127.0.0.1"
        return [(at, "L7OK"), (f"{at}#role=master&absent-key=maintenance", "L7OK"), (f"{at}#role=replica", "L7STS"),
                ("redis://127.0.0.1", ("L7STS", "NOAUTH")), ("redis://:wrong@127.0.0.1", ("L7STS", "WRONGPASS")),
                ("redis://default:secret@127.0.0.1", "L7OK"), ("memcached://127.0.0.1:6379", "L7RSP")]


class Memcached(Server):
    package, program = "memcached", "/usr/bin/memcached"

    def start(self):
        self.spawn("memcached", "-l", "127.0.0.1", "-u", "nobody")

    def checks(self):
        return [("memcached://127.0.0.1", ("L7OK", "VERSION")), ("redis://127.0.0.1:11211", "L7RSP")]


class Mosquitto(Server):
    package, program = "mosquitto", "/usr/sbin/mosquitto"

    def start(self):
        self.write("users", "probe:secret\n")
        self.run("mosquitto_passwd", "-U", f"{self.where}/users")
        os.chmod(f"{self.where}/users", 0o644)
        conf = self.write("conf", "listener 1883 127.0.0.1\npassword_file @/users\nallow_anonymous false\n")
        self.spawn("mosquitto", "-c", conf)

    def checks(self):
        at = "127.0.0.1"
        return [(f"mqtt://probe:secret@{at}", "L7OK"), (f"mqtt://probe:secret@{at}#client-id=lb", "L7OK"),
                (f"mqtt://probe:wrong@{at}", ("L7STS", "not authorized")), (f"mqtt://{at}", "L7STS"),
                (f"amqp://{at}:1883", "L7RSP")]


class Rabbitmq(Server):
    package, program, user = "rabbitmq-server", "/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq"

    def start(self):
        env = {"RABBITMQ_MNESIA_BASE": f"{self.where}/db", "RABBITMQ_LOG_BASE": self.where, "HOME": self.where,
               "RABBITMQ_NODENAME": "probes@localhost", "RABBITMQ_ENABLED_PLUGINS_FILE": f"{self.where}/plugins",
               "RABBITMQ_CONFIG_FILE": f"{self.where}/rabbitmq", "ERL_EPMD_ADDRESS": "127.0.0.1"}
        self.write("rabbitmq.conf", "listeners.tcp.1 = 127.0.0.1:5672\n")
        self.write("plugins", "[].\n")
        self.spawn(self.program, env=env)

    def checks(self):
        at = "127.0.0.1"
        return [(f"amqp://guest:guest@{at}", ("L7OK", "logged in")), (f"amqp://{at}", "L7OK"),
                (f"amqp://guest:wrong@{at}", ("L7STS", "ACCESS_REFUSED")), (f"amqp://guest:guest@{at}/none", "L7STS"),
                (f"mqtt://{at}:5672", "L7RSP")]


class Freeradius(Server):
    package, program, user = "freeradius", "/usr/sbin/freeradius", "freerad"

    def start(self):
        self.write("raddb/radiusd.conf", """prefix = /usr
libdir = /usr/lib/freeradius
raddbdir = @/raddb
run_dir = @
logdir = @
db_dir = @
pidfile = @/pid
security {
  status_server = yes
}
client lo {
  ipaddr = 127.0.0.1
  secret = testing123
  require_message_authenticator = yes
}
modules {
  pap {
  }
}
server default {
  listen {
    type = auth
    ipaddr = 127.0.0.1
    port = 1812
  }
  authorize {
    if (&User-Name == "probe") {
      update control {
        &Cleartext-Password := "secret"
      }
    }
    pap
  }
  authenticate {
    Auth-Type PAP {
      pap
    }
  }
  post-auth {
    update reply {
      &Reply-Message := "welcome"
    }
  }
}
""")
        self.spawn("freeradius", "-f", "-l", "stdout", "-d", f"{self.where}/raddb", "-D", "/usr/share/freeradius")

    def checks(self):
        at = "radius://probe:secret@127.0.0.1"
        return [(f"{at}#secret=testing123", ("L7OK", "welcome")), ("radius://127.0.0.1#secret=testing123", "L7OK"),
                ("radius://probe:wrong@127.0.0.1#secret=testing123&reject-ok", "L7OK"),
                (f"{at}#secret=other", "L7TOUT"), ("radius://probe:wrong@127.0.0.1#secret=testing123", "L7STS")]


class Kamailio(Server):
    package, program = "kamailio", "/usr/sbin/kamailio"

    def start(self):
        conf = self.write("conf", """#!KAMAILIO
log_stderror=yes
children=1
listen=udp:127.0.0.1:5060
listen=tcp:127.0.0.1:5060
alias="127.0.0.1"
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
request_route {
  if ($rU == "busy") { sl_send_reply("503", "Busy"); exit; }
  if (is_method("OPTIONS")) { sl_send_reply("200", "Well"); exit; }
  exit;
}
""")
        self.spawn("kamailio", "-f", conf, "-DD", "-E", "-m", "16", "-M", "4", "-Y", self.where)

    def checks(self):
        return [("sip-udp://127.0.0.1", ("L7OK", "Well")), ("sip://127.0.0.1", ("L7OK", "Well")),
                ("sip://busy@127.0.0.1", ("L7STS", "Busy")), ("sip-udp://busy@127.0.0.1#any-status", "L7OK"),
                ("sip-udp://127.0.0.1:5061", "L4CON")]


class Grpc(Server):
    package, program = "python3-grpcio", "/usr/lib/python3/dist-packages/grpc/__init__.py"

    def start(self):
        server = self.write("server.py", """import concurrent.futures
import grpc
STATUS = {b"": 1, b"\\n\\x04good": 1, b"\\n\\x03bad": 2}
def check(request, context):
    if request not in STATUS:
        context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
    return bytes([8, STATUS[request]])
server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("grpc.health.v1.Health", {
    "Check": grpc.unary_unary_rpc_method_handler(check)})])
server.add_insecure_port("127.0.0.1:50051")
server.start()
server.wait_for_termination()
""")
        self.spawn("/usr/bin/python3", server)

    def checks(self):
        at = "grpc://127.0.0.1"
        return [(at, ("L7OK", "SERVING")), (f"{at}/good", "L7OK"), (f"{at}/bad", ("L7STS", "NOT_SERVING")),
                (f"{at}/none", ("L7STS", "grpc-status 5 unknown service")), ("h2c://127.0.0.1:50051/", "L7OK"),
                ("http://127.0.0.1:50051/", "L7RSP")]


class Chrony(Server):
    package, program = "chrony", "/usr/sbin/chronyd"

    def start(self):
        conf = self.write("conf", "local stratum 8\nallow 127.0.0.0/8\nbindaddress 127.0.0.1\ncmdport 0\npidfile @/pid\n"
                                  "bindcmdaddress /\nuser root\n")
        self.spawn("chronyd", "-d", "-x", "-F", "0", "-f", conf)

    def checks(self):
        return [("ntp://127.0.0.1", ("L7OK", "stratum 8")), ("ntp://127.0.0.1#stratum-max=7", "L7STS"),
                ("ntp://127.0.0.1:124", "L4CON")]


class Snmpd(Server):
    package, program = "snmpd", "/usr/sbin/snmpd"

    def start(self):
        conf = self.write("conf", "rocommunity secret 127.0.0.1\nsysName web1\n")
        self.spawn("snmpd", "-f", "-Lo", "-C", "-c", conf, "-p", f"{self.where}/pid", "udp:127.0.0.1:161",
                   env={"SNMP_PERSISTENT_DIR": self.where})

    def checks(self):
        at, name = "snmp://secret@127.0.0.1", "1.3.6.1.2.1.1.5.0"
        return [(at, "L7OK"), (f"{at}/{name}#value=web1", ("L7OK", "web1")), (f"{at}/{name}#value=web2", "L7RSP"),
                (f"{at}/{name}#v1&value=web1", "L7OK"), (f"{at}/1.3.6.1.2.1.1.5.1", ("L7STS", "no such")),
                (f"{at}/1.3.6.1.2.1.1.5.1#v1", ("L7STS", "noSuchName")), ("snmp://wrong@127.0.0.1", "L7TOUT"),
                ("ntp://127.0.0.1:161", "L7TOUT")]


SERVERS = [Nginx, Postfix, Dovecot, Vsftpd, Slapd, Unbound, Mariadb, Postgresql, Redis, Memcached, Mosquitto, Rabbitmq,
           Freeradius, Kamailio, Grpc, Chrony, Snmpd]


def ask(hello, urls):
    """URL -> (code, text), of one run of the hello program."""
    run = subprocess.run([hello, "--once", *urls], capture_output=True, text=True, timeout=START_S,
                         env={**os.environ, "SSL_CERT_FILE": "/run/trusted.pem"})
    if run.returncode == 2:
        raise RuntimeError(run.stderr)
    found = {}
    for line in run.stdout.splitlines():
        url = max((u for u in urls if line.startswith(f"{u}: ")), key=len)
        words = line[len(url) + 2:].split(" ", 2)
        found[url] = (words[1], words[2] if len(words) > 2 else "")
    return found


def examine(kind, where, hello, problems, done):
    """Starts one server, asks it everything, notes what is wrong."""
    began = time.monotonic()
    server = kind(where)
    try:
        server.start()
        checks = server.checks()
        first, code = checks[0][0], checks[0][1] if isinstance(checks[0][1], str) else checks[0][1][0]
        while ask(hello, [first]).get(first, ("", ""))[0] != code:
            if server.process.poll() is not None or time.monotonic() > began + START_S:
                raise RuntimeError("it does not answer" if server.process.poll() is None else "it ended")
            time.sleep(0.1)
        ready = time.monotonic()
        found = ask(hello, [url for url, _ in checks])
        # A machine that starts all of them at once may keep one from its answer for a check's two seconds, more than once.
        while time.monotonic() < ready + START_S:
            late = [url for url, want in checks if found[url][0].endswith("TOUT") and found[url][0] not in (want, want[0])]
            if not late:
                break
            found.update(ask(hello, late))
        for url, want in checks:
            code, text = (want, "") if isinstance(want, str) else want
            if found[url][0] != code or text not in found[url][1]:
                problems.append(f"{server.name()}: {url}: {' '.join(found[url])}, not {code} {text}")
        done.append(f"{server.name()}: {len(checks)} probes; up after {ready - began:.1f} s, "
                    f"asked in {time.monotonic() - ready:.1f} s")
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        problems.append(f"{server.name()}: {error}\n{server.end_of_log()}")


def end_servers():
    """All that runs in this PID namespace but us: what a server still writes would keep its folder from being removed."""
    assert os.getpid() == 1
    for _ in range(100):
        others = [int(p.name) for p in pathlib.Path("/proc").glob("[0-9]*") if int(p.name) != os.getpid()]
        if not others:
            return
        for pid in others:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
            except (ProcessLookupError, ChildProcessError):
                pass
        time.sleep(0.05)


def inside(hello, names):
    kinds, skipped = [], 0
    for kind in SERVERS:
        if names and kind.name() not in names:
            continue
        why = kind.missing()
        if why:
            print(f"skipped: {kind.name()}: {why}")
            skipped += 1
        else:
            kinds.append(kind)
    if not kinds:
        return 77
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    problems, done = [], []
    with tempfile.TemporaryDirectory(prefix="hawser-probes-") as where:
        os.chmod(where, 0o755)
        threads = [threading.Thread(target=examine, args=(kind, where, hello, problems, done)) for kind in kinds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        end_servers()
        for line in sorted(done):
            print(line)
        for problem in problems:
            print(f"FAILED: {problem}")
    print(f"{len(done)} servers asked, {len(problems)} problems, {skipped} servers not installed")
    return 1 if problems else 0


def main():
    hello = os.path.realpath(sys.argv[1])
    if os.geteuid() != 0:
        print("skipped: needs root, for a network namespace")
        return 77
    if INSIDE not in os.environ:
        # All of it ends with this process: --kill-child takes the servers along, whatever they have forked.
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                              sys.executable, os.path.realpath(__file__), hello, *sys.argv[2:]])
    return inside(hello, sys.argv[2:])


sys.exit(main())
