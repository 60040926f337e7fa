/* SPDX-License-Identifier: MIT */
#include "ring.h"

#include <errno.h>
#include <libhealth/tls.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "ring_memory.h"
#include "engine/tls_client.h"

#define BATCH 16384u /* bytes that are sent at once, at least one line */
#define RETRY_NS UINT64_C(1000000000)
#define NEVER UINT64_MAX

/* A server that the lines are sent to. */
struct target {
	STAILQ_ENTRY(target) next;
	struct ring *ring;
	struct cfg_addr addr;
	bool octet_count, wanted, connected, told;
	int fd;
	/* TLS; NULL: none */
	struct health_tls *tls;
	const struct health_transport_ops *ops;
	void *server, *channel; /* what is remembered of it; the connection's */
	bool shaking;
	uint64_t at;	    /* the line to be sent next */
	uint64_t batch_at;  /* the first one of `out`: sent again when the connection breaks */
	uint64_t deadline_ns; /* to be connected, to have taken something; or the next attempt */
	char *out;
	size_t len, sent, cap;
};

/* Each line is its length and its bytes, at its place modulo the size; places only grow. */
struct ring {
	LIST_ENTRY(ring) entry;
	struct rings *rings;
	char *name, *description;
	pthread_mutex_t lock;
	char *file; /* backing-file; NULL: none */
	struct ring_memory memory;
	size_t size;
	unsigned maxlen;
	uint64_t begin, end;
	uint64_t n_gaps;
	_Atomic bool has_targets;
	uint64_t connect_ns, server_ns; /* 0: none */
	STAILQ_HEAD(, target) targets;
};

struct rings {
	LIST_HEAD(, ring) list;
	int epoll_fd, wake_fd;
	_Atomic bool woken;
};

/* ---- The memory ---- */

static void put(struct ring *r, uint64_t at, const void *data, size_t len)
{
	size_t to = (size_t)(at % r->size), first = len < r->size - to ? len : r->size - to;

	memcpy(r->memory.bytes + to, data, first);
	memcpy(r->memory.bytes, (const char *)data + first, len - first);
}

static void get(const struct ring *r, uint64_t at, void *data, size_t len)
{
	size_t from = (size_t)(at % r->size), first = len < r->size - from ? len : r->size - from;

	memcpy(data, r->memory.bytes + from, first);
	memcpy((char *)data + first, r->memory.bytes, len - first);
}

static uint32_t length_at(const struct ring *r, uint64_t at)
{
	uint32_t len;

	get(r, at, &len, sizeof(len));
	return len;
}

void ring_write(struct ring *r, const struct iovec *v, int n)
{
	size_t whole = 0, left;
	uint32_t len;
	uint64_t at;

	for (int i = 0; i < n; i++)
		whole += v[i].iov_len;
	pthread_mutex_lock(&r->lock);
	if (whole > r->maxlen)
		whole = r->maxlen;
	if (whole + sizeof(len) > r->size)
		whole = r->size - sizeof(len);
	len = (uint32_t)whole;
	while (r->end - r->begin + sizeof(len) + len > r->size)
		r->begin += sizeof(len) + length_at(r, r->begin);
	put(r, r->end, &len, sizeof(len));
	at = r->end + sizeof(len);
	left = len;
	for (int i = 0; i < n && left; i++) {
		size_t part = v[i].iov_len < left ? v[i].iov_len : left;

		put(r, at, v[i].iov_base, part);
		at += part;
		left -= part;
	}
	r->end = at;
	if (r->memory.head) {
		r->memory.head->begin = r->begin;
		r->memory.head->end = r->end;
	}
	pthread_mutex_unlock(&r->lock);
	if (atomic_load(&r->has_targets) && !atomic_exchange(&r->rings->woken, true) &&
	    write(r->rings->wake_fd, &(uint64_t){1}, sizeof(uint64_t)) < 0)
		atomic_store(&r->rings->woken, false); /* the next line wakes it */
}

char *ring_text_from(struct ring *r, uint64_t *from, size_t *ret_len)
{
	size_t used = 0;
	uint64_t at;
	char *text;

	pthread_mutex_lock(&r->lock);
	at = *from < r->begin ? r->begin : *from; /* what was pushed out meanwhile is not told */
	text = malloc((size_t)(r->end - at) + 1);
	while (text && at < r->end) {
		uint32_t len = length_at(r, at);

		get(r, at + sizeof(len), text + used, len); /* its length takes more than a line end */
		used += len;
		text[used++] = '\n';
		at += sizeof(len) + len;
	}
	pthread_mutex_unlock(&r->lock);
	if (text)
		*from = at;
	*ret_len = used;
	return text;
}

uint64_t ring_end(struct ring *r)
{
	uint64_t end;

	pthread_mutex_lock(&r->lock);
	end = r->end;
	pthread_mutex_unlock(&r->lock);
	return end;
}

struct ring *rings_find(const struct rings *rs, const char *name)
{
	struct ring *r;

	LIST_FOREACH (r, &rs->list, entry)
		if (!strcmp(r->name, name))
			return r;
	return NULL;
}

/* ---- Sending ---- */

static int watch(const struct target *t, int op, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = (void *)(uintptr_t)t};

	return epoll_ctl(t->ring->rings->epoll_fd, op, t->fd, &e);
}

static void disconnect(struct target *t, uint64_t now_ns, const char *why)
{
	if (t->channel)
		t->ops->end(t->channel, true);
	t->channel = NULL;
	t->shaking = false;
	if (t->fd >= 0)
		close(t->fd);
	if (!t->told)
		log_warn("ring %s: a server does not take its lines: %s; it is tried again", t->ring->name, why);
	t->told = true;
	t->fd = -1;
	t->connected = false;
	t->at = t->batch_at;
	t->len = t->sent = 0;
	t->deadline_ns = now_ns + RETRY_NS;
}

/* As send() and recv(). */
static ssize_t put_bytes(struct target *t, const void *data, size_t len)
{
	ssize_t n;

	if (!t->channel)
		return send(t->fd, data, len, MSG_NOSIGNAL);
	n = t->ops->send(t->channel, data, len);
	errno = n < 0 ? (int)-n : errno;
	return n;
}

static ssize_t take_bytes(struct target *t, void *data, size_t len)
{
	ssize_t n;

	if (!t->channel)
		return recv(t->fd, data, len, 0);
	n = t->ops->receive(t->channel, data, len);
	errno = n < 0 ? (int)-n : errno;
	return n;
}

/* False: not yet, or it is no good. */
static bool shake(struct target *t, uint64_t now_ns)
{
	struct health_transport_report report = {0};
	int e = t->channel ? 0 : t->ops->begin(t->server, t->fd, &t->channel);

	t->shaking = true;
	if (!e)
		e = t->ops->handshake(t->channel, &report);
	if (e && e != HEALTH_TRANSPORT_AGAIN)
		disconnect(t, now_ns, *report.text ? report.text : strerror(-e));
	t->shaking = t->shaking && e;
	if (e == HEALTH_TRANSPORT_AGAIN) /* what is asked for once only is not missed: the socket is watched for what it wants */
		watch(t, EPOLL_CTL_MOD, EPOLLIN | EPOLLRDHUP);
	return !e;
}

static void begin_connect(struct target *t, uint64_t now_ns)
{
	t->fd = socket(t->addr.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->fd < 0 || (connect(t->fd, &t->addr.sa, t->addr.len) < 0 && errno != EINPROGRESS) ||
	    watch(t, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT | EPOLLRDHUP) < 0) {
		disconnect(t, now_ns, strerror(errno));
		return;
	}
	t->deadline_ns = t->ring->connect_ns ? now_ns + t->ring->connect_ns : NEVER;
}

/* As many lines as fit. Those that were pushed out before their turn are gone. */
static void fill(struct target *t)
{
	struct ring *r = t->ring;
	char head[16];

	pthread_mutex_lock(&r->lock);
	if (t->at < r->begin) {
		r->n_gaps++;
		t->at = r->begin;
	}
	t->batch_at = t->at;
	while (t->at < r->end) {
		uint32_t len = length_at(r, t->at);
		int n = t->octet_count ? snprintf(head, sizeof(head), "%u ", len) : 0;

		if (t->len + (size_t)n + len + 1 > t->cap)
			break;
		memcpy(t->out + t->len, head, (size_t)n);
		get(r, t->at + sizeof(len), t->out + t->len + n, len);
		t->len += (size_t)n + len;
		if (!t->octet_count)
			t->out[t->len++] = '\n';
		t->at += sizeof(len) + len;
	}
	pthread_mutex_unlock(&r->lock);
}

static void send_on(struct target *t, uint64_t now_ns)
{
	for (;;) {
		ssize_t n;

		if (t->sent == t->len) {
			t->sent = t->len = 0;
			fill(t);
			if (!t->len) {
				t->deadline_ns = NEVER;
				watch(t, EPOLL_CTL_MOD, EPOLLIN | EPOLLRDHUP);
				return;
			}
		}
		n = put_bytes(t, t->out + t->sent, t->len - t->sent);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			disconnect(t, now_ns, strerror(errno));
			return;
		}
		if (n > 0)
			t->sent += (size_t)n;
		if (t->sent < t->len) {
			if (n > 0 || t->deadline_ns == NEVER)
				t->deadline_ns = t->ring->server_ns ? now_ns + t->ring->server_ns : NEVER;
			watch(t, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
			return;
		}
	}
}

static void on_event(struct target *t, uint32_t events, uint64_t now_ns)
{
	char ignored[16384]; /* as a transport wants it */
	ssize_t n = 1;
	int e = 0;

	if (!t->connected) {
		getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &e, &(socklen_t){sizeof(e)});
		if (e || (!t->shaking && !(events & EPOLLOUT))) {
			disconnect(t, now_ns, strerror(e ? e : ECONNREFUSED));
			return;
		}
		if (t->tls && !shake(t, now_ns))
			return;
		t->connected = true;
		if (t->told)
			log_notice("ring %s: a server takes its lines again", t->ring->name);
		t->told = false;
	}
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) /* it has nothing to say */
		n = take_bytes(t, ignored, sizeof(ignored));
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		disconnect(t, now_ns, n ? strerror(errno) : "it closed the connection");
	else
		send_on(t, now_ns);
}

int rings_dispatch(struct rings *rs, uint64_t now_ns)
{
	struct epoll_event event[16];
	int n = epoll_wait(rs->epoll_fd, event, 16, 0);
	struct target *t;
	struct ring *r;
	uint64_t count;

	for (int i = 0; i < n; i++)
		if (event[i].data.ptr)
			on_event(event[i].data.ptr, event[i].events, now_ns);
	if (read(rs->wake_fd, &count, sizeof(count)) > 0)
		atomic_store(&rs->woken, false); /* before the lines are looked for */
	LIST_FOREACH (r, &rs->list, entry)
		STAILQ_FOREACH (t, &r->targets, next) {
			if (t->connected && t->sent == t->len)
				send_on(t, now_ns);
			if (t->deadline_ns > now_ns)
				continue;
			if (t->fd < 0)
				begin_connect(t, now_ns);
			else
				disconnect(t, now_ns, t->connected ? "nothing is taken in time" : "no connection in time");
		}
	return 0;
}

uint64_t rings_deadline(const struct rings *rs)
{
	uint64_t first = NEVER;
	const struct target *t;
	const struct ring *r;

	LIST_FOREACH (r, &rs->list, entry)
		STAILQ_FOREACH (t, &r->targets, next)
			if (t->deadline_ns < first)
				first = t->deadline_ns;
	return first;
}

/* ---- Making them ---- */

static void target_free(struct target *t)
{
	STAILQ_REMOVE(&t->ring->targets, t, target, next);
	if (t->channel)
		t->ops->end(t->channel, true);
	if (t->server)
		t->ops->target_free(t->server);
	health_tls_free(t->tls);
	if (t->fd >= 0)
		close(t->fd);
	free(t->out);
	free(t);
}

static void ring_free(struct ring *r)
{
	while (!STAILQ_EMPTY(&r->targets))
		target_free(STAILQ_FIRST(&r->targets));
	pthread_mutex_destroy(&r->lock);
	ring_memory_free(&r->memory);
	free(r->file);
	free(r->description);
	free(r->name);
	free(r);
}

static struct ring *find(const struct rings *rs, const char *name)
{
	struct ring *r;

	LIST_FOREACH (r, &rs->list, entry)
		if (!strcmp(r->name, name))
			return r;
	return NULL;
}

/* A file that cannot be had is no reason to have no log. False: no memory. */
static bool get_memory(const char *name, const char *file, size_t size, struct ring_memory *ret)
{
	int e = ring_memory_new(file, size, ret);

	if (e < 0 && file) {
		log_err("ring %s: %s: %s: its lines stay in memory", name, file, strerror(-e));
		e = ring_memory_new(NULL, size, ret);
	}
	return e == 0;
}

static struct ring *make(struct rings *rs, const struct cfg_ring *c)
{
	struct ring *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->rings = rs;
	r->name = strdup(c->name);
	r->description = strdup(c->description);
	r->file = c->file ? strdup(c->file) : NULL;
	r->size = c->size;
	pthread_mutex_init(&r->lock, NULL);
	STAILQ_INIT(&r->targets);
	if (!r->name || !r->description || (c->file && !r->file) || !get_memory(r->name, r->file, r->size, &r->memory)) {
		ring_free(r);
		return NULL;
	}
	LIST_INSERT_HEAD(&rs->list, r, entry);
	return r;
}

/* Another size, or another file, begins empty. False: no memory. */
static bool take_settings(struct ring *r, const struct cfg_ring *c)
{
	bool anew = c->size != r->size || (c->file && r->file ? strcmp(c->file, r->file) != 0 : c->file != r->file);
	char *file = c->file ? strdup(c->file) : NULL, *description = strdup(c->description);
	struct ring_memory memory = {0};

	if ((c->file && !file) || !description || (anew && !get_memory(c->name, file, c->size, &memory))) {
		free(file);
		free(description);
		return false;
	}
	free(r->file);
	r->file = file;
	free(r->description);
	r->description = description;
	r->connect_ns = c->connect_ns;
	r->server_ns = c->server_ns;
	pthread_mutex_lock(&r->lock);
	r->maxlen = c->maxlen;
	if (anew) {
		ring_memory_free(&r->memory);
		r->memory = memory;
		r->size = c->size;
		r->begin = r->end;
	}
	pthread_mutex_unlock(&r->lock);
	return true;
}

static bool same_target(const struct target *t, const struct cfg_ring_server *s)
{
	return t->addr.len == s->addr.len && !memcmp(&t->addr.storage, &s->addr.storage, s->addr.len) &&
	       t->octet_count == s->octet_count && !t->tls == !s->tls;
}

/* As the line says now: for the connections from here on. 0; -ENOMEM; another -errno: it cannot be, and was told. */
static int take_tls(struct target *t, const struct cfg_tls *c, const struct tls_store *store)
{
	const struct health_transport *transport;
	struct health_tls *tls;
	void *server;
	char why[256];
	int e = tls_client_new(c, store, c->sni_name, c->set.alpn, why, sizeof(why), &tls);

	if (e < 0) {
		log_err("ring %s: TLS to a server: %s", t->ring->name, why);
		return e != -ENOMEM && t->tls ? 0 : e; /* it goes on as it was */
	}
	transport = health_tls_transport(tls);
	if (transport->ops->target_new(transport->config, &server) < 0) {
		health_tls_free(tls);
		return -ENOMEM;
	}
	if (t->server)
		t->ops->target_free(t->server);
	health_tls_free(t->tls);
	t->tls = tls;
	t->ops = transport->ops;
	t->server = server;
	return 0;
}

static struct target *find_target(const struct ring *r, const struct cfg_ring_server *s)
{
	struct target *t;

	STAILQ_FOREACH (t, &r->targets, next)
		if (same_target(t, s) && t->cap >= r->maxlen + 16u)
			return t;
	return NULL;
}

/* Not yet in its ring's list. NULL: no memory. */
static struct target *target_new(struct ring *r, const struct cfg_ring_server *s, uint64_t now_ns)
{
	struct target *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	*t = (struct target){.ring = r,
			     .fd = -1,
			     .addr = s->addr,
			     .octet_count = s->octet_count,
			     .cap = BATCH + r->maxlen + 16,
			     .deadline_ns = now_ns}; /* at once */
	t->out = malloc(t->cap);
	if (!t->out) {
		free(t);
		return NULL;
	}
	pthread_mutex_lock(&r->lock);
	t->at = t->batch_at = r->begin; /* what the ring has, it gets */
	pthread_mutex_unlock(&r->lock);
	return t;
}

/* 0; -ENOMEM; another -errno: it gets no lines, and was told. */
static int take_server(struct ring *r, const struct cfg_ring_server *s, const struct tls_store *store, uint64_t now_ns)
{
	struct target *t = find_target(r, s);
	bool is_new = !t;
	int e;

	if (is_new)
		t = target_new(r, s, now_ns);
	if (!t)
		return -ENOMEM;
	t->wanted = true;
	if (t->channel) { /* another one goes on where it was, with what the line says now */
		t->told = true;
		disconnect(t, now_ns, "");
		t->told = false;
		t->deadline_ns = now_ns;
	}
	e = s->tls ? take_tls(t, s->tls, store) : 0;
	if (!is_new)
		return e;
	if (e < 0) {
		free(t->out);
		free(t);
		return e;
	}
	STAILQ_INSERT_TAIL(&r->targets, t, next);
	return 0;
}

static void drop_unwanted(struct ring *r)
{
	struct target *t, *next;

	for (t = STAILQ_FIRST(&r->targets); t; t = next) {
		next = STAILQ_NEXT(t, next);
		if (!t->wanted)
			target_free(t);
	}
	atomic_store(&r->has_targets, !STAILQ_EMPTY(&r->targets));
}

static void link_logs(const struct rings *rs, struct cfg_logs *logs)
{
	struct cfg_log *log;

	if (logs)
		STAILQ_FOREACH (log, logs, next)
			if (log->kind == CFG_LOG_RING)
				log->to = find(rs, log->ring->name);
}

int rings_sync(struct rings *rs, struct cfg *cfg, uint64_t now_ns)
{
	const struct cfg_ring_server *s;
	const struct cfg_ring *c;
	struct target *t;
	struct cfg_forward *forward;
	struct cfg_proxy *p;
	struct ring *r;
	bool ok = true;

	LIST_FOREACH (r, &rs->list, entry)
		STAILQ_FOREACH (t, &r->targets, next)
			t->wanted = false;
	STAILQ_FOREACH (c, &cfg->rings, next) {
		r = find(rs, c->name);
		if (!r)
			r = make(rs, c);
		if (!r)
			return -ENOMEM;
		ok &= take_settings(r, c);
		STAILQ_FOREACH (s, &c->servers, next)
			ok &= take_server(r, s, cfg->tls_store, now_ns) != -ENOMEM;
	}
	LIST_FOREACH (r, &rs->list, entry)
		drop_unwanted(r);
	link_logs(rs, &cfg->global.logs);
	for (struct cfg_debug *d = cfg->debugs; d; d = d->next)
		link_logs(rs, &d->logs);
	STAILQ_FOREACH (forward, &cfg->forwards, next)
		link_logs(rs, &forward->logs);
	if (!STAILQ_EMPTY(&cfg->rings))
		STAILQ_FOREACH (p, &cfg->proxies, next)
			if (!p->set.disabled)
				link_logs(rs, p->set.logs);
	return ok ? 0 : -ENOMEM;
}

int rings_new(struct rings **ret)
{
	struct rings *rs = calloc(1, sizeof(*rs));
	struct epoll_event e = {.events = EPOLLIN};

	if (!rs)
		return -ENOMEM;
	LIST_INIT(&rs->list);
	rs->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	rs->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (rs->epoll_fd < 0 || rs->wake_fd < 0 || epoll_ctl(rs->epoll_fd, EPOLL_CTL_ADD, rs->wake_fd, &e) < 0) {
		rings_free(rs);
		return -EMFILE;
	}
	*ret = rs;
	return 0;
}

void rings_free(struct rings *rs)
{
	struct ring *r;

	if (!rs)
		return;
	while ((r = LIST_FIRST(&rs->list))) {
		LIST_REMOVE(r, entry);
		ring_free(r);
	}
	if (rs->epoll_fd >= 0)
		close(rs->epoll_fd);
	if (rs->wake_fd >= 0)
		close(rs->wake_fd);
	free(rs);
}

int rings_fd(const struct rings *rs)
{
	return rs->epoll_fd;
}

const struct ring *rings_next(const struct rings *rs, const struct ring *r)
{
	return r ? LIST_NEXT(r, entry) : LIST_FIRST(&rs->list);
}

const char *ring_name(const struct ring *r)
{
	return r->name;
}

const char *ring_description(const struct ring *r)
{
	return r->description;
}

uint64_t ring_gaps(const struct ring *r)
{
	return r->n_gaps;
}
