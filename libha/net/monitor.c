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
 */
#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/random.h>

#include "base/hmap.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/sized.h"
#include "net/codec.h"
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

/* An element of the view, in both of its indices; the link or address follows. */
struct node {
	struct hmap_node by_key;
	struct list in_list;
	uint64_t generation;
};

struct link_node {
	struct node node;
	struct ha_net_link l;
};

struct address_node {
	struct node node;
	struct ha_net_address a;
};

struct table {
	struct hmap by_key;
	struct list all;
	size_t max;
};

enum reading { READING_NOTHING, READING_LINKS, READING_ADDRESSES };

struct ha_net_monitor {
	struct nl_channel c;
	struct nl_batch b;
	struct ha_net_monitor_ops ops;
	void *userdata;
	struct table links, addresses;
	uint64_t seed, generation;

	enum reading reading;
	uint32_t seq;		 /* of the running dump */
	uint64_t reading_until;	 /* when the running dump has taken too long */
	bool spoiled;		 /* the running dump is not whole */
	bool crossed;		 /* an event came since the first dump was asked for */
	bool wanted;		 /* read everything again ... */
	uint64_t wanted_from_ns; /* ... not before */
	uint64_t retry_ns;
	bool behind; /* the view lacks something that is not made up for yet */
	bool busy;   /* in a callback or a walk of the view: it must not change */
	struct ha_net_monitor_stats stats;
};

/* -- the view ------------------------------------------------------------------------------------- */

static void table_init(struct table *t, size_t max)
{
	hmap_init(&t->by_key);
	list_init(&t->all);
	t->max = max;
}

static int table_add(struct ha_net_monitor *m, struct table *t, struct node *n, uint64_t hash)
{
	int r = hmap_add(&t->by_key, &n->by_key, hash);

	if (r < 0)
		return r;
	list_add_tail(&t->all, &n->in_list);
	n->generation = m->generation;
	return 0;
}

static void table_remove(struct table *t, struct node *n)
{
	hmap_remove(&t->by_key, &n->by_key);
	list_remove(&n->in_list);
}

static struct link_node *link_at(struct list *pos)
{
	return container_of(pos, struct link_node, node.in_list);
}

static struct address_node *address_at(struct list *pos)
{
	return container_of(pos, struct address_node, node.in_list);
}

static uint64_t link_hash(const struct ha_net_monitor *m, uint32_t ifindex)
{
	return hmap_mix(m->seed ^ ifindex);
}

static struct link_node *link_find(const struct ha_net_monitor *m, uint32_t ifindex)
{
	struct hmap_node *i = hmap_first(&m->links.by_key, link_hash(m, ifindex));

	for (; i; i = hmap_next(i)) {
		struct link_node *n = container_of(i, struct link_node, node.by_key);

		if (n->l.ifindex == ifindex)
			return n;
	}
	return NULL;
}

static uint64_t address_hash(const struct ha_net_monitor *m, uint32_t ifindex,
			     const struct ha_ip *ip)
{
	return hmap_hash(ip->bytes, sizeof(ip->bytes), m->seed ^ ifindex);
}

/*
 * The kernel's notion of the same address: IPv6 has one on a link once, IPv4 once for each prefix
 * length and peer. `a` NULL: any with that ip.
 */
static struct address_node *address_find(const struct ha_net_monitor *m, uint32_t ifindex,
					 const struct ha_ip *ip, const struct ha_net_address *a)
{
	struct hmap_node *i = hmap_first(&m->addresses.by_key, address_hash(m, ifindex, ip));

	for (; i; i = hmap_next(i)) {
		struct address_node *n = container_of(i, struct address_node, node.by_key);

		if (n->a.ifindex != ifindex || ha_ip_compare(&n->a.ip, ip))
			continue;
		if (!a || ip->family == AF_INET6 ||
		    (n->a.prefix_len == a->prefix_len && !ha_ip_compare(&n->a.peer, &a->peer)))
			return n;
	}
	return NULL;
}

static void remove_address(struct ha_net_monitor *m, struct address_node *n)
{
	table_remove(&m->addresses, &n->node);
	if (m->ops.address_removed)
		m->ops.address_removed(m->userdata, &n->a);
	mem_free(n);
}

static void remove_link(struct ha_net_monitor *m, struct link_node *n)
{
	struct list *pos, *next;

	list_for_each_safe (pos, next, &m->addresses.all)
		if (address_at(pos)->a.ifindex == n->l.ifindex)
			remove_address(m, address_at(pos));
	table_remove(&m->links, &n->node);
	if (m->ops.link_removed)
		m->ops.link_removed(m->userdata, &n->l);
	mem_free(n);
}

/* Room in a table for a new element of `bytes`: NULL, and why is noted, when there is none. */
static void *new_node(struct ha_net_monitor *m, const struct table *t, size_t bytes, int *ret)
{
	void *n;

	*ret = 0;
	if (t->by_key.n >= t->max) {
		m->stats.over_limit++;
		return NULL;
	}
	n = mem_zalloc(bytes);
	if (!n)
		*ret = -ENOMEM;
	return n;
}

static int put_link(struct ha_net_monitor *m, const struct ha_net_link *l)
{
	struct link_node *n = link_find(m, l->ifindex);
	struct ha_net_link before;
	int r;

	if (n) {
		before = n->l;
		n->l = *l;
		n->node.generation = m->generation;
		if (!net_codec_same_link(&before, l) && m->ops.link_changed)
			m->ops.link_changed(m->userdata, &n->l, &before);
		return 0;
	}
	n = new_node(m, &m->links, sizeof(*n), &r);
	if (!n)
		return r;
	n->l = *l;
	r = table_add(m, &m->links, &n->node, link_hash(m, l->ifindex));
	if (r < 0) {
		mem_free(n);
		return r;
	}
	if (m->ops.link_changed)
		m->ops.link_changed(m->userdata, &n->l, NULL);
	return 0;
}

static int put_address(struct ha_net_monitor *m, const struct ha_net_address *a)
{
	struct address_node *n = address_find(m, a->ifindex, &a->ip, a);
	struct ha_net_address before;
	int r;

	if (n) {
		before = n->a;
		n->a = *a;
		n->node.generation = m->generation;
		if (!net_codec_same_address(&before, a) && m->ops.address_changed)
			m->ops.address_changed(m->userdata, &n->a, &before);
		return 0;
	}
	n = new_node(m, &m->addresses, sizeof(*n), &r);
	if (!n)
		return r;
	n->a = *a;
	r = table_add(m, &m->addresses, &n->node, address_hash(m, a->ifindex, &a->ip));
	if (r < 0) {
		mem_free(n);
		return r;
	}
	if (m->ops.address_added)
		m->ops.address_added(m->userdata, &n->a);
	return 0;
}

/* Removes what the dumps of this generation did not give and no event brought. */
static void sweep(struct ha_net_monitor *m)
{
	struct list *pos, *next;

	list_for_each_safe (pos, next, &m->addresses.all)
		if (address_at(pos)->node.generation != m->generation)
			remove_address(m, address_at(pos));
	list_for_each_safe (pos, next, &m->links.all)
		if (link_at(pos)->node.generation != m->generation)
			remove_link(m, link_at(pos));
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

static int ask(struct ha_net_monitor *m, enum reading what, uint64_t now_ns)
{
	struct nlmsghdr h;
	int r;

	nl_batch_reset(&m->b);
	if (what == READING_LINKS)
		net_codec_put_link_dump(nl_batch_begin(&m->b, RTM_GETLINK, NLM_F_DUMP));
	else
		net_codec_put_address_dump(nl_batch_begin(&m->b, RTM_GETADDR, NLM_F_DUMP),
					   AF_UNSPEC, 0);
	nl_batch_end(&m->b);
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
	m->generation++;
	r = ask(m, READING_LINKS, now_ns);
	if (r < 0)
		want_later(m, now_ns);
	return r;
}

/* A dump has ended, well or with an error. */
static int end_dump(struct ha_net_monitor *m, int error, uint64_t now_ns)
{
	if (error || m->spoiled) {
		give_up_reading(m, now_ns);
		return 0;
	}
	if (m->reading == READING_LINKS) {
		int r = ask(m, READING_ADDRESSES, now_ns);

		if (r < 0)
			give_up_reading(m, now_ns);
		return r;
	}
	m->reading = READING_NOTHING;
	m->behind = false;
	m->stats.resyncs++;
	sweep(m);
	if (m->crossed)
		want_later(m, now_ns);
	else
		m->retry_ns = RETRY_NS;
	if (m->ops.resynced)
		m->ops.resynced(m->userdata);
	return 0;
}

/* -- messages --------------------------------------------------------------------------------------- */

/* A link or an address, out of a dump or as an event. 0, -ENOMSG, -EBADMSG or -ENOMEM. */
static int take_news(struct ha_net_monitor *m, const struct nl_msg *msg)
{
	struct link_node *link;
	struct address_node *address;
	struct ha_net_link l;
	struct ha_net_address a;
	int r;

	switch (msg->type) {
	case RTM_NEWLINK:
		r = net_codec_read_link(msg, &l);
		return r ? r : put_link(m, &l);
	case RTM_DELLINK:
		r = net_codec_read_link(msg, &l);
		link = r ? NULL : link_find(m, l.ifindex);
		if (link)
			remove_link(m, link);
		return r;
	case RTM_NEWADDR:
		r = net_codec_read_address(msg, &a);
		return r ? r : put_address(m, &a);
	case RTM_DELADDR:
		r = net_codec_read_address(msg, &a);
		address = r ? NULL : address_find(m, a.ifindex, &a.ip, &a);
		if (address)
			remove_address(m, address);
		return r;
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
	r = take_news(m, msg);
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
	static const uint32_t groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR};

	if (!m->c.ops.join)
		return -EOPNOTSUPP;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		int r = m->c.ops.join(m->c.transport, groups[i]);

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
		if (o->transport)
			m->c.ops.close = NULL; /* stays the caller's */
		nl_channel_close(&m->c);
	}
	return r;
}

int ha_net_monitor_new(const struct ha_net_monitor_opts *opts, const struct ha_net_monitor_ops *ops,
		       void *userdata, struct ha_net_monitor **ret)
{
	struct ha_net_monitor_opts o = {.size = sizeof(o)};
	struct ha_net_monitor *m;
	int r;

	if (!ret)
		return -EINVAL;
	r = opts ? sized_in(&o, sizeof(o), opts) : 0;
	if (r < 0)
		return r;
	m = mem_zalloc(sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->userdata = userdata;
	m->stats.size = sizeof(m->stats);
	table_init(&m->links, HA_NET_LINKS_MAX);
	table_init(&m->addresses, HA_NET_ADDRESSES_MAX);
	m->retry_ns = RETRY_NS;
	m->behind = true;
	want(m, 0);
	/* Without a secret seed the hash is only easier to guess. */
	if (getrandom(&m->seed, sizeof(m->seed), GRND_NONBLOCK) < 0)
		m->seed = (uint64_t)(uintptr_t)m;
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

static void table_fini(struct table *t)
{
	struct list *pos, *next;

	/* Both kinds of element begin with their node. */
	list_for_each_safe (pos, next, &t->all)
		mem_free(container_of(pos, struct node, in_list));
	hmap_fini(&t->by_key);
}

void ha_net_monitor_free(struct ha_net_monitor *m)
{
	if (!m)
		return;
	assert(!m->busy);
	table_fini(&m->addresses);
	table_fini(&m->links);
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
	const struct link_node *n;

	if (!m || !ret)
		return -EINVAL;
	n = link_find(m, ifindex);
	return n ? sized_out(ret, &n->l, sizeof(n->l)) : -ENODEV;
}

int ha_net_monitor_address(const struct ha_net_monitor *m, uint32_t ifindex, const struct ha_ip *ip,
			   struct ha_net_address *ret)
{
	const struct address_node *n;

	if (!m || !ha_ip_len(ip))
		return -EINVAL;
	n = address_find(m, ifindex, ip, NULL);
	if (!n)
		return -EADDRNOTAVAIL;
	return ret ? sized_out(ret, &n->a, sizeof(n->a)) : 0;
}

int ha_net_monitor_links(struct ha_net_monitor *m, ha_net_link_fn *each, void *userdata)
{
	struct list *pos;
	bool busy;
	int r = 0;

	if (!m || !each)
		return -EINVAL;
	busy = m->busy;
	m->busy = true;
	for (pos = m->links.all.next; !r && pos != &m->links.all; pos = pos->next)
		r = each(userdata, &link_at(pos)->l);
	m->busy = busy;
	return r;
}

int ha_net_monitor_addresses(struct ha_net_monitor *m, ha_net_address_fn *each, void *userdata)
{
	struct list *pos;
	bool busy;
	int r = 0;

	if (!m || !each)
		return -EINVAL;
	busy = m->busy;
	m->busy = true;
	for (pos = m->addresses.all.next; !r && pos != &m->addresses.all; pos = pos->next)
		r = each(userdata, &address_at(pos)->a);
	m->busy = busy;
	return r;
}

int ha_net_monitor_stats(const struct ha_net_monitor *m, struct ha_net_monitor_stats *ret)
{
	struct ha_net_monitor_stats own;

	if (!m || !ret)
		return -EINVAL;
	own = m->stats;
	own.links = m->links.by_key.n;
	own.addresses = m->addresses.by_key.n;
	return sized_out(ret, &own, sizeof(own));
}
