/* SPDX-License-Identifier: MIT */
/*
 * The view and how it is kept true.
 *
 * One socket both hears events and asks for dumps. A dump marks what it gives with a new generation, and so
 * does every event meanwhile; when it has ended, what carries an older generation has gone without
 * our hearing of it. Three things make a dump necessary: the start, lost events (ENOBUFS, a datagram too
 * long, memory that was short), and the host's wish.
 *
 * A dump may end interrupted (NLM_F_DUMP_INTR) or refused: then nothing is swept and it begins again, later
 * each time. And an event may cross it: since the kernel dumps without a lock, an address can go after it
 * was read and before that reading is queued, so that its going is heard first. Hence a dump during which
 * events came is followed by another one, after a while, until one had the field to itself.
 *
 * Of routes not everything is told: those of IPv4 go silently with their link, its carrier or their source
 * address, and an event that replaces or appends does not say what it leaves. Then, too, everything is
 * read again. And equal rules, which the kernel may hold several of, count as one: when one of them goes, a
 * later reading tells whether all have.
 */
#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/random.h>

#include "base/mem.h"
#include "base/sized.h"
#include "net/codec.h"
#include "net/neighbour_codec.h"
#include "net/route_codec.h"
#include "net/rule_codec.h"
#include "net/view.h"
#include "nl/call.h"

/* Datagrams in one dispatch; the host's other descriptors want their turn. */
#define WORK_MAX 64

/* A reading that failed, or that events crossed, is repeated after this; doubled each time up to MAX. */
#define RETRY_NS UINT64_C(20000000)
#define RETRY_MAX_NS UINT64_C(500000000)

/* An overrun queue is emptied before the dump is asked for, unless that takes longer than this. */
#define DRAIN_NS UINT64_C(200000000)

/* A dump without an answer for so long is begun again. */
#define DUMP_TIMEOUT_NS UINT64_C(5000000000)

#define NEVER UINT64_MAX

#define READING_NOTHING VIEW_KINDS

struct ha_net_monitor {
	struct nl_channel c;
	struct nl_batch b;
	struct ha_net_monitor_ops ops;
	void *userdata;
	struct view view;
	bool follows[VIEW_KINDS];

	enum view_kind reading;	 /* what the running dump is of */
	uint32_t seq;		 /* of it */
	uint64_t reading_until;	 /* when the running dump has taken too long */
	bool spoiled;		 /* the running dump is not whole */
	bool crossed;		 /* an event came since the first dump was asked for */
	bool wanted;		 /* read everything again ... */
	uint64_t wanted_from_ns; /* ... not before */
	uint64_t retry_ns;
	bool behind; /* the view lacks something that is not made up for yet */
	bool busy;   /* in a callback or a walk of the view: it must not change */
	struct ha_net_monitor_stats stats;
	struct ha_net_nexthop room[HA_NET_NEXTHOPS_MAX]; /* of the route being read */
};

/* -- telling --------------------------------------------------------------------------------------- */

static void tell_link(const struct ha_net_monitor *m, const struct ha_net_link *now,
		      const struct ha_net_link *before)
{
	if (now && m->ops.link_changed)
		m->ops.link_changed(m->userdata, now, before);
	if (!now && m->ops.link_removed)
		m->ops.link_removed(m->userdata, before);
}

static void tell_address(const struct ha_net_monitor *m, const struct ha_net_address *now,
			 const struct ha_net_address *before)
{
	if (!before && m->ops.address_added)
		m->ops.address_added(m->userdata, now);
	if (now && before && m->ops.address_changed)
		m->ops.address_changed(m->userdata, now, before);
	if (!now && m->ops.address_removed)
		m->ops.address_removed(m->userdata, before);
}

static void tell_neighbour(const struct ha_net_monitor *m, const struct ha_net_neighbour *now,
			   const struct ha_net_neighbour *before)
{
	if (now && m->ops.neighbour_changed)
		m->ops.neighbour_changed(m->userdata, now, before);
	if (!now && m->ops.neighbour_removed)
		m->ops.neighbour_removed(m->userdata, before);
}

static void tell_route(const struct ha_net_monitor *m, const struct ha_net_route *now,
		       const struct ha_net_route *before)
{
	if (!before && m->ops.route_added)
		m->ops.route_added(m->userdata, now);
	if (now && before && m->ops.route_changed)
		m->ops.route_changed(m->userdata, now, before);
	if (!now && m->ops.route_removed)
		m->ops.route_removed(m->userdata, before);
}

static void tell_rule(const struct ha_net_monitor *m, const struct ha_net_rule *now,
		      const struct ha_net_rule *before)
{
	if (!before && m->ops.rule_added)
		m->ops.rule_added(m->userdata, now);
	if (!now && m->ops.rule_removed)
		m->ops.rule_removed(m->userdata, before);
}

static void tell(void *userdata, enum view_kind kind, const void *now, const void *before)
{
	struct ha_net_monitor *m = userdata;

	switch (kind) {
	case VIEW_LINKS:
		tell_link(m, now, before);
		break;
	case VIEW_ADDRESSES:
		tell_address(m, now, before);
		break;
	case VIEW_NEIGHBOURS:
		tell_neighbour(m, now, before);
		break;
	case VIEW_ROUTES:
		tell_route(m, now, before);
		break;
	case VIEW_RULES:
		tell_rule(m, now, before);
		break;
	case VIEW_KINDS:
		break;
	}
}

/* -- reading everything ---------------------------------------------------------------------------- */

static void want(struct ha_net_monitor *m, uint64_t from_ns)
{
	if (m->wanted && m->wanted_from_ns <= from_ns)
		return;
	m->wanted = true;
	m->wanted_from_ns = from_ns;
}

/* Not so soon again: each time twice as late. */
static void want_later(struct ha_net_monitor *m, uint64_t now_ns)
{
	want(m, now_ns + m->retry_ns);
	m->retry_ns = m->retry_ns * 2 > RETRY_MAX_NS ? RETRY_MAX_NS : m->retry_ns * 2;
}

/*
 * Something was lost; what is being read cannot make up for it. What is planned already stays planned, so that
 * a storm does not take the pauses away.
 */
static void lost(struct ha_net_monitor *m, uint64_t now_ns)
{
	m->behind = true;
	m->spoiled = true;
	if (m->reading == READING_NOTHING && !m->wanted)
		want(m, now_ns);
}

static void put_dump(struct nl_batch *b, enum view_kind what)
{
	static const uint16_t types[] = {RTM_GETLINK, RTM_GETADDR, RTM_GETNEIGH, RTM_GETROUTE,
					 RTM_GETRULE};
	struct writer *w = nl_batch_begin(b, types[what], NLM_F_DUMP);

	switch (what) {
	case VIEW_LINKS:
		net_codec_put_link_dump(w);
		break;
	case VIEW_ADDRESSES:
		net_codec_put_address_dump(w, AF_UNSPEC, 0);
		break;
	case VIEW_NEIGHBOURS:
		neighbour_codec_put_dump(w, AF_UNSPEC, 0);
		break;
	case VIEW_ROUTES:
		route_codec_put_dump(w, AF_UNSPEC, 0, 0);
		break;
	case VIEW_RULES:
		rule_codec_put_dump(w, AF_UNSPEC);
		break;
	case VIEW_KINDS:
		break;
	}
	nl_batch_end(b);
}

static int ask(struct ha_net_monitor *m, enum view_kind what, uint64_t now_ns)
{
	struct nlmsghdr h;
	int r;

	nl_batch_reset(&m->b);
	put_dump(&m->b, what);
	if (m->b.error)
		return m->b.error;
	m->seq = m->c.next_seq++;
	memcpy(&h, m->b.buf, sizeof(h));
	h.nlmsg_seq = m->seq;
	memcpy(m->b.buf, &h, sizeof(h));
	r = m->c.ops.send(m->c.transport, m->b.buf, m->b.len);
	if (r < 0)
		return r;
	m->reading = what;
	m->reading_until = now_ns + DUMP_TIMEOUT_NS;
	return 0;
}

static void give_up_reading(struct ha_net_monitor *m, uint64_t now_ns)
{
	m->reading = READING_NOTHING;
	m->stats.interrupted++;
	want_later(m, now_ns);
}

/* Begins with the links, so that an address never comes before its link. */
static int begin_reading(struct ha_net_monitor *m, uint64_t now_ns)
{
	int r;

	m->wanted = false;
	m->spoiled = false;
	m->crossed = false;
	m->view.generation++;
	r = ask(m, VIEW_LINKS, now_ns);
	if (r < 0)
		want_later(m, now_ns);
	return r;
}

static enum view_kind next_kind(const struct ha_net_monitor *m, enum view_kind kind)
{
	do {
		kind++;
	} while (kind < VIEW_KINDS && !m->follows[kind]);
	return kind;
}

/* A dump has ended, well or with an error. */
static int end_dump(struct ha_net_monitor *m, int error, uint64_t now_ns)
{
	enum view_kind next = next_kind(m, m->reading);

	if (error || m->spoiled) {
		give_up_reading(m, now_ns);
		return 0;
	}
	if (next < VIEW_KINDS) {
		int r = ask(m, next, now_ns);

		if (r < 0)
			give_up_reading(m, now_ns);
		return r;
	}
	m->reading = READING_NOTHING;
	m->behind = false;
	m->stats.resyncs++;
	view_sweep(&m->view);
	if (m->crossed)
		want_later(m, now_ns);
	else
		m->retry_ns = RETRY_NS;
	if (m->ops.resynced)
		m->ops.resynced(m->userdata);
	return 0;
}

/* -- messages --------------------------------------------------------------------------------------- */

/* What the view does not say of routes any more. */
static void routes_are_stale(struct ha_net_monitor *m, uint64_t now_ns)
{
	if (!m->follows[VIEW_ROUTES])
		return;
	m->behind = true;
	if (m->reading == READING_NOTHING)
		want_later(m, now_ns); /* else it was crossed, and is repeated */
}

static int take_link(struct ha_net_monitor *m, const struct nl_msg *msg, uint64_t now_ns)
{
	const struct ha_net_link *before;
	struct ha_net_link l;
	int r = net_codec_read_link(msg, &l);

	if (r)
		return r;
	before = view_find(&m->view, VIEW_LINKS, &l);
	if (before && (msg->type == RTM_DELLINK || before->flags != l.flags))
		routes_are_stale(m, now_ns);
	if (msg->type == RTM_NEWLINK)
		return view_put(&m->view, VIEW_LINKS, &l);
	view_remove(&m->view, VIEW_LINKS, &l);
	return 0;
}

static int take_address(struct ha_net_monitor *m, const struct nl_msg *msg, uint64_t now_ns)
{
	struct ha_net_address a;
	int r = net_codec_read_address(msg, &a);

	if (r)
		return r;
	if (msg->type == RTM_NEWADDR)
		return view_put(&m->view, VIEW_ADDRESSES, &a);
	view_remove(&m->view, VIEW_ADDRESSES, &a);
	routes_are_stale(m, now_ns);
	return 0;
}

static int take_neighbour(struct ha_net_monitor *m, const struct nl_msg *msg)
{
	struct ha_net_neighbour a;
	int r = neighbour_codec_read(msg, &a);

	if (r)
		return r;
	if (msg->type == RTM_NEWNEIGH)
		return view_put(&m->view, VIEW_NEIGHBOURS, &a);
	view_remove(&m->view, VIEW_NEIGHBOURS, &a);
	return 0;
}

static int take_route(struct ha_net_monitor *m, const struct nl_msg *msg, bool event,
		      uint64_t now_ns)
{
	struct ha_net_route route;
	int r = route_codec_read(msg, m->room, &route);

	if (r == -EOVERFLOW) {
		m->view.over_limit++;
		return 0;
	}
	if (r)
		return r;
	if (msg->type == RTM_NEWROUTE) {
		if (event && msg->flags & (NLM_F_REPLACE | NLM_F_APPEND))
			routes_are_stale(m, now_ns);
		return view_put(&m->view, VIEW_ROUTES, &route);
	}
	if (!view_remove(&m->view, VIEW_ROUTES, &route))
		routes_are_stale(m, now_ns); /* one way of several, perhaps */
	return 0;
}

static int take_rule(struct ha_net_monitor *m, const struct nl_msg *msg, uint64_t now_ns)
{
	struct ha_net_rule rule;
	int r = rule_codec_read(msg, &rule);

	if (r)
		return r;
	if (msg->type == RTM_NEWRULE)
		return view_put(&m->view, VIEW_RULES, &rule);
	view_remove(&m->view, VIEW_RULES, &rule);
	want(m, now_ns + RETRY_MAX_NS); /* perhaps it had a twin */
	return 0;
}

/* Out of a dump or as an event. 0, -ENOMSG, -EBADMSG or -ENOMEM. */
static int take_news(struct ha_net_monitor *m, const struct nl_msg *msg, bool event,
		     uint64_t now_ns)
{
	switch (msg->type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return take_link(m, msg, now_ns);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return take_address(m, msg, now_ns);
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return m->follows[VIEW_NEIGHBOURS] ? take_neighbour(m, msg) : -ENOMSG;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return m->follows[VIEW_ROUTES] ? take_route(m, msg, event, now_ns) : -ENOMSG;
	case RTM_NEWRULE:
	case RTM_DELRULE:
		return m->follows[VIEW_RULES] ? take_rule(m, msg, now_ns) : -ENOMSG;
	default:
		return -ENOMSG;
	}
}

static int take_message(struct ha_net_monitor *m, const struct nl_msg *msg, uint64_t now_ns)
{
	/* Only answers carry our port: the monitor changes nothing, so no event is its own doing. */
	bool answer = msg->port == m->c.ops.port(m->c.transport) && msg->seq;
	struct nl_error e;
	int r;

	if (answer && (m->reading == READING_NOTHING || msg->seq != m->seq))
		return 0; /* of a dump given up */
	if (answer && msg->flags & NLM_F_DUMP_INTR)
		m->spoiled = true;
	if (msg->type == NLMSG_ERROR || msg->type == NLMSG_DONE) {
		if (!answer)
			return 0;
		r = nl_error_read(msg, &e) ? e.error : -EBADMSG;
		return end_dump(m, r, now_ns);
	}
	r = take_news(m, msg, !answer, now_ns);
	if (!answer && r != -ENOMSG) {
		m->stats.events++;
		m->crossed = true;
	}
	if (r == -EBADMSG)
		m->stats.malformed++;
	if (r != -ENOMEM)
		return 0;
	lost(m, now_ns);
	return r;
}

static int take_datagram(struct ha_net_monitor *m, size_t len, uint64_t now_ns)
{
	struct reader r = reader_of(m->c.buf, len);
	struct nl_msg msg;
	int first = 0;

	while (nl_msg_next(&r, &msg)) {
		int e = take_message(m, &msg, now_ns);

		if (!first)
			first = e;
	}
	m->stats.malformed += r.bad;
	return first;
}

/* Reads what is there; *ret_empty: nothing is left. */
static int read_socket(struct ha_net_monitor *m, uint64_t now_ns, bool *ret_empty)
{
	int first = 0;

	*ret_empty = false;
	for (int i = 0; i < WORK_MAX; i++) {
		ssize_t n = m->c.ops.recv(m->c.transport, m->c.buf, NL_RECEIVE_BYTES);
		int r;

		if (n == -EAGAIN) {
			*ret_empty = true;
			break;
		}
		if (n == -ENOBUFS || n == -EMSGSIZE) {
			m->stats.overruns++;
			lost(m, now_ns);
			continue;
		}
		if (n < 0)
			return (int)n;
		r = take_datagram(m, n > NL_RECEIVE_BYTES ? NL_RECEIVE_BYTES : (size_t)n, now_ns);
		if (!first)
			first = r;
	}
	return first;
}

/* -- public ------------------------------------------------------------------------------------------ */

static int join_groups(struct ha_net_monitor *m)
{
	static const struct {
		enum view_kind kind;
		uint32_t group;
	} groups[] = {
	    {VIEW_LINKS, RTNLGRP_LINK},
	    {VIEW_ADDRESSES, RTNLGRP_IPV4_IFADDR},
	    {VIEW_ADDRESSES, RTNLGRP_IPV6_IFADDR},
	    {VIEW_NEIGHBOURS, RTNLGRP_NEIGH},
	    {VIEW_ROUTES, RTNLGRP_IPV4_ROUTE},
	    {VIEW_ROUTES, RTNLGRP_IPV6_ROUTE},
	    {VIEW_RULES, RTNLGRP_IPV4_RULE},
	    {VIEW_RULES, RTNLGRP_IPV6_RULE},
	};

	if (!m->c.ops.join)
		return -EOPNOTSUPP;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		int r =
		    m->follows[groups[i].kind] ? m->c.ops.join(m->c.transport, groups[i].group) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

static int open_channel(struct ha_net_monitor *m, const struct ha_net_monitor_opts *o)
{
	struct ha_nl_mnl_opts mnl = {.size = sizeof(mnl), .receive_bytes = o->receive_bytes};
	struct ha_nl_transport own;
	int r;

	r = o->transport ? 0 : ha_nl_mnl_open(NETLINK_ROUTE, &mnl, &own);
	if (r < 0)
		return r;
	r = nl_channel_open(&m->c, NETLINK_ROUTE, o->transport ? o->transport : &own, 0);
	if (r < 0 && !o->transport)
		own.ops->close(own.userdata);
	if (r < 0)
		return r;
	r = join_groups(m);
	if (r < 0) {
		nl_channel_give_back(&m->c);
		nl_channel_close(&m->c);
	}
	return r;
}

int ha_net_monitor_new(const struct ha_net_monitor_opts *opts, const struct ha_net_monitor_ops *ops,
		       void *userdata, struct ha_net_monitor **ret)
{
	struct ha_net_monitor_opts o = {.size = sizeof(o)};
	struct ha_net_monitor *m;
	uint64_t seed;
	int r;

	if (!ret)
		return -EINVAL;
	r = opts ? sized_in(&o, sizeof(o), opts) : 0;
	if (!r && !sized_unused(o.reserved, sizeof(o.reserved)))
		r = -EINVAL;
	if (r < 0)
		return r;
	m = mem_zalloc(sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->userdata = userdata;
	m->stats.size = sizeof(m->stats);
	m->follows[VIEW_LINKS] = m->follows[VIEW_ADDRESSES] = true;
	m->follows[VIEW_NEIGHBOURS] = o.neighbours;
	m->follows[VIEW_ROUTES] = o.routes;
	m->follows[VIEW_RULES] = o.rules;
	m->reading = READING_NOTHING;
	m->retry_ns = RETRY_NS;
	m->behind = true;
	want(m, 0);
	/* Without a secret seed the hash is only easier to guess. */
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
		seed = (uint64_t)(uintptr_t)m;
	view_init(&m->view, seed);
	m->view.tell = tell;
	m->view.userdata = m;
	r = sized_in(&m->ops, sizeof(m->ops), ops);
	if (!r)
		r = open_channel(m, &o);
	if (r < 0) {
		mem_free(m);
		return r;
	}
	*ret = m;
	return 0;
}

void ha_net_monitor_free(struct ha_net_monitor *m)
{
	if (!m)
		return;
	assert(!m->busy);
	view_fini(&m->view);
	nl_batch_fini(&m->b);
	nl_channel_close(&m->c);
	mem_free(m);
}

int ha_net_monitor_fd(const struct ha_net_monitor *m)
{
	return m ? m->c.ops.fd(m->c.transport) : -EINVAL;
}

uint64_t ha_net_monitor_deadline(const struct ha_net_monitor *m)
{
	if (!m)
		return NEVER;
	if (m->reading != READING_NOTHING)
		return m->reading_until;
	return m->wanted ? m->wanted_from_ns : NEVER;
}

/* Is it time to read everything? In a full queue the kernel could not even refuse the dump. */
static bool is_due(const struct ha_net_monitor *m, bool empty, uint64_t now_ns)
{
	if (m->reading != READING_NOTHING || !m->wanted || now_ns < m->wanted_from_ns)
		return false;
	return empty || now_ns - m->wanted_from_ns >= DRAIN_NS;
}

int ha_net_monitor_dispatch(struct ha_net_monitor *m, uint64_t now_ns)
{
	bool empty;
	int r;

	if (!m)
		return -EINVAL;
	if (m->busy)
		return -EBUSY;
	m->busy = true;
	r = read_socket(m, now_ns, &empty);
	if (m->reading != READING_NOTHING && now_ns >= m->reading_until)
		give_up_reading(m, now_ns);
	if (is_due(m, empty, now_ns)) {
		int e = begin_reading(m, now_ns);

		if (!r)
			r = e;
	}
	m->busy = false;
	return r;
}

void ha_net_monitor_resync(struct ha_net_monitor *m)
{
	if (m)
		want(m, 0);
}

bool ha_net_monitor_is_synced(const struct ha_net_monitor *m)
{
	return m && !m->behind;
}

int ha_net_monitor_link(const struct ha_net_monitor *m, uint32_t ifindex, struct ha_net_link *ret)
{
	const struct ha_net_link key = {.ifindex = ifindex}, *l;

	if (!m || !ret)
		return -EINVAL;
	l = view_find(&m->view, VIEW_LINKS, &key);
	return l ? sized_out(ret, l, sizeof(*l)) : -ENODEV;
}

int ha_net_monitor_address(const struct ha_net_monitor *m, uint32_t ifindex, const struct ha_ip *ip,
			   struct ha_net_address *ret)
{
	const struct ha_net_address *a;

	if (!m || !ha_ip_len(ip))
		return -EINVAL;
	a = view_find_address(&m->view, ifindex, ip);
	if (!a)
		return -EADDRNOTAVAIL;
	return ret ? sized_out(ret, a, sizeof(*a)) : 0;
}

int ha_net_monitor_neighbour(const struct ha_net_monitor *m, uint32_t ifindex,
			     const struct ha_ip *ip, struct ha_net_neighbour *ret)
{
	struct ha_net_neighbour key = {.ifindex = ifindex};
	const struct ha_net_neighbour *a;

	if (!m || !ha_ip_len(ip) || !ret)
		return -EINVAL;
	key.ip = *ip;
	a = view_find(&m->view, VIEW_NEIGHBOURS, &key);
	return a ? sized_out(ret, a, sizeof(*a)) : -ENOENT;
}

/* A caller's function behind view_walk(). */
struct walk {
	ha_net_link_fn *link;
	ha_net_address_fn *address;
	ha_net_neighbour_fn *neighbour;
	ha_net_route_fn *route;
	ha_net_rule_fn *rule;
	void *userdata;
};

static int give_link(void *u, const void *item)
{
	const struct walk *w = u;

	return w->link(w->userdata, item);
}

static int give_address(void *u, const void *item)
{
	const struct walk *w = u;

	return w->address(w->userdata, item);
}

static int give_neighbour(void *u, const void *item)
{
	const struct walk *w = u;

	return w->neighbour(w->userdata, item);
}

static int give_route(void *u, const void *item)
{
	const struct walk *w = u;

	return w->route(w->userdata, item);
}

static int give_rule(void *u, const void *item)
{
	const struct walk *w = u;

	return w->rule(w->userdata, item);
}

static int walk(struct ha_net_monitor *m, enum view_kind kind,
		int (*give)(void *userdata, const void *item), struct walk *w)
{
	bool busy = m->busy;
	int r;

	m->busy = true;
	r = view_walk(&m->view, kind, give, w);
	m->busy = busy;
	return r;
}

int ha_net_monitor_links(struct ha_net_monitor *m, ha_net_link_fn *each, void *userdata)
{
	struct walk w = {.link = each, .userdata = userdata};

	return m && each ? walk(m, VIEW_LINKS, give_link, &w) : -EINVAL;
}

int ha_net_monitor_addresses(struct ha_net_monitor *m, ha_net_address_fn *each, void *userdata)
{
	struct walk w = {.address = each, .userdata = userdata};

	return m && each ? walk(m, VIEW_ADDRESSES, give_address, &w) : -EINVAL;
}

int ha_net_monitor_neighbours(struct ha_net_monitor *m, ha_net_neighbour_fn *each, void *userdata)
{
	struct walk w = {.neighbour = each, .userdata = userdata};

	return m && each ? walk(m, VIEW_NEIGHBOURS, give_neighbour, &w) : -EINVAL;
}

int ha_net_monitor_routes(struct ha_net_monitor *m, ha_net_route_fn *each, void *userdata)
{
	struct walk w = {.route = each, .userdata = userdata};

	return m && each ? walk(m, VIEW_ROUTES, give_route, &w) : -EINVAL;
}

int ha_net_monitor_rules(struct ha_net_monitor *m, ha_net_rule_fn *each, void *userdata)
{
	struct walk w = {.rule = each, .userdata = userdata};

	return m && each ? walk(m, VIEW_RULES, give_rule, &w) : -EINVAL;
}

int ha_net_monitor_stats(const struct ha_net_monitor *m, struct ha_net_monitor_stats *ret)
{
	struct ha_net_monitor_stats own;

	if (!m || !ret)
		return -EINVAL;
	own = m->stats;
	own.links = m->view.table[VIEW_LINKS].by_key.n;
	own.addresses = m->view.table[VIEW_ADDRESSES].by_key.n;
	own.neighbours = m->view.table[VIEW_NEIGHBOURS].by_key.n;
	own.routes = m->view.table[VIEW_ROUTES].by_key.n;
	own.rules = m->view.table[VIEW_RULES].by_key.n;
	own.over_limit = m->view.over_limit;
	return sized_out(ret, &own, sizeof(own));
}
