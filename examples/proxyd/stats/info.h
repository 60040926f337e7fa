/* SPDX-License-Identifier: MIT */
/* The fields of "show info", with HAProxy's names, positions and letters. */
#ifndef PROXYD_STATS_INFO_H
#define PROXYD_STATS_INFO_H

#include "stat.h"

enum info_field {
	INFO_NAME, INFO_VERSION, INFO_RELEASE_DATE, INFO_NBTHREAD, INFO_NBPROC, INFO_PROCESS_NUM, INFO_PID,
	INFO_UPTIME, INFO_UPTIME_SEC, INFO_MEMMAX_MB, INFO_POOL_ALLOC_MB, INFO_POOL_USED_MB, INFO_POOL_FAILED,
	INFO_ULIMIT_N, INFO_MAXSOCK, INFO_MAXCONN, INFO_HARD_MAXCONN, INFO_CURR_CONNS, INFO_CUM_CONNS,
	INFO_CUM_REQ, INFO_MAX_SSL_CONNS, INFO_CURR_SSL_CONNS, INFO_CUM_SSL_CONNS, INFO_MAXPIPES, INFO_PIPES_USED,
	INFO_PIPES_FREE, INFO_CONN_RATE, INFO_CONN_RATE_LIMIT, INFO_MAX_CONN_RATE, INFO_SESS_RATE,
	INFO_SESS_RATE_LIMIT, INFO_MAX_SESS_RATE, INFO_SSL_RATE, INFO_SSL_RATE_LIMIT, INFO_MAX_SSL_RATE,
	INFO_SSL_FRONTEND_KEY_RATE, INFO_SSL_FRONTEND_MAX_KEY_RATE, INFO_SSL_FRONTEND_SESSION_REUSE_PCT,
	INFO_SSL_BACKEND_KEY_RATE, INFO_SSL_BACKEND_MAX_KEY_RATE, INFO_SSL_CACHE_LOOKUPS, INFO_SSL_CACHE_MISSES,
	INFO_COMPRESS_BPS_IN, INFO_COMPRESS_BPS_OUT, INFO_COMPRESS_BPS_RATE_LIM, INFO_TASKS, INFO_RUN_QUEUE,
	INFO_IDLE_PCT, INFO_NODE, INFO_DESCRIPTION, INFO_STOPPING, INFO_JOBS, INFO_UNSTOPPABLE_JOBS,
	INFO_LISTENERS, INFO_ACTIVE_PEERS, INFO_CONNECTED_PEERS, INFO_DROPPED_LOGS, INFO_BUSY_POLLING,
	INFO_FAILED_RESOLUTIONS, INFO_TOTAL_BYTES_OUT, INFO_TOTAL_SPLICDED_BYTES_OUT, INFO_BYTES_OUT_RATE,
	INFO_DEBUG_COMMANDS_ISSUED, INFO_CUM_RECV_LOGS, INFO_BUILD_INFO, INFO_MEMMAX_BYTES, INFO_POOL_ALLOC_BYTES,
	INFO_POOL_USED_BYTES, INFO_START_TIME_SEC, INFO_TAINTED,
	INFO_COUNT_,
};

struct info_field_info {
	const char *name;
	unsigned position;
	enum stat_type type;
	const char *tags;
	const char *desc; /* what it tells */
};
extern const struct info_field_info info_fields[INFO_COUNT_];

struct info {
	uint64_t n[INFO_COUNT_];
	const char *text[INFO_COUNT_]; /* of those that are STAT_STR; NULL: left out */
	uint64_t up_ns;
	char uptime[32], hostname[65];
};

/* Control thread. */
void info_read(const struct engine *e, uint64_t now_ns, struct info *ret);

enum info_flag {
	INFO_FLOATS = 1 << 0, /* times and rates are told as numbers that may have a fraction */
	INFO_DESC = 1 << 1,   /* what each tells is behind it; not in JSON */
};

/* STAT_CSV: "Name: value" lines. `flags`: of enum info_flag. */
void info_write(const struct engine *e, uint64_t now_ns, enum stat_format format, unsigned flags, struct out *o);

#endif
