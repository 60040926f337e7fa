/* SPDX-License-Identifier: MIT */
/*
 * Persistence: the same client to the same server. What is found here goes into lb_request.prefer; lb_pick()
 * says whether the server may still be used.
 *
 * Three ways: a table of keys (source address, or any hash of what identifies a client), a cookie as
 * HAProxy inserts it, a cookie as F5 BIG-IP inserts it (BIGipServer<pool>), which needs no table at all.
 * Nothing here reads a clock, and lb_persist_new() alone allocates. Cookies and keys are pure functions; any
 * thread. Structs and errors as in <libsched/lb.h>.
 */
#ifndef LIBSCHED_LB_PERSIST_H
#define LIBSCHED_LB_PERSIST_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <libsched/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The table ---- */

#define LB_PERSIST_ENTRIES_MAX (1 << 24)
#define LB_PERSIST_ENTRY_BYTES 48 /* at most, of memory for each entry */

struct lb_persist; /* belongs to one thread at a time */

struct lb_persist_opts {
	size_t size; /* sizeof(struct lb_persist_opts) */
	/*
	 * Entries, 1..LB_PERSIST_ENTRIES_MAX: all memory is taken at once, and never more. When they are
	 * used up, the one not used for longest gives way.
	 */
	uint32_t entries;
	uint32_t reserved; /* 0 */
	/* An entry that was not used for this long counts as gone. 0: 180 s, F5's for source addresses. */
	uint64_t timeout_ns;
	/* Chosen at random, so that nobody outside can aim at one bucket. */
	uint64_t seed;
	/*
	 * Called for each entry that comes to point to a server (+1) or ceases to (-1), whatever the
	 * cause: feed it to lb_count(LB_COUNTER_SESSIONS). Inside it no call with this table. May be
	 * NULL.
	 */
	void (*on_change)(uint64_t id, int by, void *userdata);
	void *userdata;
};

/*
 * The caller owns the table and frees it (NULL is fine); on_change is not called for what it held then.
 */
LIBSCHED_API int lb_persist_new(const struct lb_persist_opts *o, struct lb_persist **ret);
LIBSCHED_API void lb_persist_free(struct lb_persist *t);

/*
 * The server of a key, which counts as used now (CLOCK_MONOTONIC). -ENOENT: none, or not used for too
 * long. O(1).
 */
LIBSCHED_API int lb_persist_get(struct lb_persist *t, uint64_t key64, uint64_t now_ns,
				uint64_t *ret_id);

/* Remembers, or replaces, the server of a key; id not 0. O(1), and never fails for want of memory. */
LIBSCHED_API int lb_persist_put(struct lb_persist *t, uint64_t key64, uint64_t id, uint64_t now_ns);

/* Forgets a key. -ENOENT: it was not there. */
LIBSCHED_API int lb_persist_remove(struct lb_persist *t, uint64_t key64);

/* Forgets all keys of a server; returns how many, or -EINVAL. O(entries). */
LIBSCHED_API ssize_t lb_persist_forget(struct lb_persist *t, uint64_t id);

struct lb_persist_stats {
	size_t size;	  /* set by the caller */
	uint32_t entries; /* there is room for */
	uint32_t used;	  /* including those that ran out and were not asked for since */
	/* Ever: found; not found; gave way, for want of room; found to have run out, each a miss too. */
	uint64_t hits, misses, evicted, expired;
};

/* Copies out how the table stands. */
LIBSCHED_API int lb_persist_stats(const struct lb_persist *t, struct lb_persist_stats *ret);

/*
 * A key of the first `prefix` bits of an address (network order, 4 or 16 bytes; prefix 0..32 or 0..128):
 * clients of one network share a server. Keys of IPv4 and IPv6 differ. -EINVAL.
 */
LIBSCHED_API int lb_persist_key(const void *addr, size_t addr_len, unsigned prefix,
				uint64_t *ret_key64);

/* ---- HAProxy's cookie ---- */

#define LB_COOKIE_MAX 256 /* bytes of a value, no NUL counted */

/*
 * HAProxy's `cookie NAME insert`: the value is the server's own word (its `cookie` argument), and with
 * maxidle or maxlife the times of the last and the first use: "word|LLLLL|FFFFF", each five base64
 * digits of seconds since 1970 in fours, rounded up.
 */
struct lb_cookie_haproxy {
	const char *word; /* not NUL-terminated; points into the value that was read */
	size_t word_len;  /* 1..LB_COOKIE_MAX */
	uint64_t last_s;  /* seconds since 1970; 0: not there */
	uint64_t first_s;
};

/*
 * Writes the value and a NUL; returns its length, without it. -EINVAL: no word, one with '|', ';', ',',
 * blank, quote or control characters, or first_s without last_s; -ENOSPC: cap is too small.
 */
LIBSCHED_API ssize_t lb_cookie_haproxy_write(const struct lb_cookie_haproxy *c, char *buf,
					     size_t cap);

/*
 * Reads a value from a client. -EBADMSG: none that could have been written. HAProxy ignores dates it
 * cannot read; so does this: they are 0.
 */
LIBSCHED_API int lb_cookie_haproxy_read(const char *value, size_t len,
					struct lb_cookie_haproxy *ret);

/* ---- F5's cookie ---- */

/* The member a BIGipServer cookie names. */
struct lb_cookie_f5 {
	uint8_t addr[16];      /* network order; the first addr_len bytes */
	uint32_t addr_len;     /* 4 or 16 */
	uint16_t port;	       /* host order */
	uint16_t route_domain; /* 0: the default one */
	uint32_t in_domain;    /* 1: written with its route domain, also if that is 0 */
};

/*
 * Writes the value and a NUL; returns its length, without it: "1677787402.36895.0000" for
 * 10.1.1.100:8080, "vi…" for IPv6, "rd5o…o80" in a route domain. -EINVAL, -ENOSPC.
 */
LIBSCHED_API ssize_t lb_cookie_f5_write(const struct lb_cookie_f5 *c, char *buf, size_t cap);

/*
 * Reads a value from a client, of any of the four forms. -EBADMSG: it is none of them, or a number is out
 * of its range. Encrypted cookies ("!…") are -EBADMSG too: no key, no server.
 */
LIBSCHED_API int lb_cookie_f5_read(const char *value, size_t len, struct lb_cookie_f5 *ret);

#ifdef __cplusplus
}
#endif
#endif
