/* SPDX-License-Identifier: MIT */
/* A stranger's program, C11 and C++17 alike: a backup takes over when its Active falls silent. */
#include <libha/service.h>
#include <libha/vrrp.h>

#include <netinet/in.h>
#include <string.h>

#undef NDEBUG
#include <assert.h>

static int n_sent;

static int count_send(struct ha_vrrp *v, const struct ha_ip *destination, const void *advert, size_t len,
		      void *userdata)
{
	(void)v, (void)destination, (void)advert, (void)userdata;
	n_sent += len > 0;
	return 0;
}

static void take_over(void)
{
	struct ha_vrrp_opts o;
	struct ha_vrrp_ops ops;
	struct ha_vrrp *v;
	struct ha_ip vip;

	memset(&o, 0, sizeof(o));
	memset(&ops, 0, sizeof(ops));
	o.size = sizeof(o);
	ops.size = sizeof(ops);
	ops.send = count_send;
	o.vrid = 1;
	o.family = AF_INET;
	assert(ha_ip_parse("192.0.2.1", &vip) == 0);
	assert(ha_ip_parse("192.0.2.11", &o.source) == 0);
	o.addresses = &vip;
	o.n_addresses = 1;
	assert(ha_vrrp_new(&o, &ops, NULL, &v) == 0);
	assert(ha_vrrp_start(v, 0) == 0);
	assert(ha_vrrp_state(v) == HA_VRRP_BACKUP);
	assert(ha_vrrp_tick(v, ha_vrrp_deadline(v)) == 0);
	assert(ha_vrrp_state(v) == HA_VRRP_ACTIVE);
	assert(n_sent == 1);
	ha_vrrp_free(v);
}

static void plan_a_service(void)
{
	struct ha_service_table *want, *have;
	struct ha_service_plan *plan;
	struct ha_service_opts o;

	memset(&o, 0, sizeof(o));
	o.size = sizeof(o);
	o.protocol = IPPROTO_TCP;
	o.port = 80;
	o.scheduler = "rr";
	assert(ha_ip_parse("192.0.2.1", &o.address) == 0);
	assert(ha_service_table_new(&want) == 0 && ha_service_table_new(&have) == 0);
	assert(ha_service_add(want, &o, NULL) == 0);
	assert(ha_service_plan(want, have, &plan) == 0);
	assert(ha_service_plan_count(plan) == 1);
	ha_service_plan_free(plan);
	ha_service_table_free(want);
	ha_service_table_free(have);
}

int main(void)
{
	assert(strcmp(ha_version(), LIBHA_VERSION) == 0);
	take_over();
	plan_a_service();
	return 0;
}
