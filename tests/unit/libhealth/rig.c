/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <poll.h>
#include <string.h>
#include <cmocka.h>

#include "rig.h"

#define STEPS_MAX 4000
#define QUIET_STEPS 30 /* polls of 1 ms without an event: nothing more comes */

static void on_result(struct health_check *c, const struct health_result *result, void *userdata)
{
	struct rig *r = userdata;

	r->results++;
	r->result = *result;
	strcpy(r->text, result->text);
	if (r->on_result)
		r->on_result(r, c);
}

static void on_transition(struct health_check *c, const struct health_transition *t, void *userdata)
{
	struct rig *r = userdata;

	r->transitions++;
	r->transition = *t;
}

void rig_open(struct rig *r, const struct health_engine_opts *given,
	      const struct peer_script *script)
{
	struct health_engine_ops ops = {
	    .size = sizeof(ops),
	    .result = on_result,
	    .transition = on_transition,
	};
	struct health_engine_opts o = {.size = sizeof(o)};

	*r = (struct rig){.now_ns = RIG_T0};
	if (given)
		o = *given;
	if (given && given->ops) {
		ops.open_socket = given->ops->open_socket;
		ops.open_process = given->ops->open_process;
	}
	o.ops = &ops;
	assert_int_equal(health_engine_new(&o, &r->engine), 0);
	r->has_peer = script;
	if (script)
		peer_open(&r->peer, script);
}

void rig_close(struct rig *r)
{
	health_engine_free(r->engine);
	if (r->has_peer)
		peer_close(&r->peer);
}

struct health_check_opts rig_opts(const struct rig *r)
{
	return (struct health_check_opts){
	    .size = sizeof(struct health_check_opts),
	    .destination = (const struct sockaddr *)&r->peer.address,
	    .destination_len = sizeof(r->peer.address),
	    .flags = HEALTH_CHECK_AT_ONCE,
	};
}

struct health_check *rig_add(struct rig *r, const struct health_check_opts *o)
{
	struct health_check *c = NULL;

	assert_int_equal(health_check_add(r->engine, o, r, &c), 0);
	return c;
}

void rig_dispatch(struct rig *r)
{
	assert_int_equal(health_engine_dispatch(r->engine, r->now_ns), 0);
}

void rig_settle(struct rig *r, unsigned int results)
{
	struct pollfd p = {.fd = health_engine_fd(r->engine), .events = POLLIN};

	int quiet = 0;

	for (int i = 0; i < STEPS_MAX && r->results < results && quiet < QUIET_STEPS; i++) {
		if (r->has_peer)
			peer_step(&r->peer);
		quiet = poll(&p, 1, 1) > 0 ? 0 : quiet + 1;
		rig_dispatch(r);
	}
}

void rig_pass(struct rig *r, uint64_t ns)
{
	uint64_t end = r->now_ns + ns;

	for (int i = 0; i < STEPS_MAX; i++) {
		uint64_t next = health_engine_deadline(r->engine);

		if (next > end)
			break;
		if (next > r->now_ns)
			r->now_ns = next;
		rig_dispatch(r);
		if (r->has_peer && !r->peer.script.deaf)
			rig_settle(r, r->results + (unsigned int)rig_stats(r).in_flight);
	}
	r->now_ns = end;
	rig_dispatch(r);
}

struct health_engine_stats rig_stats(const struct rig *r)
{
	struct health_engine_stats s = {.size = sizeof(s)};

	assert_int_equal(health_engine_stats(r->engine, &s), 0);
	return s;
}

struct health_check_status rig_status(const struct health_check *c)
{
	struct health_check_status s = {.size = sizeof(s)};

	assert_int_equal(health_check_status(c, &s), 0);
	return s;
}

size_t rig_open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}
