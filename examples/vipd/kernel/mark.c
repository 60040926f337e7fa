/* SPDX-License-Identifier: MIT */
/*
 * nftables_ipvs: what goes to the addresses of a virtual_server_group gets a firewall mark, for which the backend has
 * the service.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libha/nft_mark.h>

#include "kernel/kernel.h"
#include "log.h"

struct marks {
	struct ha_nft_marks *table; /* NULL: it could not be opened */
	struct ha_nft_mark *mark;
	size_t n;
	int error; /* as was said */
};

static size_t collect(const struct conf *c, struct ha_nft_mark *ret)
{
	size_t n = 0;

	for (const struct conf_virtual *v = c->virtuals; v; v = v->next) {
		for (size_t i = 0; i < v->n_marked; i++, n++) {
			const struct conf_listen *l = &v->marked[i];

			if (ret)
				ret[n] = (struct ha_nft_mark){.ip = l->ip,
							      .mark = l->fwmark,
							      .port = l->port,
							      .protocol = (uint8_t)v->protocol};
		}
	}
	return n;
}

static int open_table(const struct birth *b, const struct conf_globals *g,
		      const struct ha_nl_transport *transport, struct ha_nft_marks **ret)
{
	const struct conf_nft *t = &g->nft_marks;
	char name[OPTIONS_TABLE_SIZE];
	const struct ha_nft_marks_opts o = {.size = sizeof(o),
					    .table = table_name(b, t, NULL, name),
					    .priority = t->priority,
					    .set_priority = t->priority != CONF_NFT_PRIORITY,
					    .counters = g->nft_counters,
					    .transport = transport};

	return ha_nft_marks_open(&o, ret);
}

static void say(struct marks *m, int error)
{
	if (error < 0 && error != m->error)
		log_err("nftables_ipvs: groups are not served: nftables: %s%s", strerror(-error),
			error == -EEXIST
			    ? ": somebody else has a table inet of this name. Write another "
			      "one: nftables_ipvs TABLE"
			    : "");
	m->error = error;
}

/* Another name, or none any more. */
static void remove_old(const struct birth *b, size_t n)
{
	char was[OPTIONS_TABLE_SIZE], is[OPTIONS_TABLE_SIZE];
	struct ha_nft_marks *table;

	if (!b->old || !collect(b->old, NULL) ||
	    (n && !strcmp(table_name(b, &b->old->globals.nft_marks, NULL, was),
			  table_name(b, &b->conf->globals.nft_marks, NULL, is))))
		return;
	if (open_table(b, &b->old->globals, NULL, &table) < 0)
		return;
	ha_nft_marks_set(table, NULL, 0);
	ha_nft_marks_close(table);
}

static void on_changed(void *userdata)
{
	marks_settle(userdata);
}

static int open_with(const struct ha_nl_transport *socket, void *userdata)
{
	struct kernel *k = userdata;

	return open_table(k->birth, &k->conf->globals, socket, &k->marks->table);
}

static int open_watched(struct kernel *k)
{
	char name[OPTIONS_TABLE_SIZE];

	return nft_open_watched(k, table_name(k->birth, &k->conf->globals.nft_marks, NULL, name),
				open_with, on_changed, k);
}

int marks_new(struct kernel *k)
{
	size_t n = collect(k->conf, NULL);
	struct marks *m;

	remove_old(k->birth, n);
	if (!n)
		return 0;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	k->marks = m;
	m->n = n;
	m->mark = calloc(n, sizeof(*m->mark));
	if (!m->mark)
		return -ENOMEM; /* the process ends */
	collect(k->conf, m->mark);
	say(m, open_watched(k));
	marks_settle(k);
	return 0;
}

void marks_settle(struct kernel *k)
{
	if (k->marks && k->marks->table)
		say(k->marks, ha_nft_marks_set(k->marks->table, k->marks->mark, k->marks->n));
}

void marks_release(struct kernel *k)
{
	if (k->marks && k->marks->table)
		ha_nft_marks_set(k->marks->table, NULL, 0);
}
