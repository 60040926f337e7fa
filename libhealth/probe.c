/* SPDX-License-Identifier: MIT */
/* Probes as objects: their ops checked and copied, their options compiled once, counted users. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include <libhealth/probe_exec.h>
#include <libhealth/probe_net.h>

#include "base/mem.h"
#include "base/sized.h"
#include "dialogue.h"

static bool name_valid(const char *name)
{
	size_t len = name ? strnlen(name, HEALTH_PROBE_NAME_MAX + 1) : 0;

	return len && len <= HEALTH_PROBE_NAME_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

/* The flags of these ask the engine for more than a socket, and for a config it knows. */
static bool is_own(const struct health_probe_ops *ops)
{
	const struct health_probe_ops *own[] = {health_probe_exec(), health_probe_file(),
						health_probe_half_open()};

	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (!memcmp(ops, own[i], sizeof(*ops)))
			return true;
	return false;
}

static bool ops_valid(const struct health_probe_ops *ops)
{
	const uint32_t known = HEALTH_PROBE_DATAGRAM | HEALTH_PROBE_FIN | HEALTH_PROBE_ICMP |
			       HEALTH_PROBE_OPTIONAL | HEALTH_PROBE_FIRST;

	if (!name_valid(ops->name) || ops->state_size > HEALTH_PROBE_STATE_MAX ||
	    (ops->flags & ~known && !is_own(ops)) ||
	    (ops->flags & (HEALTH_PROBE_DATAGRAM | HEALTH_PROBE_ICMP)) == HEALTH_PROBE_ICMP)
		return false;
	/* A datagram socket is "connected" without a word from the server: that says nothing. */
	return !(ops->flags & HEALTH_PROBE_DATAGRAM) || ops->open;
}

int health_probe_new(const struct health_probe_ops *ops, const void *opts,
		     struct health_probe **ret)
{
	struct health_probe *p;
	int r;

	if (!ops || !ret)
		return -EINVAL;
	p = mem_zalloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	r = sized_in(&p->ops, sizeof(p->ops), ops);
	if (r == 0 && (!ops_valid(&p->ops) || (opts && !p->ops.setup)))
		r = -EINVAL;
	if (r == 0 && p->ops.setup)
		r = p->ops.setup(opts, &p->config);
	if (r < 0) {
		mem_free(p);
		return r;
	}
	p->uses = 1;
	*ret = p;
	return 0;
}

struct health_probe *probe_use(struct health_probe *p)
{
	p->uses++;
	return p;
}

void health_probe_free(struct health_probe *p)
{
	if (!p)
		return;
	assert(p->uses > 0);
	if (--p->uses)
		return;
	if (p->ops.teardown)
		p->ops.teardown(p->config);
	mem_free(p);
}

const char *health_probe_name(const struct health_probe *p)
{
	return p->ops.name;
}

bool probe_only_connects(const struct health_probe *p)
{
	return !p->ops.open && !p->ops.received;
}
