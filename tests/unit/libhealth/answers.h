/* SPDX-License-Identifier: MIT */
/*
 * A good answer for every scheme of libhealth/url.h, byte for byte what is needed and no more. Tests of all
 * probes at once and the fuzzer take them from here.
 */
#ifndef ANSWERS_H
#define ANSWERS_H

#include <libhealth/url.h>

#include "examples/adapters/health_foreign.h"

#define ANSWER(url, text)                                               \
	{                                                               \
		url, text, sizeof(text) - 1, HEALTH_CODE_L7OK, 0, false \
	}
#define STATUS(url, text, status)                                            \
	{                                                                    \
		url, text, sizeof(text) - 1, HEALTH_CODE_L7OK, status, false \
	}

#define H2_SETTINGS "\0\0\0\4\0\0\0\0\0"

static const struct {
	const char *url, *good;
	size_t len; /* 0: the connection, or time, is the answer */
	enum health_code code;
	uint32_t status;
	bool is_agent; /* failing, it says nothing about the server */
} answers[] = {
    {"agent://h:1", "up\n", 3, HEALTH_CODE_L7OK, 0, true},
    ANSWER("amqp://h", "\1\0\0\0\0\0\x1c\0\x0a\0\x0a\0\x09\0\0\0\0\0\0\0\5PLAIN\0\0\0\5en_US\xce"),
    ANSWER("amqps://h", "\1\0\0\0\0\0\4\0\x0a\0\x0a\xce"),
    /* the id of a run at talk's time, without a nonce */
    ANSWER("dns://h/#any-rcode", "\x5c\xc1\x81\x80\0\0\0\0\0\0\0\0"),
    {"expect://h:1#send=a%0a&expect=b&send=c&expect=d%00", "xbyd\0", 5, HEALTH_CODE_L7OK, 2, false},
    {"exec:///bin/true#arg=x", "", 0, HEALTH_CODE_PROCOK, 0, false},
    {"file:///etc/hostname", "", 0, HEALTH_CODE_PROCOK, 0, false},
#ifdef HAVE_HEALTH_H2
    ANSWER("grpc://h:1/shop.Cart", H2_SETTINGS "\0\0\1\1\4\0\0\0\1\x88"
					       "\0\0\7\0\0\0\0\0\1\0\0\0\0\2\x08\1"
					       "\0\0\x0f\1\5\0\0\0\1\0\x0bgrpc-status\1"
					       "0"),
    ANSWER("grpcs://h", H2_SETTINGS "\0\0\1\1\4\0\0\0\1\x88"
				    "\0\0\7\0\0\0\0\0\1\0\0\0\0\2\x08\1"
				    "\0\0\x0f\1\5\0\0\0\1\0\x0bgrpc-status\1"
				    "0"),
    STATUS("h2://h/a?b", H2_SETTINGS "\0\0\1\1\5\0\0\0\1\x88", 200),
    STATUS("h2c://h#status=200-204", H2_SETTINGS "\0\0\1\1\5\0\0\0\1\x89", 204),
#endif
    {"half-open://h:1", "", 0, HEALTH_CODE_L4OK, 0, false},
    {"icmp://h", "", 0, HEALTH_CODE_L4OK, 0, false},
    STATUS("ftp://h", "220 x\r\n", 220),
    STATUS("http://h/a?b=c", "HTTP/1.1 200 OK\r\n\r\n", 200),
    STATUS("http://h#status=404&body=x", "HTTP/1.1 404 No\r\nContent-Length: 1\r\n\r\nx", 404),
    STATUS("https://h#field=a:b", "HTTP/1.1 204 OK\r\nA: ab\r\n\r\n", 204),
    ANSWER("imap://h", "* OK x\r\n"),
    ANSWER("imaps://u:p@h/INBOX", "* OK x\r\nh OK\r\nh OK\r\n"),
    ANSWER("ldap://h", "\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00"),
    ANSWER("ldaps://cn=p:x@h", "\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00"),
    STATUS("lmtp://h", "220 x\r\n250 x\r\n", 250),
    ANSWER("memcached://h", "VERSION 1\r\n"),
    ANSWER("mqtt://h", "\x20\2\0\0"),
    ANSWER("mqtts://u:p@h#client-id=x", "\x20\2\1\0"),
    ANSWER("mysql://h", "\x14\0\0\0\x0a"
			"5.5\0"
			"1234"
			"12345678\0"
			"\0\0"),
    STATUS("ntp://h",
	   "\x24\3\6\xe8\0\0\0\0\0\0\0\0\x7f\x7f\1\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
	   "12345678"
	   "12345678",
	   3),
    ANSWER("pgsql://u@h", "R\0\0\0\x08\0\0\0\0"),
    ANSWER("pop3://h", "+OK\r\n"),
    ANSWER("pop3s://u:p@h", "+OK\r\n+OK\r\n+OK\r\n"),
#ifdef HAVE_LIBCRYPTO
    STATUS("radius://u:p@h#secret=testing123",
	   "\x02\x01\x00\x14\xc9\x1b\x62\x91\x63\x84\x09\xde\x32\xb2\x1c\x79\xaf\x29\x7e\x7f", 2),
#endif
    ANSWER("redis://h", "+PONG\r\n"),
    ANSWER("rediss://:p@h#role=replica", "+OK\r\n+PONG\r\n*5\r\n$5\r\nslave\r\n"),
    STATUS("sip://h", "SIP/2.0 200 OK\r\nVia: x\r\nCall-ID: 0000000000000001\r\n\r\n", 200),
    STATUS("sip-udp://u@h", "SIP/2.0 200 OK\r\nVia: x\r\nCall-ID: 0000000000000001\r\n\r\n", 200),
    STATUS("sips://h",
	   "SIP/2.0 100 x\r\n\r\nSIP/2.0 200 OK\r\nVia: x\r\ni: 0000000000000001\r\n\r\n", 200),
    STATUS("smtp://h", "220 x\r\n250 x\r\n", 250),
    STATUS("smtps://h#ehlo&helo=me", "220 x\r\n250-x\r\n250 y\r\n", 250),
    ANSWER("snmp://h", "\x30\x29\2\1\1\4\6public\xa2\x1c\2\4\x40\0\0\1\2\1\0\2\1\0\x30\x0e\x30\x0c"
		       "\6\x08\x2b\6\1\2\1\1\3\0\x43\0"),
    {"ssl-hello://h", "\x16\x03\x03\0\1", 5, HEALTH_CODE_L6OK, 0, false},
    {"tcp://h:1", "", 0, HEALTH_CODE_L4OK, 0, false},
    {"tls://h", "", 0, HEALTH_CODE_L4OK, 0, false},
    ANSWER("udp://h:1#expect=ok&send=x", "ok"),
};

#define ANSWERS (sizeof(answers) / sizeof(*answers))

#endif
