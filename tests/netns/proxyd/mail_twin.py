#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mail of what happens to servers, word for word as HAProxy sends it:   mail_twin.py BINARY"""
import contextlib
import re

from support import Asked, Server, main, until

CONFIG = """
global
    nbthread 1
mailers m
    timeout mail {timeout}
    mailer one 127.0.0.1:{one}
    mailer two 127.0.0.1:{two}
defaults
    mode tcp
    timeout connect 2s
    timeout client 5s
    timeout server 5s
listen l
    bind 127.0.0.1:{port}
    email-alert mailers m
    email-alert from lb@x.example
    email-alert to ops@x.example
    email-alert myhostname lb.x.example
    {more}
    option log-health-checks
    server a 127.0.0.1:{a} check inter 1s fastinter 200ms downinter 200ms fall 2 rise 2
    server b 127.0.0.1:{b} check inter 1s fastinter 200ms downinter 200ms fall 2 rise 2 backup
"""


class Sink(Server):
    """A mail server that keeps the talks, and answers an order with what it is told to, or at last with nothing."""

    def __init__(self, **answers):
        self.answers = answers
        self.talks = []
        super().__init__(Sink.talk)

    def answer(self, order):
        return self.answers.get(order, {"BEGIN": "220 sink", "DATA": "354 go on", "QUIT": "221 bye"}.get(order, "250 fine"))

    def talk(self, c):
        lines, in_mail = [], False
        self.talks.append(lines)
        f = c.makefile("rwb", 0)
        order = "BEGIN"
        while True:
            text = self.answer(order)
            if text is None:
                self.live.add(c)
                f.read()
                return
            f.write(text.encode() + b"\r\n")
            in_mail = order == "DATA"
            while True:
                line = f.readline().decode()
                if not line:
                    return
                lines.append(line)
                if not in_mail or line == ".\r\n":
                    break
            order = "END" if in_mail else line.split()[0]

    def subjects(self):
        return [line[9:].rstrip("\r\n") for talk in list(self.talks) for line in list(talk) if line.startswith("Subject: ")]


def accept(server, c):
    c.recv(1)


class Site:
    def __init__(self, binary, level="", one=None, timeout="3s", two=None):
        self.a, self.b, self.one, self.two = Server(accept), Server(accept), one or Sink(), two or Sink()
        text = CONFIG
        values = dict(timeout=timeout, one=self.one.port, two=self.two.port, a=self.a.port, b=self.b.port,
                      more=level and "email-alert level " + level)
        for name, value in values.items():
            text = text.replace("{" + name + "}", str(value))
        self.proxy = Asked(binary, text)

    def __enter__(self):
        self.proxy.__enter__()
        for name in ("a", "b"):
            until(name + " was checked", lambda n=name: self.proxy.row("l/" + n, "check_status")[0] == "L4OK")
        return self

    def __exit__(self, *what):
        self.proxy.__exit__(*what)
        for server in (self.a, self.b, self.one, self.two):
            with contextlib.suppress(OSError):  # it may be down
                server.stop()

    def change(self, server, status, event):
        event()
        until(f"{server} is {status}", lambda: self.proxy.status("l/" + server) == status)

    def fall_and_rise(self):
        self.change("a", "DOWN", self.a.stop)
        self.change("a", "UP", self.a.start)

    def by_hand(self):
        for word in ("maint", "ready", "drain", "ready"):
            self.proxy.ask("set server l/a state " + word)
        self.proxy.ask("set server l/a health stopping")
        self.proxy.ask("set server l/a health up")


DOWN = "[HAProxy Alert] Server l/a is DOWN. 0 active and 1 backup servers left. Running on backup." \
    " 0 sessions active, 0 requeued, 0 remaining in queue"
UP = "[HAProxy Alert] Server l/a is UP. 1 active and 1 backup servers online. 0 sessions requeued, 0 total in queue"
DRAIN = "[HAProxy Alert] Server l/a enters drain state. 0 active and 1 backup servers online. Running on backup." \
    " 0 sessions requeued, 0 total in queue"

BY_HAND = UP.replace("UP.", "UP, changed from CLI.")


def test_the_whole_talk(binary):
    with Site(binary) as s:
        s.change("a", "DOWN", s.a.stop)
        for sink in (s.one, s.two):
            until("the mail is there", lambda k=sink: k.talks and k.talks[0][-1:] == ["QUIT\r\n"])
            talk = sink.talks[0]
            assert re.fullmatch(r"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4} \(\w+\)\r\n", talk.pop(6)), talk
            text = [line.rstrip("\r\n") for line in talk]
            assert all(line.endswith("\r\n") for line in talk)
            assert text == ["HELO lb.x.example", "MAIL FROM:<lb@x.example>", "RCPT TO:<ops@x.example>", "DATA",
                            "From: lb@x.example", "To: ops@x.example", "Subject: " + DOWN, "", DOWN[16:], "", ".", "QUIT"], text


def test_what_is_told_by_itself_is_what_went_down(binary):
    with Site(binary) as s:
        s.fall_and_rise()
        s.change("a", "DOWN", s.a.stop)
        until("two mails", lambda: len(s.one.subjects()) == 2)
        assert s.one.subjects() == [DOWN, DOWN], s.one.subjects()


def test_notice_adds_what_came_up_and_what_drains(binary):
    with Site(binary, "notice") as s:
        s.by_hand()
        s.fall_and_rise()
        until("the last mail", lambda: s.one.subjects()[-1:] == [UP])
        assert s.one.subjects() == [DRAIN, BY_HAND, DOWN, UP], s.one.subjects()


def test_info_adds_the_checks(binary):
    with Site(binary, "info") as s:
        s.fall_and_rise()
        until("the last mail", lambda: s.two.subjects()[-1:] == [UP])
        check = "[HAProxy Alert] Health check for server l/a "
        seen = [re.sub(r"duration: \d+ms", "duration: 0ms", x) for x in s.two.subjects() if "backup server l/b" not in x]
        failed = check + 'failed, reason: Layer4 connection problem, info: "Connection refused", check duration: 0ms, status: '
        passed = check + "succeeded, reason: Layer4 check passed, check duration: 0ms, status: "
        assert seen[-6:] == [failed + "1/2 UP", failed + "0/2 DOWN", DOWN, passed + "1/2 DOWN", passed + "2/2 UP", UP], seen


def test_a_mailer_that_refuses_has_it_no_more_and_the_other_has_it(binary):
    for answers in ({"BEGIN": "554 no"}, {"RCPT": "550 not there"}, {"END": "451 later"}):
        with Site(binary, one=Sink(**answers)) as s:
            s.change("a", "DOWN", s.a.stop)
            until("the other has it", lambda: s.two.subjects() == [DOWN])
            until("it was asked", lambda: len(s.one.talks) == 1)
            s.change("a", "UP", s.a.start)
            s.change("a", "DOWN", s.a.stop)
            until("the next one", lambda: len(s.two.subjects()) == 2)
            until("it is asked for the next one", lambda: len(s.one.talks) == 2)


def test_a_greeting_of_many_lines_is_fine(binary):
    with Site(binary, one=Sink(BEGIN="220-sink\r\n220-is glad\r\n220 to see you")) as s:
        s.change("a", "DOWN", s.a.stop)
        until("the mail", lambda: s.one.subjects() == [DOWN])


def test_a_mailer_that_says_nothing_holds_nobody(binary):
    with Site(binary, one=Sink(BEGIN=None), timeout="1s") as s:
        s.change("a", "DOWN", s.a.stop)
        until("the other has it", lambda: s.two.subjects() == [DOWN])
        s.change("a", "UP", s.a.start)
        s.change("a", "DOWN", s.a.stop)
        until("the other has the next one", lambda: s.two.subjects() == [DOWN, DOWN])
        until("the silent one is asked for the next one", lambda: len(s.one.talks) == 2)


def test_a_mailer_that_is_not_there_costs_its_mail_alone(binary):
    with Site(binary) as s:
        s.one.stop()
        s.change("a", "DOWN", s.a.stop)
        until("the other has it", lambda: s.two.subjects() == [DOWN])
        s.one.start()
        s.change("a", "UP", s.a.start)
        s.change("a", "DOWN", s.a.stop)
        until("the next one", lambda: s.one.subjects() == [DOWN])


if __name__ == "__main__":
    main(globals())
