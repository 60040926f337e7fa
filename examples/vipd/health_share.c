/* SPDX-License-Identifier: MIT */
/* Which checks ask the same server the same thing in the same way: those are asked once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "health.h"

/* ---- The same? ---- */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_bytes(const uint8_t *a, const uint8_t *b, size_t len)
{
	return a == b || (a && b && !memcmp(a, b, len));
}

static bool same_common(const struct conf_check_common *a, const struct conf_check_common *b)
{
	return a->delay_loop_ms == b->delay_loop_ms &&
	       a->connect_timeout_ms == b->connect_timeout_ms &&
	       a->delay_before_retry_ms == b->delay_before_retry_ms &&
	       a->warmup_ms == b->warmup_ms && a->retry == b->retry && a->alpha == b->alpha;
}

static const struct ha_ip *ip_of(const struct probe *p)
{
	const struct conf_way *w = p->conf->way;

	return w->connect_ip.family ? &w->connect_ip : &probe_real(p)->ip;
}

static int port_of(const struct probe *p)
{
	const struct conf_way *w = p->conf->way;

	return w->connect_port != CONF_UNSET ? w->connect_port : probe_real(p)->port;
}

static bool same_way(const struct probe *a, const struct probe *b)
{
	const struct conf_way *v = a->conf->way, *w = b->conf->way;

	return !ha_ip_compare(ip_of(a), ip_of(b)) && port_of(a) == port_of(b) &&
	       (v == w ||
		(!ha_ip_compare(&v->bind_ip, &w->bind_ip) && v->bind_port == w->bind_port &&
		 same_text(v->bind_device, w->bind_device) && v->fwmark == w->fwmark));
}

static bool same_url(const struct conf_url *a, const struct conf_url *b)
{
	return same_text(a->path, b->path) && same_text(a->host, b->host) &&
	       same_text(a->digest, b->digest) && same_text(a->regex, b->regex) &&
	       a->regex_min == b->regex_min && a->regex_max == b->regex_max &&
	       a->regex_no_match == b->regex_no_match && a->n_status == b->n_status &&
	       (!a->n_status || !memcmp(a->status, b->status, a->n_status * sizeof(*a->status)));
}

static bool same_http(const struct probe *p, const struct probe *q)
{
	const struct conf_http *a = p->conf->http, *b = q->conf->http;
	const struct conf_url *u = a->urls, *w = b->urls;

	if (a->n_urls != b->n_urls || a->version_1_1 != b->version_1_1 || a->tls != b->tls ||
	    a->sni != b->sni || !same_text(a->sni_name, b->sni_name) ||
	    !same_text(a->host ? a->host : probe_real(p)->host,
		       b->host ? b->host : probe_real(q)->host))
		return false;
	for (; u && same_url(u, w); u = u->next)
		w = w->next;
	return !u;
}

static bool same_udp(const struct conf_udp *a, const struct conf_udp *b)
{
	return a->payload_len == b->payload_len && a->reply_len == b->reply_len &&
	       a->reply_min == b->reply_min && a->reply_max == b->reply_max &&
	       a->require_reply == b->require_reply &&
	       same_bytes(a->payload, b->payload, a->payload_len) &&
	       same_bytes(a->reply, b->reply, a->reply_len) &&
	       same_bytes(a->reply_mask, b->reply_mask, a->reply_len);
}

static bool same_dialogue(const struct probe *p, const struct probe *q)
{
	const struct conf_check *a = p->conf, *b = q->conf;

	switch (a->kind) {
	case CONF_CHECK_TCP:
	case CONF_CHECK_PING:
		return true;
	case CONF_CHECK_HTTP:
		return same_http(p, q);
	case CONF_CHECK_SMTP:
		return same_text(a->helo, b->helo);
	case CONF_CHECK_DNS:
		return same_text(a->dns->name, b->dns->name) && a->dns->type == b->dns->type;
	case CONF_CHECK_UDP:
		return same_udp(a->udp, b->udp);
	case CONF_CHECK_MISC: /* its words name its server */
	case CONF_CHECK_FILE:
	case CONF_CHECK_BFD:
	case N_CONF_CHECKS:
		return false;
	}
	return false;
}

/* With ha_suspend a check rests when its virtual server does. */
static bool same_rest(const struct probe *p, const struct probe *q)
{
	return p->virtual == q->virtual ||
	       (!p->virtual->conf->ha_suspend && !q->virtual->conf->ha_suspend);
}

static bool is_same(const struct probe *p, const struct probe *q)
{
	return same_rest(p, q) && p->conf->kind == q->conf->kind && same_way(p, q) &&
	       same_common(&p->conf->common, &q->conf->common) && same_dialogue(p, q);
}

/* ---- Finding ---- */

static size_t hash_of(const struct probe *p)
{
	const struct ha_ip *ip = ip_of(p);
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (size_t i = 0; i < sizeof(ip->bytes); i++)
		h = (h ^ ip->bytes[i]) * UINT64_C(0x100000001b3);
	h = (h ^ (uint64_t)port_of(p)) * UINT64_C(0x100000001b3);
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
