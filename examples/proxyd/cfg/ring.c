/* SPDX-License-Identifier: MIT */
/* Sections `ring`: log lines kept in memory, and sent over TCP; and `log ring@NAME`, `log tcp@ADDRESS`. */
#include "cfg/read.h"

#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define RING_BYTES 16384u /* HAProxy's default of size and of maxlen */
#define RING_BYTES_MAX (64u << 20)

static struct cfg_ring *add_ring(struct reader *r, const struct diag_place *at, const char *name)
{
	struct cfg_ring *ring = keep(r, sizeof(*ring));

	if (!ring)
		return NULL;
	ring->at = *at;
	ring->name = ring->description = name;
	ring->format = CFG_LOG_RAW;
	ring->size = ring->maxlen = RING_BYTES;
	STAILQ_INIT(&ring->servers);
	STAILQ_INSERT_TAIL(&r->cfg->rings, ring, next);
	return ring;
}

static struct cfg_ring *find_ring(const struct cfg *c, const char *name)
{
	struct cfg_ring *ring;

	STAILQ_FOREACH (ring, &c->rings, next)
		if (!strcmp(ring->name, name))
			return ring;
	return NULL;
}

void begin_ring(struct reader *r)
{
	struct diag_place at = place_at(r, 0);
	const struct cfg_ring *other = find_ring(r->cfg, word_at(r, 1));

	if (other)
		say(r, DIAG_ERROR, 1, "the ring \"%s\" is there already, in line %u", other->name, other->at.line);
	r->ring = add_ring(r, &at, keep_word(r, 1));
}

void kw_ring_text(struct reader *r, size_t first, const void *data)
{
	if (r->ring)
		r->ring->description = keep_rest(r, first);
}

void kw_ring_file(struct reader *r, size_t first, const void *data)
{
	if (r->ring)
		r->ring->file = cfg_path(r->cfg, place_at(r, first).file, keep_word(r, first));
}

void kw_ring_format(struct reader *r, size_t first, const void *data)
{
	if (r->ring)
		cfg_log_format(r, first, &r->ring->format);
}

void kw_ring_bytes(struct reader *r, size_t first, const void *data)
{
	unsigned n;

	if (!r->ring || !read_size(r, first, word_at(r, first - 1), 64, RING_BYTES_MAX, &n))
		return;
	if (data)
		r->ring->size = n;
	else
		r->ring->maxlen = n;
}

void kw_ring_timeout(struct reader *r, size_t first, const void *data)
{
	bool connect = !strcmp(word_at(r, first), "connect");

	if (!connect && strcmp(word_at(r, first), "server") != 0)
		say(r, DIAG_ERROR, first, "\"%s\" is no timeout of a ring: write connect or server", word_at(r, first));
	else if (r->ring)
		read_time(r, first + 1, "timeout", connect ? &r->ring->connect_ns : &r->ring->server_ns);
}

static bool add_server(struct reader *r, struct cfg_ring *ring, size_t i, const char *text, struct cfg_ring_server **ret)
{
	struct cfg_ring_server *s;
	struct address a;

	if (!read_address(r, i, text, ADDR_PORT | (r->opts->ignore_unresolved ? ADDR_UNRESOLVED : 0), &a))
		return false;
	s = keep(r, sizeof(*s));
	if (!s)
		return false;
	s->addr = a.addr;
	if (a.addr.len) /* -dr: else the name did not resolve */
		STAILQ_INSERT_TAIL(&ring->servers, s, next);
	*ret = s;
	return true;
}

void kw_ring_server(struct reader *r, size_t first, const void *data)
{
	struct cfg_server like = {0}; /* whose words of TLS they are */
	struct cfg_ring_server *s;

	if (!r->ring || !add_server(r, r->ring, first + 1, word_at(r, first + 1), &s))
		return;
	s->at = place_at(r, first);
	for (size_t i = first + 2; i < r->line->n; i++)
		if (cfg_server_tls_word(r, &i, &like)) {
			s->tls = like.tls_words;
		} else if (strcmp(word_at(r, i), "log-proto") != 0) {
			say(r, DIAG_ERROR, i, "\"%s\" is unknown here, or not supported by this version: behind a server of a ring stand log-proto and words of TLS",
			    word_at(r, i));
			return;
		} else if (!strcmp(word_at(r, ++i), "octet-count")) {
			s->octet_count = true;
		} else if (strcmp(word_at(r, i), "legacy") != 0) {
			say(r, DIAG_ERROR, i, "\"%s\" is no log-proto: write legacy or octet-count", word_at(r, i));
		}
}

/* A ring of its own, which the address gives its name. */
const char *cfg_ring_of_address(struct reader *r, size_t i, const char *text)
{
	struct diag_place at = place_at(r, i);
	struct cfg_ring *ring = find_ring(r->cfg, word_at(r, i));
	struct cfg_ring_server *s;

	if (ring)
		return ring->name;
	ring = add_ring(r, &at, keep_word(r, i));
	if (!ring)
		return NULL;
	ring->connect_ns = ring->server_ns = 5000 * CFG_MS;
	return add_server(r, ring, i, text, &s) ? ring->name : NULL;
}

/* ---- debug(PREFIX,NAME) ---- */

#define DEBUG_RING "buf0"
#define DEBUG_LEN 65536u

/* HAProxy always has it; here it is there when something is written to it. */
static struct cfg_ring *debug_ring(struct cfg *c)
{
	struct cfg_ring *ring = cfg_alloc(c, sizeof(*ring));

	if (!ring)
		return NULL;
	*ring = (struct cfg_ring){.name = DEBUG_RING, .description = "debugging ring", .format = CFG_LOG_TIMED, .maxlen = 1024, .size = 1048576};
	STAILQ_INIT(&ring->servers);
	STAILQ_INSERT_TAIL(&c->rings, ring, next);
	return ring;
}

/* False: there is none of that name. */
static bool find_debug(struct cfg *c, const char *name, struct cfg_log *ret)
{
	*ret = (struct cfg_log){.kind = CFG_LOG_FD, .fd = STDERR_FILENO, .level = LOG_DEBUG, .len = DEBUG_LEN};
	if (!strcmp(name, "stderr"))
		return true;
	ret->fd = STDOUT_FILENO;
	if (!strcmp(name, "stdout"))
		return true;
	ret->kind = CFG_LOG_RING;
	ret->ring = find_ring(c, name);
	if (!ret->ring && !strcmp(name, DEBUG_RING))
		ret->ring = debug_ring(c);
	if (!ret->ring)
		return false;
	ret->format = ret->ring->format;
	ret->len = ret->ring->maxlen + 1; /* which is one for a line end */
	return true;
}

const void *cfg_debug_to(void *cfg, const char *name)
{
	struct cfg *c = cfg;
	struct cfg_debug *d;
	struct cfg_log log, *to;

	for (d = c->debugs; d; d = d->next)
		if (!strcmp(d->name, name))
			return &d->logs;
	if (!find_debug(c, name, &log))
		return NULL;
	d = cfg_alloc(c, sizeof(*d));
	to = cfg_alloc(c, sizeof(*to));
	if (!d || !to)
		return NULL;
	*to = log;
	*d = (struct cfg_debug){.next = c->debugs, .name = cfg_strdup(c, name)};
	if (!d->name)
		return NULL;
	STAILQ_INIT(&d->logs);
	STAILQ_INSERT_TAIL(&d->logs, to, next);
	c->debugs = d;
	return &d->logs;
}

static void find_rings(struct reader *r, struct cfg_logs *logs)
{
	struct cfg_log *log;

	if (logs)
		STAILQ_FOREACH (log, logs, next) {
			if (log->kind != CFG_LOG_RING)
				continue;
			log->ring = find_ring(r->cfg, log->ring_name);
			if (!log->ring)
				diag_add(r->diag, DIAG_ERROR, &log->at, "there is no section \"ring %s\": write one", log->ring_name);
			else if (!log->format_given)
				log->format = log->ring->format;
		}
}

/* Each would take it from the other. */
static void check_file(struct reader *r, struct cfg_ring *ring)
{
	const struct cfg_ring *other;

	STAILQ_FOREACH (other, &r->cfg->rings, next) {
		if (other == ring)
			return;
		if (!ring->file || !other->file || strcmp(ring->file, other->file) != 0)
			continue;
		diag_add(r->diag, DIAG_WARNING, &ring->at, "ring \"%s\": ring \"%s\" has this backing-file: give each its own; its lines stay in memory",
			 ring->name, other->name);
		ring->file = NULL;
	}
}

void cfg_rings_check(struct reader *r)
{
	struct cfg_forward *forward;
	struct cfg_ring_server *s;
	struct cfg_ring *ring;

	STAILQ_FOREACH (ring, &r->cfg->rings, next)
		STAILQ_FOREACH (s, &ring->servers, next)
			cfg_tls_of_ring(r, s);
	STAILQ_FOREACH (ring, &r->cfg->rings, next) {
		check_file(r, ring);
		if (ring->maxlen > ring->size) {
			diag_add(r->diag, DIAG_WARNING, &ring->at, "ring \"%s\": maxlen is more than its size, %zu is taken", ring->name,
				 ring->size);
			ring->maxlen = (unsigned)ring->size;
		}
	}
	find_rings(r, &r->cfg->global.logs);
	STAILQ_FOREACH (forward, &r->cfg->forwards, next) {
		cfg_tls_of_forward(r, forward);
		find_rings(r, &forward->logs);
		if (STAILQ_EMPTY(&forward->logs) && !forward->global_logs)
			diag_add(r->diag, DIAG_WARNING, &forward->at, "log-forward \"%s\" has no log line: what it receives goes nowhere", forward->name);
	}
}

void cfg_logs_check(struct reader *r, struct cfg_proxy *p)
{
	find_rings(r, p->set.logs);
}
