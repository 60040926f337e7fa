/* SPDX-License-Identifier: MIT */
/* A real server when its virtual server is read: what it inherits, and what it shares with those that are equal. */
#include <string.h>

#include <libha/service.h>

#include "conf/checker.h"

static void inherit(struct conf_check_common *own, const struct conf_check_common *from)
{
	conf_default_int(&own->delay_loop_ms, from->delay_loop_ms, CONF_UNSET);
	conf_default_int(&own->connect_timeout_ms, from->connect_timeout_ms, CONF_UNSET);
	conf_default_int(&own->delay_before_retry_ms, from->delay_before_retry_ms, CONF_UNSET);
	conf_default_int(&own->warmup_ms, from->warmup_ms, CONF_UNSET);
	conf_default_int(&own->retry, from->retry, CONF_UNSET);
	conf_default_int(&own->alpha, from->alpha, CONF_UNSET);
}

static void complete_common(struct conf_check_common *c)
{
	conf_default_int(&c->delay_loop_ms, CONF_UNSET, 60000);
	conf_default_int(&c->connect_timeout_ms, CONF_UNSET, 5000);
	conf_default_int(&c->delay_before_retry_ms, CONF_UNSET, 1000);
	conf_default_int(&c->warmup_ms, CONF_UNSET, c->delay_loop_ms);
	conf_default_int(&c->retry, CONF_UNSET, 1);
	conf_default_int(&c->alpha, CONF_UNSET, 0);
}

/* keepalived's defaults of one kind of check. */
static void complete_kind(struct conf_check *c)
{
	if (c->kind == CONF_CHECK_HTTP)
		conf_default_int(&c->common.delay_before_retry_ms, CONF_UNSET, 3000);
	if (c->kind == CONF_CHECK_MISC)
		conf_default_int(&c->common.retry, CONF_UNSET, 0);
	if (c->kind != CONF_CHECK_DNS)
		return;
	conf_default_int(&c->common.retry, CONF_UNSET, 3);
	conf_default_int(&c->common.delay_loop_ms, CONF_UNSET, 60000);
	conf_default_int(&c->common.delay_before_retry_ms, CONF_UNSET, c->common.delay_loop_ms);
}

static void complete_opts(const struct conf_virtual *v, struct conf_real_opts *o)
{
	conf_default_int(&o->inhibit, v->inhibit, 0);
	if (o->forward.method == CONF_UNSET)
		o->forward = v->forward;
	conf_default_int(&o->forward.method, CONF_UNSET, HA_FORWARD_NAT);
	inherit(&o->common, &v->common);
	if (!o->host)
		o->host = v->host;
}

/* From the last one on, since each is equal to another one only if what follows them is. */
static struct conf_check *keep_checks(struct conf_parse *p, struct conf_check *first,
				      const struct conf_check_common *common)
{
	struct conf_check *last = NULL, *kept = NULL;

	for (struct conf_check *c = first, *next; c; c = next) {
		next = c->next;
		c->next = last;
		last = c;
	}
	for (struct conf_check *c = last, *before; c; c = before) {
		before = c->next;
		c->next = kept;
		inherit(&c->common, common);
		complete_kind(c);
		complete_common(&c->common);
		/* Where it was written makes no difference. */
		kept = conf_keep_once(p->memory, p->scratch, &p->checks, c, sizeof(*c),
				      offsetof(struct conf_check, at));
	}
	return kept;
}

static struct conf_real *keep_real(struct conf_parse *p, const struct conf_virtual *v,
				   const struct conf_real *r)
{
	struct conf_real *kept = conf_alloc(p->memory, sizeof(*kept));

	*kept = *r;
	conf_default_int(&kept->weight, CONF_UNSET, v->weight);
	complete_opts(v, r->opts);
	kept->checks = keep_checks(p, r->checks, &r->opts->common);
	complete_common(&r->opts->common);
	kept->opts = conf_keep_once(p->memory, p->scratch, &p->reals_opts, r->opts,
				    sizeof(*r->opts), sizeof(*r->opts));
	return kept;
}

void conf_keep_reals(struct conf_parse *p, struct conf_virtual *v)
{
	for (struct conf_real **at = &v->reals; *at; at = &(*at)->next) {
		v->nat_is_taken |=
		    v->forward.method == CONF_UNSET && (*at)->opts->forward.method == CONF_UNSET;
		*at = keep_real(p, v, *at);
	}
	if (!v->sorry)
		return;
	v->sorry->opts->forward = v->sorry_forward;
	v->sorry = keep_real(p, v, v->sorry);
}
