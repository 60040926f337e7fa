/* SPDX-License-Identifier: MIT */
/*
 * IPVS beside its services, on the kernel it runs on. usage: ipvs_config COMMAND [ARG...]
 *
 *	timeouts TCP TCP_FIN UDP               sets those that are not 0, prints what is set then
 *	zero [ADDRESS PORT]                    the counters of a TCP service, or of all
 *	start ROLE INTERFACE ID GROUP PORT TTL MAX_LEN   a sync daemon; - and 0: the default
 *	get ROLE                               prints what it does, in the same words
 *	stop ROLE
 *	drain ADDRESS PORT MS                  the first destination of a TCP service, for MS at most;
 *	                                       prints how many connections were left
 *
 * ROLE is master or backup. What the library answers but 0 is printed, and the exit status is 1.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libha/ipvs.h>

static const char *const roles[] = {"", "master", "backup"};

static enum ha_ipvs_sync_role role_of(const char *word)
{
	return strcmp(word, "master") ? HA_IPVS_SYNC_BACKUP : HA_IPVS_SYNC_MASTER;
}

static uint16_t number(const char *word)
{
	return (uint16_t)strtoul(word, NULL, 10);
}

static int timeouts(struct ha_ipvs *v, char **arg)
{
	struct ha_ipvs_timeouts t = {.size = sizeof(t),
				     .tcp_s = (uint32_t)strtoul(arg[0], NULL, 10),
				     .tcp_fin_s = (uint32_t)strtoul(arg[1], NULL, 10),
				     .udp_s = (uint32_t)strtoul(arg[2], NULL, 10)};
	int r = ha_ipvs_timeouts_set(v, &t);

	if (!r)
		r = ha_ipvs_timeouts_get(v, &t);
	if (!r)
		printf("%u %u %u\n", t.tcp_s, t.tcp_fin_s, t.udp_s);
	return r;
}

static int zero(struct ha_ipvs *v, int n, char **arg)
{
	struct ha_service_opts o = {.size = sizeof(o), .protocol = IPPROTO_TCP};

	if (n < 2)
		return ha_ipvs_zero(v, NULL);
	o.port = number(arg[1]);
	return ha_ip_parse(arg[0], &o.address) ? -EINVAL : ha_ipvs_zero(v, &o);
}

static int start(struct ha_ipvs *v, char **arg)
{
	struct ha_ipvs_sync s = {.size = sizeof(s),
				 .role = role_of(arg[0]),
				 .sync_id = (uint8_t)number(arg[2]),
				 .port = number(arg[4]),
				 .ttl = (uint8_t)number(arg[5]),
				 .max_len = number(arg[6])};

	snprintf(s.interface, sizeof(s.interface), "%s", arg[1]);
	if (strcmp(arg[3], "-") && ha_ip_parse(arg[3], &s.group))
		return -EINVAL;
	return ha_ipvs_sync_start(v, &s);
}

static int get(struct ha_ipvs *v, char **arg)
{
	struct ha_ipvs_sync s = {.size = sizeof(s)};
	char group[HA_IP_TEXT_SIZE];
	int r = ha_ipvs_sync_get(v, role_of(arg[0]), &s);

	if (r)
		return r;
	if (ha_ip_format(&s.group, group, sizeof(group)) < 0)
		return -EBADMSG;
	printf("%s %s %u %s %u %u %u\n", roles[s.role], s.interface, s.sync_id, group, s.port,
	       s.ttl, s.max_len);
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void drained(void *userdata, const struct ha_dest *d, uint32_t left)
{
	printf("drained, %u left\n", left);
}

/* One round: dump, drain, plan, apply. *ret_left destinations drain on. */
static int drain_round(struct ha_ipvs *v, struct ha_service_table *want, size_t *ret_left)
{
	const struct ha_service_drain_ops ops = {.size = sizeof(ops), .drained = drained};
	struct ha_service_table *have;
	struct ha_service_plan *p;
	int r = ha_ipvs_dump(v, &have);

	if (r)
		return r;
	r = ha_service_drain(want, have, now_ns(), &ops, NULL, ret_left);
	if (!r)
		r = ha_service_plan(want, have, &p);
	if (!r) {
		r = ha_ipvs_apply(v, p, NULL, NULL);
		ha_service_plan_free(p);
	}
	ha_service_table_free(have);
	return r;
}

static int drain(struct ha_ipvs *v, char **arg)
{
	const struct timespec pause = {.tv_nsec = 50000000};
	struct ha_service_opts key = {
	    .size = sizeof(key), .protocol = IPPROTO_TCP, .port = number(arg[1])};
	struct ha_service_table *have, *want;
	size_t left = 1;
	int r = ha_ip_parse(arg[0], &key.address);

	if (!r)
		r = ha_ipvs_dump(v, &have);
	if (r)
		return r;
	r = ha_service_table_copy(have, &want);
	ha_service_table_free(have);
	if (r)
		return r;
	r = ha_dest_drain(ha_dest_next(ha_service_find(want, &key), NULL),
			  now_ns() + strtoul(arg[2], NULL, 10) * UINT64_C(1000000));
	for (int i = 0; !r && left && i < 1000; i++) {
		r = drain_round(v, want, &left);
		nanosleep(&pause, NULL);
	}
	ha_service_table_free(want);
	return r;
}

static int obey(struct ha_ipvs *v, int n, char **arg)
{
	if (!strcmp(arg[0], "timeouts") && n == 4)
		return timeouts(v, arg + 1);
	if (!strcmp(arg[0], "zero"))
		return zero(v, n - 1, arg + 1);
	if (!strcmp(arg[0], "start") && n == 8)
		return start(v, arg + 1);
	if (!strcmp(arg[0], "get") && n == 2)
		return get(v, arg + 1);
	if (!strcmp(arg[0], "stop") && n == 2)
		return ha_ipvs_sync_stop(v, role_of(arg[1]));
	if (!strcmp(arg[0], "drain") && n == 4)
		return drain(v, arg + 1);
	return -ENOSYS;
}

int main(int argc, char **argv)
{
	struct ha_ipvs *v;
	int r = argc > 1 ? ha_ipvs_open(NULL, &v) : -ENOSYS;

	if (!r) {
		r = obey(v, argc - 1, argv + 1);
		ha_ipvs_close(v);
	}
	if (r)
		printf("%s\n", strerror(-r));
	return r ? 1 : 0;
}
