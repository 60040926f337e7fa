/* SPDX-License-Identifier: MIT */
/* From a check of the configuration to a check of libhealth. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libhealth/probe_dns.h>
#include <libhealth/probe_expect.h>
#include <libhealth/probe_http.h>
#include <libhealth/probe_net.h>
#include <libhealth/probe_smtp.h>

#include "conf/pairs.h"
#include "health/health.h"
#include "log.h"
#include "openssl.h"
#include "regex.h"

#define NS_PER_MS UINT64_C(1000000)
#define BODY_MAX_BYTES (1u << 20) /* of an answer that digest or regex look at */

/* ---- HTTP ---- */

static const char *host_of(const struct conf_http *c, const struct conf_url *u,
			   const struct conf_real *r)
{
	return u->host ? u->host : c->host ? c->host : r->opts->host;
}

/* One request; `status` is room for its ranges. */
static struct health_http_opts http_request(const struct conf_http *c, const struct conf_url *u,
					    const char *host, struct health_http_range *status)
{
	struct health_http_opts o = {
	    .size = sizeof(o),
	    .version = c->version_1_1 ? HEALTH_HTTP_1_1 : HEALTH_HTTP_1_0,
	    .path = u->path,
	    .host = host,
	    .status = u->n_status ? status : NULL,
	    .n_status = u->n_status,
	    .regex = u->regex,
	    .regex_min_offset = (size_t)u->regex_min,
	    .regex_max_offset = (size_t)u->regex_max,
	    .regex_ops = u->regex ? regex_ops() : NULL,
	    .digest = u->digest,
	    .flags = u->regex && u->regex_no_match ? HEALTH_HTTP_NOT_BODY : 0,
	    .body_max_bytes = u->regex || u->digest ? BODY_MAX_BYTES : 0,
	};

	if (u->digest && openssl_module())
		o.crypto = openssl_module()->crypto;
	for (size_t i = 0; i < u->n_status; i++)
		status[i] = (struct health_http_range){u->status[i].first, u->status[i].last};
	return o;
}

/* The urls in turn. */
static int make_http(const struct conf_http *c, const struct conf_real *r, const struct ha_ip *ip,
		     uint16_t port, struct health_probe **ret)
{
	struct health_http_range status[CONF_URLS_MAX][CONF_STATUS_MAX];
	struct health_http_opts o[CONF_URLS_MAX];
	char text[HA_IP_TEXT_SIZE] = "", address[HA_IP_TEXT_SIZE + 10];
	size_t n = 0;

	ha_ip_format(ip, text, sizeof(text));
	snprintf(address, sizeof(address), ip->family == AF_INET6 ? "[%s]:%u" : "%s:%u", text,
		 port);
	for (const struct conf_url *u = c->urls; u; u = u->next, n++) {
		const char *host = host_of(c, u, r);

		o[n] = http_request(c, u, host ? host : address, status[n]);
		if (n)
			o[n - 1].next = &o[n];
	}
	return health_probe_new(health_probe_http(), &o[0], ret);
}

/* ---- TLS ---- */

/* One for each name that is asked for: all checks with the same name share its sessions and keys. */
struct tls_contexts {
	struct tls_context {
		struct tls_context *next;
		char *sni; /* NULL: none is sent */
		bool close_notify;
		struct health_tls *tls;
	} * first;
};

#ifdef HAVE_HEALTH_TLS

/* The name without its port; false: none is to be sent. */
static bool sni_of(const struct conf_check *c, const struct conf_real *r,
		   char ret[HEALTH_HTTP_HOST_MAX + 1])
{
	const struct conf_http *h = c->http;
	const char *name = h->sni_name ? h->sni_name : h->sni ? host_of(h, h->urls, r) : NULL;
	struct ha_ip ip;

	if (!name)
		return false;
	snprintf(ret, HEALTH_HTTP_HOST_MAX + 1, "%.*s", (int)strcspn(name, ":"), name);
	return *ret && ha_ip_parse(ret, &ip) < 0; /* RFC 6066 §3: no addresses */
}

static bool is_https(const struct conf_check *c)
{
	return c->kind == CONF_CHECK_HTTP && c->http->tls;
}

static struct tls_context *tls_find(const struct tls_contexts *t, const struct conf_check *c,
				    const struct conf_real *r)
{
	char sni[HEALTH_HTTP_HOST_MAX + 1];
	bool named = sni_of(c, r, sni);

	for (struct tls_context *x = t->first; x; x = x->next)
		if (x->close_notify == c->http->close_notify &&
		    (named ? x->sni && !strcmp(x->sni, sni) : !x->sni))
			return x;
	return NULL;
}

static int tls_add(struct tls_contexts *t, const struct conf *conf, const struct conf_check *c,
		   const struct conf_real *r)
{
	char sni[HEALTH_HTTP_HOST_MAX + 1], why[200] = "";
	bool named = sni_of(c, r, sni);
	struct health_tls_opts o = {.size = sizeof(o),
				    .flags = c->http->close_notify ? HEALTH_TLS_CLOSE_NOTIFY : 0,
				    .sni = named ? sni : NULL,
				    .ca_file = conf->globals.ssl_ca,
				    .cert_file = conf->globals.ssl_certificate,
				    .key_file = conf->globals.ssl_key,
				    .key_password = conf->globals.ssl_password};
	struct tls_context *x = calloc(1, sizeof(*x));
	int err;

	if (!x)
		return -ENOMEM;
	x->next = t->first;
	t->first = x;
	x->close_notify = c->http->close_notify;
	x->sni = named ? strdup(sni) : NULL;
	if (named && !x->sni)
		return -ENOMEM;
	if (!openssl_module())
		return 0; /* which is said */
	err = openssl_module()->tls_new(&o, why, sizeof(why), &x->tls);
	if (err < 0)
		log_err("%s:%u: SSL_GET cannot be run: %s", c->at.file, c->at.line,
			*why ? why : strerror(-err));
	return err == -ENOMEM ? err : 0;
}

static int make_contexts(struct tls_contexts *t, const struct conf *conf)
{
	for (const struct conf_virtual *v = conf->virtuals; v; v = v->next) {
		for (const struct conf_real *r = v->reals; r; r = r->next) {
			for (const struct conf_check *c = r->checks; c; c = c->next) {
				int err =
				    !is_https(c) || tls_find(t, c, r) ? 0 : tls_add(t, conf, c, r);

				if (err < 0)
					return err;
			}
		}
	}
	return 0;
}

/* NULL without TLS; -EPROTO: it was said why there is none. */
static int transport_of(const struct health *h, const struct probe *p,
			const struct health_transport **ret)
{
	const struct tls_context *x;

	*ret = NULL;
	if (!is_https(p->conf))
		return 0;
	x = tls_find(h->tls, p->conf, probe_real(p));
	if (!x || !x->tls)
		return -EPROTO;
	*ret = openssl_module()->tls_transport(x->tls);
	return 0;
}

#else

static int make_contexts(struct tls_contexts *t, const struct conf *conf)
{
	return 0;
}

static int transport_of(const struct health *h, const struct probe *p,
			const struct health_transport **ret)
{
	*ret = NULL;
	return 0;
}

#endif

static bool wants_digest(const struct conf_check *c)
{
	if (c->kind != CONF_CHECK_HTTP)
		return false;
	for (const struct conf_url *u = c->http->urls; u; u = u->next)
		if (u->digest)
			return true;
	return false;
}

static bool has_digest(const struct conf *conf)
{
	for (const struct conf_virtual *v = conf->virtuals; v; v = v->next)
		for (const struct conf_real *r = v->reals; r; r = r->next)
			for (const struct conf_check *c = r->checks; c; c = c->next)
				if (wants_digest(c))
					return true;
	return false;
}

static void free_contexts(struct tls_contexts *t)
{
	struct tls_context *next;

	for (struct tls_context *x = t ? t->first : NULL; x; x = next) {
		next = x->next;
#ifdef HAVE_HEALTH_TLS
		if (x->tls)
			openssl_module()->tls_free(x->tls);
#endif
		free(x->sni);
		free(x);
	}
	free(t);
}

int tls_contexts_new(const struct conf *c, struct tls_contexts **ret)
{
	struct tls_contexts *t = calloc(1, sizeof(*t));
	int r = t ? make_contexts(t, c) : -ENOMEM;

	if (has_digest(c))
		openssl_module();
	if (r < 0) {
		free_contexts(t);
		return r;
	}
	*ret = t;
	return 0;
}

/* ---- Dialogues ---- */

static int make_udp(const struct conf_udp *c, struct health_probe **ret)
{
	const struct health_udp_opts o = {
	    .size = sizeof(o),
	    .send = c->payload,
	    .send_len = c->payload_len,
	    .expect = c->reply,
	    .expect_len = c->reply_len,
	    .expect_mask = c->reply_mask,
	    .reply_min = c->require_reply ? (size_t)c->reply_min : 0,
	    .reply_max = c->require_reply ? (size_t)c->reply_max : 0,
	    .flags = c->require_reply ? 0 : HEALTH_UDP_SILENCE_OK,
	};

	return health_probe_new(health_probe_udp(), &o, ret);
}

/* NULL for a check that only connects. */
static int make_dialogue(const struct conf_check *c, const struct conf_real *r,
			 const struct ha_ip *ip, uint16_t port, struct health_probe **ret)
{
	struct health_smtp_opts smtp = {.size = sizeof(smtp)};
	struct health_dns_opts dns = {.size = sizeof(dns)};

	*ret = NULL;
	switch (c->kind) {
	case CONF_CHECK_TCP:
		return 0;
	case CONF_CHECK_PING:
		return health_probe_new(health_probe_icmp(), NULL, ret);
	case CONF_CHECK_HTTP:
		return make_http(c->http, r, ip, port, ret);
	case CONF_CHECK_SMTP:
		smtp.helo = c->helo;
		return health_probe_new(health_probe_smtp(), &smtp, ret);
	case CONF_CHECK_DNS:
		dns.name = c->dns->name;
		dns.type = (uint64_t)c->dns->type;
		return health_probe_new(health_probe_dns(), &dns, ret);
	case CONF_CHECK_UDP:
		return make_udp(c->udp, ret);
	case CONF_CHECK_MISC:
	case CONF_CHECK_FILE:
	case CONF_CHECK_BFD:
	case N_CONF_CHECKS:
		break;
	}
	return -EINVAL;
}

/* ---- The check ---- */

static void filter_of(const struct conf_check_common *c, bool up, struct health_filter_opts *ret)
{
	*ret = (struct health_filter_opts){
	    .size = sizeof(*ret),
	    .rise = 1,
	    .fall = (uint32_t)c->retry + 1,
	    .start = up ? HEALTH_START_UP : HEALTH_START_DOWN,
	    .interval_ns = (uint64_t)c->delay_loop_ms * NS_PER_MS,
	    .down_ns = (uint64_t)c->delay_loop_ms * NS_PER_MS,
	    .retry_ns =
		(uint64_t)(c->delay_before_retry_ms ? c->delay_before_retry_ms : 1) * NS_PER_MS,
	};
}

/* keepalived's connect_timeout is for each connection; the whole is ended, too. */
static uint64_t whole_timeout_ns(const struct conf_check *c)
{
	uint64_t one = (uint64_t)c->common.connect_timeout_ms * NS_PER_MS;

	return c->kind == CONF_CHECK_HTTP ? one * c->http->n_urls : one;
}

/* Its place in what a predecessor froze, of this check or one that asked the same; SIZE_MAX: there is nothing. */
static size_t frozen_place(const struct health *h, const struct probe *leader)
{
	for (const struct probe *p = leader; p; p = p->next)
		if (shared_has_frozen(h->birth->shared, (size_t)(p - h->probes)))
			return (size_t)(p - h->probes);
	return SIZE_MAX;
}

int health_start_check(struct health *h, struct probe *p, bool up)
{
	const struct conf_check *c = p->conf;
	size_t frozen = frozen_place(h, p);
	bool at_once = !c->common.warmup_ms && frozen == SIZE_MAX;
	const struct conf_real *r = probe_real(p);
	const struct conf_way *w = c->way;
	const struct ha_ip *ip = conf_check_ip(c, r);
	uint16_t port = conf_check_port(c, r);
	struct sockaddr_storage to, from;
	struct health_filter_opts filter;
	struct health_check_opts o = {
	    .size = sizeof(o),
	    .destination = (void *)&to,
	    .filter = &filter,
	    .device = w->bind_device,
	    .fwmark = w->fwmark,
	    .flags = HEALTH_CHECK_FROM_END | (at_once ? HEALTH_CHECK_AT_ONCE : 0),
	    .timeout_ns = whole_timeout_ns(c),
	    .connect_timeout_ns = (uint64_t)c->common.connect_timeout_ms * NS_PER_MS,
	    .start_within_ns = (uint64_t)c->common.warmup_ms * NS_PER_MS,
	};
	int err = transport_of(h, p, &o.transport);

	if (err >= 0)
		err = make_dialogue(c, r, ip, port, &o.probe);
	if (err < 0)
		return err;
	filter_of(&c->common, up, &filter);
	o.destination_len = (socklen_t)ha_ip_to_sockaddr(ip, port, 0, &to);
	if (w->bind_ip.family) {
		o.source = (void *)&from;
		o.source_len = (socklen_t)ha_ip_to_sockaddr(
		    &w->bind_ip, w->bind_port != CONF_UNSET ? (uint16_t)w->bind_port : 0, 0, &from);
	}
	err = health_check_add(h->engine, &o, p, &p->check);
	health_probe_free(o.probe); /* the check keeps it */
	if (err >= 0 && frozen != SIZE_MAX)
		shared_thaw_check(h->birth->shared, frozen, p->check);
	return err;
}
