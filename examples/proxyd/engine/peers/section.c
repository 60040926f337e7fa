/* SPDX-License-Identifier: MIT */
/* Sections `peers` of a configuration: their listeners, peers and tables, over reloads. */
#include "engine/peers/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/unix_socket.h"
#include "log.h"

#define LEARN_NS (10 * SECOND_NS)

static void peer_free(struct peer *p, uint64_t now_ns)
{
	if (p->talk)
		talk_close(p->talk, now_ns);
	LIST_REMOVE(p, entry);
	free(p->name);
	free(p);
}

static void shares_free(struct shares *shares)
{
	for (size_t i = 0; i < shares->n; i++) {
		if (shares->share[i].table)
			table_put(shares->share[i].table);
		free(shares->share[i].name);
	}
	free(shares->share);
	*shares = (struct shares){0};
}

static void set_shared(const struct section *s, int wake_fd)
{
	for (size_t i = 0; i < s->shares.n; i++)
		table_share(s->shares.share[i].table, wake_fd);
}

void section_free(struct section *s)
{
	struct peer *p;

	while (!LIST_EMPTY(&s->talks))
		talk_close(LIST_FIRST(&s->talks), 0);
	while ((p = LIST_FIRST(&s->list)))
		peer_free(p, 0);
	set_shared(s, -1);
	shares_free(&s->shares);
	if (s->fd >= 0)
		close(s->fd);
	LIST_REMOVE(s, entry);
	free(s->name);
	free(s->local);
	free(s);
}

static struct section *find_section(const struct peers *ps, const char *name)
{
	struct section *s;

	LIST_FOREACH (s, &ps->sections, entry)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}

/* -1: errno says why. */
static int open_listener(const struct cfg_addr *a)
{
	int fd, on = 1;

	if (a->sa.sa_family == AF_UNIX) { /* in the place of what the process before has there */
		unix_keep(a->unix_path.sun_path);
		fd = unix_listen(a, &(struct cfg_access){-1, -1, -1}, STRANGERS_MAX);
		if (fd >= 0)
			return fd;
		unix_settle(a->unix_path.sun_path);
		errno = -fd;
		return -1;
	}
	fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)); /* beside the process before */
	if (bind(fd, &a->sa, a->len) < 0 || listen(fd, STRANGERS_MAX) < 0) {
		int e = errno;

		close(fd);
		errno = e;
		return -1;
	}
	return fd;
}

/* The tables that name the section. False: no memory. */
static bool shares_of(const struct cfg *cfg, const char *name, struct shares *ret)
{
	const struct cfg_peers_use *use;
	size_t n = 0;

	STAILQ_FOREACH (use, &cfg->peers_uses, next)
		n += use->ref && use->ref->table && !strcmp(use->name, name);
	*ret = (struct shares){.share = calloc(n + 1, sizeof(*ret->share))};
	if (!ret->share)
		return false;
	STAILQ_FOREACH (use, &cfg->peers_uses, next) {
		struct share *s = &ret->share[ret->n];
		const char *slash;

		if (!use->ref || !use->ref->table || strcmp(use->name, name) != 0)
			continue;
		slash = strchr(use->ref->name, '/'); /* of a table of the section: "/NAME", as HAProxy's */
		s->table = use->ref->table;
		table_retain(s->table);
		s->tells_server = use->ref->tells_server;
		s->name = strdup(slash ? slash : use->ref->name);
		ret->n++;
		if (!s->name) {
			shares_free(ret);
			return false;
		}
	}
	return true;
}

static bool same_shares(const struct shares *a, const struct shares *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->share[i].table != b->share[i].table || a->share[i].tells_server != b->share[i].tells_server)
			return false;
	return true;
}

/*
 * All connections begin anew, at once: over them others learn which tables there are now, as they do from the process
 * that HAProxy starts for a reload.
 */
static void take_shares(struct section *s, struct shares *shares, uint64_t now_ns)
{
	struct peer *p;

	if (same_shares(&s->shares, shares)) {
		shares_free(shares);
		return;
	}
	while (!LIST_EMPTY(&s->talks))
		talk_close(LIST_FIRST(&s->talks), now_ns);
	LIST_FOREACH (p, &s->list, entry)
		p->connect_ns = now_ns;
	set_shared(s, -1);
	shares->knows_all = s->shares.knows_all;
	shares->learn_until_ns = s->shares.learn_until_ns;
	shares_free(&s->shares);
	s->shares = *shares;
}

/* False: no memory. */
static bool take_peer(struct section *s, const struct cfg_peer *c, uint64_t now_ns)
{
	struct peer *p = section_peer(s, c->name, strlen(c->name));

	if (p && cfg_addr_equal(&p->addr, &c->addr)) {
		p->wanted = true;
		return true;
	}
	if (p)
		peer_free(p, now_ns);
	p = calloc(1, sizeof(*p));
	if (!p)
		return false;
	p->name = strdup(c->name);
	if (!p->name) {
		free(p);
		return false;
	}
	p->section = s;
	p->addr = c->addr;
	p->is_local = !strcmp(c->name, s->local);
	p->connect_ns = now_ns;
	p->wanted = true;
	LIST_INSERT_HEAD(&s->list, p, entry);
	return true;
}

static bool take_peers(struct section *s, const struct cfg_peers *c, uint64_t now_ns)
{
	const struct cfg_peer *cp;
	struct peer *p, *next;

	LIST_FOREACH (p, &s->list, entry)
		p->wanted = false;
	STAILQ_FOREACH (cp, &c->list, next)
		if (!take_peer(s, cp, now_ns))
			return false;
	for (p = LIST_FIRST(&s->list); p; p = next) {
		next = LIST_NEXT(p, entry);
		if (!p->wanted)
			peer_free(p, now_ns);
	}
	return true;
}

static struct section *new_section(struct peers *ps, const struct cfg_peers *c, uint64_t now_ns)
{
	struct section *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->peers = ps;
	s->fd = -1;
	s->accept_ns = NEVER;
	s->name = strdup(c->name);
	s->local = strdup(c->local);
	s->shares.learn_until_ns = now_ns + LEARN_NS;
	LIST_INSERT_HEAD(&ps->sections, s, entry);
	if (s->name && s->local)
		return s;
	section_free(s);
	return NULL;
}

/* Was it opened for this one, or is it open? */
static bool is_open(const struct peers *ps, const struct cfg_peers *c)
{
	const struct section *s = find_section(ps, c->name);

	return s && s->fd >= 0 && !strcmp(s->local, c->local) && cfg_addr_equal(&s->addr, &c->addr);
}

static bool is_file(const struct cfg_addr *a)
{
	return a->sa.sa_family == AF_UNIX && *a->unix_path.sun_path;
}

void peers_close_prepared(struct peers *ps)
{
	while (ps->n_prepared) {
		struct prepared *p = &ps->prepared[--ps->n_prepared];

		close(p->fd);
		if (is_file(&p->addr))
			unix_remove(p->addr.unix_path.sun_path, &p->file);
	}
}

bool peers_prepare(struct peers *ps, const struct cfg *cfg, char *error, size_t cap)
{
	const struct cfg_peers *c;

	peers_close_prepared(ps);
	STAILQ_FOREACH (c, &cfg->peers, next) {
		struct prepared *p = &ps->prepared[ps->n_prepared];

		if (!c->local || is_open(ps, c))
			continue;
		if (ps->n_prepared == SECTIONS_MAX) {
			snprintf(error, cap, "more than %d new sections peers", SECTIONS_MAX);
			return false;
		}
		*p = (struct prepared){.addr = c->addr, .fd = open_listener(&c->addr)};
		if (p->fd >= 0 && is_file(&p->addr))
			unix_remember(p->addr.unix_path.sun_path, &p->file);
		if (p->fd < 0) {
			snprintf(error, cap, "peers %s: the address of \"%s\", which is this process: %s", c->name, c->local, strerror(errno));
			peers_close_prepared(ps);
			return false;
		}
		ps->n_prepared++;
	}
	return true;
}

/* -1: there is none. */
static int take_prepared(struct peers *ps, const struct cfg_addr *a)
{
	for (size_t i = 0; i < ps->n_prepared; i++)
		if (cfg_addr_equal(&ps->prepared[i].addr, a)) {
			int fd = ps->prepared[i].fd;

			if (is_file(a))
				unix_settle(a->unix_path.sun_path);
			ps->prepared[i] = ps->prepared[--ps->n_prepared];
			return fd;
		}
	return -1;
}

/* False: there is no memory. */
static bool take_section(struct peers *ps, const struct cfg *cfg, const struct cfg_peers *c, uint64_t now_ns)
{
	const bool was_open = is_open(ps, c);
	struct section *s = find_section(ps, c->name);
	struct shares shares = {0};

	if (s && strcmp(s->local, c->local) != 0) {
		section_free(s);
		s = NULL;
	}
	if (!s)
		s = new_section(ps, c, now_ns);
	if (!s)
		return false;
	s->wanted = true;
	if (!was_open) {
		if (s->fd >= 0)
			close(s->fd);
		s->fd = take_prepared(ps, &c->addr);
		s->addr = c->addr;
		if (s->fd >= 0 && peers_watch(ps, s->fd, EPOLL_CTL_ADD, EPOLLIN, (uintptr_t)s | 1) < 0)
			return false;
	}
	if (!shares_of(cfg, c->name, &shares))
		return false;
	take_shares(s, &shares, now_ns);
	return take_peers(s, c, now_ns);
}

void peers_sync(struct peers *ps, const struct cfg *cfg, uint64_t now_ns)
{
	const struct cfg_peers *c;
	struct section *s, *next;

	LIST_FOREACH (s, &ps->sections, entry)
		s->wanted = false;
	STAILQ_FOREACH (c, &cfg->peers, next)
		if (c->local && !take_section(ps, cfg, c, now_ns))
			log_err("peers %s: out of memory: not all of its tables are shared with all", c->name);
	for (s = LIST_FIRST(&ps->sections); s; s = next) {
		next = LIST_NEXT(s, entry);
		if (!s->wanted)
			section_free(s);
	}
	LIST_FOREACH (s, &ps->sections, entry) /* last: a table may have gone from one to another */
		set_shared(s, ps->wake_fd);
	peers_close_prepared(ps);
}
