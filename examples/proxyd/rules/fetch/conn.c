/* SPDX-License-Identifier: MIT */
/* Sample fetches of the connection, and of proxies and servers. */
#include <string.h>

#include "rules/expr.h"

enum {
	ADDRESS_SOURCE,
	ADDRESS_DESTINATION,
	ADDRESS_MET, /* a bit */
	ADDRESS_MET_SOURCE = ADDRESS_MET | ADDRESS_SOURCE,
	ADDRESS_MET_DESTINATION = ADDRESS_MET | ADDRESS_DESTINATION,
};

/* fc_src and its like: of the connection itself, whoever a PROXY header says is behind it. */
static bool met(const struct run *r, bool source, struct run_end *ret)
{
	int64_t unused;

	if (r->met)
		*ret = r->met[source ? 0 : 1];
	return r->met || (r->ask_socket && r->client_fd >= 0 &&
			  r->ask_socket(r->client_fd, source ? RUN_PEER_ADDRESS : RUN_OWN_ADDRESS, ret, &unused));
}

static struct run_end end_of(const struct run *r, int which)
{
	struct run_end end = {.address = sample_bool(false)};

	if (which & ADDRESS_MET)
		met(r, which == ADDRESS_MET_SOURCE, &end);
	else
		end = which == ADDRESS_SOURCE ? r->source : r->destination;
	return end;
}

static bool address(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		    struct run *r, struct fetch_step *step, struct sample *ret)
{
	const struct run_end end = end_of(r, f->data);

	if (end.address.type != SAMPLE_IPV4 && end.address.type != SAMPLE_IPV6)
		return false;
	*ret = end.address;
	return true;
}

static bool is_local(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r, struct fetch_step *step,
		     struct sample *ret)
{
	const struct run_end end = end_of(r, f->data);

	if (!r->is_own || (end.address.type != SAMPLE_IPV4 && end.address.type != SAMPLE_IPV6))
		return false;
	*ret = sample_bool(r->is_own(&end));
	return true;
}

static bool port(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r,
		 struct fetch_step *step, struct sample *ret)
{
	*ret = sample_int(end_of(r, f->data).port);
	return ret->number; /* a unix socket has none */
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

	if (f->data == PROXY_BACKEND && !p->name) /* until one is chosen, as in HAProxy */
		p = &r->frontend;
	if (!p->name)
		return false;
	*ret = f->out == SAMPLE_INT ? sample_int(p->id)
				    : sample_text(SAMPLE_STR, p->name, strlen(p->name));
	return true;
}

static bool default_backend(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r,
			    struct fetch_step *step, struct sample *ret)
{
	if (!r->default_backend)
		return false;
	*ret = sample_text(SAMPLE_STR, r->default_backend, strlen(r->default_backend));
	return true;
}

/* "[backend/]server" */
static void split(struct text name, struct text *backend, struct text *server)
{
	const char *slash = memchr(name.at, '/', name.len);

	*server = name;
	if (!slash)
		return;
	*backend = text_of(name.at, (size_t)(slash - name.at));
	*server = text_of(slash + 1, name.len - backend->len - 1);
}

/* The proxy is named, or the one that is at work. */
static bool count(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r,
		  struct fetch_step *step, struct sample *ret)
{
	const char *own = r->backend.name;
	struct text proxy, server = {NULL, 0};
	int64_t value;

	if (run_asks_frontend((enum run_count)f->data))
		own = r->frontend.name;
	proxy = text_of(own, own ? strlen(own) : 0);
	if (f->data == RUN_SRV_ID)
		server = text_of(r->server.name, r->server.name ? strlen(r->server.name) : 0);
	else if (f->data >= RUN_SRV_CONN)
		split(arg->text, &proxy, &server);
	else if (n_args)
		proxy = arg->text;
	if (!r->count || !proxy.len || !r->count(r, f->data, proxy, server, &value))
		return false;
	*ret = f->out == SAMPLE_BOOL ? sample_bool(value) : sample_int(value);
	return true;
}

/* ---- Sockets ---- */

#define OF_SERVER 0x100 /* else the client's */
#define PORT 0x200	/* else the address */

static bool ask(const struct fetch *f, struct run *r, struct run_end *end, int64_t *us)
{
	int fd = f->data & OF_SERVER ? r->server_fd : r->client_fd;

	return r->ask_socket && fd >= 0 &&
	       r->ask_socket(fd, (enum run_socket)(f->data & 0xff), end, us);
}

/* fc_rtt, fc_rttvar: in ms, or "us" */
static bool round_trip(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		       struct run *r, struct fetch_step *step, struct sample *ret)
{
	struct run_end unused;
	int64_t us;

	if (!ask(f, r, &unused, &us))
		return false;
	*ret = sample_int(n_args && arg->text.len == 2 && *arg->text.at == 'u' ? us : us / 1000);
	return true;
}

/* fc_lost and its like */
static bool segments(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r,
		     struct fetch_step *step, struct sample *ret)
{
	struct run_end unused;
	int64_t n;

	if (!ask(f, r, &unused, &n))
		return false;
	*ret = sample_int(n);
	return true;
}

static bool check_unit(struct expr_arg *arg, unsigned n_args, const struct rule_memory *m,
		       struct rule_error *e)
{
	return !n_args || !arg->text.len || !strcmp(arg->text.at, "ms") || !strcmp(arg->text.at, "us") ||
	       rule_fail(e, "\"%s\" is no unit: write ms or us", arg->text.at);
}

static bool socket_end(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		       struct run *r, struct fetch_step *step, struct sample *ret)
{
	struct run_end end;
	int64_t unused;

	if (!ask(f, r, &end, &unused))
		return false;
	*ret = f->data & PORT ? sample_int(end.port) : end.address;
	return true;
}

/* ---- The PROXY header ---- */

enum {
	GREETING_CAME,
	GREETING_AUTHORITY,
	GREETING_UNIQUE_ID,
};

static bool greeting(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		     struct run *r, struct fetch_step *step, struct sample *ret)
{
	struct text t = f->data == GREETING_AUTHORITY ? r->pp_authority : r->pp_unique_id;

	if (f->data == GREETING_CAME)
		*ret = sample_bool(r->greeted);
	else if (t.at)
		*ret = sample_text(f->out, t.at, t.len);
	return f->data == GREETING_CAME || t.at;
}

/* To servers it is HTTP/1. */
static bool version(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		    struct run *r, struct fetch_step *step, struct sample *ret)
{
	*ret = sample_int(f->data && r->is_h2 ? 2 : 1);
	return true;
}

/* Rules see connections that did not fail; error-log-format others, too. */
static bool error(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		  struct run *r, struct fetch_step *step, struct sample *ret)
{
	const char *words = r->client_error ? r->client_error_text : "Success";

	*ret = f->out == SAMPLE_INT ? sample_int(r->client_error) : sample_text(SAMPLE_STR, words, strlen(words));
	return true;
}

/* A connection to a server that failed is asked nothing. */
static bool no_error(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		     struct run *r, struct fetch_step *step, struct sample *ret)
{
	*ret = f->out == SAMPLE_INT ? sample_int(0) : sample_text(SAMPLE_STR, "Success", 7);
	return true;
}

/* ---- What this program does not measure ---- */

static bool thread(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		   struct run *r, struct fetch_step *step, struct sample *ret)
{
	*ret = sample_int(f->data ? f->data : (int64_t)r->thread);
	return true;
}

static bool zero(const struct fetch *f, const struct expr_arg *arg, unsigned n_args, struct run *r,
		 struct fetch_step *step, struct sample *ret)
{
	*ret = sample_int(0);
	return true;
}

/* Not wrong: the words of `e` are a warning. */
static bool check_unmeasured(struct expr_arg *arg, unsigned n_args, const struct rule_memory *m,
			     struct rule_error *e)
{
	rule_fail(e, "cpu_… and lat_… are always 0: this version does not measure single requests; "
		     "option httplog and its times tell where a request waits");
	return true;
}

/* clang-format off */
const struct fetch fetches_conn[] = {
    {"avg_queue", "S", SAMPLE_INT, 0, count, RUN_AVG_QUEUE, NULL},
    {"bc_dst", "", SAMPLE_IPV4, EXPR_SERVER, socket_end, RUN_PEER_ADDRESS | OF_SERVER, NULL},
    {"bc_dst_port", "", SAMPLE_INT, EXPR_SERVER, socket_end, RUN_PEER_ADDRESS | OF_SERVER | PORT, NULL},
    {"bc_err", "", SAMPLE_INT, EXPR_SERVER, no_error, 0, NULL},
    {"bc_err_str", "", SAMPLE_STR, EXPR_SERVER, no_error, 0, NULL},
    {"bc_http_major", "", SAMPLE_INT, EXPR_SERVER, version, 0, NULL},
    {"bc_rtt", "S", SAMPLE_INT, EXPR_SERVER, round_trip, RUN_RTT | OF_SERVER, check_unit},
    {"bc_rttvar", "S", SAMPLE_INT, EXPR_SERVER, round_trip, RUN_RTT_VARIANCE | OF_SERVER, check_unit},
    {"bc_src", "", SAMPLE_IPV4, EXPR_SERVER, socket_end, RUN_OWN_ADDRESS | OF_SERVER, NULL},
    {"bc_src_port", "", SAMPLE_INT, EXPR_SERVER, socket_end, RUN_OWN_ADDRESS | OF_SERVER | PORT, NULL},
    {"be_conn", "S", SAMPLE_INT, 0, count, RUN_BE_CONN, NULL},
    {"be_conn_free", "S", SAMPLE_INT, 0, count, RUN_BE_CONN_FREE, NULL},
    {"be_id", "", SAMPLE_INT, EXPR_BACKEND, proxy, PROXY_BACKEND, NULL},
    {"be_name", "", SAMPLE_STR, EXPR_BACKEND, proxy, PROXY_BACKEND, NULL},
    {"be_server_timeout", "", SAMPLE_INT, EXPR_BACKEND, count, RUN_BE_SERVER_TIMEOUT, NULL},
    {"be_sess_rate", "S", SAMPLE_INT, 0, count, RUN_BE_SESS_RATE, NULL},
    {"be_tunnel_timeout", "", SAMPLE_INT, EXPR_BACKEND, count, RUN_BE_TUNNEL_TIMEOUT, NULL},
    {"connslots", "S", SAMPLE_INT, 0, count, RUN_CONNSLOTS, NULL},
    {"cpu_calls", "", SAMPLE_INT, 0, zero, 0, check_unmeasured},
    {"cpu_ns_avg", "", SAMPLE_INT, 0, zero, 0, check_unmeasured},
    {"cpu_ns_tot", "", SAMPLE_INT, 0, zero, 0, check_unmeasured},
    {"dst", "", SAMPLE_IPV4, 0, address, ADDRESS_DESTINATION, NULL},
    {"dst_is_local", "", SAMPLE_BOOL, 0, is_local, ADDRESS_DESTINATION, NULL},
    {"dst_port", "", SAMPLE_INT, 0, port, ADDRESS_DESTINATION, NULL},
    {"fc_conn_err", "", SAMPLE_INT, 0, error, 0, NULL},
    {"fc_conn_err_str", "", SAMPLE_STR, 0, error, 0, NULL},
    {"fc_dst", "", SAMPLE_IPV4, 0, address, ADDRESS_MET_DESTINATION, NULL},
    {"fc_dst_is_local", "", SAMPLE_BOOL, 0, is_local, ADDRESS_MET_DESTINATION, NULL},
    {"fc_dst_port", "", SAMPLE_INT, 0, port, ADDRESS_MET_DESTINATION, NULL},
    {"fc_err", "", SAMPLE_INT, 0, error, 0, NULL},
    {"fc_err_str", "", SAMPLE_STR, 0, error, 0, NULL},
    {"fc_http_major", "", SAMPLE_INT, 0, version, 1, NULL},
    {"fc_pp_authority", "", SAMPLE_STR, 0, greeting, GREETING_AUTHORITY, NULL},
    {"fc_pp_unique_id", "", SAMPLE_STR, 0, greeting, GREETING_UNIQUE_ID, NULL},
    {"fc_rcvd_proxy", "", SAMPLE_BOOL, 0, greeting, GREETING_CAME, NULL},
    {"fc_rtt", "S", SAMPLE_INT, 0, round_trip, RUN_RTT, check_unit},
    {"fc_rttvar", "S", SAMPLE_INT, 0, round_trip, RUN_RTT_VARIANCE, check_unit},
    {"fc_src", "", SAMPLE_IPV4, 0, address, ADDRESS_MET_SOURCE, NULL},
    {"fc_fackets", "S", SAMPLE_INT, 0, segments, RUN_TCP_FACKETS, check_unit},
    {"fc_lost", "S", SAMPLE_INT, 0, segments, RUN_TCP_LOST, check_unit},
    {"fc_reordering", "S", SAMPLE_INT, 0, segments, RUN_TCP_REORDERING, check_unit},
    {"fc_retrans", "S", SAMPLE_INT, 0, segments, RUN_TCP_RETRANS, check_unit},
    {"fc_sacked", "S", SAMPLE_INT, 0, segments, RUN_TCP_SACKED, check_unit},
    {"fc_unacked", "S", SAMPLE_INT, 0, segments, RUN_TCP_UNACKED, check_unit},
    {"fc_src_is_local", "", SAMPLE_BOOL, 0, is_local, ADDRESS_MET_SOURCE, NULL},
    {"fc_src_port", "", SAMPLE_INT, 0, port, ADDRESS_MET_SOURCE, NULL},
    {"fe_client_timeout", "", SAMPLE_INT, 0, count, RUN_FE_CLIENT_TIMEOUT, NULL},
    {"fe_conn", "S", SAMPLE_INT, 0, count, RUN_FE_CONN, NULL},
    {"fe_defbe", "", SAMPLE_STR, 0, default_backend, 0, NULL},
    {"fe_id", "", SAMPLE_INT, EXPR_CLIENT, proxy, PROXY_FRONTEND, NULL},
    {"fe_name", "", SAMPLE_STR, EXPR_CLIENT, proxy, PROXY_FRONTEND, NULL},
    {"fe_req_rate", "S", SAMPLE_INT, 0, count, RUN_FE_REQ_RATE, NULL},
    {"fe_sess_rate", "S", SAMPLE_INT, 0, count, RUN_FE_SESS_RATE, NULL},
    {"lat_ns_avg", "", SAMPLE_INT, 0, zero, 0, check_unmeasured},
    {"lat_ns_tot", "", SAMPLE_INT, 0, zero, 0, check_unmeasured},
    {"nbproc", "", SAMPLE_INT, 0, thread, 1, NULL},
    {"nbsrv", "S", SAMPLE_INT, 0, count, RUN_NBSRV, NULL},
    {"proc", "", SAMPLE_INT, 0, thread, 1, NULL},
    {"queue", "S", SAMPLE_INT, 0, count, RUN_QUEUE, NULL},
    {"src", "", SAMPLE_IPV4, 0, address, ADDRESS_SOURCE, NULL},
    {"src_is_local", "", SAMPLE_BOOL, 0, is_local, ADDRESS_SOURCE, NULL},
    {"src_port", "", SAMPLE_INT, 0, port, ADDRESS_SOURCE, NULL},
    {"srv_conn", "s", SAMPLE_INT, 0, count, RUN_SRV_CONN, NULL},
    {"srv_conn_free", "s", SAMPLE_INT, 0, count, RUN_SRV_CONN_FREE, NULL},
    {"srv_id", "", SAMPLE_INT, EXPR_CHOSEN, count, RUN_SRV_ID, NULL},
    {"srv_is_up", "s", SAMPLE_BOOL, 0, count, RUN_SRV_IS_UP, NULL},
    {"srv_iweight", "s", SAMPLE_INT, 0, count, RUN_SRV_IWEIGHT, NULL},
    {"srv_name", "", SAMPLE_STR, EXPR_CHOSEN, proxy, PROXY_SERVER, NULL},
    {"srv_queue", "s", SAMPLE_INT, 0, count, RUN_SRV_QUEUE, NULL},
    {"srv_sess_rate", "s", SAMPLE_INT, 0, count, RUN_SRV_SESS_RATE, NULL},
    {"srv_uweight", "s", SAMPLE_INT, 0, count, RUN_SRV_UWEIGHT, NULL},
    {"srv_weight", "s", SAMPLE_INT, 0, count, RUN_SRV_UWEIGHT, NULL},
    {"thread", "", SAMPLE_INT, 0, thread, 0, NULL},
    {NULL, NULL, 0, 0, NULL, 0, NULL},
};

/* nbsrv, of a backend's name; srv_queue, of "[backend/]server" */
static bool count_named(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r,
			struct sample *s)
{
	struct text proxy = s->text, server = {NULL, 0};
	const char *own = r->backend.name;
	int64_t value;

	if (c->data == RUN_SRV_QUEUE) {
		proxy = text_of(own, own ? strlen(own) : 0);
		split(s->text, &proxy, &server);
	}
	if (!r->count || !proxy.len || !r->count(r, (enum run_count)c->data, proxy, server, &value))
		return false;
	*s = sample_int(value);
	return true;
}

const struct conv convs_conn[] = {
    {"nbsrv", "", SAMPLE_STR, SAMPLE_INT, count_named, RUN_NBSRV, NULL, false},
    {"srv_queue", "", SAMPLE_STR, SAMPLE_INT, count_named, RUN_SRV_QUEUE, NULL, false},
    {NULL, NULL, 0, 0, NULL, 0, NULL, false},
};
