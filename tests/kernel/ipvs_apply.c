/* SPDX-License-Identifier: MIT */
/*
 * Applies service tables to the IPVS of the kernel it runs on, or to one that was recorded (nl_record.h). usage:
 * ipvs_apply COMMAND...
 *
 *	mixed    NAT, DR, TUN, persistence, fwmark, IPv6; the second plan must be empty
 *	edit     after mixed: changes of every kind; the second plan must be empty
 *	repair   after edit: what the plan assumes is wrong in every way a kernel can tell
 *	unknown  a scheduler the kernel lacks fails alone
 *	many     1000 services with 4 destinations each in one plan
 *	empty    claims all and wants nothing
 *	strangers  wants nothing, claims nothing: nothing goes
 *	stats    prints the counters of every destination, as ipvsadm --stats: conns, packets and bytes in and out; then
 *		 active and inactive
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libha/ipvs.h>

#include "../support/nl_record.h"

#define CHECK(is)                                                                        \
	do {                                                                             \
		if (!(is)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #is); \
			exit(1);                                                         \
		}                                                                        \
	} while (0)

static struct ha_service_table *new_table(void)
{
	struct ha_service_table *t;

	CHECK(ha_service_table_new(&t) == 0);
	return t;
}

static struct ha_service_table *dump(struct ha_ipvs *v)
{
	struct ha_service_table *t;
	int r = ha_ipvs_dump(v, &t);

	if (r < 0)
		fprintf(stderr, "dump: %s\n", strerror(-r));
	CHECK(r == 0);
	return t;
}

static struct ha_ip ip(const char *text)
{
	struct ha_ip a;

	CHECK(ha_ip_parse(text, &a) == 0);
	return a;
}

static struct ha_service *add(struct ha_service_table *t, const struct ha_service_opts *given)
{
	struct ha_service_opts o = *given;
	struct ha_service *s;

	o.size = sizeof(o);
	CHECK(ha_service_add(t, &o, &s) == 0);
	return s;
}

static void set(struct ha_service *s, const char *address, const struct ha_dest_opts *given)
{
	struct ha_dest_opts o = *given;

	o.size = sizeof(o);
	o.address = ip(address);
	CHECK(ha_dest_set(s, &o, NULL) == 0);
}

#define SERVICE(...) (&(struct ha_service_opts){__VA_ARGS__})
#define DEST(...) (&(struct ha_dest_opts){__VA_ARGS__})

static struct ha_service_table *mixed(void)
{
	struct ha_service_table *t = new_table();
	struct ha_service *s;

	s = add(t, SERVICE(.address = ip("192.0.2.1"), .protocol = IPPROTO_TCP, .port = 80,
			   .scheduler = "wrr"));
	set(s, "10.0.0.1", DEST(.port = 8080, .weight = 3));
	set(s, "10.0.0.2",
	    DEST(.port = 8080, .weight = 0, .upper_threshold = 100, .lower_threshold = 80));
	s = add(t, SERVICE(.address = ip("192.0.2.1"), .protocol = IPPROTO_TCP, .port = 443,
			   .persistence_s = 300, .persistence_prefix = 24));
	set(s, "10.0.0.1", DEST(.forward = HA_FORWARD_DR, .weight = 1));
	set(s, "10.0.0.2", DEST(.forward = HA_FORWARD_TUN, .weight = 1));
	s = add(t,
		SERVICE(.address = ip("192.0.2.2"), .protocol = IPPROTO_UDP, .port = 53,
			.scheduler = "sh", .flags = HA_SERVICE_ONE_PACKET | HA_SERVICE_SCHED_PORT));
	set(s, "10.0.0.3",
	    DEST(.forward = HA_FORWARD_TUN, .weight = 1, .tunnel = HA_TUNNEL_GUE,
		 .tunnel_port = 6080, .tunnel_flags = HA_TUNNEL_CSUM));
	set(s, "10.0.0.4", DEST(.forward = HA_FORWARD_TUN, .weight = 1, .tunnel = HA_TUNNEL_GRE));
	s = add(t, SERVICE(.fwmark = 7, .scheduler = "rr"));
	set(s, "10.0.0.1", DEST(.forward = HA_FORWARD_DR, .weight = 1));
	s = add(t, SERVICE(.address = ip("192.0.2.3"), .protocol = IPPROTO_TCP, .scheduler = "rr",
			   .persistence_s = 60));
	set(s, "10.0.0.1", DEST(.weight = 1));
	s = add(t, SERVICE(.address = ip("2001:db8::1"), .protocol = IPPROTO_TCP, .port = 80,
			   .scheduler = "mh", .persistence_s = 60, .persistence_prefix = 64));
	set(s, "2001:db8::11", DEST(.weight = 2));
	return t;
}

/* Each kind of change once. */
static struct ha_service_table *edited(void)
{
	struct ha_service_table *t = mixed();
	struct ha_service *s = ha_service_find(t, SERVICE(.size = sizeof(struct ha_service_opts),
							  .address = ip("192.0.2.1"),
							  .protocol = IPPROTO_TCP, .port = 80));
	struct ha_service_opts o = {.size = sizeof(o)};

	CHECK(s && ha_service_get(s, &o) == 0);
	o.scheduler = "lc";
	o.persistence_s = 10;
	CHECK(ha_service_set(s, &o) == 0);
	set(s, "10.0.0.2", DEST(.port = 8080, .weight = 5)); /* back in service */
	set(s, "10.0.0.5", DEST(.port = 8080, .weight = 1)); /* new */
	ha_dest_remove(ha_dest_next(s, NULL));		     /* 10.0.0.1 */
	ha_service_remove(ha_service_find(t, SERVICE(.size = sizeof(o), .fwmark = 7)));
	return t;
}

static void say(void *userdata, const struct ha_service_step *step, int error)
{
	char text[HA_SERVICE_TEXT_SIZE];

	++*(size_t *)userdata;
	CHECK(ha_service_step_format(step, text, sizeof(text)) > 0);
	if (error)
		printf("%s: %s\n", text, strerror(-error));
}

/* The steps that were told; *ret_result is what apply returned. */
static size_t go(struct ha_ipvs *v, const struct ha_service_table *want,
		 const struct ha_service_table *have, int *ret_result)
{
	const struct ha_service_apply_ops ops = {.size = sizeof(ops), .done = say};
	struct ha_service_plan *p;
	size_t told = 0, n;

	CHECK(ha_service_plan(want, have, &p) == 0);
	n = ha_service_plan_count(p);
	*ret_result = ha_ipvs_apply(v, p, &ops, &told);
	CHECK(told == n);
	ha_service_plan_free(p);
	return n;
}

/* One turn as a daemon does it: `previous` is claimed. The second turn finds nothing to do. */
static void reconcile(struct ha_ipvs *v, const struct ha_service_table *want,
		      const struct ha_service_table *previous)
{
	for (int turn = 0; turn < 2; turn++) {
		struct ha_service_table *have = dump(v);
		int result;
		size_t n;

		if (previous)
			CHECK(ha_service_claim(have, previous) == 0);
		n = go(v, want, have, &result);
		printf("turn %d: %zu steps, result %d\n", turn + 1, n, result);
		CHECK(result == 0 && (turn == 0) == (n > 0));
		ha_service_table_free(have);
	}
}

/* Plans against the wrong table: adds what is there, edits and removes what is not. */
static void repair(struct ha_ipvs *v)
{
	struct ha_service_table *want = edited(), *none = new_table(), *wrong = mixed(), *have;
	struct ha_service *s;
	int result;

	go(v, want, none, &result);
	printf("all there already: %d\n", result);
	CHECK(result > 0);
	have = dump(v);
	CHECK(ha_service_claim(have, NULL) == 0);
	go(v, none, have, &result);
	CHECK(result == 0);
	s = ha_service_next(wrong, NULL);
	set(s, "10.0.0.9", DEST(.weight = 1));
	go(v, want, wrong, &result);
	printf("nothing there: %d\n", result);
	CHECK(result > 0);
	ha_service_table_free(have);
	reconcile(v, want, NULL); /* brings what no step was for */
	ha_service_table_free(wrong);
	ha_service_table_free(none);
	ha_service_table_free(want);
}

static void unknown(struct ha_ipvs *v)
{
	struct ha_service_table *want = new_table(), *have = dump(v);
	struct ha_service *s;
	int result;

	s = add(want, SERVICE(.address = ip("192.0.2.8"), .protocol = IPPROTO_TCP, .port = 80,
			      .scheduler = "nosuch"));
	set(s, "10.0.0.1", DEST(.weight = 1));
	s = add(want, SERVICE(.address = ip("192.0.2.9"), .protocol = IPPROTO_TCP, .port = 80,
			      .flags = HA_SERVICE_MASQUERADE));
	add(want, SERVICE(.address = ip("192.0.2.7"), .protocol = IPPROTO_TCP, .port = 80,
			  .scheduler = "rr"));
	go(v, want, have, &result);
	CHECK(result == -ENOENT);
	ha_service_table_free(have);
	have = dump(v);
	CHECK(ha_service_find(have, SERVICE(.size = sizeof(struct ha_service_opts),
					    .address = ip("192.0.2.7"), .protocol = IPPROTO_TCP,
					    .port = 80)));
	(void)s;
	ha_service_table_free(have);
	ha_service_table_free(want);
}

static void many(struct ha_ipvs *v)
{
	struct ha_service_table *want = new_table();

	for (unsigned int i = 0; i < 1000; i++) {
		struct ha_service_opts o = {
		    .address = {AF_INET, {198, 51, (uint8_t)(i / 250), (uint8_t)(i % 250 + 1)}},
		    .protocol = IPPROTO_TCP,
		    .port = 80,
		    .scheduler = "wlc"};
		struct ha_service *s = add(want, &o);

		for (unsigned int d = 1; d <= 4; d++) {
			char address[16];

			snprintf(address, sizeof(address), "10.1.%u.%u", i / 250, i % 50 * 4 + d);
			set(s, address, DEST(.weight = d));
		}
	}
	reconcile(v, want, NULL);
	ha_service_table_free(want);
}

static void stats(struct ha_ipvs *v)
{
	struct ha_service_table *have = dump(v);

	for (struct ha_service *s = NULL; (s = ha_service_next(have, s));) {
		for (struct ha_dest *d = NULL; (d = ha_dest_next(s, d));) {
			struct ha_service_stats n = {.size = sizeof(n)};
			char text[HA_SERVICE_TEXT_SIZE];

			CHECK(ha_dest_stats(d, &n) == 0 &&
			      ha_dest_format(d, text, sizeof(text)) > 0);
			printf("%s: %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
			       " active %u inactive %u\n",
			       text, n.conns, n.in_packets, n.out_packets, n.in_bytes, n.out_bytes,
			       n.active_conns, n.inactive_conns);
		}
	}
	ha_service_table_free(have);
}

static void run(struct ha_ipvs *v, const char *command)
{
	struct ha_service_table *want = NULL, *previous = NULL;

	if (!strcmp(command, "mixed"))
		reconcile(v, want = mixed(), NULL);
	else if (!strcmp(command, "edit"))
		reconcile(v, want = edited(), previous = mixed());
	else if (!strcmp(command, "repair"))
		repair(v);
	else if (!strcmp(command, "unknown"))
		unknown(v);
	else if (!strcmp(command, "many"))
		many(v);
	else if (!strcmp(command, "empty"))
		reconcile(v, want = new_table(), previous = dump(v));
	else if (!strcmp(command, "stats"))
		stats(v);
	else if (!strcmp(command, "strangers")) {
		struct ha_service_table *have = dump(v);
		int result;

		CHECK(go(v, want = new_table(), have, &result) == 0 && result == 0);
		ha_service_table_free(have);
	} else {
		CHECK(!"a known command");
	}
	ha_service_table_free(want);
	ha_service_table_free(previous);
}

int main(int argc, char **argv)
{
	uint32_t version, size;
	struct ha_nl_transport t;
	struct ha_ipvs_opts o = {.size = sizeof(o)};
	struct ha_ipvs *v;
	int r;

	if (nl_record_open(NETLINK_GENERIC, &t))
		o.transport = &t;
	r = ha_ipvs_open(&o, &v);
	if (r < 0) {
		printf("open: %s\n", strerror(-r));
		return r == -EOPNOTSUPP ? 3 : 1;
	}
	CHECK(ha_ipvs_info(v, &version, &size) == 0 && version >= 0x010201 && size > 0);
	CHECK(ha_ipvs_caps(v) & HA_CAP_LEAST_CONNS && !(ha_ipvs_caps(v) & HA_CAP_ATOMIC));
	for (int i = 1; i < argc; i++)
		run(v, argv[i]);
	ha_ipvs_close(v);
	return 0;
}
