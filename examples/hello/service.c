/* SPDX-License-Identifier: MIT */
/*
 * Balances 192.0.2.1:80 over two servers: with IPVS where the kernel has it, else with nftables.
 * --dry-run says what it would do, and needs no privilege.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <libha/ipvs.h>
#include <libha/nft.h>

static int add_server(struct ha_service *s, const char *address, uint32_t weight)
{
	struct ha_dest_opts d = {.size = sizeof(d), .port = 8080, .weight = weight};

	ha_ip_parse(address, &d.address);
	return ha_dest_set(s, &d, NULL);
}

static struct ha_service_table *wanted(void)
{
	struct ha_service_opts o = {
	    .size = sizeof(o), .protocol = IPPROTO_TCP, .port = 80, .scheduler = "wrr"};
	struct ha_service_table *t;
	struct ha_service *s;

	ha_ip_parse("192.0.2.1", &o.address);
	if (ha_service_table_new(&t) < 0 || ha_service_add(t, &o, &s) < 0 ||
	    add_server(s, "10.0.0.1", 3) < 0 || add_server(s, "10.0.0.2", 1) < 0)
		return NULL;
	return t;
}

static void print_step(void *userdata, const struct ha_service_step *step, int error)
{
	char text[HA_SERVICE_TEXT_SIZE];

	(void)userdata;
	if (ha_service_step_format(step, text, sizeof(text)) > 0)
		printf("%s%s%s\n", text, error ? ": " : "", error ? strerror(-error) : "");
}

int main(int argc, char **argv)
{
	const struct ha_service_apply_ops ops = {.size = sizeof(ops), .done = print_step};
	bool dry = argc > 1 && !strcmp(argv[1], "--dry-run");
	struct ha_service_table *want = wanted(), *have = NULL;
	struct ha_service_plan *plan = NULL;
	struct ha_ipvs *ipvs = NULL;
	struct ha_nft *nft = NULL;
	int r = want ? 0 : -1;

	if (!r && dry)
		r = ha_service_table_new(&have); /* as if the kernel had nothing */
	else if (!r && !ha_ipvs_open(NULL, &ipvs))
		r = ha_ipvs_dump(ipvs, &have);
	else if (!r && !(r = ha_nft_open(NULL, &nft)))
		r = ha_nft_dump(nft, &have);
	if (!r)
		r = ha_service_plan(want, have, &plan);
	for (size_t i = 0; !r && dry && i < ha_service_plan_count(plan); i++) {
		struct ha_service_step step = {.size = sizeof(step)};

		if (!ha_service_plan_step(plan, i, &step))
			print_step(NULL, &step, 0);
	}
	if (!r && ipvs)
		r = ha_ipvs_apply(ipvs, plan, &ops, NULL);
	else if (!r && nft)
		r = ha_nft_apply(nft, plan, &ops, NULL);
	if (r < 0)
		fprintf(stderr, "hello_service: %s\n", strerror(-r));
	ha_service_plan_free(plan);
	ha_service_table_free(have);
	ha_service_table_free(want);
	ha_ipvs_close(ipvs);
	ha_nft_close(nft);
	return r < 0;
}
