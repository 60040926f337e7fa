/* SPDX-License-Identifier: MIT */
/*
 * The Linux hand of the engine: one advert socket and one announcing socket for an interface and a
 * family. Packets come before timers: after a stall the adverts that change everything wait in the
 * socket. They come in bounded batches: a storm of them must not keep our own from leaving.
 */
#include <libha/vrrp_link.h>

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netpacket/packet.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "base/sized.h"
#include "vrrp/auth.h"
#include "vrrp/frame.h"
#include "vrrp/link.h"
#include "vrrp/object.h"

/* ---- making ---- */

#define ON_TIME_NS UINT64_C(1000000)

static struct ha_ip default_group(uint8_t family)
{
	struct ha_ip four = {.family = AF_INET, .bytes = {224, 0, 0, 18}};
	struct ha_ip six = {.family = AF_INET6, .bytes = {0xff, 2, [15] = 0x12}};

	return family == AF_INET6 ? six : four;
}

static int open_one(const struct ha_vrrp_link_opts *o, const struct ha_vrrp_socket *want)
{
	return o->open_socket ? o->open_socket(want, o->userdata) : ha_vrrp_link_open_socket(want);
}

static int open_sockets(struct ha_vrrp_link *l, const struct ha_vrrp_link_opts *o)
{
	struct ha_vrrp_socket want = {
	    .size = sizeof(want),
	    .kind = HA_VRRP_SOCKET_ADVERT,
	    .family = o->family,
	    .ifindex = o->ifindex,
	    .ttl = o->ttl,
	    .receive_buffer_bytes = o->receive_buffer_bytes,
	};
	const struct ha_vrrp_socket announce = {
	    .size = sizeof(want), .kind = HA_VRRP_SOCKET_ANNOUNCE, .ifindex = o->ifindex};
	const struct ha_vrrp_socket sight = {.size = sizeof(want),
					     .kind = HA_VRRP_SOCKET_SIGHT,
					     .family = o->family,
					     .ifindex = o->ifindex};

	if (!o->unicast_only)
		want.group = o->group.family ? o->group : default_group(o->family);
	l->fd = open_one(o, &want);
	if (l->fd < 0)
		return l->fd;
	want.kind = HA_VRRP_SOCKET_AH;
	if (o->ah && (l->ah_fd = open_one(o, &want)) < 0)
		return l->ah_fd;
	if (o->sight && (l->sight_fd = open_one(o, &sight)) < 0)
		return l->sight_fd;
	l->announce_fd = open_one(o, &announce);
	return l->announce_fd < 0 ? l->announce_fd : 0;
}

static int poll_too(struct ha_vrrp_link *l, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

	return fd >= 0 && epoll_ctl(l->poll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

/* One descriptor for the host, which is the socket itself while there is no other. */
static int poll_all(struct ha_vrrp_link *l)
{
	int r;

	if (l->ah_fd < 0 && l->sight_fd < 0)
		return 0;
	l->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->poll_fd < 0)
		return -errno;
	r = poll_too(l, l->fd);
	if (!r)
		r = poll_too(l, l->ah_fd);
	return r ? r : poll_too(l, l->sight_fd);
}

int link_attach(int fd, const struct vrrp_filter *f)
{
	const struct sock_fprog program = {.len = f->n,
					   .filter = (struct sock_filter *)(uintptr_t)f->at};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return -errno;
	return 0;
}

static int filter_adverts(struct ha_vrrp_link *l, int fd, bool ah)
{
	struct vrrp_filter f;
	int none = 0;

	if (fd < 0)
		return 0;
	if (l->no_filter) {
		setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none));
		return 0; /* -ENOENT: it had none */
	}
	vrrp_filter_adverts(l->family, ah, &l->vrids, &f);
	return link_attach(fd, &f);
}

/* Says to the kernel which VRIDs and addresses are of use. */
static int set_filters(struct ha_vrrp_link *l)
{
	int r = filter_adverts(l, l->fd, false);

	l->filter_stale = false;
	if (!r)
		r = filter_adverts(l, l->ah_fd, true);
	return r ? r : link_sight_refresh(l);
}

static void narrow_filter(struct ha_vrrp_link *l)
{
	l->vrids = (struct vrrp_byte_set){0};
	for (unsigned i = 1; i < 256; i++)
		if (l->by_vrid[i])
			vrrp_byte_set_add(&l->vrids, (uint8_t)i);
	set_filters(l);
}

/* What recvmmsg changes is put back. Of IPv4 the packet says all. */
static void prepare(struct ha_vrrp_link *l, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct msghdr *m = &l->message[i].msg_hdr;

		l->iov[i] = (struct iovec){l->packet[i], LINK_PACKET_SIZE};
		*m = (struct msghdr){.msg_iov = &l->iov[i], .msg_iovlen = 1};
		if (l->family == AF_INET)
			continue;
		m->msg_name = &l->from[i];
		m->msg_namelen = sizeof(l->from[i]);
		m->msg_control = l->control[i];
		m->msg_controllen = LINK_CONTROL_SIZE;
	}
}

int ha_vrrp_link_new(const struct ha_vrrp_link_opts *opts, struct ha_vrrp_link **ret)
{
	struct ha_vrrp_link_opts o;
	struct ha_vrrp_link *l;
	int r = sized_in(&o, sizeof(o), opts);

	if (r < 0)
		return r;
	if (!ret || (!o.ifindex && (!o.unicast_only || o.sight)) ||
	    (o.family != AF_INET && o.family != AF_INET6) ||
	    (o.group.family && o.group.family != o.family))
		return -EINVAL;
	l = mem_zalloc(sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->family = o.family;
	l->ifindex = o.ifindex;
	l->fd = l->ah_fd = l->announce_fd = l->sight_fd = l->poll_fd = -1;
	l->no_filter = o.no_filter;
	l->shares_vrids = o.shares_vrids;
	l->unknown_vrid = o.unknown_vrid;
	l->userdata = o.userdata;
	vrrp_clock_init(&l->clock);
	prepare(l, LINK_CHUNK);
	r = link_announce_init(l, &o);
	if (r >= 0)
		r = open_sockets(l, &o);
	if (r >= 0)
		r = poll_all(l);
	if (r >= 0)
		r = set_filters(l);
	if (r < 0) {
		ha_vrrp_link_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

static void close_if(int fd)
{
	if (fd >= 0)
		close(fd);
}

void ha_vrrp_link_free(struct ha_vrrp_link *l)
{
	if (!l)
		return;
	assert(!l->busy);
	close_if(l->fd);
	close_if(l->ah_fd);
	close_if(l->announce_fd);
	close_if(l->sight_fd);
	close_if(l->poll_fd);
	link_announce_fini(l);
	for (unsigned i = 1; i < 256; i++)
		if (l->by_vrid[i])
			l->by_vrid[i]->clock = NULL;
	mem_free(l);
}

int ha_vrrp_link_add(struct ha_vrrp_link *l, struct ha_vrrp *v)
{
	uint8_t vrid;
	int r = 0;

	if (!l || !v || v->opts.family != l->family ||
	    (v->opts.auth == HA_VRRP_AUTH_AH && l->ah_fd < 0))
		return -EINVAL;
	vrid = v->opts.vrid;
	if (l->by_vrid[vrid] || v->clock)
		return -EEXIST;
	v->clock = &l->clock;
	vrrp_rearm(v);
	l->by_vrid[vrid] = v;
	if (!vrrp_byte_set_has(&l->vrids, vrid) || l->sight_fd >= 0) {
		vrrp_byte_set_add(&l->vrids, vrid);
		r = set_filters(l);
	}
	if (r < 0)
		ha_vrrp_link_remove(l, v);
	return r;
}

int ha_vrrp_link_remove(struct ha_vrrp_link *l, struct ha_vrrp *v)
{
	uint8_t vrid;

	if (!l || !v)
		return -EINVAL;
	vrid = ha_vrrp_opts(v)->vrid;
	if (l->by_vrid[vrid] != v)
		return -ENOENT;
	l->by_vrid[vrid] = NULL;
	l->clock.at_ns[vrid] = VRRP_CLOCK_NEVER;
	v->clock = NULL;
	link_announce_forget(l, v);
	l->filter_stale = true; /* until the next dispatch: many may leave at once */
	return 0;
}

int ha_vrrp_link_fd(const struct ha_vrrp_link *l)
{
	return l->poll_fd >= 0 ? l->poll_fd : l->fd;
}

/* ---- receiving ---- */

/* A raw IPv4 socket gives the IP header, too, which the kernel has checked. Leaves `r` behind it. */
static bool read_ipv4_header(struct reader *r, struct ha_vrrp_meta *meta)
{
	const uint8_t *at = r->at;
	size_t header = (size_t)(read_u8(r) & 0xf) * 4;

	*r = reader_of(at, (size_t)(r->end - at));
	at = read_bytes(r, header < sizeof(struct ip) ? sizeof(struct ip) : header);
	if (!at)
		return false;
	meta->ttl = at[offsetof(struct ip, ip_ttl)];
	meta->source.family = meta->destination.family = AF_INET;
	memcpy(meta->source.bytes, at + offsetof(struct ip, ip_src), 4);
	memcpy(meta->destination.bytes, at + offsetof(struct ip, ip_dst), 4);
	return true;
}

/* A raw IPv6 socket passes the header's fields beside the bytes. */
static bool read_beside(struct msghdr *m, struct ha_vrrp_meta *meta)
{
	bool hop_limit = false, destination = false;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		const uint8_t *data = CMSG_DATA(c);
		struct in6_pktinfo info;
		int value;

		if (c->cmsg_level != IPPROTO_IPV6)
			continue;
		if (c->cmsg_type == IPV6_HOPLIMIT) {
			memcpy(&value, data, sizeof(value));
			meta->ttl = (uint8_t)value;
			hop_limit = true;
		} else if (c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&info, data, sizeof(info));
			meta->destination.family = AF_INET6;
			memcpy(meta->destination.bytes, &info.ipi6_addr, 16);
			destination = true;
		}
	}
	return hop_limit && destination && !(m->msg_flags & MSG_CTRUNC) &&
	       !ha_ip_from_sockaddr(m->msg_name, m->msg_namelen, &meta->source);
}

static void count_unknown(struct ha_vrrp_link *l, uint8_t vrid, const struct ha_ip *source)
{
	l->stats.unknown_vrid++;
	if (l->unknown_vrid)
		l->unknown_vrid(vrid, source, l->userdata);
}

/* Addressed to this router, not to another link's of the same VRID. */
static bool is_for(const struct ha_vrrp *v, const struct ha_vrrp_meta *m)
{
	const struct ha_vrrp_opts *o = &v->opts;

	if (!o->n_peers)
		return ip_equal(&m->destination, &o->group);
	for (size_t i = 0; i < o->n_peers; i++)
		if (ip_equal(&m->source, &o->peers[i]))
			return ip_equal(&m->destination, &o->source);
	return false;
}

static void deliver(struct ha_vrrp_link *l, uint64_t now_ns, bool ah, unsigned i)
{
	struct mmsghdr *mm = &l->message[i];
	struct ha_vrrp_meta meta = {.size = sizeof(meta)};
	struct reader r = reader_of(l->packet[i], mm->msg_len), peek;
	struct ha_vrrp *v;
	uint8_t vrid;
	bool whole;

	l->stats.received++;
	whole =
	    l->family == AF_INET ? read_ipv4_header(&r, &meta) : read_beside(&mm->msg_hdr, &meta);
	peek = r;
	if (ah) {
		read_bytes(&peek, VRRP_AH_SIZE);
		meta.protocol = VRRP_PROTOCOL_AH;
		meta.header = l->packet[i];
		meta.header_len = reader_left(&r) ? (size_t)(r.at - l->packet[i]) : 0;
	}
	read_u8(&peek);
	vrid = read_u8(&peek);
	if (!whole || peek.bad || mm->msg_hdr.msg_flags & MSG_TRUNC) {
		l->stats.no_meta++;
		return;
	}
	v = l->by_vrid[vrid];
	if (v && l->shares_vrids && !is_for(v, &meta))
		l->stats.elsewhere++;
	else if (v)
		ha_vrrp_receive(v, now_ns, &meta, r.at, reader_left(&r));
	else
		count_unknown(l, vrid, &meta.source);
}

/* One batch; how many packets it had, or -errno. */
static int receive(struct ha_vrrp_link *l, int fd, uint64_t now_ns)
{
	int n;

	n = recvmmsg(fd, l->message, LINK_CHUNK, MSG_DONTWAIT, NULL);
	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return 0;
		l->stats.errors++;
		return -errno;
	}
	for (int i = 0; i < n; i++)
		deliver(l, now_ns, fd == l->ah_fd, (unsigned)i);
	prepare(l, (unsigned)n);
	return n;
}

static int read_socket(struct ha_vrrp_link *l, int fd, uint64_t now_ns)
{
	int r = 0;

	for (unsigned done = 0; done < HA_VRRP_LINK_BATCH; done += LINK_CHUNK) {
		r = receive(l, fd, now_ns);
		if (r < LINK_CHUNK)
			break;
	}
	return r < 0 ? r : 0;
}

static int read_all(struct ha_vrrp_link *l, uint64_t now_ns)
{
	struct epoll_event ready[3];
	int n, first = 0;

	if (l->poll_fd < 0)
		return read_socket(l, l->fd, now_ns);
	n = epoll_wait(l->poll_fd, ready, 3, 0);
	for (int i = 0; i < n; i++) {
		int r = 0;

		if (ready[i].data.fd == l->sight_fd)
			link_sight_read(l, now_ns);
		else
			r = read_socket(l, ready[i].data.fd, now_ns);
		if (!first)
			first = r;
	}
	return first;
}

uint64_t ha_vrrp_link_deadline(const struct ha_vrrp_link *l)
{
	uint64_t routers = vrrp_clock_first_ns(&l->clock),
		 announcements = link_announce_deadline(l);

	return routers < announcements ? routers : announcements;
}

/* Each due router once: one that is due again at once waits for the next turn. */
static void tick(struct ha_vrrp_link *l, uint64_t now_ns)
{
	for (unsigned vrid = 1; vrid < 256; vrid++) {
		struct ha_vrrp *v = l->by_vrid[vrid];

		if (l->clock.at_ns[vrid] <= now_ns && (!l->skipped || v->state == HA_VRRP_ACTIVE))
			ha_vrrp_tick(v, now_ns);
	}
}

/*
 * What waits is heard before timers: after a stall it may stop them. An Active that is on time has no need
 * of it, and one system call less for each advert; then Backups wait for the next turn, which reads. Never
 * twice in a row: whoever sends all the time listens all the time, too.
 */
static bool may_skip_reading(struct ha_vrrp_link *l, uint64_t now_ns)
{
	uint8_t first = vrrp_clock_first(&l->clock);
	uint64_t due_ns = l->clock.at_ns[first];

	l->skipped = !l->skipped && due_ns <= now_ns && now_ns - due_ns < ON_TIME_NS &&
		     l->by_vrid[first]->state == HA_VRRP_ACTIVE;
	return l->skipped;
}

int ha_vrrp_link_dispatch(struct ha_vrrp_link *l, uint64_t now_ns)
{
	int r = 0;

	if (!l)
		return -EINVAL;
	if (l->busy)
		return -EBUSY;
	l->busy = true;
	if (!may_skip_reading(l, now_ns))
		r = read_all(l, now_ns);
	tick(l, now_ns);
	link_announce_serve(l, now_ns);
	if (l->filter_stale)
		narrow_filter(l);
	l->busy = false;
	return r;
}

/* ---- sending ---- */

static size_t put(uint8_t *control, int level, int type, const void *data, size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)(void *)control;

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	return CMSG_SPACE(len);
}

/* The source address goes with each packet: routers of one link may have different ones. */
static size_t put_source(uint8_t *control, const struct ha_ip *source, uint32_t ifindex)
{
	struct in6_pktinfo info6 = {.ipi6_ifindex = ifindex};
	struct in_pktinfo info4 = {.ipi_ifindex = (int)ifindex};

	if (source->family == AF_INET6) {
		memcpy(&info6.ipi6_addr, source->bytes, 16);
		return put(control, IPPROTO_IPV6, IPV6_PKTINFO, &info6, sizeof(info6));
	}
	memcpy(&info4.ipi_spec_dst, source->bytes, 4);
	return put(control, IPPROTO_IP, IP_PKTINFO, &info4, sizeof(info4));
}

/* Likewise; the socket has 255. */
static size_t put_ttl(uint8_t *control, const struct ha_vrrp_opts *o)
{
	int ttl = o->unicast_ttl;

	if (!o->n_peers || ttl == 255)
		return 0;
	return o->family == AF_INET6 ? put(control, IPPROTO_IPV6, IPV6_HOPLIMIT, &ttl, sizeof(ttl))
				     : put(control, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
}

int ha_vrrp_link_send(struct ha_vrrp_link *l, const struct ha_vrrp *v,
		      const struct ha_ip *destination, const void *advert, size_t len)
{
	uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int))]
	    __attribute__((aligned(__alignof__(struct cmsghdr)))) = {0};
	uint8_t header[VRRP_IP4_HEADER_SIZE];
	struct sockaddr_storage to;
	struct iovec iov[] = {{header, sizeof(header)}, {(void *)(uintptr_t)advert, len}};
	struct msghdr m = {.msg_iov = iov + 1, .msg_iovlen = 1, .msg_control = control};
	int fd = l ? l->fd : -1;
	ssize_t r;

	if (!l || !v || !destination || destination->family != l->family || !advert)
		return -EINVAL;
	r = ha_ip_to_sockaddr(destination, 0, l->ifindex, &to);
	if (r < 0)
		return (int)r;
	m.msg_name = &to;
	m.msg_namelen = (socklen_t)r;
	m.msg_controllen = put_source(control, &ha_vrrp_opts(v)->source, l->ifindex);
	m.msg_controllen += put_ttl(control + m.msg_controllen, ha_vrrp_opts(v));
	if (v->opts.auth == HA_VRRP_AUTH_AH) {
		/* The ICV covers the IP header, so that must leave as the engine thought of it. */
		fd = l->ah_fd;
		vrrp_ah_ip_header(&v->opts.source, destination, advert, len, header);
		m.msg_iov = iov;
		m.msg_iovlen = 2;
	}
	if (sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		l->stats.errors++;
		return -errno;
	}
	l->stats.sent++;
	return 0;
}

/* A frame through the socket that makes announcements. */
int link_send_frame(struct ha_vrrp_link *l, uint32_t ifindex, const uint8_t *frame, size_t len)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_protocol = htons((uint16_t)(frame[12] << 8 | frame[13])),
				 .sll_ifindex = (int)ifindex,
				 .sll_halen = 6};

	memcpy(to.sll_addr, frame, 6);
	if (sendto(l->announce_fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to,
		   sizeof(to)) < 0) {
		l->stats.errors++;
		return -errno;
	}
	return 0;
}

int ha_vrrp_link_send_from(struct ha_vrrp_link *l, const struct ha_vrrp *v, const uint8_t mac[6],
			   const struct ha_ip *destination, const void *advert, size_t len)
{
	uint8_t frame[VRRP_FRAME_SIZE], header[VRRP_IP4_HEADER_SIZE];
	bool ah = v && v->opts.auth == HA_VRRP_AUTH_AH;
	ssize_t n;
	int r;

	if (!l || !l->ifindex || !v || !mac || !destination || destination->family != l->family ||
	    !advert)
		return -EINVAL;
	if (ah)
		vrrp_ah_ip_header(&v->opts.source, destination, advert, len, header);
	n = vrrp_frame(mac, &v->opts.source, destination, ah ? header : NULL, advert, len, frame,
		       sizeof(frame));
	r = n < 0 ? (int)n : link_send_frame(l, l->ifindex, frame, (size_t)n);
	l->stats.sent += !r;
	return r;
}

int ha_vrrp_link_send_frame(struct ha_vrrp_link *l, const void *frame, size_t len)
{
	if (!l || !l->ifindex || !frame || len < 14 || len > VRRP_FRAME_SIZE)
		return -EINVAL;
	return link_send_frame(l, l->ifindex, frame, len);
}

/* ---- the source address ---- */

/* The C library gives the label of an IPv4 address for the name: "eth0:mgmt" (no name has a colon). */
static bool is_on(const struct ifaddrs *i, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(i->ifa_name, name, len) && (!i->ifa_name[len] || i->ifa_name[len] == ':');
}

static bool is_source(const struct ifaddrs *i, const char *name, uint8_t family,
		      const struct ha_ip *not_these, size_t n, struct ha_ip *ret)
{
	socklen_t len =
	    family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

	if (!i->ifa_addr || i->ifa_addr->sa_family != family || !is_on(i, name))
		return false;
	if (ha_ip_from_sockaddr(i->ifa_addr, len, ret) < 0)
		return false;
	if (family == AF_INET6 && !(ret->bytes[0] == 0xfe && (ret->bytes[1] & 0xc0) == 0x80))
		return false;
	for (size_t j = 0; j < n; j++)
		if (ip_equal(ret, &not_these[j]))
			return false;
	return true;
}

int ha_vrrp_link_source(uint32_t ifindex, uint8_t family, const struct ha_ip *not_these,
			size_t n_not_these, struct ha_ip *ret)
{
	char name[IF_NAMESIZE];
	struct ifaddrs *all;
	struct ha_ip ip;
	int r = -EADDRNOTAVAIL;

	if (!ret || (family != AF_INET && family != AF_INET6) || (!not_these && n_not_these))
		return -EINVAL;
	if (!if_indextoname(ifindex, name))
		return -ENODEV;
	if (getifaddrs(&all) < 0)
		return -errno;
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		if (is_source(i, name, family, not_these, n_not_these, &ip)) {
			*ret = ip;
			r = 0;
			break;
		}
	}
	freeifaddrs(all);
	return r;
}

int ha_vrrp_link_stats(const struct ha_vrrp_link *l, struct ha_vrrp_link_stats *ret)
{
	return l ? sized_out(ret, &l->stats, sizeof(l->stats)) : -EINVAL;
}
