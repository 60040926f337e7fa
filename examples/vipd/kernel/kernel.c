/* SPDX-License-Identifier: MIT */
/*
 * The process with the capabilities: it listens to vrrp and health, knows a closed list of verbs and
 * checks each against the configuration it was born with. No file, no packet, no text from outside.
 */
#include "kernel/kernel.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "log.h"
#include "netlink_buffer.h"

#define SECOND_NS UINT64_C(1000000000)
#define AUDIT_NS (60 * SECOND_NS)
#define MESSAGES_PER_TURN 1024
#define VIEW_PATIENCE_NS (5 * SECOND_NS)
#define COMMIT_REST_NS UINT64_C(20000000) /* between two changes of the virtual servers, at least */

/* ---- Verbs of vrrp ---- */

/* Unicast without an interface needs none. */
static bool may_be_bound_to(struct kernel *k, uint32_t ifindex, bool multicast)
{
	if (!ifindex)
		return !multicast && watched_find(k, CONF_BY_ROUTE);
	for (size_t i = 0; i < k->n_watched; i++)
		if (k->watched[i].link.ifindex == ifindex)
			return true;
	return false;
}

static bool is_configured_group(const struct kernel *k, const struct ha_vrrp_socket *s)
{
	struct ha_ip standard;

	if (!s->group.family)
		return true;
	ha_ip_parse(s->family == AF_INET ? "224.0.0.18" : "ff02::12", &standard);
	if (!ha_ip_compare(&s->group, &standard))
		return true;
	for (const struct conf_instance *i = k->conf->instances; i; i = i->next)
		if (!ha_ip_compare(&s->group, &i->group_address))
			return true;
	return false;
}

static void open_socket(struct kernel *k, const struct msg *ask)
{
	struct msg m = {.type = MSG_SOCKET, .index = ask->index, .index2 = ask->socket.kind};
	int fd = -EPERM;

	if (may_be_bound_to(k, ask->socket.ifindex, ask->socket.group.family) &&
	    is_configured_group(k, &ask->socket) && (!ask->socket.ttl || ask->socket.ttl == 255))
		fd = ha_vrrp_link_open_socket(&ask->socket);
	if (fd < 0)
		m.extra = fd;
	if (msg_send(k->birth->ends.vrrp, &m, fd) < 0)
		log_warn("vrrp does not listen");
	if (fd >= 0)
		close(fd);
}

static void on_vrrp(struct loop *l, int fd, uint32_t events, void *userdata)
{
	struct kernel *k = userdata;
	struct msg m;

	for (int i = 0; i < MESSAGES_PER_TURN && msg_receive(fd, &m, NULL) > 0; i++) {
		if (m.type == MSG_HOLD && m.index < k->conf->n_instances)
			addresses_hold(k, m.index, m.value == 1);
		else if (m.type == MSG_OPEN)
			open_socket(k, &m);
		else if (m.type == MSG_RESYNC)
			addresses_tell_again(k);
		else
			log_warn("vrrp asks for something that is not allowed (%u)", m.type);
	}
	loop_arm(k->settle, loop_now_ns(k->loop));
}

/* ---- Verbs of health ---- */

/* What was before is dealt with: neither this process nor the supervisor, for a successor, needs to know it any more. */
static void say_served(struct kernel *k)
{
	const struct birth *b = k->birth;

	if (k->old_is_gone)
		return;
	k->old_is_gone = true;
	if (b->old != b->conf)
		conf_free(b->old);
	weights_free(b->old_weights);
	msg_send(b->ends.control, &(struct msg){.type = MSG_SERVED}, -1);
}

/*
 * A server that failed is still asked, perhaps: not until the audit. Ever later, for what is hopeless is logged each time;
 * but not by what health asks for meanwhile, which may be a lot within a second.
 */
static void commit_again(struct kernel *k, bool failed, bool asked)
{
	uint64_t again_ns = k->commit_again_ns ? (asked ? 1 : 2) * k->commit_again_ns : SECOND_NS;

	k->commit_again_ns = !failed ? 0 : again_ns < AUDIT_NS ? again_ns : AUDIT_NS;
	if (failed)
		loop_arm(k->commit, loop_clock_ns() + k->commit_again_ns);
}

/*
 * One that fails alone is out at once. Many may fail one after the other, as when a switch dies, and of a table with tens of
 * thousands of servers a change takes a second: what came meanwhile goes in with the next one, and half of the time is for addresses.
 */
static void commit(struct kernel *k)
{
	uint64_t begin_ns = loop_clock_ns(), end_ns, rest_ns;
	bool asked = k->commit_waits;
	int r;

	k->commit_waits = false;
	r = services_commit(k->services);
	say_served(k);
	commit_again(k, r < 0, asked);
	end_ns = loop_clock_ns();
	rest_ns = end_ns - begin_ns;
	k->commit_after_ns = end_ns + (rest_ns > COMMIT_REST_NS ? rest_ns : COMMIT_REST_NS);
}

static void on_commit(struct loop *l, void *userdata)
{
	commit(userdata);
}

static void commit_soon(struct kernel *k)
{
	uint64_t now = loop_now_ns(k->loop);

	if (!k->commit_waits)
		loop_arm(k->commit, now > k->commit_after_ns ? now : k->commit_after_ns);
	k->commit_waits = true;
}

static void on_health(struct loop *l, int fd, uint32_t events, void *userdata)
{
	struct kernel *k = userdata;
	struct msg m;

	for (int i = 0; i < MESSAGES_PER_TURN && msg_receive(fd, &m, NULL) > 0; i++) {
		if (m.type == MSG_OPEN) {
			probe_open_socket(k, &m);
			continue;
		}
		if (!k->services)
			continue;
		if (m.type == MSG_COMMIT)
			commit_soon(k);
		else
			log_warn("health asks for something that is not allowed (%u)", m.type);
	}
}

/* ---- The kernel's events ---- */

static void soon(struct kernel *k)
{
	loop_arm(k->settle, loop_now_ns(k->loop));
}

/* The name is that of another interface now, or of none. */
static void follow(struct kernel *k, struct watched *w, const struct ha_net_link *now)
{
	if (w->link.ifindex && w->link.ifindex != now->ifindex)
		addresses_leave(k, w);
	w->link = *now;
}

static void on_link(void *userdata, const struct ha_net_link *now, const struct ha_net_link *before)
{
	struct kernel *k = userdata;

	for (size_t i = 0; i < k->n_watched; i++) {
		struct watched *w = &k->watched[i];

		if (!strcmp(w->name, now->name)) {
			vmac_follow(w, now, &w->link);
			follow(k, w, now);
			vmac_follow_parent(k, now, before);
		} else if (before && w->link.ifindex == now->ifindex) {
			if (w->is_vmac)
				log_warn("somebody else renamed %s to %s: it is made again", w->name, now->name);
			w->right_ifindex = 0;
			follow(k, w, &(struct ha_net_link){0});
		}
	}
	soon(k);
}

static void on_link_removed(void *userdata, const struct ha_net_link *l)
{
	struct kernel *k = userdata;

	for (size_t i = 0; i < k->n_watched; i++)
		if (k->watched[i].link.ifindex == l->ifindex)
			k->watched[i].link = (struct ha_net_link){0};
	soon(k);
}

static void on_address(void *userdata, const struct ha_net_address *a)
{
	soon(userdata);
}

/* An IPv6 address that was tentative is one to send from now. */
static void on_address_changed(void *userdata, const struct ha_net_address *now,
			       const struct ha_net_address *before)
{
	soon(userdata);
}

static void on_resynced(void *userdata)
{
	soon(userdata);
}

static int open_net(struct kernel *k)
{
	struct ha_net_opts o = {.size = sizeof(o)};
	struct ha_nl_transport t;
	int r = netlink_open(&k->conf->globals.vrrp_command, NETLINK_ROUTE, "vrrp_netlink_cmd", &t,
			     &o.transport);

	return r < 0 ? r : ha_net_new(&o, &k->net);
}

LOOP_JOINS(ha_net_monitor)

static int watch_kernel(struct kernel *k)
{
	struct ha_net_monitor_opts m = {.size = sizeof(m)};
	struct ha_nl_transport t;
	const struct ha_net_monitor_ops ops = {
	    .size = sizeof(ops),
	    .link_changed = on_link,
	    .link_removed = on_link_removed,
	    .address_added = on_address,
	    .address_changed = on_address_changed,
	    .address_removed = on_address,
	    .resynced = on_resynced,
	};
	int r = netlink_open(&k->conf->globals.vrrp_monitor, NETLINK_ROUTE, "vrrp_netlink_monitor",
			     &t, &m.transport);

	if (r >= 0)
		r = ha_net_monitor_new(&m, &ops, k, &k->monitor);
	if (r < 0)
		return r;
	return ha_net_monitor_join(k->monitor, "links and addresses", k->loop, NULL);
}

static void on_settle(struct loop *l, void *userdata)
{
	addresses_settle(userdata);
}

/* Others change things, too, and IPVS tells nobody. */
static void on_audit(struct loop *l, void *userdata)
{
	struct kernel *k = userdata;

	ha_net_monitor_resync(k->monitor);
	addresses_audit(k);
	marks_settle(k);
	if (k->services)
		services_audit(k->services);
	loop_arm(k->audit, loop_now_ns(l) + AUDIT_NS);
}

/* ---- Life ---- */

static void end_services(struct kernel *k, enum msg_stop how)
{
	if (how == MSG_STOP_RELOAD) {
		services_hand_over(k->services);
	} else if (!k->birth->options->keep_services) {
		marks_release(k);
		services_release(k->services);
	} else if (k->commit_waits || k->commit_again_ns) {
		services_commit(k->services); /* nobody does it later */
	}
}

/* The last wishes of the others are worked off first: they wait in the pairs. */
static void end(struct kernel *k, enum msg_stop how)
{
	on_vrrp(k->loop, k->birth->ends.vrrp, 0, k);
	on_health(k->loop, k->birth->ends.health, 0, k);
	if (how != MSG_STOP_RELOAD && !k->birth->options->keep_addresses)
		addresses_release(k);
	if (how == MSG_STOP_RELOAD)
		again_old_leave(k);
	settings_release(k);
	if (k->services)
		end_services(k, how);
	if (how != MSG_STOP_RELOAD)
		sync_release(k);
	loop_stop(k->loop, 0);
}

static void count(struct kernel *k)
{
	const struct msg done = {.type = MSG_STATS};

	if (k->services)
		services_count(k->services, k->birth->live);
	msg_send(k->birth->ends.control, &done, -1);
}

static void on_control(struct loop *l, int fd, uint32_t events, void *userdata)
{
	struct kernel *k = userdata;
	struct msg m;
	int r;

	while ((r = msg_receive(fd, &m, NULL)) > 0) {
		if (m.type == MSG_STOP) {
			end(k, (enum msg_stop)m.value);
			return;
		}
		if (m.type == MSG_HOLD && m.index < k->conf->n_instances)
			addresses_hold(k, m.index, m.value == 1);
		if (m.type == MSG_STATS)
			count(k);
	}
	if (r < 0) {
		/* The supervisor was killed. vrrp resigns now: let it speak first. */
		usleep(200000);
		end(k, MSG_STOP_RELEASE);
	}
}

static int set_up(struct kernel *k)
{
	const struct ends *e = &k->birth->ends;
	int r = addresses_init(k);

	if (r >= 0)
		r = loop_new(&k->loop);
	if (r >= 0)
		r = open_net(k);
	if (r >= 0)
		r = filter_new(k);
	if (r >= 0)
		r = loop_add_timer(k->loop, on_settle, k, &k->settle);
	if (r >= 0)
		r = loop_add_timer(k->loop, on_audit, k, &k->audit);
	if (r >= 0)
		r = loop_add_timer(k->loop, on_commit, k, &k->commit);
	if (r >= 0)
		r = again_new(k);
	if (r >= 0)
		r = watch_kernel(k);
	if (r >= 0)
		r = routes_watch(k);
	if (r >= 0 && k->birth->options->check &&
	    (k->conf->n_virtuals || (k->birth->old && k->birth->old->n_virtuals)))
		r = services_new(k, &k->services);
	if (r >= 0 && k->services)
		r = marks_new(k);
	if (r >= 0)
		r = sync_new(k);
	if (r >= 0)
		r = loop_add_fd(k->loop, e->control, EPOLLIN, on_control, k, NULL);
	if (r >= 0)
		r = loop_add_fd(k->loop, e->vrrp, EPOLLIN, on_vrrp, k, NULL);
	if (r >= 0)
		r = loop_add_fd(k->loop, e->health, EPOLLIN, on_health, k, NULL);
	return r;
}

/*
 * Before the first order: one to give an address back, carried out on interfaces that are not known
 * yet, would do nothing, and the address would stay.
 */
static void wait_for_view(struct kernel *k)
{
	uint64_t until = loop_clock_ns() + VIEW_PATIENCE_NS;
	struct pollfd p = {.fd = ha_net_monitor_fd(k->monitor), .events = POLLIN};

	for (;;) {
		ha_net_monitor_dispatch(k->monitor, loop_clock_ns());
		if (ha_net_monitor_is_synced(k->monitor))
			return;
		if (loop_clock_ns() > until) {
			log_err("the kernel does not tell its links and addresses");
			return;
		}
		poll(&p, 1, 100);
	}
}

int kernel_main(const struct birth *b)
{
	struct kernel k = {.birth = b, .conf = b->conf};
	bool commits;
	int r;

	shared_leave_routers(b->shared);
	shared_leave_checks(b->shared);
	live_leave_routers(b->live);
	live_leave_checks(b->live);
	weights_seal_wanted(b->weights);
	r = ipvs_prepare(&k);
	if (r >= 0)
		r = process_drop(1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW, b->user);
	if (r >= 0)
		r = set_up(&k);
	if (r < 0) {
		log_err("cannot start: %s", strerror(-r));
		return EXIT_FATAL;
	}
	wait_for_view(&k);
	if (b->options->vrrp)
		settings_settle(&k); /* the last of a subnet may go now */
	addresses_remove_old(&k);
	addresses_set_fixed(&k);
	addresses_audit(&k); /* makes the macvlans and the filter before anybody needs them */
	/* At the very first it may be known what health will say, and a reload may have removed the last ones. */
	commits =
	    k.services && ((b->first && weights_are_said(b->weights)) || !b->conf->n_virtuals);
	if (commits)
		commit(&k);
	else if (!k.services)
		say_served(&k);
	/* Reloads that follow each other do not put it off. */
	loop_arm(k.audit,
		 (k.services ? services_audited_ns(k.services) : loop_clock_ns()) + AUDIT_NS);
	return loop_run(k.loop) < 0 ? EXIT_FATAL : 0;
}
