/* SPDX-License-Identifier: MIT */
/*
 * The Linux hand of the engine: one socket that receives for all sessions of a link, and one to
 * send for each. Packets come before timers: after a stall the packets that stop a detection timer
 * wait in the socket. They come in bounded batches: a storm of them must not keep our own from
 * leaving.
 */
#include <libha/bfd_link.h>

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/heap.h"
#include "base/hmap.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/sized.h"
#include "bfd/object.h"

#define PACKET_SIZE 256 /* one more than the Length of a packet can say */
#define CONTROL_SIZE 128
#define CHUNK 32 /* packets of one recvmmsg */
#define RECEIVE_BUFFER (1 << 20)
#define DRAWS 64 /* of discriminators; the second is needed once in a million times */

/* A session in the link. */
struct entry {
	struct ha_bfd_link *link;
	struct ha_bfd *s;
	struct list in_all;
	struct hmap_node by_discriminator, by_peer;
	struct heap_node timer;
	int fd;
};

struct ha_bfd_link {
	struct ha_bfd_link_opts opts;
	int fd;
	bool busy;
	uint64_t seed; /* of the maps: strangers choose their keys */
	size_t n;
	struct list all;
	struct hmap by_discriminator, by_peer;
	struct heap timers;
	struct entry *point_to_point; /* takes the packets of no known neighbour */
	struct ha_bfd_link_stats stats;

	/* What one recvmmsg fills. */
	struct mmsghdr message[CHUNK];
	struct iovec iov[CHUNK];
	struct sockaddr_storage from[CHUNK];
	uint8_t control[CHUNK][CONTROL_SIZE] __attribute__((aligned(__alignof__(struct cmsghdr))));
	uint8_t packet[CHUNK][PACKET_SIZE];
};

/* ---- making ---- */

static int open_one(const struct ha_bfd_link *l, const struct ha_bfd_socket *want)
{
	return l->opts.open_socket ? l->opts.open_socket(want, l->opts.userdata)
				   : ha_bfd_link_open_socket(want);
}

static void prepare(struct ha_bfd_link *l, unsigned i)
{
	l->iov[i] = (struct iovec){l->packet[i], PACKET_SIZE};
	l->message[i].msg_hdr = (struct msghdr){
	    .msg_name = &l->from[i],
	    .msg_namelen = sizeof(l->from[i]),
	    .msg_iov = &l->iov[i],
	    .msg_iovlen = 1,
	    .msg_control = l->control[i],
	    .msg_controllen = CONTROL_SIZE,
	};
}

int ha_bfd_link_new(const struct ha_bfd_link_opts *opts, struct ha_bfd_link **ret)
{
	struct ha_bfd_socket want = {.size = sizeof(want), .kind = HA_BFD_SOCKET_RECEIVE};
	struct ha_bfd_link_opts o;
	struct ha_bfd_link *l;
	int r = sized_in(&o, sizeof(o), opts);

	if (r < 0)
		return r;
	if (!ret || (o.family != AF_INET && o.family != AF_INET6) || (!o.ifindex && !o.multihop))
		return -EINVAL;
	if (!o.receive_buffer_bytes)
		o.receive_buffer_bytes = RECEIVE_BUFFER;
	l = mem_zalloc(sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->opts = o;
	list_init(&l->all);
	if (getrandom(&l->seed, sizeof(l->seed), GRND_NONBLOCK) < 0)
		l->seed = (uint64_t)(uintptr_t)l; /* early at boot: better than none */
	for (unsigned i = 0; i < CHUNK; i++)
		prepare(l, i);
	want.family = o.family;
	want.ifindex = o.ifindex;
	want.multihop = o.multihop;
	want.receive_buffer_bytes = o.receive_buffer_bytes;
	l->fd = open_one(l, &want);
	if (l->fd < 0) {
		r = l->fd;
		mem_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

/* ---- finding a session ---- */

static uint64_t hash_discriminator(const struct ha_bfd_link *l, uint32_t discriminator)
{
	return hmap_hash(&discriminator, sizeof(discriminator), l->seed);
}

static uint64_t hash_peer(const struct ha_bfd_link *l, const struct ha_ip *peer)
{
	return hmap_hash(peer->bytes, ha_ip_len(peer), l->seed);
}

static struct entry *find_discriminator(const struct ha_bfd_link *l, uint32_t discriminator)
{
	struct hmap_node *node;

	for (node = hmap_first(&l->by_discriminator, hash_discriminator(l, discriminator)); node;
	     node = hmap_next(node)) {
		struct entry *e = container_of(node, struct entry, by_discriminator);

		if (e->s->opts.discriminator == discriminator)
			return e;
	}
	return NULL;
}

/* By the neighbour's address, and over several hops by ours (RFC 5883 section 3). */
static struct entry *find_addresses(const struct ha_bfd_link *l, const struct ha_ip *peer,
				    const struct ha_ip *local)
{
	struct hmap_node *node;

	for (node = hmap_first(&l->by_peer, hash_peer(l, peer)); node; node = hmap_next(node)) {
		struct entry *e = container_of(node, struct entry, by_peer);
		const struct ha_bfd_opts *o = &e->s->opts;

		if (!ha_ip_compare(&o->peer, peer) &&
		    (!l->opts.multihop || !o->local.family || !local->family ||
		     !ha_ip_compare(&o->local, local)))
			return e;
	}
	return l->point_to_point;
}

static struct entry *entry_of(const struct ha_bfd_link *l, const struct ha_bfd *s)
{
	struct entry *e = s->watcher_arg;

	return e && e->link == l ? e : NULL;
}

int ha_bfd_link_draw(const struct ha_bfd_link *l, struct ha_bfd_opts *o)
{
	if (!l || !o)
		return -EINVAL;
	for (unsigned i = 0; i < DRAWS && !o->discriminator; i++) {
		uint32_t drawn;

		if (getrandom(&drawn, sizeof(drawn), 0) < 0)
			return -errno;
		if (!find_discriminator(l, drawn))
			o->discriminator = drawn;
	}
	if (!o->seed && getrandom(&o->seed, sizeof(o->seed), 0) < 0)
		return -errno;
	return 0;
}

/* ---- adding and removing ---- */

/* The session's deadline may have changed. The heap has room since it was added. */
static void rearm(void *arg)
{
	struct entry *e = arg;
	uint64_t deadline = ha_bfd_deadline(e->s);

	if (deadline == HA_BFD_NEVER)
		heap_disarm(&e->link->timers, &e->timer);
	else if (!e->timer.place || e->timer.deadline_ns != deadline)
		heap_arm(&e->link->timers, &e->timer, deadline);
}

static int check_new(const struct ha_bfd_link *l, const struct ha_bfd *s)
{
	const struct ha_bfd_opts *o = &s->opts;

	if (o->family != l->opts.family || o->multihop != l->opts.multihop)
		return -EINVAL;
	if (s->watcher)
		return -EALREADY;
	if (l->n == HA_BFD_LINK_MAX_SESSIONS)
		return -ENOSPC;
	/* A neighbour that may have any address has the link for itself. */
	if (find_discriminator(l, o->discriminator) || find_addresses(l, &o->peer, &o->local) ||
	    (o->point_to_point && l->n))
		return -EEXIST;
	return 0;
}

/* In the maps, with room in the heap: what can fail, before anything else is touched. */
static int insert(struct ha_bfd_link *l, struct entry *e)
{
	const struct ha_bfd_opts *o = &e->s->opts;
	int r = heap_reserve(&l->timers, l->n + 1);

	if (!r)
		r = hmap_add(&l->by_discriminator, &e->by_discriminator,
			     hash_discriminator(l, o->discriminator));
	if (r < 0)
		return r;
	r = hmap_add(&l->by_peer, &e->by_peer, hash_peer(l, &o->peer));
	if (r < 0)
		hmap_remove(&l->by_discriminator, &e->by_discriminator);
	return r;
}

static int open_send(const struct ha_bfd_link *l, const struct ha_bfd_opts *o)
{
	const struct ha_bfd_socket want = {
	    .size = sizeof(want),
	    .kind = HA_BFD_SOCKET_SEND,
	    .family = o->family,
	    .ifindex = l->opts.ifindex,
	    .multihop = o->multihop,
	    .peer = o->peer,
	    .local = o->local,
	    .source_port = o->source_port,
	};

	return open_one(l, &want);
}

int ha_bfd_link_add(struct ha_bfd_link *l, struct ha_bfd *s)
{
	struct entry *e;
	int r;

	if (!l || !s)
		return -EINVAL;
	r = check_new(l, s);
	if (r < 0)
		return r;
	e = mem_zalloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->link = l;
	e->s = s;
	e->fd = r = open_send(l, &s->opts);
	if (r >= 0)
		r = insert(l, e);
	if (r < 0) {
		if (e->fd >= 0)
			close(e->fd);
		mem_free(e);
		return r;
	}
	list_add_tail(&l->all, &e->in_all);
	l->n++;
	if (s->opts.point_to_point)
		l->point_to_point = e;
	bfd_watch(s, rearm, e);
	rearm(e);
	return 0;
}

static void take_out(struct ha_bfd_link *l, struct entry *e)
{
	bfd_watch(e->s, NULL, NULL);
	heap_disarm(&l->timers, &e->timer);
	hmap_remove(&l->by_discriminator, &e->by_discriminator);
	hmap_remove(&l->by_peer, &e->by_peer);
	list_remove(&e->in_all);
	if (l->point_to_point == e)
		l->point_to_point = NULL;
	l->n--;
	close(e->fd);
	mem_free(e);
}

int ha_bfd_link_remove(struct ha_bfd_link *l, struct ha_bfd *s)
{
	struct entry *e;

	if (!l || !s)
		return -EINVAL;
	e = entry_of(l, s);
	if (!e)
		return -ENOENT;
	take_out(l, e);
	return 0;
}

void ha_bfd_link_free(struct ha_bfd_link *l)
{
	struct list *at, *next;

	if (!l)
		return;
	assert(!l->busy);
	list_for_each_safe (at, next, &l->all)
		take_out(l, container_of(at, struct entry, in_all));
	hmap_fini(&l->by_discriminator);
	hmap_fini(&l->by_peer);
	heap_fini(&l->timers);
	close(l->fd);
	mem_free(l);
}

int ha_bfd_link_fd(const struct ha_bfd_link *l)
{
	return l->fd;
}

/* ---- receiving ---- */

/* The TTL, and over several hops our address, which the kernel passes beside the bytes. */
static bool read_control(struct msghdr *m, struct ha_bfd_meta *meta)
{
	bool ttl = false;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		const uint8_t *data = CMSG_DATA(c);
		int value;

		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
		    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)) {
			memcpy(&value, data, sizeof(value));
			meta->ttl = (uint8_t)value;
			ttl = true;
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, data, sizeof(info));
			meta->destination.family = AF_INET;
			memcpy(meta->destination.bytes, &info.ipi_addr, 4);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, data, sizeof(info));
			meta->destination.family = AF_INET6;
			memcpy(meta->destination.bytes, &info.ipi6_addr, 16);
		}
	}
	return ttl;
}

static void deliver(struct ha_bfd_link *l, uint64_t now_ns, struct mmsghdr *mm, unsigned i)
{
	struct ha_bfd_meta meta = {.size = sizeof(meta)};
	uint32_t your = ha_bfd_your_discriminator(l->packet[i], mm->msg_len);
	struct entry *e;

	l->stats.received++;
	if ((mm->msg_hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
	    !read_control(&mm->msg_hdr, &meta) ||
	    ha_ip_from_sockaddr((struct sockaddr *)&l->from[i], mm->msg_hdr.msg_namelen,
				&meta.source) < 0) {
		l->stats.no_meta++;
		return;
	}
	e = your ? find_discriminator(l, your) : find_addresses(l, &meta.source, &meta.destination);
	if (e)
		ha_bfd_receive(e->s, now_ns, &meta, l->packet[i], mm->msg_len);
	else if (your)
		l->stats.unknown_discriminator++;
	else
		l->stats.unknown_address++;
}

/* One batch; how many packets it had, or -errno. */
static int receive(struct ha_bfd_link *l, uint64_t now_ns)
{
	int n = recvmmsg(l->fd, l->message, CHUNK, MSG_DONTWAIT, NULL);

	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return 0;
		l->stats.errors++;
		return -errno;
	}
	for (unsigned i = 0; i < (unsigned)n; i++) {
		deliver(l, now_ns, &l->message[i], i);
		prepare(l, i);
	}
	return n;
}

uint64_t ha_bfd_link_deadline(const struct ha_bfd_link *l)
{
	return l ? heap_deadline(&l->timers) : HA_BFD_NEVER;
}

/* Each session at most once: a tick moves its deadline into the future. */
static void serve_timers(struct ha_bfd_link *l, uint64_t now_ns)
{
	for (size_t i = l->n; i; i--) {
		struct heap_node *node = heap_first(&l->timers);

		if (!node || node->deadline_ns > now_ns)
			break;
		ha_bfd_tick(container_of(node, struct entry, timer)->s, now_ns);
	}
}

int ha_bfd_link_dispatch(struct ha_bfd_link *l, uint64_t now_ns)
{
	int r = 0;

	if (!l)
		return -EINVAL;
	if (l->busy)
		return -EBUSY;
	l->busy = true;
	for (unsigned done = 0; done < HA_BFD_LINK_BATCH; done += CHUNK) {
		r = receive(l, now_ns);
		if (r < CHUNK)
			break;
	}
	serve_timers(l, now_ns);
	l->busy = false;
	return r < 0 ? r : 0;
}

/* ---- sending ---- */

int ha_bfd_link_send(struct ha_bfd_link *l, const struct ha_bfd *s, const void *pkt, size_t len)
{
	struct entry *e;
	ssize_t r;

	if (!l || !s || !pkt)
		return -EINVAL;
	e = entry_of(l, s);
	if (!e)
		return -ENOENT;
	r = send(e->fd, pkt, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	/* The answer to an earlier packet, nobody listened, kept this one from leaving. */
	if (r < 0 && errno == ECONNREFUSED)
		r = send(e->fd, pkt, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (r < 0) {
		l->stats.errors++;
		return -errno;
	}
	l->stats.sent++;
	return 0;
}

int ha_bfd_link_source_port(const struct ha_bfd_link *l, const struct ha_bfd *s, uint16_t *ret)
{
	union {
		struct sockaddr any;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	} at;
	socklen_t len = sizeof(at);
	struct entry *e;

	if (!l || !s || !ret)
		return -EINVAL;
	e = entry_of(l, s);
	if (!e)
		return -ENOENT;
	if (getsockname(e->fd, &at.any, &len) < 0)
		return -errno;
	*ret = ntohs(at.any.sa_family == AF_INET6 ? at.six.sin6_port : at.four.sin_port);
	return 0;
}

int ha_bfd_link_stats(const struct ha_bfd_link *l, struct ha_bfd_link_stats *ret)
{
	return l ? sized_out(ret, &l->stats, sizeof(l->stats)) : -EINVAL;
}
