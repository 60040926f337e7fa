/* SPDX-License-Identifier: MIT */
/* A stranger's program, C11 and C++17 alike: two verdicts up, and an engine with one check. */
#include <libhealth/filter.h>
#include <libhealth/health.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#undef NDEBUG
#include <assert.h>

static void filter_alone(void)
{
	struct health_filter_opts o;
	struct health_filter f;

	memset(&o, 0, sizeof(o));
	o.size = sizeof(o);
	assert(health_filter_preset(HEALTH_SCHOOL_HAPROXY, &o) == 0);
	o.start = HEALTH_START_FULLY_DOWN;
	assert(health_filter_init(&f, &o, 0) == 0);
	assert(!health_filter_feed(&f, HEALTH_OK, 1));
	assert(health_filter_feed(&f, HEALTH_OK, 2));
	assert(health_state_is_up(health_filter_state(&f)));
}

static void engine_with_a_check(void)
{
	struct health_engine_opts eo;
	struct health_check_opts co;
	struct health_engine *e;
	struct health_check *c;
	struct sockaddr_in to;

	memset(&eo, 0, sizeof(eo));
	memset(&co, 0, sizeof(co));
	memset(&to, 0, sizeof(to));
	eo.size = sizeof(eo);
	co.size = sizeof(co);
	to.sin_family = AF_INET;
	to.sin_port = htons(9);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	co.destination = (const struct sockaddr *)&to;
	co.destination_len = sizeof(to);
	assert(health_engine_new(&eo, &e) == 0);
	assert(health_check_add(e, &co, NULL, &c) == 0);
	assert(health_engine_fd(e) >= 0);
	assert(health_engine_dispatch(e, 1) == 0);
	health_engine_free(e);
}

int main(void)
{
	assert(strcmp(health_version(), LIBHEALTH_VERSION) == 0);
	filter_alone();
	engine_with_a_check();
	return 0;
}
