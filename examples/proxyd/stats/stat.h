/* SPDX-License-Identifier: MIT */
/*
 * The fields of HAProxy's "show stat" and CSV, in its order: names and positions are an interface that exporters
 * and dashboards rely on. A row is one frontend, listener, server or backend.
 */
#ifndef PROXYD_STATS_STAT_H
#define PROXYD_STATS_STAT_H

#include <stdbool.h>
#include <stdint.h>

#include "cfg/cfg.h"
#include "out.h"

enum stat_field {
	STAT_PXNAME, STAT_SVNAME, STAT_QCUR, STAT_QMAX, STAT_SCUR, STAT_SMAX, STAT_SLIM, STAT_STOT, STAT_BIN,
	STAT_BOUT, STAT_DREQ, STAT_DRESP, STAT_EREQ, STAT_ECON, STAT_ERESP, STAT_WRETR, STAT_WREDIS, STAT_STATUS,
	STAT_WEIGHT, STAT_ACT, STAT_BCK, STAT_CHKFAIL, STAT_CHKDOWN, STAT_LASTCHG, STAT_DOWNTIME, STAT_QLIMIT,
	STAT_PID, STAT_IID, STAT_SID, STAT_THROTTLE, STAT_LBTOT, STAT_TRACKED, STAT_TYPE, STAT_RATE,
	STAT_RATE_LIM, STAT_RATE_MAX, STAT_CHECK_STATUS, STAT_CHECK_CODE, STAT_CHECK_DURATION, STAT_HRSP_1XX,
	STAT_HRSP_2XX, STAT_HRSP_3XX, STAT_HRSP_4XX, STAT_HRSP_5XX, STAT_HRSP_OTHER, STAT_HANAFAIL, STAT_REQ_RATE,
	STAT_REQ_RATE_MAX, STAT_REQ_TOT, STAT_CLI_ABRT, STAT_SRV_ABRT, STAT_COMP_IN, STAT_COMP_OUT, STAT_COMP_BYP,
	STAT_COMP_RSP, STAT_LASTSESS, STAT_LAST_CHK, STAT_LAST_AGT, STAT_QTIME, STAT_CTIME, STAT_RTIME,
	STAT_TTIME, STAT_AGENT_STATUS, STAT_AGENT_CODE, STAT_AGENT_DURATION, STAT_CHECK_DESC, STAT_AGENT_DESC,
	STAT_CHECK_RISE, STAT_CHECK_FALL, STAT_CHECK_HEALTH, STAT_AGENT_RISE, STAT_AGENT_FALL, STAT_AGENT_HEALTH,
	STAT_ADDR, STAT_COOKIE, STAT_MODE, STAT_ALGO, STAT_CONN_RATE, STAT_CONN_RATE_MAX, STAT_CONN_TOT,
	STAT_INTERCEPTED, STAT_DCON, STAT_DSES, STAT_WREW, STAT_CONNECT, STAT_REUSE, STAT_CACHE_LOOKUPS,
	STAT_CACHE_HITS, STAT_SRV_ICUR, STAT_SRC_ILIM, STAT_QTIME_MAX, STAT_CTIME_MAX, STAT_RTIME_MAX,
	STAT_TTIME_MAX, STAT_EINT, STAT_IDLE_CONN_CUR, STAT_SAFE_CONN_CUR, STAT_USED_CONN_CUR, STAT_NEED_CONN_EST,
	STAT_UWEIGHT, STAT_AGG_SERVER_STATUS, STAT_AGG_SERVER_CHECK_STATUS, STAT_AGG_CHECK_STATUS, STAT_SSL_SESS,
	STAT_SSL_REUSED_SESS, STAT_SSL_FAILED_HANDSHAKE, STAT_H2_HEADERS_RCVD, STAT_H2_DATA_RCVD,
	STAT_H2_SETTINGS_RCVD, STAT_H2_RST_STREAM_RCVD, STAT_H2_GOAWAY_RCVD,
	STAT_H2_DETECTED_CONN_PROTOCOL_ERRORS, STAT_H2_DETECTED_STRM_PROTOCOL_ERRORS, STAT_H2_RST_STREAM_RESP,
	STAT_H2_GOAWAY_RESP, STAT_H2_OPEN_CONNECTIONS, STAT_H2_BACKEND_OPEN_STREAMS, STAT_H2_TOTAL_CONNECTIONS,
	STAT_H2_BACKEND_TOTAL_STREAMS, STAT_H1_OPEN_CONNECTIONS, STAT_H1_OPEN_STREAMS, STAT_H1_TOTAL_CONNECTIONS,
	STAT_H1_TOTAL_STREAMS, STAT_H1_BYTES_IN, STAT_H1_BYTES_OUT, STAT_H1_SPLICED_BYTES_IN,
	STAT_H1_SPLICED_BYTES_OUT,
	STAT_COUNT_,
};

#define STAT_FIRST_OF_MODULES STAT_SSL_SESS /* in CSV a field "-" stands in front of it */

enum stat_type {
	STAT_U32,
	STAT_U64,
	STAT_S32,
	STAT_STR,
};

struct stat_field_info {
	const char *name;
	enum stat_type type;
	/* HAProxy's letters of "typed": origin, nature, scope; a backend's if they are others */
	const char *tags, *tags_backend;
	const char *desc; /* what it tells */
};
extern const struct stat_field_info stat_fields[STAT_COUNT_];

enum stat_kind { /* as in field "type" */
	STAT_FRONTEND,
	STAT_BACKEND,
	STAT_SERVER,
	STAT_LISTENER,
};

struct server;
struct stat_row {
	enum stat_kind kind;
	unsigned iid, sid;
	bool draining, is_backup; /* of a server, for the page */
	bool has_servers;	  /* its proxy */
	bool no_maint, up;	  /* for the filters */
	bool set[STAT_COUNT_];
	union {
		uint64_t n;
		const char *text; /* lives as long as the row */
	} v[STAT_COUNT_];
	char addr[80], status[2 * CFG_NAME_MAX + 16], tracked[2 * CFG_NAME_MAX + 2], check_status[24], last_check[160], sname[128];
	char agent_status[24], last_agent[160];
};

#define STAT_ALL UINT32_MAX
struct stat_filter {
	unsigned iid, sid;  /* STAT_ALL */
	unsigned kinds;	    /* bits: 1 << enum stat_kind; 0: all */
	bool up, no_maint;  /* only servers that are up; not those in maintenance */
	bool legends;	    /* addresses, cookies, algorithms: of operators only */
	/* NULL: every proxy */
	bool (*in_scope)(const void *userdata, const char *proxy);
	const void *userdata;
};

struct engine;
typedef void stat_visit_fn(void *userdata, const struct stat_row *row);

/* Control thread. Calls `fn` for each row, proxies in the order of the file. `row` lives for the call. */
void stat_each(const struct engine *e, uint64_t now_ns, const struct stat_filter *f, stat_visit_fn *fn,
	       void *userdata);

/* ---- stat_write.c ---- */

enum stat_format {
	STAT_CSV,
	STAT_TYPED,
	STAT_JSON,
};
/* `desc`: what each tells is behind it, of STAT_TYPED. */
void stat_write(const struct engine *e, uint64_t now_ns, const struct stat_filter *f, enum stat_format format, bool desc,
		struct out *o);

/* The letters of `tags`, as JSON has them. */
void stat_write_tags(struct out *o, const char *tags);

#endif
