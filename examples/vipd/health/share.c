/* SPDX-License-Identifier: MIT */
/* Which checks ask the same server the same thing in the same way: those are asked once. */
#include <errno.h>
#include <stdlib.h>

#include "conf/pairs.h"
#include "health/health.h"

/* With ha_suspend a check rests when its virtual server does. */
static bool same_rest(const struct probe *p, const struct probe *q)
{
	return p->virtual == q->virtual ||
	       (!p->virtual->conf->ha_suspend && !q->virtual->conf->ha_suspend);
}

static bool is_same(const struct probe *p, const struct probe *q)
{
	return same_rest(p, q) && conf_check_same(p->conf, probe_real(p), q->conf, probe_real(q));
}

/* ---- Finding ---- */

static size_t hash_of(const struct probe *p)
{
	const struct ha_ip *ip = conf_check_ip(p->conf, probe_real(p));
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (size_t i = 0; i < sizeof(ip->bytes); i++)
		h = (h ^ ip->bytes[i]) * UINT64_C(0x100000001b3);
	h = (h ^ conf_check_port(p->conf, probe_real(p))) * UINT64_C(0x100000001b3);
	h = (h ^ (uint64_t)p->conf->kind) * UINT64_C(0x100000001b3);
	return (size_t)(h ^ h >> 32);
}

/* Behind its leader, or as one. */
static void file_probe(struct probe *p, struct probe **table, size_t n)
{
	size_t at = hash_of(p) & (n - 1);

	p->leader = p;
	if (conf_check_is_told(p->conf))
		return;
	for (; table[at]; at = (at + 1) & (n - 1)) {
		if (!is_same(p, table[at]))
			continue;
		p->leader = table[at];
		p->next = p->leader->next;
		p->leader->next = p;
		return;
	}
	table[at] = p;
}

int health_share(struct health *h)
{
	size_t n = 16;
	struct probe **table;

	while (n < h->n_probes * 2)
		n *= 2;
	table = calloc(n, sizeof(struct probe *));
	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < h->n_probes; i++)
		file_probe(&h->probes[i], table, n);
	free(table);
	return 0;
}
