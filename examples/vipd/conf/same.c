/* SPDX-License-Identifier: MIT */
/* Do two checks ask the same server the same thing, in the same way, at the same pace? */
#include "conf/pairs.h"

#include <string.h>

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

const struct ha_ip *conf_check_ip(const struct conf_check *c, const struct conf_real *r)
{
	return c->way->connect_ip.family ? &c->way->connect_ip : &r->ip;
}

uint16_t conf_check_port(const struct conf_check *c, const struct conf_real *r)
{
	return c->way->connect_port != CONF_UNSET ? (uint16_t)c->way->connect_port : r->port;
}

static bool same_way(const struct conf_check *a, const struct conf_real *at,
		     const struct conf_check *b, const struct conf_real *bt)
{
	const struct conf_way *v = a->way, *w = b->way;

	return !ha_ip_compare(conf_check_ip(a, at), conf_check_ip(b, bt)) &&
	       conf_check_port(a, at) == conf_check_port(b, bt) &&
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

static bool same_http(const struct conf_http *a, const struct conf_real *at,
		      const struct conf_http *b, const struct conf_real *bt)
{
	const struct conf_url *u = a->urls, *w = b->urls;

	if (a->n_urls != b->n_urls || a->version_1_1 != b->version_1_1 || a->tls != b->tls ||
	    a->sni != b->sni || a->close_notify != b->close_notify ||
	    !same_text(a->sni_name, b->sni_name) ||
	    !same_text(a->host ? a->host : at->opts->host, b->host ? b->host : bt->opts->host))
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

static bool same_dialogue(const struct conf_check *a, const struct conf_real *at,
			  const struct conf_check *b, const struct conf_real *bt)
{
	switch (a->kind) {
	case CONF_CHECK_TCP:
	case CONF_CHECK_PING:
		return true;
	case CONF_CHECK_HTTP:
		return same_http(a->http, at, b->http, bt);
	case CONF_CHECK_SMTP:
		return same_text(a->helo, b->helo);
	case CONF_CHECK_DNS:
		return same_text(a->dns->name, b->dns->name) && a->dns->type == b->dns->type;
	case CONF_CHECK_UDP:
		return same_udp(a->udp, b->udp);
	case CONF_CHECK_MISC: /* its words name its server; the supervisor runs it */
	case CONF_CHECK_FILE:
	case CONF_CHECK_BFD:
	case N_CONF_CHECKS:
		return false;
	}
	return false;
}

bool conf_check_same(const struct conf_check *a, const struct conf_real *at,
		     const struct conf_check *b, const struct conf_real *bt)
{
	return a->kind == b->kind && same_way(a, at, b, bt) &&
	       same_common(&a->common, &b->common) && same_dialogue(a, at, b, bt);
}
