/* SPDX-License-Identifier: MIT */
#include "dns.h"

#include <ares.h>
#include <ares_nameser.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "container_of.h"
#include "log.h"
#include "loop.h"

#define SECOND_NS UINT64_C(1000000000)
#define EVENTS_MAX 64
#define DUE_MAX 1024 /* questions looked at in a turn */

const char *const dns_counter_names[DNS_COUNTERS] = {
    "sent",    "snd_error", "valid", "update",	"cname",   "cname_error", "any_err",  "nx",
    "timeout", "refused",   "other", "invalid", "too_big", "truncated",	  "outdated",
};

struct nameserver {
	struct dns_section *section;
	char *name;
	struct cfg_addr addr;
	bool tcp;
	/*
	 * What comes truncated is asked for by a stream, over a channel of its own: where the port is closed, c-ares gives
	 * up all questions of the channel.
	 */
	ares_channel channel, stream;
	uint64_t counter[DNS_COUNTERS];
};

struct dns_section {
	TAILQ_ENTRY(dns_section) entry;
	struct dns *dns;
	char *name;
	bool wanted;
	uint64_t hold_ns[CFG_HOLDS], resolve_ns, retry_ns;
	unsigned retries, payload_bytes;
	struct nameserver nameserver[NAMESERVERS_MAX];
	unsigned n_nameservers;
	LIST_HEAD(, dns_question) questions;
};

/* A question on its way to one nameserver. */
struct dns_attempt {
	LIST_ENTRY(dns_attempt) entry;
	struct dns_question *question; /* NULL: nobody wants to know any more */
	struct nameserver *to;
	uint64_t turn;
	int type;
	bool by_stream;
};

struct dns {
	struct dns_opts opts;
	int epoll_fd;
	uint64_t now_ns;
	struct timers timers; /* of questions */
	size_t n_questions;
	TAILQ_HEAD(, dns_section) sections;
};

static void set_due(struct dns_question *q, uint64_t due_ns)
{
	struct timers *t = &q->section->dns->timers;

	if (due_ns == TIMER_NEVER)
		timer_disarm(t, &q->timer);
	else
		timer_arm(t, &q->timer, due_ns);
}

/* ---- Answers ---- */

static bool same_answer(const struct dns_answer *a, const struct dns_answer *b)
{
	if (a->family != b->family)
		return false;
	if (a->family)
		return !memcmp(a->addr, b->addr, a->family == AF_INET ? 4 : 16);
	return a->port == b->port && !strcasecmp(a->target, b->target);
}

/* Takes it, or says that it was there before. False: no memory, or there are too many. */
static bool take_answer(struct dns_question *q, const struct dns_answer *a, bool *changed)
{
	struct dns_answer *more;

	for (unsigned i = 0; i < q->n_answers; i++)
		if (same_answer(&q->answer[i], a)) {
			*changed |= q->answer[i].weight != a->weight;
			q->answer[i].weight = a->weight;
			q->answer[i].seen_ns = a->seen_ns;
			return true;
		}
	if (q->n_answers == DNS_ANSWERS_MAX)
		return false;
	more = realloc(q->answer, (q->n_answers + 1) * sizeof(*more));
	if (!more)
		return false;
	q->answer = more;
	more[q->n_answers] = *a;
	if (a->target && !(more[q->n_answers].target = strdup(a->target)))
		return false;
	q->n_answers++;
	*changed = true;
	return true;
}

/* Those that were in no answer for too long. True: there were some. */
static bool drop_obsolete(struct dns_question *q, uint64_t now_ns)
{
	uint64_t hold_ns = q->section->hold_ns[CFG_HOLD_OBSOLETE];
	unsigned kept = 0;

	for (unsigned i = 0; i < q->n_answers; i++)
		if (q->answer[i].seen_ns + hold_ns >= now_ns)
			q->answer[kept++] = q->answer[i];
		else
			free(q->answer[i].target);
	if (kept == q->n_answers)
		return false;
	q->n_answers = kept;
	return true;
}

static int read_addresses(struct dns_question *q, const unsigned char *at, int len, int type, bool *changed)
{
	struct ares_addrttl *v4 = type == ns_t_a ? calloc(DNS_ANSWERS_MAX, sizeof(*v4)) : NULL;
	struct ares_addr6ttl *v6 = type == ns_t_aaaa ? calloc(DNS_ANSWERS_MAX, sizeof(*v6)) : NULL;
	int n = DNS_ANSWERS_MAX, e = ARES_ENOMEM;
	struct dns_answer a = {.family = v4 ? AF_INET : AF_INET6, .seen_ns = q->section->dns->now_ns};

	if (v4)
		e = ares_parse_a_reply(at, len, NULL, v4, &n);
	else if (v6)
		e = ares_parse_aaaa_reply(at, len, NULL, v6, &n);
	for (int i = 0; e == ARES_SUCCESS && i < n; i++) {
		if (v4)
			memcpy(a.addr, &v4[i].ipaddr, 4);
		else
			memcpy(a.addr, &v6[i].ip6addr, 16);
		take_answer(q, &a, changed);
	}
	free(v4);
	free(v6);
	return e == ARES_SUCCESS && !n ? ARES_ENODATA : e;
}

static int read_servers(struct dns_question *q, const unsigned char *at, int len, bool *changed)
{
	struct ares_srv_reply *list = NULL;
	int e = ares_parse_srv_reply(at, len, &list);

	for (const struct ares_srv_reply *s = list; s; s = s->next)
		if (s->host && *s->host)
			take_answer(q, &(struct dns_answer){
					   .port = s->port,
					   .weight = s->weight,
					   .target = s->host,
					   .seen_ns = q->section->dns->now_ns,
				       }, changed);
	if (list)
		ares_free_data(list);
	return e;
}

/* ---- Asking ---- */

static void good(struct dns_question *q, struct nameserver *by, bool changed)
{
	uint64_t now_ns = q->section->dns->now_ns;

	changed |= drop_obsolete(q, now_ns);
	by->counter[DNS_VALID]++;
	by->counter[DNS_UPDATE] += changed;
	q->by = changed ? by->name : "DNS cache";
	q->good_ns = now_ns;
	q->bad = CFG_HOLD_VALID;
	q->decided = true;
	set_due(q, 0); /* told by dns_dispatch: not from inside c-ares */
}

static void bad(struct dns_question *q, enum cfg_hold what)
{
	q->bad = (int)what;
	if (++q->n_bad < q->section->n_nameservers)
		return;
	q->decided = true;
	set_due(q, 0);
}

/* What c-ares' status is counted as. */
static enum dns_counter counter_of(int status)
{
	switch (status) {
	case ARES_ENODATA:
		return DNS_ANY_ERR;
	case ARES_ENOTFOUND:
		return DNS_NX;
	case ARES_EREFUSED:
		return DNS_REFUSED;
	case ARES_ETIMEOUT:
		return DNS_TIMEOUT;
	case ARES_EBADRESP:
	case ARES_EBADNAME:
		return DNS_INVALID;
	case ARES_EFORMERR:
	case ARES_ESERVFAIL:
	case ARES_ENOTIMP:
		return DNS_OTHER;
	default:
		return DNS_SEND_ERROR;
	}
}

static void send_attempt(struct dns_question *q, struct nameserver *to, int type, bool by_stream);

/* TC of the header (RFC 1035 4.1.1) */
static bool is_truncated(const unsigned char *at, int len)
{
	return len > 2 && (at[2] & 2);
}

static void on_answer(void *userdata, int status, int timeouts, unsigned char *at, int len)
{
	struct dns_attempt *a = userdata;
	struct dns_question *q = a->question;
	struct nameserver *by = a->to;
	uint64_t turn = a->turn;
	int type = a->type;
	bool by_stream = a->by_stream, changed = false;
	enum dns_counter what;

	if (q)
		LIST_REMOVE(a, entry);
	free(a);
	if (!q || status == ARES_EDESTRUCTION || status == ARES_ECANCELLED)
		return;
	if (!q->asking || turn != q->turn || q->decided) { /* another one was faster */
		by->counter[DNS_OUTDATED] += status != ARES_ETIMEOUT;
		return;
	}
	if (status == ARES_SUCCESS)
		status = type == ns_t_srv ? read_servers(q, at, len, &changed)
					  : read_addresses(q, at, len, type, &changed);
	if (!by_stream && is_truncated(at, len)) {
		by->counter[DNS_TRUNCATED]++;
		if (status == ARES_SUCCESS) {
			q->truncated_by = by;
			q->truncated_changed = changed;
		}
		send_attempt(q, by, type, true);
		return;
	}
	if (status == ARES_SUCCESS) {
		changed |= q->truncated_changed; /* what the part said was taken already */
		good(q, by, changed);
		return;
	}
	what = counter_of(status);
	by->counter[what]++;
	if (what == DNS_SEND_ERROR || what == DNS_TIMEOUT)
		return; /* no answer: "timeout retry" goes on */
	bad(q, what == DNS_NX ? CFG_HOLD_NX : what == DNS_REFUSED ? CFG_HOLD_REFUSED : CFG_HOLD_OTHER);
}

static void ask(struct dns_question *q, uint64_t now_ns)
{
	struct dns_section *s = q->section;
	int family = q->other_family == (q->prefer == AF_INET) ? AF_INET6 : AF_INET;
	int type = q->is_srv ? ns_t_srv : family == AF_INET ? ns_t_a : ns_t_aaaa;

	q->asking = true;
	q->turn++;
	q->n_bad = 0;
	q->bad = CFG_HOLD_TIMEOUT;
	q->decided = false;
	q->truncated_by = NULL;
	q->truncated_changed = false;
	set_due(q, now_ns + s->retry_ns);
	for (unsigned i = 0; i < s->n_nameservers; i++)
		send_attempt(q, &s->nameserver[i], type, s->nameserver[i].tcp);
}

/* Its time has come: to ask, to ask once more, or to tell. */
static bool is_wanted(const struct dns_question *q)
{
	return !TAILQ_EMPTY(&q->watches) || !LIST_EMPTY(&q->once);
}

/* Each may ask again when it is told. `answered` NULL: there will be no answer. */
static void tell_once(struct dns_question *q, const struct dns_question *answered)
{
	struct dns_once *once;

	while ((once = LIST_FIRST(&q->once))) {
		LIST_REMOVE(once, entry);
		once->told(once, answered);
	}
}

static void go_on(struct dns *d, struct dns_question *q, uint64_t now_ns)
{
	struct dns_section *s = q->section;

	if (!q->asking) {
		q->tries = 0;
		q->other_family = false;
		ask(q, now_ns);
		return;
	}
	if (!q->decided && q->truncated_by) {
		good(q, q->truncated_by, q->truncated_changed);
		return;
	}
	if (!q->decided && q->bad == CFG_HOLD_TIMEOUT && ++q->tries < s->retries) {
		ask(q, now_ns);
		return;
	}
	if (q->bad != CFG_HOLD_VALID && q->bad != CFG_HOLD_TIMEOUT && !q->is_srv && !q->other_family) {
		q->other_family = true;
		ask(q, now_ns);
		return;
	}
	q->asking = false;
	q->status = q->bad;
	set_due(q, now_ns + s->resolve_ns);
	d->opts.answered(d->opts.userdata, q, now_ns);
	tell_once(q, q);
	if (!is_wanted(q))
		set_due(q, 0);
}

/* ---- Nameservers ---- */

static void on_socket(void *userdata, ares_socket_t fd, int readable, int writable)
{
	const struct nameserver *n = userdata;
	struct epoll_event e = {
	    .events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u),
	    .data.fd = fd,
	};
	int epoll_fd = n->section->dns->epoll_fd;

	if (!e.events)
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	else if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &e) < 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0)
		log_err("resolvers %s: cannot watch the socket of nameserver %s: %s", n->section->name, n->name,
			strerror(errno));
}

static int open_channel(struct nameserver *n, bool by_stream, ares_channel *ret)
{
	char lookups[] = "b"; /* no hosts file */
	struct ares_options o = {
	    .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP | ARES_FLAG_EDNS |
		     (by_stream ? ARES_FLAG_USEVC : ARES_FLAG_IGNTC),
	    .timeout = (int)(n->section->retry_ns / CFG_MS),
	    .tries = 1,
	    .lookups = lookups,
	    .ednspsz = (int)n->section->payload_bytes,
	    .sock_state_cb = on_socket,
	    .sock_state_cb_data = n,
	};
	struct ares_addr_port_node a = {.family = n->addr.sa.sa_family};
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	int e = ares_init_options(ret, &o, ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
							ARES_OPT_DOMAINS | ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB);

	if (e != ARES_SUCCESS) {
		*ret = NULL;
		return e == ARES_ENOMEM ? -ENOMEM : -EIO;
	}
	memcpy(&in, &n->addr.storage, sizeof(in));
	memcpy(&in6, &n->addr.storage, sizeof(in6));
	if (a.family == AF_INET)
		a.addr.addr4 = in.sin_addr;
	else
		memcpy(&a.addr.addr6, &in6.sin6_addr, 16);
	a.udp_port = a.tcp_port = ntohs(a.family == AF_INET ? in.sin_port : in6.sin6_port);
	return ares_set_servers_ports(*ret, &a) == ARES_SUCCESS ? 0 : -ENOMEM;
}

/* NULL: no memory, or nothing that another try could mend. */
static ares_channel channel_of(struct nameserver *n, bool by_stream)
{
	if (by_stream && !n->tcp && !n->stream)
		open_channel(n, true, &n->stream);
	return by_stream && !n->tcp ? n->stream : n->channel;
}

/* Without memory it is as if it had got lost. */
static void send_attempt(struct dns_question *q, struct nameserver *to, int type, bool by_stream)
{
	ares_channel channel = channel_of(to, by_stream);
	struct dns_attempt *a = channel ? calloc(1, sizeof(*a)) : NULL;

	if (!a)
		return;
	*a = (struct dns_attempt){.question = q, .to = to, .turn = q->turn, .type = type, .by_stream = by_stream};
	LIST_INSERT_HEAD(&q->attempts, a, entry);
	to->counter[DNS_SENT]++;
	ares_query(channel, q->name, ns_c_in, type, on_answer, a);
}

static void close_nameservers(struct dns_section *s)
{
	struct dns_question *q;

	for (unsigned i = 0; i < s->n_nameservers; i++) {
		if (s->nameserver[i].channel)
			ares_destroy(s->nameserver[i].channel);
		if (s->nameserver[i].stream)
			ares_destroy(s->nameserver[i].stream);
		free(s->nameserver[i].name);
	}
	s->n_nameservers = 0;
	LIST_FOREACH (q, &s->questions, entry) {
		q->asking = false;
		set_due(q, TIMER_NEVER);
		q->by = NULL;
	}
}

static int open_nameservers(struct dns_section *s, const struct cfg_resolvers *c)
{
	struct dns_question *q;
	int e = 0;

	for (unsigned i = 0; i < c->n_nameservers && !e; i++) {
		struct nameserver *n = &s->nameserver[s->n_nameservers++];

		*n = (struct nameserver){
		    .section = s,
		    .name = strdup(c->nameserver[i].name),
		    .addr = c->nameserver[i].addr,
		    .tcp = c->nameserver[i].tcp,
		};
		e = n->name ? open_channel(n, n->tcp, &n->channel) : -ENOMEM;
	}
	LIST_FOREACH (q, &s->questions, entry)
		set_due(q, 0);
	return e;
}

/* ---- Sections ---- */

static struct dns_section *find_section(const struct dns *d, const char *name)
{
	struct dns_section *s;

	TAILQ_FOREACH (s, &d->sections, entry)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}

static void question_free(struct dns_question *q)
{
	struct dns_attempt *a;

	LIST_FOREACH (a, &q->attempts, entry)
		a->question = NULL;
	set_due(q, TIMER_NEVER);
	q->section->dns->n_questions--;
	LIST_REMOVE(q, entry);
	for (unsigned i = 0; i < q->n_answers; i++)
		free(q->answer[i].target);
	free(q->answer);
	free(q->name);
	free(q);
}

static void section_free(struct dns_section *s)
{
	struct dns_watch *w;
	struct dns_question *q;

	close_nameservers(s);
	while ((q = LIST_FIRST(&s->questions))) {
		TAILQ_FOREACH (w, &q->watches, entry)
			w->question = NULL;
		tell_once(q, NULL);
		question_free(q);
	}
	TAILQ_REMOVE(&s->dns->sections, s, entry);
	free(s->name);
	free(s);
}

static bool same_nameservers(const struct dns_section *s, const struct cfg_resolvers *c)
{
	if (s->n_nameservers != c->n_nameservers || s->retry_ns != c->retry_ns || s->payload_bytes != c->payload_bytes)
		return false;
	for (unsigned i = 0; i < c->n_nameservers; i++) {
		const struct nameserver *n = &s->nameserver[i];
		const struct cfg_nameserver *m = &c->nameserver[i];

		if (strcmp(n->name, m->name) != 0 || n->tcp != m->tcp || n->addr.len != m->addr.len ||
		    memcmp(&n->addr.storage, &m->addr.storage, m->addr.len) != 0)
			return false;
	}
	return true;
}

static int configure_section(struct dns *d, const struct cfg_resolvers *c)
{
	struct dns_section *s = find_section(d, c->name);
	bool same = s && same_nameservers(s, c);

	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s || !(s->name = strdup(c->name))) {
			free(s);
			return -ENOMEM;
		}
		s->dns = d;
		LIST_INIT(&s->questions);
		TAILQ_INSERT_TAIL(&d->sections, s, entry);
	}
	s->wanted = true;
	memcpy(s->hold_ns, c->hold_ns, sizeof(s->hold_ns));
	s->resolve_ns = c->resolve_ns;
	s->retry_ns = c->retry_ns;
	s->retries = c->retries;
	s->payload_bytes = c->payload_bytes;
	if (same)
		return 0;
	close_nameservers(s);
	return open_nameservers(s, c);
}

int dns_configure(struct dns *d, const struct cfg_resolvers_list *list)
{
	const struct cfg_resolvers *c;
	struct dns_section *s, *next;
	int e = 0, r;

	TAILQ_FOREACH (s, &d->sections, entry)
		s->wanted = false;
	STAILQ_FOREACH (c, list, next) {
		r = configure_section(d, c);
		e = r < 0 ? r : e;
	}
	for (s = TAILQ_FIRST(&d->sections); s; s = next) {
		next = TAILQ_NEXT(s, entry);
		if (!s->wanted)
			section_free(s);
	}
	return e;
}

/* ---- Watching ---- */

/* NULL: *ret_error says why not. */
static struct dns_question *question_of(struct dns *d, const char *section, const char *name, bool is_srv, int prefer, int *ret_error)
{
	struct dns_section *s = find_section(d, section);
	struct dns_question *q;

	*ret_error = s ? -ENOMEM : -ENOENT;
	if (!s)
		return NULL;
	LIST_FOREACH (q, &s->questions, entry)
		if (q->is_srv == is_srv && q->prefer == prefer && !strcasecmp(q->name, name))
			return q;
	q = calloc(1, sizeof(*q));
	if (!q || timers_reserve(&d->timers, d->n_questions + 1) < 0 || !(q->name = strdup(name))) {
		free(q);
		return NULL;
	}
	d->n_questions++;
	q->section = s;
	q->is_srv = is_srv;
	q->prefer = prefer;
	q->status = CFG_HOLDS;
	q->good_ns = loop_clock_ns();
	TAILQ_INIT(&q->watches);
	LIST_INIT(&q->once);
	LIST_INIT(&q->attempts);
	LIST_INSERT_HEAD(&s->questions, q, entry);
	set_due(q, s->n_nameservers ? 0 : TIMER_NEVER);
	return q;
}

int dns_watch(struct dns *d, const char *section, const char *name, bool is_srv, int prefer, struct dns_watch *watch)
{
	int error;
	struct dns_question *q = question_of(d, section, name, is_srv, prefer, &error);

	if (!q)
		return error;
	TAILQ_INSERT_TAIL(&q->watches, watch, entry);
	watch->question = q;
	return 0;
}

int dns_ask(struct dns *d, const char *section, const char *name, int prefer, struct dns_once *once)
{
	int error;
	struct dns_question *q = question_of(d, section, name, false, prefer, &error);

	if (!q)
		return error;
	LIST_INSERT_HEAD(&q->once, once, entry);
	if (!q->section->n_nameservers)
		tell_once(q, NULL);
	else if (q->status == CFG_HOLD_VALID && !TAILQ_EMPTY(&q->watches)) /* it is kept up to date */
		tell_once(q, q);
	if (!is_wanted(q))
		set_due(q, 0);
	return 0;
}

void dns_unwatch(struct dns_watch *watch)
{
	struct dns_question *q = watch->question;

	if (!q)
		return;
	watch->question = NULL;
	TAILQ_REMOVE(&q->watches, watch, entry);
	if (!is_wanted(q))
		set_due(q, 0); /* dns_dispatch forgets it, unless somebody asks again until then */
}

uint64_t dns_hold_ns(const struct dns_question *q, enum cfg_hold what)
{
	return q->section->hold_ns[what];
}

/* ---- The loop ---- */

int dns_new(const struct dns_opts *o, struct dns **ret)
{
	struct dns *d = calloc(1, sizeof(*d));
	int e;

	if (!d)
		return -ENOMEM;
	d->opts = *o;
	TAILQ_INIT(&d->sections);
	e = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS ? 0 : -ENOMEM;
	d->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!e && d->epoll_fd < 0)
		e = -errno;
	if (e) {
		if (d->epoll_fd >= 0)
			close(d->epoll_fd);
		free(d);
		return e;
	}
	*ret = d;
	return 0;
}

void dns_free(struct dns *d)
{
	if (!d)
		return;
	while (!TAILQ_EMPTY(&d->sections))
		section_free(TAILQ_FIRST(&d->sections));
	close(d->epoll_fd);
	timers_fini(&d->timers);
	ares_library_cleanup();
	free(d);
}

int dns_fd(const struct dns *d)
{
	return d->epoll_fd;
}

/* The first of `at_ns` and what the channel waits for. */
static uint64_t sooner(ares_channel channel, uint64_t at_ns)
{
	uint64_t its_ns;
	struct timeval t;

	if (!channel || !ares_timeout(channel, NULL, &t))
		return at_ns;
	its_ns = loop_clock_ns() + (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_usec * 1000u + CFG_MS;
	return its_ns < at_ns ? its_ns : at_ns;
}

uint64_t dns_deadline(const struct dns *d)
{
	const struct timer *timer = timers_first(&d->timers);
	uint64_t first = timer ? timer->deadline_ns : TIMER_NEVER;
	const struct dns_section *s;

	TAILQ_FOREACH (s, &d->sections, entry)
		for (unsigned i = 0; i < s->n_nameservers; i++) {
			first = sooner(s->nameserver[i].channel, first);
			first = sooner(s->nameserver[i].stream, first);
		}
	return first;
}

static void process(struct dns *d, ares_socket_t readable, ares_socket_t writable)
{
	struct dns_section *s;

	TAILQ_FOREACH (s, &d->sections, entry)
		for (unsigned i = 0; i < s->n_nameservers; i++) {
			if (s->nameserver[i].channel)
				ares_process_fd(s->nameserver[i].channel, readable, writable);
			if (s->nameserver[i].stream)
				ares_process_fd(s->nameserver[i].stream, readable, writable);
		}
}

int dns_dispatch(struct dns *d, uint64_t now_ns)
{
	struct epoll_event event[EVENTS_MAX];
	int n = epoll_wait(d->epoll_fd, event, EVENTS_MAX, 0);
	const struct timer *t;

	d->now_ns = now_ns;
	for (int i = 0; i < n; i++)
		process(d, event[i].events & ~(uint32_t)EPOLLOUT ? event[i].data.fd : ARES_SOCKET_BAD,
			event[i].events & EPOLLOUT ? event[i].data.fd : ARES_SOCKET_BAD);
	process(d, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* what is too late */
	for (unsigned i = 0; i < DUE_MAX && (t = timers_first(&d->timers)) && t->deadline_ns <= now_ns; i++) {
		struct dns_question *q = container_of(t, struct dns_question, timer);

		if (!is_wanted(q))
			question_free(q);
		else
			go_on(d, q, now_ns);
	}
	return 0;
}

void dns_each(const struct dns *d, void (*fn)(void *userdata, const char *section, const char *name,
					      const uint64_t counter[DNS_COUNTERS]), void *userdata)
{
	const struct dns_section *s;

	TAILQ_FOREACH (s, &d->sections, entry) {
		fn(userdata, s->name, NULL, NULL);
		for (unsigned i = 0; i < s->n_nameservers; i++)
			fn(userdata, s->name, s->nameserver[i].name, s->nameserver[i].counter);
	}
}
