/* SPDX-License-Identifier: MIT */
/*
 * Brings the IPVS of the kernel it runs on to a table, or shows what that is. usage: ipvs_table apply|repair <TABLE, ipvs_table show
 *
 *	apply   claims all: what is not in TABLE goes. Prints the steps; a second plan must be empty
 *	repair  claims nothing: strangers' services stay
 *	show    a line for each destination: service, destination, connections, packets and bytes in and out; then what
 *	        there is now: active, inactive, persistent
 *
 * TABLE has lines of a service and, behind a blank, its destinations:
 *	tcp|udp|sctp ADDRESS PORT SCHEDULER [for SECONDS PREFIX] [one-packet] [fallback] [port]
 *	fwmark MARK SCHEDULER ...
 *	 ADDRESS PORT NAT|DR|TUN WEIGHT [gue PORT] [gre] [csum] [remcsum] [limit LOWER UPPER]
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libha/ipvs.h>

static void die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static void check(int r, const char *what)
{
	if (r < 0)
		die(what, strerror(-r));
}

/* ---- Words ---- */

static char *word(void)
{
	char *w = strtok(NULL, " \n");

	if (!w)
		die("a line of the table", "a word is missing");
	return w;
}

static uint32_t number(void)
{
	return (uint32_t)strtoul(word(), NULL, 10);
}

static struct ha_ip address(const char *text)
{
	struct ha_ip ip;

	check(ha_ip_parse(text, &ip), text);
	return ip;
}

static struct ha_service_opts service_of(char *line)
{
	struct ha_service_opts o = {.size = sizeof(o)};
	const char *kind = strtok(line, " \n"), *w;

	if (!strcmp(kind, "fwmark")) {
		o.fwmark = number();
	} else {
		o.protocol = !strcmp(kind, "tcp")   ? IPPROTO_TCP
			     : !strcmp(kind, "udp") ? IPPROTO_UDP
						    : IPPROTO_SCTP;
		o.address = address(word());
		o.port = (uint16_t)number();
	}
	o.scheduler = word();
	while ((w = strtok(NULL, " \n"))) {
		if (!strcmp(w, "for")) {
			o.persistence_s = number();
			o.persistence_prefix = (uint8_t)number();
		} else if (!strcmp(w, "one-packet")) {
			o.flags |= HA_SERVICE_ONE_PACKET;
		} else if (!strcmp(w, "fallback")) {
			o.flags |= HA_SERVICE_SCHED_FALLBACK;
		} else if (!strcmp(w, "port")) {
			o.flags |= HA_SERVICE_SCHED_PORT;
		} else {
			die(w, "no word of a service");
		}
	}
	return o;
}

static struct ha_dest_opts dest_of(char *line)
{
	struct ha_dest_opts o = {.size = sizeof(o), .address = address(strtok(line, " \n"))};
	const char *w;

	o.port = (uint16_t)number();
	w = word();
	o.forward = !strcmp(w, "DR")	? HA_FORWARD_DR
		    : !strcmp(w, "TUN") ? HA_FORWARD_TUN
					: HA_FORWARD_NAT;
	o.weight = number();
	while ((w = strtok(NULL, " \n"))) {
		if (!strcmp(w, "gue")) {
			o.tunnel = HA_TUNNEL_GUE;
			o.tunnel_port = (uint16_t)number();
		} else if (!strcmp(w, "gre")) {
			o.tunnel = HA_TUNNEL_GRE;
		} else if (!strcmp(w, "csum")) {
			o.tunnel_flags |= HA_TUNNEL_CSUM;
		} else if (!strcmp(w, "remcsum")) {
			o.tunnel_flags |= HA_TUNNEL_REMCSUM;
		} else if (!strcmp(w, "limit")) {
			o.lower_threshold = number();
			o.upper_threshold = number();
		} else {
			die(w, "no word of a destination");
		}
	}
	return o;
}

static struct ha_service_table *read_table(void)
{
	struct ha_service_table *t;
	struct ha_service *s = NULL;
	char line[256];

	check(ha_service_table_new(&t), "table");
	while (fgets(line, sizeof(line), stdin)) {
		const char *why = "a destination without service";

		if (*line == ' ') {
			const struct ha_dest_opts d = dest_of(line + 1);

			if (!s || ha_dest_set(s, &d, NULL) < 0)
				die(line, why);
		} else if (*line != '\n') {
			const struct ha_service_opts o = service_of(line);

			if (ha_ipvs_check(&o, NULL, &why) < 0)
				die(line, why);
			check(ha_service_add(t, &o, &s), line);
		}
	}
	return t;
}

/* ---- The kernel ---- */

static void say(void *userdata, const struct ha_service_step *step, int error)
{
	char text[HA_SERVICE_TEXT_SIZE];

	if (ha_service_step_format(step, text, sizeof(text)) > 0)
		printf("%s%s%s\n", text, error ? ": " : "", error ? strerror(-error) : "");
}

static void bring(struct ha_ipvs *v, bool all_is_mine)
{
	const struct ha_service_apply_ops ops = {.size = sizeof(ops), .done = say};
	struct ha_service_table *want = read_table(), *have;
	struct ha_service_plan *p;
	size_t n = 1;

	for (int turn = 0; n && turn < 2; turn++) {
		check(ha_ipvs_dump(v, &have), "dump");
		if (all_is_mine)
			ha_service_claim(have, NULL);
		check(ha_service_plan(want, have, &p), "plan");
		n = ha_service_plan_count(p);
		check(ha_ipvs_apply(v, p, &ops, NULL), "apply");
		ha_service_plan_free(p);
		ha_service_table_free(have);
	}
	if (n)
		die("second plan", "it is not empty");
	ha_service_table_free(want);
}

static void show(struct ha_ipvs *v)
{
	struct ha_service_table *have;
	char text[HA_SERVICE_TEXT_SIZE];

	check(ha_ipvs_dump(v, &have), "dump");
	for (struct ha_service *s = NULL; (s = ha_service_next(have, s));) {
		for (struct ha_dest *d = NULL; (d = ha_dest_next(s, d));) {
			struct ha_service_stats n = {.size = sizeof(n)};

			check(ha_dest_stats(d, &n), "stats");
			if (ha_service_format(s, text, sizeof(text)) > 0)
				printf("%s: ", text);
			if (ha_dest_format(d, text, sizeof(text)) > 0)
				printf("%s: ", text);
			printf("conns %" PRIu64 " packets %" PRIu64 " %" PRIu64 " bytes %" PRIu64
			       " %" PRIu64 " active %u inactive %u persistent %u\n",
			       n.conns, n.in_packets, n.out_packets, n.in_bytes, n.out_bytes,
			       n.active_conns, n.inactive_conns, n.persistent_conns);
		}
	}
	ha_service_table_free(have);
}

int main(int argc, char **argv)
{
	const char *command = argc == 2 ? argv[1] : "";
	struct ha_ipvs *v;

	check(ha_ipvs_open(NULL, &v), "open");
	if (!strcmp(command, "show"))
		show(v);
	else if (!strcmp(command, "apply") || !strcmp(command, "repair"))
		bring(v, *command == 'a');
	else
		die(command, "usage: ipvs_table apply|repair <TABLE, ipvs_table show");
	ha_ipvs_close(v);
	return 0;
}
