/* SPDX-License-Identifier: MIT */
/* libha's addresses, links and monitor against a real kernel, in a network namespace of their own. */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <libha/net.h>

#include "nl/call.h"

#define LINK "net-a"
#define PEER "net-b"

/* So many addresses are one plan. */
#define MANY 5000

/* How long a real kernel may take before the test gives up. */
#define PATIENCE_NS UINT64_C(10000000000)

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void run(const char *command)
{
	if (system(command)) {
		print_error("failed: %s\n", command);
		fail();
	}
}

struct place {
	struct ha_net *n;
	uint32_t ifindex;
	struct ha_net_monitor *m;
	unsigned int links_changed, links_removed, added, changed, removed, resynced;
	struct ha_net_address last; /* the last one removed */
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct ha_net_link l = {.size = sizeof(l)};

	run("ip link add " LINK " type veth peer name " PEER);
	run("ip link set " LINK " up && ip link set " PEER " up");
	assert_int_equal(ha_net_new(NULL, &p->n), 0);
	assert_int_equal(ha_net_link_by_name(p->n, LINK, &l), 0);
	p->ifindex = l.ifindex;
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	ha_net_monitor_free(p->m);
	ha_net_free(p->n);
	free(p);
	run("ip link del " LINK " 2>/dev/null || ! ip link show " LINK " 2>/dev/null");
	return 0;
}

static struct ha_net_address address(const struct place *p, const char *text, uint8_t prefix)
{
	struct ha_net_address a = {.size = sizeof(a), .ifindex = p->ifindex, .prefix_len = prefix};

	assert_int_equal(ha_ip_parse(text, &a.ip), 0);
	return a;
}

struct found {
	const struct ha_net_address *want;
	struct ha_net_address a;
	size_t n;
};

static int find(void *userdata, const struct ha_net_address *a)
{
	struct found *f = userdata;

	if (f->want && ha_ip_compare(&f->want->ip, &a->ip))
		return 0;
	f->a = *a;
	f->n++;
	return 0;
}

static struct found list(struct place *p, const struct ha_net_address *want)
{
	struct found f = {.want = want};

	assert_int_equal(ha_net_address_list(p->n, p->ifindex, AF_UNSPEC, find, &f), 0);
	return f;
}

static void an_address_is_added_as_asked(void **state)
{
	struct place *p = *state;
	struct ha_net_address v4 = address(p, "192.0.2.10", 24), v6 = address(p, "2001:db8::10", 0);
	struct found f;
	int status = 77;

	v4.proto = v6.proto = HA_NET_PROTO_VIP;
	v4.scope = RT_SCOPE_LINK;
	v4.valid_lft_s = 600;
	v4.preferred_lft_s = 300;
	strcpy(v4.label, LINK ":vip");
	ha_ip_parse("192.0.2.255", &v4.broadcast);
	v6.flags = IFA_F_NODAD | IFA_F_DEPRECATED | IFA_F_NOPREFIXROUTE;
	assert_int_equal(ha_net_address_add(p->n, &v4, 1, &status), 0);
	assert_int_equal(status, 0);
	assert_int_equal(ha_net_address_add(p->n, &v6, 1, NULL), 0);
	f = list(p, &v4);
	assert_int_equal(f.n, 1);
	assert_int_equal(f.a.prefix_len, 24);
	assert_int_equal(f.a.scope, RT_SCOPE_LINK);
	assert_string_equal(f.a.label, LINK ":vip");
	assert_int_equal(ha_ip_compare(&f.a.broadcast, &v4.broadcast), 0);
	assert_in_range(f.a.valid_lft_s, 590, 600);
	assert_in_range(f.a.preferred_lft_s, 290, 300);
	assert_true(ha_net_address_is_marked(&f.a, HA_NET_PROTO_VIP, LINK ":vip"));
	f = list(p, &v6);
	assert_int_equal(f.n, 1);
	assert_int_equal(f.a.prefix_len, 128);
	assert_int_equal(f.a.flags & (IFA_F_NODAD | IFA_F_DEPRECATED | IFA_F_TENTATIVE),
			 IFA_F_NODAD | IFA_F_DEPRECATED);
	assert_true(f.a.flags & IFA_F_NOPREFIXROUTE);
	assert_int_equal(f.a.valid_lft_s, 0);
}

static void a_peer_stays_the_other_end(void **state)
{
	static const char *const ends[2][2] = {{"192.0.2.1", "192.0.2.2"},
					       {"2001:db8::1", "2001:db8::2"}};
	struct place *p = *state;

	for (int i = 0; i < 2; i++) {
		struct ha_net_address a = address(p, ends[i][0], 0);
		struct found f;

		assert_int_equal(ha_ip_parse(ends[i][1], &a.peer), 0);
		assert_int_equal(ha_net_address_add(p->n, &a, 1, NULL), 0);
		f = list(p, &a);
		assert_int_equal(f.n, 1);
		assert_int_equal(ha_ip_compare(&f.a.peer, &a.peer), 0);
		assert_int_equal(ha_net_address_remove(p->n, &a, 1, NULL), 0);
		assert_int_equal(list(p, &a).n, 0);
	}
}

static void what_is_there_is_adopted_and_what_is_gone_is_gone(void **state)
{
	struct place *p = *state;
	struct ha_net_address a[3] = {address(p, "192.0.2.10", 32), address(p, "192.0.2.11", 32),
				      address(p, "2001:db8::10", 128)};
	int status[3];

	run("ip addr add 192.0.2.10/32 dev " LINK " && ip addr add 2001:db8::10/128 dev " LINK);
	assert_int_equal(ha_net_address_add(p->n, a, 3, status), 0);
	assert_int_equal(status[0], HA_NET_ALREADY);
	assert_int_equal(status[1], 0);
	assert_int_equal(status[2], HA_NET_ALREADY);
	run("ip addr del 192.0.2.11/32 dev " LINK);
	assert_int_equal(ha_net_address_remove(p->n, a, 3, status), 0);
	assert_int_equal(status[0], 0);
	assert_int_equal(status[1], HA_NET_ALREADY);
	assert_int_equal(status[2], 0);
	run("ip link del " LINK);
	assert_int_equal(ha_net_address_remove(p->n, a, 3, status), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(status[i], HA_NET_ALREADY);
	assert_int_equal(ha_net_address_add(p->n, a, 3, status), -ENODEV);
}

static void setting_renews_lifetime_and_mark(void **state)
{
	struct place *p = *state;
	struct ha_net_address v4 = address(p, "192.0.2.10", 24),
			      v6 = address(p, "2001:db8::10", 64);
	struct ha_net_address *a[2] = {&v4, &v6};

	run("ip addr add 192.0.2.10/24 dev " LINK " && ip addr add 2001:db8::10/64 dev " LINK);
	for (int i = 0; i < 2; i++) {
		struct found f;

		a[i]->valid_lft_s = 30;
		a[i]->proto = HA_NET_PROTO_VIP;
		assert_int_equal(ha_net_address_set(p->n, a[i], 1, NULL), 0);
		f = list(p, a[i]);
		assert_int_equal(f.n, 1);
		assert_in_range(f.a.valid_lft_s, 20, 30);
		assert_int_equal(f.a.proto, HA_NET_PROTO_VIP);
	}
}

static void an_adopted_ipv6_address_keeps_its_prefix_length(void **state)
{
	struct place *p = *state;
	struct ha_net_address host = address(p, "2001:db8::20", 128);
	struct found f;
	int status = 77;

	run("ip addr add 2001:db8::20/64 dev " LINK " nodad");
	assert_int_equal(ha_net_address_add(p->n, &host, 1, &status), 0);
	assert_int_equal(status, HA_NET_ALREADY);
	assert_int_equal(ha_net_address_remove(p->n, &host, 1, &status), 0);
	assert_int_equal(status, HA_NET_ALREADY);
	f = list(p, &host);
	assert_int_equal(f.n, 1);
	assert_int_equal(f.a.prefix_len, 64);
	assert_int_equal(ha_net_address_remove(p->n, &f.a, 1, &status), 0);
	assert_int_equal(status, 0);
	assert_int_equal(list(p, &host).n, 0);
}

static void one_wrong_address_does_not_stop_the_others(void **state)
{
	struct place *p = *state;
	struct ha_net_address a[4] = {address(p, "192.0.2.1", 32), address(p, "192.0.2.2", 33),
				      address(p, "192.0.2.3", 32), address(p, "192.0.2.4", 32)};
	int status[4];

	a[2].ifindex = 0x7ffffff0;
	assert_int_equal(ha_net_address_add(p->n, a, 4, status), -EINVAL);
	assert_int_equal(status[0], 0);
	assert_int_equal(status[1], -EINVAL);
	assert_int_equal(status[2], -ENODEV);
	assert_int_equal(status[3], 0);
	assert_int_equal(list(p, &a[3]).n, 1);
}

static void five_thousand_addresses_are_one_plan(void **state)
{
	struct place *p = *state;
	struct ha_net_address *a = calloc(MANY, sizeof(*a));
	int *status = calloc(MANY, sizeof(*status));
	size_t before = list(p, NULL).n;
	char text[HA_IP_TEXT_SIZE];

	for (int i = 0; i < MANY; i++) {
		if (i % 2)
			snprintf(text, sizeof(text), "2001:db8::%d", i);
		else
			snprintf(text, sizeof(text), "10.9.%d.%d", i / 250, i % 250 + 1);
		a[i] = address(p, text, 0);
		a[i].proto = HA_NET_PROTO_VIP;
		a[i].flags = IFA_F_NODAD;
	}
	assert_int_equal(ha_net_address_add(p->n, a, MANY, status), 0);
	assert_int_equal(list(p, NULL).n, before + MANY);
	assert_int_equal(ha_net_address_add(p->n, a, MANY, status), 0);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(status[i], HA_NET_ALREADY);
	assert_int_equal(ha_net_address_remove(p->n, a, MANY, status), 0);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(status[i], 0);
	assert_int_equal(list(p, NULL).n, before);
	free(status);
	free(a);
}

/* One after the other, while another process removes the link: what was done before stays told as done. */
static void a_link_that_vanishes_under_a_plan_is_told(void **state)
{
	struct place *p = *state;
	struct ha_net_address a[500];
	int status[500], r = 0;
	pid_t child;

	for (int i = 0; i < 500; i++) {
		a[i] = address(p, "10.9.0.1", 0);
		a[i].ip.bytes[2] = (uint8_t)(i / 250);
		a[i].ip.bytes[3] = (uint8_t)(i % 250 + 1);
	}
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		usleep(5000);
		execlp("ip", "ip", "link", "del", LINK, NULL);
		_exit(1);
	}
	for (int turn = 0; r >= 0 && turn < 10000; turn++) {
		bool gone = false;

		r = ha_net_address_add(p->n, a, 500, status);
		for (int i = 0; i < 500; i++) {
			assert_true(status[i] == -ENODEV || (!gone && !status[i]));
			gone |= status[i] == -ENODEV;
		}
		assert_int_equal(r, gone ? -ENODEV : 0);
		if (!gone)
			r = ha_net_address_remove(p->n, a, 500, status);
	}
	assert_int_equal(r, -ENODEV);
	waitpid(child, &r, 0);
	assert_int_equal(r, 0);
	assert_int_equal(ha_net_address_remove(p->n, a, 500, status), 0);
	assert_int_equal(status[499], HA_NET_ALREADY); /* gone with the link */
}

static int without_privilege(uint32_t ifindex)
{
	struct place q = {.ifindex = ifindex};
	struct ha_net_address a = address(&q, "192.0.2.1", 24);
	struct found f = {0};
	int status = 77;

	if (setresuid(65534, 65534, 65534) || ha_net_new(NULL, &q.n))
		return 1;
	if (ha_net_address_add(q.n, &a, 1, &status) != -EPERM || status != -EPERM)
		return 2;
	if (ha_net_address_list(q.n, 1, AF_INET, find, &f) || !f.n)
		return 3; /* reading needs none */
	ha_net_free(q.n);
	return 0;
}

static void without_the_privilege_every_change_is_refused(void **state)
{
	struct place *p = *state;
	pid_t child = fork();
	int r;

	assert_true(child >= 0);
	if (!child)
		_exit(without_privilege(p->ifindex));
	assert_int_equal(waitpid(child, &r, 0), child);
	assert_int_equal(r, 0);
}

static void a_small_send_buffer_grows_when_it_must(void **state)
{
	struct place *p = *state;
	const struct ha_nl_mnl_opts small = {.size = sizeof(small), .send_bytes = 1};
	struct ha_nl_transport t;
	struct ha_net_opts o = {.size = sizeof(o), .transport = &t};
	struct ha_net_address *a = calloc(500, sizeof(*a));
	char text[HA_IP_TEXT_SIZE];

	ha_net_free(p->n);
	assert_int_equal(ha_nl_mnl_open(NETLINK_ROUTE, &small, &t), 0);
	assert_int_equal(ha_net_new(&o, &p->n), 0);
	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "10.9.%d.%d", i / 250, i % 250 + 1);
		a[i] = address(p, text, 0);
	}
	assert_int_equal(ha_net_address_add(p->n, a, 500, NULL), 0);
	assert_int_equal(list(p, &a[499]).n, 1);
	free(a);
}

/* -- links --------------------------------------------------------------------------------------- */

static int count_link(void *userdata, const struct ha_net_link *l)
{
	int *n = userdata;

	*n += !strcmp(l->name, LINK) || !strcmp(l->name, PEER) || !strcmp(l->name, "lo");
	return 0;
}

static void a_call_after_lost_answers_gets_its_own(void **state)
{
	struct place *p = *state;
	struct ha_net_address *a = calloc(512, sizeof(*a));
	struct ha_nl_mnl_opts mnl = {.size = sizeof(mnl), .receive_bytes = 4096};
	struct ha_nl_transport t;
	struct ha_net_opts o = {.size = sizeof(o), .transport = &t};
	struct ha_net_link l = {.size = sizeof(l)};
	struct ha_net *n;

	assert_int_equal(ha_nl_mnl_open(NETLINK_ROUTE, &mnl, &t), 0);
	assert_int_equal(ha_net_new(&o, &n), 0);
	for (int i = 0; i < 512; i++) {
		a[i] = address(p, "10.8.0.1", 0);
		a[i].ifindex = 1000000; /* no such link: an answer for each */
	}
	assert_int_equal(ha_net_address_add(n, a, 512, NULL), -ENOBUFS);
	/* What is left in the queue is in nobody's way. */
	assert_int_equal(ha_net_link_by_index(n, p->ifindex, &l), 0);
	assert_string_equal(l.name, LINK);
	ha_net_free(n);
	free(a);
}

static void a_link_is_found_by_name_and_index(void **state)
{
	struct place *p = *state;
	struct ha_net_link l = {.size = sizeof(l)}, same = {.size = sizeof(same)};
	int n = 0;

	run("ip link set " LINK " address 02:00:00:00:00:01 mtu 1400");
	assert_int_equal(ha_net_link_by_name(p->n, LINK, &l), 0);
	assert_int_equal(l.ifindex, if_nametoindex(LINK));
	assert_int_equal(l.mtu, 1400);
	assert_int_equal(l.mac_len, 6);
	assert_memory_equal(l.mac, "\2\0\0\0\0\1", 6);
	assert_int_equal(l.parent, if_nametoindex(PEER));
	assert_true(l.flags & IFF_UP);
	assert_int_equal(ha_net_link_by_index(p->n, l.ifindex, &same), 0);
	assert_string_equal(same.name, LINK);
	assert_int_equal(ha_net_link_by_name(p->n, "net-none", &l), -ENODEV);
	assert_int_equal(ha_net_link_by_index(p->n, 0x7ffffff0, &l), -ENODEV);
	assert_int_equal(ha_net_link_by_name(p->n, "sixteen-is-wrong", &l), -EINVAL);
	assert_int_equal(ha_net_link_list(p->n, count_link, &n), 0);
	assert_int_equal(n, 3);
}

static void a_family_of_generic_netlink_is_resolved(void **state)
{
	struct nl_channel c;
	uint16_t type = 0;

	assert_int_equal(nl_channel_open(&c, NETLINK_GENERIC, NULL, 0), 0);
	assert_int_equal(nl_genl_resolve(&c, "nlctrl", &type), 0);
	assert_int_equal(type, 16); /* GENL_ID_CTRL */
	assert_int_equal(nl_genl_resolve(&c, "no-such-family", &type), -ENOENT);
	nl_channel_close(&c);
}

static void command(struct nl_batch *b, uint16_t type, const char *table)
{
	struct writer *w = nl_batch_begin(b, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
					  type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0);

	nl_nfgen_put(w, AF_INET, 0);
	nl_attr_put_str(w, NFTA_TABLE_NAME, table);
	nl_batch_end(b);
}

static void bracket(struct nl_batch *b, uint16_t type)
{
	nl_nfgen_put(nl_batch_begin(b, type, 0), AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	nl_batch_end(b);
}

struct failure {
	size_t index, n;
	int error;
};

static void failed(void *userdata, size_t index, int error, const char *text)
{
	*(struct failure *)userdata =
	    (struct failure){index, ((struct failure *)userdata)->n + 1, error};
}

static void a_transaction_is_done_as_a_whole_or_not_at_all(void **state)
{
	struct nl_channel c;
	struct nl_batch b = {0};
	struct failure f = {0};
	int r;

	assert_int_equal(nl_channel_open(&c, NETLINK_NETFILTER, NULL, 1000), 0);
	bracket(&b, NFNL_MSG_BATCH_BEGIN);
	command(&b, NFT_MSG_NEWTABLE, "kept");
	bracket(&b, NFNL_MSG_BATCH_END);
	r = nl_transaction(&c, &b, failed, &f);
	if (r && (f.error == -EOPNOTSUPP || f.error == -EINVAL)) {
		nl_batch_fini(&b);
		nl_channel_close(&c);
		print_message("no nf_tables in this kernel\n");
		skip();
	}
	assert_int_equal(r, 0);
	nl_batch_reset(&b);
	bracket(&b, NFNL_MSG_BATCH_BEGIN);
	command(&b, NFT_MSG_DELTABLE, "kept");
	command(&b, NFT_MSG_DELTABLE, "never-there");
	command(&b, NFT_MSG_NEWTABLE, "new");
	bracket(&b, NFNL_MSG_BATCH_END);
	assert_int_equal(nl_transaction(&c, &b, failed, &f), 1);
	assert_int_equal(f.n, 1);
	assert_int_equal(f.index, 2);
	assert_int_equal(f.error, -ENOENT);
	/* So the table of the first is still there to be deleted, and that of the second is not. */
	nl_batch_reset(&b);
	bracket(&b, NFNL_MSG_BATCH_BEGIN);
	command(&b, NFT_MSG_DELTABLE, "kept");
	bracket(&b, NFNL_MSG_BATCH_END);
	assert_int_equal(nl_transaction(&c, &b, NULL, NULL), 0);
	nl_batch_fini(&b);
	nl_channel_close(&c);
}

/* -- monitor ------------------------------------------------------------------------------------- */

static void link_changed(void *u, const struct ha_net_link *now, const struct ha_net_link *before)
{
	((struct place *)u)->links_changed++;
}

static void link_removed(void *u, const struct ha_net_link *l)
{
	((struct place *)u)->links_removed++;
}

static void address_added(void *u, const struct ha_net_address *a)
{
	((struct place *)u)->added++;
}

static void address_changed(void *u, const struct ha_net_address *now,
			    const struct ha_net_address *before)
{
	((struct place *)u)->changed++;
}

static void address_removed(void *u, const struct ha_net_address *a)
{
	struct place *p = u;

	p->removed++;
	p->last = *a;
}

static void resynced(void *u)
{
	((struct place *)u)->resynced++;
}

static const struct ha_net_monitor_ops monitor_ops = {
    .size = sizeof(monitor_ops),
    .link_changed = link_changed,
    .link_removed = link_removed,
    .address_added = address_added,
    .address_changed = address_changed,
    .address_removed = address_removed,
    .resynced = resynced,
};

/* Runs the monitor until nothing is readable and nothing is due within 50 ms. */
static void settle(struct place *p)
{
	uint64_t until = now_ns() + PATIENCE_NS;

	for (;;) {
		struct pollfd fd = {.fd = ha_net_monitor_fd(p->m), .events = POLLIN};
		uint64_t deadline = ha_net_monitor_deadline(p->m), now = now_ns();
		int ms = deadline <= now	      ? 0
			 : deadline - now < 500000000 ? (int)((deadline - now) / 1000000 + 1)
						      : 50;

		assert_true(now < until);
		if (!poll(&fd, 1, ms) && deadline > now + 500000000 &&
		    ha_net_monitor_is_synced(p->m))
			return;
		assert_int_equal(ha_net_monitor_dispatch(p->m, now_ns()), 0);
	}
}

static void start(struct place *p, size_t receive_bytes)
{
	struct ha_net_monitor_opts o = {.size = sizeof(o), .receive_bytes = receive_bytes};

	assert_int_equal(ha_net_monitor_new(&o, &monitor_ops, p, &p->m), 0);
	settle(p);
	assert_true(p->resynced >= 1);
}

static void the_monitor_sees_an_address_deleted_by_hand(void **state)
{
	struct place *p = *state;
	struct ha_net_address a = address(p, "192.0.2.10", 32);

	assert_int_equal(ha_net_address_add(p->n, &a, 1, NULL), 0);
	start(p, 0);
	assert_int_equal(ha_net_monitor_address(p->m, p->ifindex, &a.ip, NULL), 0);
	p->removed = 0;
	run("ip addr del 192.0.2.10/32 dev " LINK);
	settle(p);
	assert_int_equal(p->removed, 1);
	assert_int_equal(ha_ip_compare(&p->last.ip, &a.ip), 0);
	assert_int_equal(ha_net_monitor_address(p->m, p->ifindex, &a.ip, NULL), -EADDRNOTAVAIL);
}

static void the_monitor_sees_carrier_go_and_a_link_go(void **state)
{
	struct place *p = *state;
	struct ha_net_link l = {.size = sizeof(l)};

	start(p, 0);
	assert_int_equal(ha_net_monitor_link(p->m, p->ifindex, &l), 0);
	assert_true(l.flags & IFF_RUNNING);
	run("ip link set " PEER " down");
	settle(p);
	assert_int_equal(ha_net_monitor_link(p->m, p->ifindex, &l), 0);
	assert_true(l.flags & IFF_UP);
	assert_false(l.flags & IFF_RUNNING);
	run("ip link set " LINK " down && ip link set " LINK " name net-c");
	settle(p);
	assert_int_equal(ha_net_monitor_link(p->m, p->ifindex, &l), 0);
	assert_string_equal(l.name, "net-c");
	assert_false(l.flags & IFF_UP);
	run("ip link del net-c");
	settle(p);
	assert_int_equal(p->links_removed, 2);
	assert_int_equal(ha_net_monitor_link(p->m, p->ifindex, &l), -ENODEV);
}

static void leaving_a_bridge_is_not_leaving_the_machine(void **state)
{
	struct place *p = *state;
	struct ha_net_link l = {.size = sizeof(l)};

	if (system("ip link add net-br type bridge 2>/dev/null")) {
		print_message("no bridge in this kernel\n");
		skip();
	}
	run("ip link set " LINK " master net-br");
	start(p, 0);
	assert_int_equal(ha_net_monitor_link(p->m, p->ifindex, &l), 0);
	assert_int_equal(l.master, if_nametoindex("net-br"));
	run("ip link set " LINK " nomaster");
	settle(p);
	assert_int_equal(p->links_removed, 0);
	assert_int_equal(ha_net_monitor_link(p->m, p->ifindex, &l), 0);
	assert_int_equal(l.master, 0);
	run("ip link del net-br");
}

/* What iproute2 sees and what the view holds, each as sorted lines "ifindex address/prefix". */
static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct lines {
	char *at[40000];
	size_t n;
};

static void lines_add(struct lines *l, const char *text)
{
	assert_true(l->n < sizeof(l->at) / sizeof(l->at[0]));
	l->at[l->n++] = strdup(text);
}

static int view_line(void *userdata, const struct ha_net_address *a)
{
	char text[128], ip[HA_IP_TEXT_SIZE];

	assert_true(ha_ip_format(&a->ip, ip, sizeof(ip)) > 0);
	snprintf(text, sizeof(text), "%u %s/%u", a->ifindex, ip, a->prefix_len);
	lines_add(userdata, text);
	return 0;
}

static void read_iproute2(struct lines *l)
{
	/* Out of `ip -o addr`: "3: net-a    inet 192.0.2.1/24 ..."; a /32 is written without peer. */
	FILE *f = popen("ip -o addr | awk '{ sub(\":\", \"\", $1); print $1, $4 }'", "r");
	char text[128];

	assert_non_null(f);
	while (fgets(text, sizeof(text), f)) {
		text[strcspn(text, "\n")] = 0;
		lines_add(l, text);
	}
	assert_int_equal(pclose(f), 0);
}

static void the_view_equals_iproute2(struct place *p)
{
	static struct lines view, kernel;

	view.n = kernel.n = 0;
	assert_int_equal(ha_net_monitor_addresses(p->m, view_line, &view), 0);
	read_iproute2(&kernel);
	qsort(view.at, view.n, sizeof(view.at[0]), by_text);
	qsort(kernel.at, kernel.n, sizeof(kernel.at[0]), by_text);
	assert_int_equal(view.n, kernel.n);
	for (size_t i = 0; i < view.n; i++) {
		assert_string_equal(view.at[i], kernel.at[i]);
		free(view.at[i]);
		free(kernel.at[i]);
	}
}

static void lost_events_never_leave_a_stale_view(void **state)
{
	struct place *p = *state;
	struct ha_net_address vip = address(p, "192.0.2.10", 32);
	struct ha_net_address *a = calloc(4000, sizeof(*a));
	struct ha_net_monitor_stats s = {.size = sizeof(s)};
	char text[HA_IP_TEXT_SIZE];

	assert_int_equal(ha_net_address_add(p->n, &vip, 1, NULL), 0);
	start(p, 8192);
	assert_int_equal(ha_net_monitor_address(p->m, p->ifindex, &vip.ip, NULL), 0);
	for (int i = 0; i < 4000; i++) {
		snprintf(text, sizeof(text), "10.8.%d.%d", i / 250, i % 250 + 1);
		a[i] = address(p, text, 32);
	}
	/* While nobody reads: the storm, in it the VIP goes, and half of the storm's stays. */
	assert_int_equal(ha_net_address_add(p->n, a, 4000, NULL), 0);
	assert_int_equal(ha_net_address_remove(p->n, &vip, 1, NULL), 0);
	assert_int_equal(ha_net_address_remove(p->n, a, 2000, NULL), 0);
	settle(p);
	assert_int_equal(ha_net_monitor_stats(p->m, &s), 0);
	assert_true(s.overruns > 0);
	assert_true(s.resyncs >= 2);
	assert_int_equal(s.malformed, 0);
	assert_int_equal(ha_net_monitor_address(p->m, p->ifindex, &vip.ip, NULL), -EADDRNOTAVAIL);
	the_view_equals_iproute2(p);
	free(a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(an_address_is_added_as_asked),
	    T(a_peer_stays_the_other_end),
	    T(what_is_there_is_adopted_and_what_is_gone_is_gone),
	    T(setting_renews_lifetime_and_mark),
	    T(an_adopted_ipv6_address_keeps_its_prefix_length),
	    T(one_wrong_address_does_not_stop_the_others),
	    T(five_thousand_addresses_are_one_plan),
	    T(a_link_that_vanishes_under_a_plan_is_told),
	    T(without_the_privilege_every_change_is_refused),
	    T(a_small_send_buffer_grows_when_it_must),
	    T(a_call_after_lost_answers_gets_its_own),
	    T(a_link_is_found_by_name_and_index),
	    T(a_family_of_generic_netlink_is_resolved),
	    T(a_transaction_is_done_as_a_whole_or_not_at_all),
	    T(the_monitor_sees_an_address_deleted_by_hand),
	    T(the_monitor_sees_carrier_go_and_a_link_go),
	    T(leaving_a_bridge_is_not_leaving_the_machine),
	    T(lost_events_never_leave_a_stale_view),
	};

	/* The namespace is this process's own and ends with it. */
	if (unshare(CLONE_NEWNET) < 0) {
		printf("skipped: a network namespace needs root: %s\n", strerror(errno));
		return 77;
	}
	if (system("ip link set lo up && ip link add net-t type veth peer name net-u && ip link "
		   "del net-t")) {
		printf("skipped: iproute2 or veth is missing\n");
		return 77;
	}
	return cmocka_run_group_tests_name("netns/net", tests, NULL, NULL);
}
