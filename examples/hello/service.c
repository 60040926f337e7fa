/* SPDX-License-Identifier: MIT */
/* Balances 192.0.2.1:80 with IPVS, else nftables: prints the plan, applies it, reads it back. --dry-run: only prints. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <libha/ipvs.h>
#include <libha/nft.h>

static int want(struct ha_service_table *t)
{
	struct ha_service_opts o = {
	    .size = sizeof(o), .protocol = IPPROTO_TCP, .port = 80, .scheduler = "wrr"};
	struct ha_dest_opts d = {.size = sizeof(d), .port = 8080};
	struct ha_service *s;
	int r;

	ha_ip_parse("192.0.2.1", &o.address);
	ha_ip_parse("10.0.0.1", &d.address);
	r = ha_service_add(t, &o, &s);
	for (d.weight = 1; !r && d.weight <= 2; d.weight++, d.address.bytes[3]++)
		r = ha_dest_set(s, &d, NULL);
	return r;
}

static void print_plan(const struct ha_service_plan *p)
{
	struct ha_service_step step = {.size = sizeof(step)};
	char text[HA_SERVICE_TEXT_SIZE];

	for (size_t i = 0; !ha_service_plan_step(p, i, &step); i++)
		if (ha_service_step_format(&step, text, sizeof(text)) > 0)
			printf("plan: %s\n", text);
}

static void print_table(const struct ha_service_table *t)
{
	char text[HA_SERVICE_TEXT_SIZE];

	for (struct ha_service *s = NULL; (s = ha_service_next(t, s));) {
		ha_service_format(s, text, sizeof(text)); /* always fits */
		printf("kernel: %s\n", text);
		for (struct ha_dest *d = NULL; (d = ha_dest_next(s, d));)
			if (ha_dest_format(d, text, sizeof(text)) > 0)
				printf("kernel:   %s\n", text);
	}
}

static int dump(struct ha_ipvs *v, struct ha_nft *n, struct ha_service_table **ret)
{
	return v ? ha_ipvs_dump(v, ret) : n ? ha_nft_dump(n, ret) : ha_service_table_new(ret);
}

int main(int argc, char **argv)
{
	bool dry = argc > 1 && !strcmp(argv[1], "--dry-run");
	struct ha_service_table *wanted = NULL, *have = NULL, *after = NULL;
	struct ha_service_plan *p = NULL;
	struct ha_ipvs *ipvs = NULL;
	struct ha_nft *nft = NULL;
	int r = ha_service_table_new(&wanted);

	if (!r && !(r = want(wanted)) && !dry && ha_ipvs_open(NULL, &ipvs))
		r = ha_nft_open(NULL, &nft);
	if (!r && !(r = dump(ipvs, nft, &have)) && !(r = ha_service_plan(wanted, have, &p)))
		print_plan(p);
	if (!r && !dry)
		r = ipvs ? ha_ipvs_apply(ipvs, p, NULL, NULL) : ha_nft_apply(nft, p, NULL, NULL);
	if (r >= 0 && !(r = dump(ipvs, nft, &after)))
		print_table(after);
	if (r < 0)
		fprintf(stderr, "hello_service: %s\n", strerror(-r));
	ha_service_plan_free(p);
	ha_service_table_free(after);
	ha_service_table_free(have);
	ha_service_table_free(wanted);
	ha_ipvs_close(ipvs);
	ha_nft_close(nft);
	return r < 0;
}
