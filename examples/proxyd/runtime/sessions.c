/* SPDX-License-Identifier: MIT */
/*
 * Sessions belong to workers: each is asked by a command, writes its part where only it writes, and the last one
 * tells the control thread, which sends all parts together.
 */
#include "runtime.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/admin.h"
#include "engine/http/http.h"
#include "engine/rule_run.h"

#define SECOND_NS UINT64_C(1000000000)

enum question {
	LIST_ALL,
	LIST_ONE,
	END_ONE,
	END_OF_SERVER,
};

struct gather {
	struct runtime *r;
	struct engine *e;
	uint64_t conn;
	enum question what;
	uintptr_t id;	      /* of a session, by its address */
	bool details;
	struct server *server;
	_Atomic unsigned left; /* workers that have not answered */
	_Atomic unsigned hits;
	struct {
		struct out out;
		struct command question;
	} part[CFG_THREADS_MAX]; /* of each worker */
	struct message answer;
};

/* ---- In the worker ---- */

/* HAProxy's states of the server's end of a stream. */
enum end_state {
	END_INI = 0, /* rules wait for more */
	END_QUE = 2,
	END_TAR = 3, /* rests before the next try */
	END_CON = 5,
	END_EST = 8,
	END_CLO = 10,
};

static const char *const end_names[] = {
    [END_INI] = "INI", [END_QUE] = "QUE", [END_TAR] = "TAR", [END_CON] = "CON", [END_EST] = "EST", [END_CLO] = "CLO",
};

/* What both kinds of sessions show. */
struct seen {
	uintptr_t id;
	const struct endpoint *from;
	const struct frontend *frontend;
	const struct seeker *seeker;
	const struct exchange *request; /* NULL: mode tcp, or a tunnel */
	const struct tls *tls;
	uint64_t began_ns, deadline_ns;
	unsigned bind;
	enum end_state server;
	uint64_t in, out;  /* bytes so far */
	unsigned up, down; /* that wait for the server, for the client */
	int client_fd, server_fd;
};

/* The two largest units that are not 0, as HAProxy tells times. */
static const char *told_time(uint64_t ns, char *buf, size_t cap)
{
	static const struct {
		unsigned seconds;
		char letter;
	} unit[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	uint64_t left = ns / SECOND_NS;
	size_t len = 0;

	if (!left)
		return "0s";
	for (unsigned i = 0, n = 0; i < sizeof(unit) / sizeof(unit[0]) && n < 2; i++) {
		if (left < unit[i].seconds)
			continue;
		len += (size_t)snprintf(buf + len, cap - len, "%llu%c", (unsigned long long)(left / unit[i].seconds), unit[i].letter);
		left %= unit[i].seconds;
		n++;
	}
	return buf;
}

static const char *told_deadline(const struct worker *w, uint64_t deadline_ns, const char *never, char *buf, size_t cap)
{
	if (deadline_ns == TIMER_NEVER)
		return never;
	return told_time(deadline_ns > w->now_ns ? deadline_ns - w->now_ns : 0, buf, cap);
}

/* Before there is a connection to the server its time is that of the whole. */
static uint64_t connect_deadline(const struct seen *s)
{
	return s->server == END_QUE || s->server == END_TAR || s->server == END_CON ? s->deadline_ns : TIMER_NEVER;
}

static const struct cfg_proxy *backend_of(const struct seen *s)
{
	const struct cfg_proxy *p = s->frontend->proxy;

	if (s->seeker->backend)
		return s->seeker->backend->proxy;
	return p->kind & CFG_BACKEND ? p : NULL;
}

static const char *protocol_of(const struct seen *s)
{
	return s->from->family == AF_INET6 ? "tcpv6" : s->from->family == AF_INET ? "tcpv4" : "unix_stream";
}

/* As HAProxy has it, so that who reads that finds each field. What has no like here is 0 or empty. */
static void put_line(struct out *o, const struct worker *w, const struct seen *s)
{
	const struct cfg_proxy *back = backend_of(s);
	const struct server *server = s->seeker->server;
	char from[64], age[48], left[48], connect[48];

	log_client(s->from, from, sizeof(from));
	out_printf(o, "0x%lx: proto=%s src=%s fe=%s be=%s srv=%s ts=00 epoch=0 age=%s calls=0 rate=0 cpu=0 lat=0", s->id,
		   protocol_of(s), from, s->frontend->proxy->name, back ? back->name : "<NONE>", server ? server->name : "<none>",
		   told_time(w->now_ns - s->began_ns, age, sizeof(age)));
	out_printf(o, " rq[f=0h,i=%u,an=00h,rx=,wx=,ax=] rp[f=0h,i=%u,an=00h,rx=,wx=,ax=] scf=[8,0h,fd=%d] scb=[%u,0h,fd=%d]",
		   s->up, s->down, s->client_fd, s->server, s->server_fd);
	out_printf(o, " exp=%s rc=%u c_exp=%s\n", told_deadline(w, s->deadline_ns, "", left, sizeof(left)),
		   s->seeker->attempts.failures, told_deadline(w, connect_deadline(s), "", connect, sizeof(connect)));
}

static void put_addr(struct out *o, int fd, int (*ask_kernel)(int fd, struct sockaddr *ret, socklen_t *len))
{
	struct sockaddr_storage at = {0};
	socklen_t len = sizeof(at);
	struct endpoint e;
	char text[64];

	if (fd < 0 || ask_kernel(fd, (struct sockaddr *)&at, &len) < 0)
		return;
	e = endpoint_of(&at);
	log_client(&e, text, sizeof(text));
	out_printf(o, " addr=%s", text);
}

static void put_accepted(struct out *o, const struct worker *w, const struct seen *s)
{
	struct timespec now;
	uint64_t ns;
	char date[48];
	struct tm tm;
	time_t t;

	clock_gettime(CLOCK_REALTIME, &now);
	ns = (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec - (w->now_ns - s->began_ns);
	t = (time_t)(ns / SECOND_NS);
	localtime_r(&t, &tm);
	strftime(date, sizeof(date), "%d/%b/%Y:%H:%M:%S", &tm);
	out_printf(o, "[%s.%06u]", date, (unsigned)(ns % SECOND_NS / 1000));
}

static const char *mode_of(const struct cfg_proxy *p)
{
	return p->set.mode == CFG_MODE_HTTP && !p->set.became_http ? "http" : "tcp";
}

static void put_parties(struct out *o, const struct seen *s)
{
	const struct set_listener *l = frontend_listener(s->frontend, s->bind);
	const struct cfg_proxy *front = s->frontend->proxy, *back = backend_of(s);
	const struct server *server = s->seeker->server;

	out_printf(o, "  frontend=%s (id=%u mode=%s), listener=%s (id=%u)", front->name, front->id, mode_of(front),
		   l && l->name ? l->name : "?", s->bind);
	put_addr(o, s->client_fd, getsockname);
	if (back)
		out_printf(o, "\n  backend=%s (id=%u mode=%s)", back->name, back->id, mode_of(back));
	else
		out_text(o, "\n  backend=<NONE> (id=-1 mode=-)");
	put_addr(o, s->server_fd, getsockname);
	out_printf(o, "\n  server=%s (id=%u)", server ? server->name : "<none>", server && s->seeker->backend ? backend_server_id(s->seeker->backend, server) : 0);
	put_addr(o, s->server_fd, getpeername);
	out_text(o, "\n");
}

static void put_request(struct out *o, const struct exchange *x)
{
	static const unsigned char haproxys[] = {
	    [HTTP_METHOD_OPTIONS] = 0, [HTTP_METHOD_GET] = 1,    [HTTP_METHOD_HEAD] = 2,  [HTTP_METHOD_POST] = 3,  [HTTP_METHOD_PUT] = 4,
	    [HTTP_METHOD_DELETE] = 5,  [HTTP_METHOD_TRACE] = 6, [HTTP_METHOD_CONNECT] = 7, [HTTP_METHOD_PATCH] = 8, [HTTP_METHOD_OTHER] = 8,
	};

	out_printf(o, "  txn meth=%u status=%d req.st=%s rsp.st=%s\n", haproxys[x->method], x->status ? (int)x->status : -1,
		   x->up.done ? "MSG_DONE" : "MSG_DATA", !x->status ? "MSG_RPBEFORE" : x->down.done ? "MSG_DONE" : "MSG_DATA");
}

/* All of one: HAProxy's lines and names, of what there is here. */
static void put_all(struct out *o, const struct worker *w, const struct seen *s)
{
	char from[64], time[48];

	log_client(s->from, from, sizeof(from));
	out_printf(o, "0x%lx: ", s->id);
	put_accepted(o, w, s);
	out_printf(o, " proto=%s source=%s\n", protocol_of(s), from);
	out_printf(o, "  conn_retries=%u, conn_exp=%s waiting=%d\n", s->seeker->attempts.failures,
		   told_deadline(w, connect_deadline(s), "<NEVER>", time, sizeof(time)), s->server == END_QUE);
	put_parties(o, s);
	out_printf(o, "  task exp=%s", told_deadline(w, s->deadline_ns, "<NEVER>", time, sizeof(time)));
	out_printf(o, " tmask=0x%llx age=%s\n", 1ull << w->index, told_time(w->now_ns - s->began_ns, time, sizeof(time)));
	if (s->request)
		put_request(o, s->request);
	out_printf(o, "  scf state=EST xprt=%s fd=%d\n", s->tls ? "SSL" : "RAW", s->client_fd);
	out_printf(o, "  scb state=%s fd=%d\n", end_names[s->server], s->server_fd);
	out_printf(o, "  req total=%llu i=%u\n  res total=%llu i=%u\n", (unsigned long long)s->in, s->up,
		   (unsigned long long)s->out, s->down);
}

static void put(struct gather *g, const struct worker *w, const struct seen *s)
{
	(g->details ? put_all : put_line)(&g->part[w->index].out, w, s);
}

static enum end_state tcp_state(const struct session *s)
{
	switch (s->conn.state) {
	case CONN_QUEUED:
		return s->seeker.queued ? END_QUE : END_INI;
	case CONN_CONNECTING:
		return END_CON;
	case CONN_RETRY:
		return END_TAR;
	case CONN_OPEN:
		return END_EST;
	default:
		return END_CLO;
	}
}

static enum end_state http_state(const struct exchange *x)
{
	switch (x->state) {
	case EXCHANGE_TARPIT:
	case EXCHANGE_BODY:
	case EXCHANGE_PAUSED:
		return END_INI;
	case EXCHANGE_QUEUED:
		return END_QUE;
	case EXCHANGE_CONNECTING:
		return END_CON;
	case EXCHANGE_RETRY:
		return END_TAR;
	default:
		return END_EST;
	}
}

static unsigned length_of(const struct chunk *c)
{
	return c ? c->len : 0;
}

static struct seen see_session(const struct session *s)
{
	return (struct seen){
	    .id = (uintptr_t)s,
	    .from = &s->client,
	    .frontend = s->frontend,
	    .seeker = &s->seeker,
	    .tls = s->handle[CONN_CLIENT].tls,
	    .began_ns = s->accepted_ns,
	    .deadline_ns = session_deadline(s),
	    .bind = s->bind,
	    .server = tcp_state(s),
	    .in = s->conn.side[CONN_CLIENT].bytes,
	    .out = s->conn.side[CONN_SERVER].bytes,
	    .up = length_of(s->chunk[CONN_SERVER]),
	    .down = length_of(s->chunk[CONN_CLIENT]),
	    .client_fd = s->handle[CONN_CLIENT].fd,
	    .server_fd = s->handle[CONN_SERVER].fd,
	};
}

/* Of one that has a request. */
static struct seen see_client(const struct worker *w, const struct client *c)
{
	const struct exchange *x = c->exchange;

	return (struct seen){
	    .id = (uintptr_t)c,
	    .from = &c->from,
	    .frontend = c->frontend,
	    .seeker = &x->seeker,
	    .request = x,
	    .tls = c->h.tls,
	    .began_ns = c->accepted_ns,
	    .deadline_ns = client_deadline(w, c),
	    .bind = c->bind,
	    .server = http_state(x),
	    .in = x->bytes_in,
	    .out = x->bytes,
	    .up = length_of(x->request),
	    .down = length_of(c->out),
	    .client_fd = c->h.fd,
	    .server_fd = x->link ? x->link->h.fd : -1,
	};
}

/* True: it is one of those that are asked for. */
static bool is_meant(const struct gather *g, const struct seen *s)
{
	switch (g->what) {
	case LIST_ALL:
		return true;
	case LIST_ONE:
	case END_ONE:
		return s->id == g->id;
	case END_OF_SERVER: /* sessions_kill() finds them */
		break;
	}
	return false;
}

static void look_at_sessions(struct worker *w, struct gather *g)
{
	struct session *s, *next;

	for (s = LIST_FIRST(&w->sessions); s; s = next) {
		struct seen seen = see_session(s);

		next = LIST_NEXT(s, entry);
		if (!is_meant(g, &seen))
			continue;
		atomic_fetch_add(&g->hits, 1);
		if (g->what == LIST_ALL || g->what == LIST_ONE) {
			put(g, w, &seen);
		} else {
			session_kill(w, s);
		}
	}
}

static void look_at_clients(struct worker *w, struct gather *g)
{
	struct client *c, *next;

	for (c = w->http ? LIST_FIRST(&w->http->clients) : NULL; c; c = next) {
		struct seen seen;

		next = LIST_NEXT(c, entry);
		if (!c->exchange) /* HAProxy lists none that waits for a request either */
			continue;
		seen = see_client(w, c);
		if (!is_meant(g, &seen))
			continue;
		atomic_fetch_add(&g->hits, 1);
		if (g->what == LIST_ALL || g->what == LIST_ONE) {
			put(g, w, &seen);
			continue;
		}
		client_kill(w, c);
	}
}

static void gathered(void *arg);

static void ask(struct worker *w, void *arg)
{
	struct gather *g = arg;

	if (g->what == END_OF_SERVER) {
		sessions_kill(w, g->server);
	} else {
		look_at_sessions(w, g);
		look_at_clients(w, g);
	}
	if (atomic_fetch_sub(&g->left, 1) == 1)
		engine_post_own(g->e, &g->answer, gathered, g);
}

/* ---- In the control thread ---- */

static void gathered(void *arg)
{
	const char *not_found = ((struct gather *)arg)->what == LIST_ONE ? "Session not found.\n" : "No such session (use 'show sess').\n";
	struct gather *g = arg;
	struct out all = {0};

	for (unsigned i = 0; i < g->e->n_workers; i++) {
		struct out *part = &g->part[i].out;

		out_put(&all, part->at, part->len);
		all.failed |= part->failed;
		out_free(part);
	}
	if ((g->what == LIST_ONE || g->what == END_ONE) && !atomic_load(&g->hits))
		out_text(&all, not_found);
	if (all.failed)
		runtime_resume(g->r, g->conn, "Too many for the memory.\n", 25);
	else
		runtime_resume(g->r, g->conn, all.at, all.len);
	out_free(&all);
	free(g);
}

static void begin(struct call *c, struct gather question)
{
	struct gather *g = malloc(sizeof(*g));

	if (!g) {
		call_say(c, "Out of memory.\n");
		return;
	}
	*g = question;
	g->r = c->r;
	g->e = c->e;
	g->conn = call_id(c);
	atomic_store(&g->left, c->e->n_workers);
	call_wait(c);
	for (unsigned i = 0; i < c->e->n_workers; i++)
		worker_post_own(c->e->worker[i], &g->part[i].question, ask, g);
}

/* Of a session, as "show sess" prints it. False: told. */
static bool read_id(struct call *c, uintptr_t *ret)
{
	const char *word = call_word(c, 0);
	char *end;

	*ret = (uintptr_t)strtoull(word, &end, 16);
	if (end != word && !*end)
		return true;
	call_say(c, "Session pointer expected (use 'show sess').\n");
	return false;
}

void run_show_sess(struct call *c)
{
	struct gather g = {.what = LIST_ALL, .details = !strcmp(call_word(c, 0), "all")};

	if (c->n && !g.details) {
		g.what = LIST_ONE;
		g.details = true;
		if (!read_id(c, &g.id))
			return;
	}
	begin(c, g);
}

void run_shutdown_session(struct call *c)
{
	struct gather g = {.what = END_ONE};

	if (read_id(c, &g.id))
		begin(c, g);
}

void run_shutdown_sessions(struct call *c)
{
	struct gather g = {.what = END_OF_SERVER, .server = runtime_find_server(c, 0)};

	if (g.server)
		begin(c, g);
}
