/* SPDX-License-Identifier: MIT */
/* Sample fetches of the connection, and of proxies and servers. */
#include <string.h>

#include "rules/expr.h"

enum {
	ADDRESS_SOURCE,
	ADDRESS_DESTINATION,
};

static const struct run_end *end_of(const struct run *r, int which)
{
	return which == ADDRESS_SOURCE ? &r->source : &r->destination;
}

static bool address(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		    struct run *r, struct fetch_step *step, struct sample *ret)
{
	const struct run_end *end = end_of(r, f->data);

	(void)arg;
	(void)n_args;
	(void)step;
	if (end->address.type != SAMPLE_IPV4 && end->address.type != SAMPLE_IPV6)
		return false;
	*ret = end->address;
	return true;
}

static bool port(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r,
		 struct fetch_step *step, struct sample *ret)
{
	(void)arg;
	(void)n_args;
	(void)step;
	*ret = sample_int(end_of(r, f->data)->port);
	return true;
}

enum {
	PROXY_FRONTEND,
	PROXY_BACKEND,
	PROXY_SERVER,
};

static bool proxy(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r,
		  struct fetch_step *step, struct sample *ret)
{
	const struct run_proxy *p = f->data == PROXY_FRONTEND ? &r->frontend
				    : f->data == PROXY_SERVER ? &r->server
							      : &r->backend;

	(void)arg;
	(void)n_args;
	(void)step;
	if (!p->name)
		return false;
	*ret = f->out == SAMPLE_INT ? sample_int(p->id)
				    : sample_text(SAMPLE_STR, p->name, strlen(p->name));
	return true;
}

/* The proxy is named, or the one that is at work. */
static bool count(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r,
		  struct fetch_step *step, struct sample *ret)
{
	const char *name = f->data == RUN_FE_CONN ? r->frontend.name : r->backend.name;
	int64_t value;

	(void)step;
	if (n_args)
		name = arg->text.at;
	if (!r->count || !name || !r->count(r->userdata, f->data, name, &value))
		return false;
	*ret = sample_int(value);
	return true;
}

/* HTTP/1 only, so far. */
static bool version(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		    struct run *r, struct fetch_step *step, struct sample *ret)
{
	(void)f;
	(void)arg;
	(void)n_args;
	(void)r;
	(void)step;
	*ret = sample_int(1);
	return true;
}

/* A connection that failed has no rules and no line of its own. */
static bool no_error(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		     struct run *r, struct fetch_step *step, struct sample *ret)
{
	(void)arg;
	(void)n_args;
	(void)r;
	(void)step;
	*ret = f->out == SAMPLE_INT ? sample_int(0) : sample_text(SAMPLE_STR, "Success", 7);
	return true;
}

const struct fetch fetches_conn[] = {
    {"be_conn", "S", SAMPLE_INT, 0, count, RUN_BE_CONN, NULL},
    {"be_id", "", SAMPLE_INT, 0, proxy, PROXY_BACKEND, NULL},
    {"be_name", "", SAMPLE_STR, 0, proxy, PROXY_BACKEND, NULL},
    {"dst", "", SAMPLE_IPV4, 0, address, ADDRESS_DESTINATION, NULL},
    {"dst_port", "", SAMPLE_INT, 0, port, ADDRESS_DESTINATION, NULL},
    {"fc_dst", "", SAMPLE_IPV4, 0, address, ADDRESS_DESTINATION, NULL},
    {"fc_err", "", SAMPLE_INT, 0, no_error, 0, NULL},
    {"fc_err_str", "", SAMPLE_STR, 0, no_error, 0, NULL},
    {"fc_http_major", "", SAMPLE_INT, 0, version, 0, NULL},
    {"fc_src", "", SAMPLE_IPV4, 0, address, ADDRESS_SOURCE, NULL},
    {"fe_conn", "S", SAMPLE_INT, 0, count, RUN_FE_CONN, NULL},
    {"fe_id", "", SAMPLE_INT, 0, proxy, PROXY_FRONTEND, NULL},
    {"fe_name", "", SAMPLE_STR, 0, proxy, PROXY_FRONTEND, NULL},
    {"nbsrv", "S", SAMPLE_INT, 0, count, RUN_NBSRV, NULL},
    {"queue", "S", SAMPLE_INT, 0, count, RUN_QUEUE, NULL},
    {"src", "", SAMPLE_IPV4, 0, address, ADDRESS_SOURCE, NULL},
    {"src_port", "", SAMPLE_INT, 0, port, ADDRESS_SOURCE, NULL},
    {"srv_name", "", SAMPLE_STR, 0, proxy, PROXY_SERVER, NULL},
    {NULL, NULL, 0, 0, NULL, 0, NULL},
};
