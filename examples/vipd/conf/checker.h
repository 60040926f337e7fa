/* SPDX-License-Identifier: MIT */
/* What the tables of virtual servers, real servers and checks share. */
#ifndef VIPD_CONF_CHECKER_H
#define VIPD_CONF_CHECKER_H

#include <stddef.h>

#include "conf/words.h"

#define HOUR 3600.0
#define CHECK_COMMON_UNSET                                                             \
	{                                                                              \
		CONF_UNSET, CONF_UNSET, CONF_UNSET, CONF_UNSET, CONF_UNSET, CONF_UNSET \
	}

/*
 * Any check while it is read: the target of its table. What its kind needs of it goes into a struct
 * conf_check, so that forty thousand of them stay small.
 */
struct checker {
	struct conf_check check;
	struct conf_way way;
	struct conf_http http;
	struct conf_dns dns;
	struct conf_udp udp;
	struct conf_vrrp_script misc;
	struct conf_track_watch track;
	const char *misc_user, *misc_group;
};

#define CHECKER(member) offsetof(struct checker, member)
#define CHECKER_COMMON CHECKER(check.common)

/* What virtual servers, real servers and checks have in common; `o` is where it lies in each. */
#define COMMON_WORDS(o, from)                                                                      \
	{"delay_loop",                                                                             \
	 conf_set_check_seconds,                                                                   \
	 (o) + offsetof(struct conf_check_common, delay_loop_ms),                                  \
	 0.001,                                                                                    \
	 24 * HOUR,                                                                                \
	 .initial = from("60"),                                                                    \
	 .doc = "From one check to the next."},                                                    \
	    {"delay_before_retry",                                                                 \
	     conf_set_check_seconds,                                                               \
	     (o) + offsetof(struct conf_check_common, delay_before_retry_ms),                      \
	     0,                                                                                    \
	     HOUR,                                                                                 \
	     .initial = from("1; 3 with HTTP_GET and SSL_GET, delay_loop with DNS_CHECK"),         \
	     .doc = "From a failure to the next check."},                                          \
	    {"warmup",                                                                             \
	     conf_set_check_seconds,                                                               \
	     (o) + offsetof(struct conf_check_common, warmup_ms),                                  \
	     0,                                                                                    \
	     HOUR,                                                                                 \
	     .initial = from("delay_loop"),                                                        \
	     .doc = "The first check lies within this time."},                                     \
	    {"retry",                                                                              \
	     conf_set_int,                                                                         \
	     (o) + offsetof(struct conf_check_common, retry),                                      \
	     0,                                                                                    \
	     65534,                                                                                \
	     .initial = from("1; 3 with DNS_CHECK, 0 with MISC_CHECK"),                            \
	     .doc = "Failures after the first that are tolerated."},                                     \
	{                                                                                          \
		"alpha", conf_set_tristate, (o) + offsetof(struct conf_check_common, alpha),       \
		    .initial = from("off"), .doc = "A server is down until a check has succeeded." \
	}
#define CONNECT_TIMEOUT(o, from)                                                               \
	{                                                                                      \
		"connect_timeout", conf_set_check_seconds,                                     \
		    (o) + offsetof(struct conf_check_common, connect_timeout_ms), 0.001, HOUR, \
		    .initial = from("5"), .doc = "How long a check may take."                  \
	}
#define OF_ITS_OWN(what) what
#define OF_VIRTUAL(what) "that of the virtual server"
#define OF_REAL(what) "that of the real server"

#define LOG_ALL_FAILURES                                                                \
	{                                                                               \
		"log_all_failures", conf_set_tristate, CHECKER(check.log_all_failures), \
		    .initial = "checker_log_all_failures",                              \
		    .doc = "Logs each failure, not only the one that takes it out."     \
	}

#define CONNECT_WORDS                                                                            \
	CONNECT_TIMEOUT(CHECKER_COMMON, OF_REAL),                                                \
	    {"connect_ip", conf_set_ip, CHECKER(way.connect_ip), .initial = "the real server's", \
	     .doc = "Address that is checked."},                                                 \
	    {"connect_port",                                                                     \
	     conf_set_int,                                                                       \
	     CHECKER(way.connect_port),                                                          \
	     1,                                                                                  \
	     65535,                                                                              \
	     .initial = "the real server's",                                                     \
	     .doc = "Port that is checked."},                                                    \
	    {"bindto", conf_set_ip, CHECKER(way.bind_ip), .initial = "the system's choice",      \
	     .doc = "Address that checks leave from."},                                          \
	    {"bind_port",                                                                        \
	     conf_set_int,                                                                       \
	     CHECKER(way.bind_port),                                                             \
	     1,                                                                                  \
	     65535,                                                                              \
	     .initial = "the system's choice",                                                   \
	     .doc = "Port that checks leave from."},                                             \
	    {"bind_if", conf_set_name, CHECKER(way.bind_device), .initial = "any",               \
	     .doc = "Interface that checks leave through."},                                     \
	    {"fwmark", conf_set_mark, CHECKER(way.fwmark), .form = "NUMBER",                     \
	     .doc = "Mark of the packets of checks."},                                           \
	    LOG_ALL_FAILURES

/* A real server while it is read: the target of its table. conf_keep_reals() makes what is kept. */
struct reading_real {
	struct conf_real real;
	struct conf_real_opts opts;
};

/*
 * What the real servers of a virtual server that was read get from it, and their checks from them. They are kept: in `passing` is nothing
 * more of them.
 */
void conf_keep_reals(struct conf_parse *p, struct conf_virtual *v);

/* A word that goes out as it stands; `min` is what it begins with, 0: anything; `max` its length. */
conf_fn conf_set_sent;
conf_fn conf_set_mark; /* uint32_t */

/* Reads a check; keyword `min` is its kind. Its target is a struct reading_real. */
conf_fn conf_add_check;

/* Checks with a block, in real_server: conf/checker.c, conf/http.c */
extern const struct conf_block conf_block_tcp, conf_block_ping, conf_block_smtp, conf_block_dns,
    conf_block_udp, conf_block_misc, conf_block_file, conf_block_bfd_check, conf_block_http,
    conf_block_https;

/* A url of an HTTP_GET or SSL_GET that was read: says what it lacks. False: there is nothing to ask. */
bool conf_http_complete(struct conf_parse *p, const struct conf_node *n, struct checker *c);

#endif
