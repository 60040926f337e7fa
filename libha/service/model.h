/* SPDX-License-Identifier: MIT */
/* The table of services from the inside: for plan.c and for the backends, which fill tables from dumps. */
#ifndef LIBHA_SERVICE_MODEL_H
#define LIBHA_SERVICE_MODEL_H

#include "base/hmap.h"
#include "base/list.h"

#include <libha/service.h>

/* A persistence_prefix that no caller can ask for: a dump found a netmask that is no prefix. */
#define SERVICE_PREFIX_ODD 255

struct ha_service_table {
	struct list services;
	struct hmap by_key;
};

/* The caller's own table; of a dump without `dests`. */
struct service_slots {
	uint16_t *dests; /* of each slot the destination, counted in the service's order */
	uint32_t n;
	uint64_t digest;
};

struct ha_service {
	struct ha_service_table *table;
	struct list node;
	struct hmap_node by_key;
	struct ha_service_opts o; /* normal form; the strings are the two below */
	char scheduler[HA_SERVICE_NAME_SIZE];
	char engine[HA_SERVICE_NAME_SIZE];
	struct list dests;
	struct hmap dest_by_key;
	struct ha_service_stats stats;
	struct service_slots slots;
	bool owned;
};

struct ha_dest {
	struct ha_service *service;
	struct list node;
	struct hmap_node by_key;
	struct ha_dest_opts o; /* normal form */
	struct ha_service_stats stats;
	uint64_t drain_until_ns;
	bool draining;
};

/*
 * The normal form: defaults filled in, what does not count zeroed, so that equal things compare equal. A
 * destination's port is not a matter of form: the kernel may hold a 0 where the service has a port.
 */
void service_normalize(struct ha_service_opts *o);
void service_dest_normalize(struct ha_dest_opts *o);

/* By a key in normal form, or NULL. */
struct ha_service *service_find(const struct ha_service_table *t,
				const struct ha_service_opts *key);
struct ha_dest *service_dest_find(const struct ha_service *s, const struct ha_dest_opts *key);

/*
 * ha_service_add() and ha_dest_set() for what the kernel holds: normalizes, but takes values no check
 * would pass. -EEXIST, -E2BIG, -ENOMEM.
 */
int service_add_unchecked(struct ha_service_table *t, const struct ha_service_opts *o, bool owned,
			  struct ha_service **ret);
int service_dest_set_unchecked(struct ha_service *s, const struct ha_dest_opts *o,
			       struct ha_dest **ret);

/* Whether all but the key is equal. Normal forms. */
bool service_equal(const struct ha_service_opts *a, const struct ha_service_opts *b);
bool service_dest_equal(const struct ha_dest_opts *a, const struct ha_dest_opts *b);

/* When the destinations are others, or the service is to have none. */
void service_forget_slots(struct ha_service *s);

/* What ha_service_check() does. Takes in a caller's structs of any size; fills the two own structs (d may be NULL). */
int service_check_sized(const struct ha_service_opts *s, const struct ha_dest_opts *d,
			struct ha_service_opts *ret_s, struct ha_dest_opts *ret_d,
			const char **ret_reason);

/* Why a backend cannot express what is right as such, both in normal form; NULL: it can. */
struct service_limits {
	const char *(*service)(const struct ha_service_opts *s);
	const char *(*dest)(const struct ha_service_opts *s,
			    const struct ha_dest_opts *d); /* or NULL */
};

/* A backend's check: service_check_sized, and -EOPNOTSUPP beyond its limits. */
int service_check_limits(const struct ha_service_opts *s, const struct ha_dest_opts *d,
			 const struct service_limits *limits, const char **ret_reason);

#endif
