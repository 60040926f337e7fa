/* SPDX-License-Identifier: MIT */
/* Sample fetches of the connection, and of proxies and servers. */
#include <string.h>

#include "rules/expr.h"

enum {
	ADDRESS_SOURCE,
	ADDRESS_DESTINATION,
	ADDRESS_SERVER,
};

static const struct run_end *end_of(const struct run *r, int which)
{
	return which == ADDRESS_SOURCE	 ? &r->source
	       : which == ADDRESS_SERVER ? &r->server_end
					 : &r->destination;
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

/* The proxy is named, or the one that is at work; a server is "backend/server", or in ours. */
static bool count(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r,
		  struct fetch_step *step, struct sample *ret)
{
	bool frontend = f->data == RUN_FE_CONN || f->data == RUN_FE_SESS_RATE;
	const char *name = frontend ? r->frontend.name : r->backend.name, *server = NULL;
	int64_t value;

	(void)step;
	if (f->data >= RUN_SRV_CONN)
		server = arg->text.at;
	else if (n_args)
		name = arg->text.at;
	if (n_args && arg->object) {
		name = arg->object;
		server = arg->text.at + strlen(name) + 1;
	}
	if (!r->count || !name || !r->count(r->userdata, f->data, name, server, &value))
		return false;
	*ret = f->out == SAMPLE_BOOL ? sample_bool(value) : sample_int(value);
	return true;
}

static bool check_server(struct expr_arg *arg, unsigned n, const struct rule_memory *m,
			 struct rule_error *e)
{
	size_t len = strcspn(arg->text.at, "/");
	char *copy;

	(void)n;
	if (!arg->text.at[len])
		return true;
	copy = m->alloc(m->owner, len + 1);
	if (!copy)
		return rule_fail(e, "%s", "");
	arg->object = memcpy(copy, arg->text.at, len);
	return true;
}

static bool is_tls(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		   struct run *r, struct fetch_step *step, struct sample *ret)
{
	(void)f;
	(void)arg;
	(void)n_args;
	(void)step;
	*ret = sample_bool(r->tls);
	return true;
}

static bool unique_id(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		      struct run *r, struct fetch_step *step, struct sample *ret)
{
	(void)f;
	(void)arg;
	(void)n_args;
	(void)step;
	if (!r->unique_id)
		return false;
	*ret = sample_text(SAMPLE_STR, r->unique_id, strlen(r->unique_id));
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

const struct fetch fetches_conn[] = {
    {"avg_queue", "S", SAMPLE_INT, 0, count, RUN_AVG_QUEUE, NULL},
    {"be_conn", "S", SAMPLE_INT, 0, count, RUN_BE_CONN, NULL},
    {"be_conn_free", "S", SAMPLE_INT, 0, count, RUN_BE_CONN_FREE, NULL},
    {"be_id", "", SAMPLE_INT, 0, proxy, PROXY_BACKEND, NULL},
    {"be_name", "", SAMPLE_STR, 0, proxy, PROXY_BACKEND, NULL},
    {"be_sess_rate", "S", SAMPLE_INT, 0, count, RUN_BE_SESS_RATE, NULL},
    {"bc_dst", "", SAMPLE_IPV4, 0, address, ADDRESS_SERVER, NULL},
    {"connslots", "S", SAMPLE_INT, 0, count, RUN_CONNSLOTS, NULL},
    {"dst", "", SAMPLE_IPV4, 0, address, ADDRESS_DESTINATION, NULL},
    {"dst_port", "", SAMPLE_INT, 0, port, ADDRESS_DESTINATION, NULL},
    {"fc_dst", "", SAMPLE_IPV4, 0, address, ADDRESS_DESTINATION, NULL},
    {"fc_http_major", "", SAMPLE_INT, 0, version, 0, NULL},
    {"fc_src", "", SAMPLE_IPV4, 0, address, ADDRESS_SOURCE, NULL},
    {"fe_conn", "S", SAMPLE_INT, 0, count, RUN_FE_CONN, NULL},
    {"fe_id", "", SAMPLE_INT, 0, proxy, PROXY_FRONTEND, NULL},
    {"fe_name", "", SAMPLE_STR, 0, proxy, PROXY_FRONTEND, NULL},
    {"fe_sess_rate", "S", SAMPLE_INT, 0, count, RUN_FE_SESS_RATE, NULL},
    {"nbsrv", "S", SAMPLE_INT, 0, count, RUN_NBSRV, NULL},
    {"queue", "S", SAMPLE_INT, 0, count, RUN_QUEUE, NULL},
    {"src", "", SAMPLE_IPV4, 0, address, ADDRESS_SOURCE, NULL},
    {"src_port", "", SAMPLE_INT, 0, port, ADDRESS_SOURCE, NULL},
    {"srv_conn", "s", SAMPLE_INT, 0, count, RUN_SRV_CONN, check_server},
    {"srv_id", "", SAMPLE_INT, 0, proxy, PROXY_SERVER, NULL},
    {"srv_is_up", "s", SAMPLE_BOOL, 0, count, RUN_SRV_IS_UP, check_server},
    {"srv_name", "", SAMPLE_STR, 0, proxy, PROXY_SERVER, NULL},
    {"srv_queue", "s", SAMPLE_INT, 0, count, RUN_SRV_QUEUE, check_server},
    {"srv_weight", "s", SAMPLE_INT, 0, count, RUN_SRV_WEIGHT, check_server},
    {"ssl_fc", "", SAMPLE_BOOL, 0, is_tls, 0, NULL},
    {"unique-id", "", SAMPLE_STR, 0, unique_id, 0, NULL},
    {NULL, NULL, 0, 0, NULL, 0, NULL},
};
