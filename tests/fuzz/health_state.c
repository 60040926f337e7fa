/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: what comes back from a file, a program or the wire without a connection. The first byte chooses: a
 * frozen filter, a frozen check, a state file, echoes, segments. Held: nothing is read beyond its end (the memory is
 * of its exact size), what is refused changes nothing, what is taken can be frozen again.
 */
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <libhealth/health.h>
#include <libhealth/probe_net.h>

#include "dialogue.h"
#include "filestate.h"

#define NOW UINT64_C(5000000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void thaw_filter(const uint8_t *data, size_t len)
{
	const struct health_filter_opts o = {.size = sizeof(o), .damp_half_life_ns = 1000000000};
	uint8_t again[HEALTH_FILTER_FREEZE_MAX];
	struct health_filter f, before;

	health_filter_init(&f, &o, NOW);
	before = f;
	if (health_filter_thaw(&f, NOW, data, len) < 0) {
		if (memcmp(&f, &before, sizeof(f)) != 0)
			abort();
		return;
	}
	for (unsigned int i = 0; i < 12; i++) {
		health_filter_feed(&f, (enum health_verdict)(i % 6), NOW + i * 1000000000u);
		health_filter_tick(&f, NOW + i * 1000000000u);
		if (health_filter_interval_ns(&f) < HEALTH_INTERVAL_MIN_NS)
			abort();
	}
	if (health_filter_freeze(&f, NOW, again, sizeof(again)) <= 0)
		abort();
}

static void thaw_check(const uint8_t *data, size_t len)
{
	const struct health_check_opts o = {.size = sizeof(o), .flags = HEALTH_CHECK_FED};
	struct health_engine *e = NULL;
	struct health_check *c = NULL;

	if (health_engine_new(NULL, &e) < 0 || health_check_add(e, &o, NULL, &c) < 0)
		abort();
	health_check_thaw(c, NOW, data, len);
	health_engine_dispatch(e, NOW);
	health_engine_free(e);
}

static void judge_file(const uint8_t *data, size_t len)
{
	static const struct filestate f = {.weight = 3};
	struct health_probe_io io;

	filestate_judge(&f, data, len, &io);
	if (!memchr(io.text, 0, sizeof(io.text)) || !io.code)
		abort();
}

static void receive(const struct health_probe_ops *ops, int family, const uint8_t *data, size_t len)
{
	_Alignas(max_align_t) static char state[HEALTH_PROBE_STATE_MAX];
	const struct sockaddr_in6 end = {.sin6_family = AF_INET6, .sin6_port = 80};
	struct health_probe *p = NULL;
	struct health_probe_io io;
	struct dialogue d;

	if (health_probe_new(ops, NULL, &p) < 0)
		abort();
	dialogue_init(&d, p, state);
	d.family = (uint16_t)family;
	d.local = d.remote = (const struct sockaddr *)&end;
	if (dialogue_open(&d, NOW, &io) != HEALTH_STEP_MORE || !io.send_len)
		abort();
	dialogue_received(&d, data, len, NOW, &io);
	dialogue_fini(&d);
	health_probe_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *exact;

	if (!len)
		return 0;
	exact = malloc(len > 1 ? len - 1 : 1);
	if (!exact)
		abort();
	memcpy(exact, data + 1, len - 1);
	switch (data[0] % 7) {
	case 0:
		thaw_filter(exact, len - 1);
		break;
	case 1:
		thaw_check(exact, len - 1);
		break;
	case 2:
		judge_file(exact, len - 1);
		break;
	case 3:
	case 4:
		receive(health_probe_icmp(), data[0] % 7 == 3 ? AF_INET : AF_INET6, exact, len - 1);
		break;
	default:
		receive(health_probe_half_open(), data[0] % 7 == 5 ? AF_INET : AF_INET6, exact,
			len - 1);
		break;
	}
	free(exact);
	return 0;
}
