/* SPDX-License-Identifier: MIT */
/*
 * Questions of names that are asked again and again, for sections "resolvers". Each is sent to all nameservers of
 * its section at once; the first good answer counts, a bad one only when all have sent a bad one. c-ares speaks the
 * protocol: a channel per nameserver, so that each has its own counters. One thread.
 *
 *	ask ──► answer, good ─────────────────────────► told; asked again after "timeout resolve"
 *	  │──► answers, all bad ──► the other family ──► told
 *	  └──► "timeout retry" ──► asked again, "resolve_retries" times ──► told
 */
#ifndef PROXYD_ENGINE_DNS_H
#define PROXYD_ENGINE_DNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "cfg/resolvers.h"
#include "timer.h"

#define DNS_ANSWERS_MAX 1024 /* addresses, or servers, of one name */

struct dns;
struct dns_question;
struct nameserver;

/* An address, or a server that has one: then `port` and `weight` count, and `target` is its name. */
struct dns_answer {
	int family; /* AF_INET, AF_INET6; 0: of an SRV record */
	uint8_t addr[16];
	uint16_t port, weight;
	char *target;
	uint64_t seen_ns; /* when it was last in an answer */
};

/* Who wants to know; embedded in it. */
struct dns_watch {
	TAILQ_ENTRY(dns_watch) entry;
	struct dns_question *question; /* NULL: nothing is asked */
};

/* Who asks once; embedded in it. `told` is called when there is an answer, good or bad; `q` NULL: there will be none. */
struct dns_once {
	LIST_ENTRY(dns_once) entry;
	void (*told)(struct dns_once *once, const struct dns_question *q);
};

struct dns_question {
	LIST_ENTRY(dns_question) entry; /* of its section */
	struct dns_section *section;
	TAILQ_HEAD(, dns_watch) watches; /* in the order of their coming */
	LIST_HEAD(, dns_once) once;
	char *name;
	bool is_srv;
	int prefer;	  /* family that is asked for first */
	int status;	  /* enum cfg_hold of the last answer; CFG_HOLDS: none yet */
	uint64_t good_ns; /* when the last good answer came, or the first question was asked */
	struct dns_answer *answer;
	unsigned n_answers;
	const char *by; /* the nameserver of the last good answer */
	/* the question that is on its way */
	bool asking, other_family, decided;
	unsigned tries, n_bad;
	int bad; /* what the last bad answer said */
	struct nameserver *truncated_by; /* who said a part, which counts if nobody says the whole by TCP */
	bool truncated_changed;
	uint64_t turn;
	struct timer timer; /* when it is asked again, or that answer is given up */
	LIST_HEAD(, dns_attempt) attempts;
};

enum dns_counter {
	DNS_SENT,
	DNS_SEND_ERROR,
	DNS_VALID,
	DNS_UPDATE,
	DNS_CNAME,
	DNS_CNAME_ERROR,
	DNS_ANY_ERR,
	DNS_NX,
	DNS_TIMEOUT,
	DNS_REFUSED,
	DNS_OTHER,
	DNS_INVALID,
	DNS_TOO_BIG,
	DNS_TRUNCATED,
	DNS_OUTDATED,
	DNS_COUNTERS,
};
extern const char *const dns_counter_names[DNS_COUNTERS];

/* `answered` is called by dns_dispatch with a question whose state is new, or was found to be the same. */
struct dns_opts {
	void (*answered)(void *userdata, struct dns_question *q, uint64_t now_ns);
	void *userdata;
};
/* 0 or -errno. */
int dns_new(const struct dns_opts *o, struct dns **ret);
void dns_free(struct dns *d);

/*
 * The sections are those, from now on: questions of one that stays stay, and so do its counters. What is gone
 * answers no more. 0 or -errno.
 */
int dns_configure(struct dns *d, const struct cfg_resolvers_list *list);

/* Watches a name, which is asked at once if nobody did before. `watch` is not in use. -ENOENT: no such section. */
int dns_watch(struct dns *d, const char *section, const char *name, bool is_srv, int prefer, struct dns_watch *watch);
/* Asks for a name's addresses once: see dns_once. It may be told before this returns. -ENOENT: no such section. */
int dns_ask(struct dns *d, const char *section, const char *name, int prefer, struct dns_once *once);
/* A watch without a question is fine. */
void dns_unwatch(struct dns_watch *watch);

/* What holds of it, in "hold" of its section. */
uint64_t dns_hold_ns(const struct dns_question *q, enum cfg_hold what);

int dns_fd(const struct dns *d);
uint64_t dns_deadline(const struct dns *d);
int dns_dispatch(struct dns *d, uint64_t now_ns);

/* Calls `fn` for each nameserver, in the order of the file; with name NULL once at the begin of its section. */
void dns_each(const struct dns *d, void (*fn)(void *userdata, const char *section, const char *name,
					      const uint64_t counter[DNS_COUNTERS]), void *userdata);

#endif
