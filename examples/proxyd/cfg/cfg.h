/* SPDX-License-Identifier: MIT */
/*
 * The model of a haproxy.cfg: what was written, checked and with defaults filled in. It knows
 * nothing of sockets in use, threads or health; the engine builds its objects from it. Everything
 * belongs to the struct cfg and lives until cfg_free. Times are nanoseconds; 0 is "not set", which
 * HAProxy takes as "never".
 */
#ifndef PROXYD_CFG_H
#define PROXYD_CFG_H

#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "cfg/probe.h"
#include "cfg/stats.h"
#include "cfg/tls.h"
#include "diag.h"

#define CFG_TRACK_CHAIN_MAX 32	   /* servers that track one another in a row */
#define CFG_NO_SERVER "<NOSRV>" /* the name of what is none */
#define CFG_NAME_MAX 127	   /* characters of a proxy's or server's name */
#define CFG_FILES_MAX 1024	   /* files read, folders unfolded */
#define CFG_PORTS_MAX 4096	   /* ports of one range */
#define CFG_MEMORY_MAX (256u << 20) /* bytes that a configuration may need */
#define CFG_BUFSIZE_MAX 65536u /* tune.bufsize; HTTP_HEAD_MAX is as much */
#define CFG_FIELDS_OF_HEAD_MAX 1024u /* tune.http.maxhdr; HTTP_FIELDS_MAX is as much */
#define CFG_THREADS_MAX 64
#define CFG_WEIGHT_MAX 256 /* HAProxy's */
#define CFG_RETRIES_DEFAULT 3
#define CFG_VAR_SCOPES 6 /* of rules/vars.h */
#define CFG_MS UINT64_C(1000000)

struct expr; /* rules/expr.h */
struct format; /* rules/format.h */
struct cfg_addr {
	union {
		struct sockaddr sa;
		struct sockaddr_storage storage;
		struct sockaddr_un unix_path;
	};
	socklen_t len; /* 0: not known (a name that did not resolve) */
};

static inline bool cfg_addr_equal(const struct cfg_addr *a, const struct cfg_addr *b)
{
	return a->len == b->len && !memcmp(&a->storage, &b->storage, a->len);
}

/* 0.0.0.0 or ::, any port. */
static inline bool cfg_addr_is_any(const struct cfg_addr *a)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&a->storage;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->storage;

	return a->len && (a->sa.sa_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr)
						      : a->sa.sa_family == AF_INET && !in->sin_addr.s_addr);
}

/* What a TCP socket is told. 0, false: the system's way. No bytes between: two of them are compared as they lie. */
struct cfg_tcp {
	unsigned receive_buffer, send_buffer; /* bytes */
	unsigned user_timeout_ms;
	unsigned keep_count, keep_idle_s, keep_interval_s, mss;
	bool keepalive, resets /* as it is closed */, fast_open, transparent;
};

/* Of a unix socket. */
struct cfg_access {
	int mode;      /* -1: the umask's */
	long uid, gid; /* -1: ours */
};

/* A network namespace that a line names. */
struct cfg_netns {
	struct cfg_netns *next;
	const char *name;
	int fd, home_fd; /* home: the way back */
	uint64_t id;	 /* of the namespace: its name may be another's after a reload */
};

/* 0: ours. */
static inline uint64_t cfg_netns_id(const struct cfg_netns *n)
{
	return n ? n->id : 0;
}

struct cfg_bind {
	STAILQ_ENTRY(cfg_bind) next;
	struct diag_place at;
	const char *text; /* the address as the log shows it; equal text is the same listener */
	struct cfg_addr addr;
	int inherited_fd; /* fd@N; -1: none */
	const char *name, *interface;
	unsigned backlog, maxconn;
	struct cfg_access access;
	const struct cfg_netns *netns; /* NULL: ours */
	bool v6only, v4v6, defer_accept, accept_proxy, speaks_h2;
	uint32_t cip_magic; /* accept-netscaler-cip; 0: no */
	struct cfg_tcp tcp;
	struct cfg_tls *tls_words; /* NULL: none */
};

/* What clients are offered; NULL: plain. */
static inline struct tls_front *cfg_bind_front(const struct cfg_bind *b)
{
	return b->tls_words ? b->tls_words->front : NULL;
}

enum cfg_observe {
	CFG_OBSERVE_NONE,
	CFG_OBSERVE_LAYER4,
	CFG_OBSERVE_LAYER7,
};

enum cfg_proxy_extra { /* proxy-v2-options, send-proxy-v2-ssl and -ssl-cn */
	CFG_PROXY_TLS = 1,
	CFG_PROXY_CN = 2,
	CFG_PROXY_CIPHER = 4,
	CFG_PROXY_CERT_SIG = 8,
	CFG_PROXY_CERT_KEY = 16,
	CFG_PROXY_AUTHORITY = 32,
	CFG_PROXY_CRC32C = 64,
	CFG_PROXY_UNIQUE_ID = 128,
};

enum cfg_on_error { /* what errors of the traffic do, error-limit of them in a row */
	CFG_ON_ERROR_FAIL_CHECK, /* HAProxy's default */
	CFG_ON_ERROR_FASTINTER,
	CFG_ON_ERROR_SUDDEN_DEATH,
	CFG_ON_ERROR_MARK_DOWN,
};

/* `source`: the near end of connections to servers. */
struct cfg_source {
	enum cfg_source_as {
		CFG_SOURCE_OWN,	    /* an address of this host */
		CFG_SOURCE_FOREIGN, /* usesrc: any address; the kernel's routes must bring the answers back */
		CFG_SOURCE_CLIENT,
		CFG_SOURCE_CLIENT_IP,
		CFG_SOURCE_HEADER, /* hdr_ip */
	} as;
	struct cfg_addr addr;
	unsigned port, n_ports; /* n_ports 0: the system's choice */
	const char *interface, *header;
	int occurrence; /* of an address in the fields of that name; -1 is the last */
};

#define CFG_RESOLVE_NETS_MAX 5 /* HAProxy's */
#define CFG_INIT_MAX 4

enum cfg_init { /* where an address comes from at the start: init-addr */
	CFG_INIT_LAST, /* the state file */
	CFG_INIT_LIBC,
	CFG_INIT_NONE,
	CFG_INIT_IP,
};

/* What a server says of its name. */
struct cfg_resolve {
	const char *section; /* of resolvers; NULL: it is looked up at the start alone */
	struct diag_place at;
	bool prefer_ipv4, dup_ip, ignore_weight;
	struct cfg_resolve_net {
		struct cfg_addr addr;
		unsigned prefix_bits;
	} * net; /* preferred; NULL: none. Shared by those that have it of a default */
	unsigned n_nets; /* at most CFG_RESOLVE_NETS_MAX */
	enum cfg_init init[CFG_INIT_MAX];
	unsigned n_init; /* 0: last, libc */
	const struct cfg_addr *init_addr; /* of CFG_INIT_IP */
};

struct cfg_server {
	STAILQ_ENTRY(cfg_server) next;
	struct diag_place at;
	const char *name;
	unsigned id;	  /* of the section's servers, from 1: statistics and tables mean it by that */
	bool id_given;	  /* as written; else the first that is free */
	const char *host; /* as written */
	struct cfg_addr addr;
	bool client_port;   /* no port written: the one the client asked for */
	int port_shift;	    /* and so many beyond it */
	bool is_name, is_srv; /* what `host` is: a name, and of an SRV record */
	unsigned port;
	struct cfg_resolve resolve; /* when it is a name */
	const struct cfg_source *source; /* NULL: the section's */
	const struct cfg_netns *netns; /* NULL: ours */
	const struct cfg_addr *socks; /* of the SOCKS4 proxy that leads there; NULL: none */
	bool check_via_socks;
	struct cfg_tcp tcp;
	const char *cookie; /* its value; NULL: none */
	enum cfg_hash_key { /* what its place on a ring comes from */
		CFG_HASH_KEY_ID,
		CFG_HASH_KEY_ADDR,
		CFG_HASH_KEY_ADDR_PORT,
	} hash_key;
	unsigned weight, maxconn;
	unsigned maxqueue; /* who wait for it and no other; 0: any number */
	const char *redir; /* GET and HEAD are sent there; NULL: not */
	unsigned minconn; /* below maxconn, which then grows from it with the load; 0: none */
	unsigned send_proxy; /* version of the PROXY protocol; 0: none */
	unsigned proxy_tells; /* in version 2: bits of enum cfg_proxy_extra */
	bool backup, disabled, check, agent_check;
	bool non_stick; /* tables do not keep it */
	enum cfg_init_state { /* before its first check */
			      CFG_START_UP, /* the next failure takes it down */
			      CFG_START_FULLY_UP,
			      CFG_START_DOWN, /* the next success takes it up */
			      CFG_START_FULLY_DOWN,
	} init_state;
	int max_reuse, pool_max; /* of a connection; of connections that wait; -1: any number */
	unsigned pool_low;	 /* so many wait beyond the need */
	bool has_purge; /* else HAProxy's 5 s */
	uint64_t purge_ns; /* how long those wait; 0: they do not */
	bool dynamic; /* it came at run time: its checks rest until they are enabled */
	uint64_t slowstart_ns; /* 0: at once */
	unsigned agent_port;
	uint64_t agent_inter_ns; /* 0: 2 s */
	const char *agent_send;	 /* NULL: nothing */
	const struct cfg_addr *agent_addr; /* NULL: the server's */
	struct cfg_tls *tls_words; /* NULL: none */
	bool check_tls, check_tls_usual; /* a connection of its check speaks TLS; does so unless the steps say otherwise */
	bool check_proxy, no_check_proxy; /* check-send-proxy, or its opposite */
	enum cfg_observe observe;
	enum cfg_on_error on_error;
	unsigned error_limit;
	bool ends_sessions, ends_backup_sessions; /* on-marked-down, on-marked-up */
	const char *track; /* "BACKEND/SERVER" or "SERVER", as written; NULL: it is asked itself */
	const struct cfg_server *tracked;  /* that one */
	const struct cfg_proxy *tracked_in;
	/* of the check; NULL is the server's own, port 0 too */
	const struct cfg_addr *check_addr;
	unsigned check_port, rise, fall;
	uint64_t inter_ns, fastinter_ns, downinter_ns; /* 0: 2 s, inter, inter */
};

extern const struct cfg_server cfg_server_default;

/* How it is spoken to; NULL: plain. */
static inline struct tls_back *cfg_server_back(const struct cfg_server *s)
{
	return s->tls_words ? s->tls_words->back : NULL;
}

/* The name to ask it for; NULL: none that is not constant. */
static inline const struct expr *cfg_server_sni(const struct cfg_server *s)
{
	return s->tls_words && s->tls_words->back ? s->tls_words->sni_expr : NULL;
}

enum cfg_mode {
	CFG_MODE_TCP, /* HAProxy's default */
	CFG_MODE_HTTP,
};

struct cfg_timeouts {
	uint64_t client_hs_ns; /* of TLS handshakes; 0: client_ns */
	uint64_t connect_ns, client_ns, server_ns, check_ns, queue_ns, tunnel_ns, client_fin_ns,
	    server_fin_ns, http_request_ns, http_keep_alive_ns, tarpit_ns;
};

/* ---- mode http ---- */

enum cfg_closing { /* in this order of precedence */
		   CFG_KEEP_ALIVE,
		   CFG_SERVER_CLOSE,
		   CFG_CLOSE,
};

enum cfg_reuse {
	CFG_REUSE_SAFE, /* HAProxy's default */
	CFG_REUSE_NEVER,
	CFG_REUSE_AGGRESSIVE,
	CFG_REUSE_ALWAYS,
};

struct cfg_forwardfor {
	bool on, if_none;
	const char *header;	     /* NULL: X-Forwarded-For */
	const struct cfg_addr *except; /* NULL: nobody */
	unsigned except_prefix_bits; /* of its network */
};

/* option forwarded: what its field says (RFC 7239, section 5). */
struct cfg_forwarded {
	bool proto;
	struct cfg_forwarded_part {
		bool on;
		const struct expr *expr; /* NULL: as it is */
	} host, by, by_port, from, from_port;
};

/* option http-restrict-req-hdr-names: names with other characters than letters, digits and "-" */
enum cfg_header_names {
	CFG_NAMES_PRESERVE, /* HAProxy's default */
	CFG_NAMES_DELETE,
	CFG_NAMES_REJECT,
};

/* h1-case-adjust: how a name is to look. */
struct cfg_case {
	const struct cfg_case *next;
	const char *name;
	size_t len;
};

/* hash-type: how a server is found by a key, and what the key is made with. */
struct cfg_hash_type {
	bool consistent;
	enum cfg_hash_function {
		CFG_HASH_SDBM, /* HAProxy's default */
		CFG_HASH_CRC32,
		CFG_HASH_DJB2,
		CFG_HASH_NONE, /* a number as it is (HAProxy 2.9) */
		CFG_HASH_WT6,
	} function;
	bool avalanche; /* mixed once more */
};

/* What balance asks of a request; which of it counts depends on the algorithm. */
struct cfg_hash {
	const char *name;	     /* url_param, hdr */
	unsigned uri_len, uri_depth; /* 0: all of it */
	bool uri_whole;		     /* with the query */
	bool domain_only;	     /* hdr: use_domain_only */
};

/* What is sent instead of an own error page. */
struct answer;
struct cfg_error {
	const struct cfg_error *next; /* older: the first one of a status counts */
	unsigned status;
	const struct answer *answer; /* written for each client, or of kind ANSWER_STANDARD: the own page; NULL: */
	const char *data;	     /* as it was in the file, with CR LF */
	size_t len;
	const char *section; /* not NULL: stands for the answers of that one, all if status is 0 */
	struct diag_place at;
};

#define CFG_COOKIE_KEY_MAX 255 /* bytes of dynamic-cookie-key */

enum cfg_cookie_mode {
	CFG_COOKIE_PASSIVE, /* the server sets it by itself */
	CFG_COOKIE_REWRITE,
	CFG_COOKIE_INSERT,
	CFG_COOKIE_PREFIX,
};

struct cfg_cookie {
	const char *name;
	enum cfg_cookie_mode mode;
	bool indirect, nocache, postonly, preserve, httponly, secure;
	bool dynamic;		       /* servers without one have a hash of their address, */
	bool bigip;		       /* or what a BIG-IP makes of it, whose cookies are known, too */
	uint32_t maxidle_s, maxlife_s; /* 0: for ever */
	const char *attributes;	       /* behind "NAME=VALUE; path=/" */
};

enum cfg_encoding {
	CFG_IDENTITY,
	CFG_GZIP,
	CFG_DEFLATE, /* in zlib's form */
	CFG_RAW_DEFLATE,
};
#define CFG_ENCODINGS 4
#define CFG_COMPRESSION_TYPES_MAX 64

struct cfg_compression {
	const struct cfg_proxy *of; /* whose lines these are; others have it from that section */
	enum cfg_encoding algo[CFG_ENCODINGS];
	unsigned n_algos, n_types;
	const char *type[CFG_COMPRESSION_TYPES_MAX]; /* what Content-Type begins with; none: any */
	bool offload;				     /* the server is not asked for it */
	unsigned min_bytes; /* of an answer whose length is known */
};

/* What is asked again: retry-on. */
enum cfg_retry {
	CFG_RETRY_NOTHING = 1u << 0,
	CFG_RETRY_CONNECT = 1u << 1, /* HAProxy's default */
	CFG_RETRY_EMPTY = 1u << 2,
	CFG_RETRY_JUNK = 1u << 3,
	CFG_RETRY_TIMEOUT = 1u << 4,
	CFG_RETRY_STATUS = 1u << 5, /* the first of those cfg_retry_status() gives */
};

/* The bit of a status that may be asked again; 0: it may not. */
static inline unsigned cfg_retry_status(unsigned status)
{
	static const unsigned short known[] = {401, 403, 404, 408, 425, 500, 501, 502, 503, 504};

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i] == status)
			return CFG_RETRY_STATUS << i;
	return 0;
}

struct cfg_http {
	unsigned retry_on; /* enum cfg_retry; 0: not written */
	const struct cfg_cookie *cookie; /* NULL: none */
	const char *dynamic_cookie_key;	 /* NULL: no server has a dynamic cookie */
	enum cfg_closing closing;
	enum cfg_reuse reuse;
	bool log; /* option httplog */
	bool buffers_request; /* option http-buffer-request */
	bool lenient_request, lenient_response; /* option accept-invalid-http-… */
	bool aborts_on_close; /* option abortonclose */
	bool checks_cache; /* option checkcache */
	bool prefers_last, limits_last; /* option prefer-last-server, max-keep-alive-queue */
	unsigned last_queue_max;
	bool stays_when_stopping; /* option idle-close-on-response */
	bool no_delay; /* option http-no-delay */
	bool pretends_keep_alive; /* option http-pretend-keepalive */
	struct cfg_forwardfor forwardfor, originalto;
	const struct cfg_forwarded *forwarded; /* NULL: none */
	const char *name_header; /* http-send-name-header; NULL: none */
	bool late_edits; /* one of the last three, adjusts_request, or names */
	bool adjusts_request, adjusts_answer; /* option h1-case-adjust-bogus-server, -client */
	bool ignores_probes;
	bool keeps_to_h1; /* disable-h2-upgrade */
	enum cfg_header_names names;
	struct cfg_hash hash;
	const struct cfg_compression *compression; /* NULL: none */
	const struct cfg_error *errors;
	const char *monitor_uri; /* asked for, the proxy says whether it is well; NULL: nothing is */
};

enum cfg_log_kind {
	CFG_LOG_FD,	/* stdout, stderr, fd@N */
	CFG_LOG_SOCKET, /* UDP or a unix datagram socket */
	CFG_LOG_RING,
};

enum cfg_log_format {		     /* what stands before the text */
		      CFG_LOG_LOCAL, /* HAProxy's default: RFC 3164 without the host's name */
		      CFG_LOG_RFC3164,
		      CFG_LOG_RFC5424,
		      CFG_LOG_PRIORITY,
		      CFG_LOG_SHORT,
		      CFG_LOG_TIMED,
		      CFG_LOG_ISO,
		      CFG_LOG_RAW,
};

#define CFG_LOG_SAMPLE_MAX 1024

/* A section `ring`. */
struct cfg_ring_server {
	STAILQ_ENTRY(cfg_ring_server) next;
	struct cfg_addr addr;
	bool octet_count; /* log-proto (RFC 6587, section 3.4.1); else a line end stands behind each */
	struct cfg_tls *tls; /* NULL: none */
	struct diag_place at;
};

struct cfg_ring {
	STAILQ_ENTRY(cfg_ring) next;
	struct diag_place at;
	const char *name, *description;
	const char *file; /* backing-file; NULL: none */
	enum cfg_log_format format; /* of lines that name none */
	unsigned maxlen;
	size_t size; /* bytes */
	uint64_t connect_ns, server_ns; /* 0: none */
	STAILQ_HEAD(, cfg_ring_server) servers;
};

struct ring; /* engine/ring.h */

/* A section `mailers`. */
struct cfg_mailer {
	STAILQ_ENTRY(cfg_mailer) next;
	const char *name;
	struct cfg_addr addr;
};

struct cfg_mailers {
	STAILQ_ENTRY(cfg_mailers) next;
	struct diag_place at;
	const char *name;
	uint64_t timeout_ns; /* of a mail, from the connection to its end */
	STAILQ_HEAD(, cfg_mailer) list;
};

struct cfg_peer {
	STAILQ_ENTRY(cfg_peer) next;
	const char *name;
	struct cfg_addr addr;
};

/* A section `peers`; the lines of what may stand in it once; 0: none yet. */
struct cfg_peers {
	STAILQ_ENTRY(cfg_peers) next;
	struct diag_place at;
	const char *name;
	const char *local;    /* this process, by its name there; NULL: it shares nothing */
	struct cfg_addr addr; /* its own */
	STAILQ_HEAD(, cfg_peer) list; /* with this process */
	unsigned local_line, bind_line, tls_line;
	bool any; /* it has lines */
	bool disabled;
};

/* "peers NAME" of a stick-table. */
struct cfg_peers_use {
	STAILQ_ENTRY(cfg_peers_use) next;
	struct diag_place at;
	const char *name;
	const struct table_ref *ref; /* the table */
	const struct cfg_proxy *by; /* NULL: a section peers */
};

/* email-alert */
struct cfg_email {
	struct diag_place at; /* line 0: none was written */
	const char *from, *to, *myhostname, *mailers_name;
	int level; /* as in <syslog.h>: the most detailed that is sent */
	const struct cfg_mailers *mailers; /* NULL: no mail is sent */
};

struct cfg_log {
	STAILQ_ENTRY(cfg_log) next;
	enum cfg_log_kind kind;
	struct cfg_addr addr;
	int facility; /* as in <syslog.h>, shifted */
	int level;    /* most detailed one let through */
	int least;    /* what is more serious is written as this level */
	int fd;
	unsigned len; /* bytes of a message at most */
	enum cfg_log_format format;
	bool format_given;
	const char *ring_name; /* CFG_LOG_RING */
	const struct cfg_ring *ring;
	struct diag_place at;
	struct ring *to; /* of the engine */
	unsigned sample_of,
	    sample_at; /* every so many lines; 0: all. sample_at counts, atomically */
	uint64_t sampled[CFG_LOG_SAMPLE_MAX / 64]; /* those of them that are written */
};

STAILQ_HEAD(cfg_logs, cfg_log);

/* Where the converter debug writes. */
struct cfg_debug {
	struct cfg_debug *next;
	const char *name;
	struct cfg_logs logs; /* one */
};

/* A section `log-forward`. */
struct cfg_forward_bind {
	STAILQ_ENTRY(cfg_forward_bind) next;
	struct diag_place at;
	struct cfg_addr addr;
	struct cfg_access access; /* of a unix socket */
	bool is_stream; /* else datagrams */
	const char *interface; /* NULL: any */
	bool v4v6, accept_proxy;
	unsigned maxconn; /* of this one; 0: the section's alone */
	struct cfg_tls *tls; /* shared by the ports of a range; NULL: none, or without `ssl` */
};

struct cfg_forward {
	STAILQ_ENTRY(cfg_forward) next;
	struct diag_place at;
	const char *name;
	unsigned maxconn, backlog;
	uint64_t client_ns; /* 0: none */
	struct cfg_logs logs;
	const struct cfg_logs *global_logs; /* log global; NULL: not */
	STAILQ_HEAD(, cfg_forward_bind) binds;
};

enum cfg_state_from { /* load-server-state-from-file */
	CFG_STATE_NONE,
	CFG_STATE_LOCAL,
	CFG_STATE_GLOBAL,
};

/* What a section takes over from its defaults section; copied by value. */
struct cfg_settings {
	enum cfg_mode mode;
	struct diag_place mode_at;
	const char *balance; /* HAProxy's name, and that of the algorithm */
	struct diag_place balance_at;
	unsigned draws;		 /* random(N); 0: 2 */
	const struct expr *hash; /* balance hash and rdp-cookie: of what; NULL: another algorithm */
	bool persists; /* option persist: to a server that is down, too */
	const struct expr *persist; /* persist rdp-cookie; NULL: not */
	struct cfg_hash_type hash_type;
	unsigned balance_factor; /* hash-balance-factor, percent; 0: none */
	struct cfg_timeouts timeout;
	struct cfg_http http;
	struct cfg_check check;
	/* What few sections have: shared with the section it came from until a line says something. NULL: none */
	const struct cfg_httpchk *httpchk; /* in mode tcp, too */
	const struct cfg_stats *stats;
	const struct cfg_source *source;
	struct cfg_email *email;
	unsigned maxconn, backlog, retries, fullconn;
	unsigned rate_limit; /* sessions a second; 0: any number */
	int redispatch; /* 0: never; n > 0: at every n-th retry; -n: n before the last, -1: the last */
	const char *log_format, *log_format_sd, *error_log_format, *unique_id_format; /* NULL: the default, none */
	bool log_json; /* the default is JSON */
	struct diag_place log_format_at, log_format_sd_at, error_log_format_at, unique_id_at;
	const char *unique_id_header, *log_tag;
	bool log_separate_errors, dontlog_normal, logasap;
	bool independent; /* option independent-streams */
	bool became_http; /* written as mode tcp, before an HTTP backend: statistics show it as written */
	bool contstats, transparent, no_smart_accept, socket_stats, tcplog, dontlognull, log_health_checks, allbackups, log_global,
	    disabled;
	struct cfg_logs *logs; /* own `log` lines, shared until a section adds one; may be NULL */
	const char *default_backend;
	struct diag_place default_backend_at;
	enum cfg_state_from state_from;
	const char *state_file; /* NULL: the proxy's name */
	struct cfg_tcp tcp_client, tcp_server; /* keep-alive and close */
	const struct cfg_server *server; /* default-server: of the section it came from until one has its own line */
};

/* Does this connection of the server's check speak TLS? */
bool cfg_hop_speaks_tls(const struct cfg_server *s, const struct cfg_check_connect *how);

/* What the connection number n, from 0 on, of a section's checks is like; NULL: there are not so many. */
const struct cfg_check_connect *cfg_check_hop(const struct cfg_settings *set, unsigned n);

#define CFG_FRONTEND 1u
#define CFG_BACKEND 2u
#define CFG_DEFAULTS 4u
#define CFG_LISTEN (CFG_FRONTEND | CFG_BACKEND)

struct cfg_proxy {
	STAILQ_ENTRY(cfg_proxy) next, next_frontend;
	struct diag_place at;
	const char *name;
	unsigned id;   /* as written, else the first that is free: 2, 3 … in the order of the file */
	bool id_given;
	unsigned kind; /* CFG_FRONTEND, CFG_BACKEND, both (listen), or CFG_DEFAULTS */
	struct cfg_settings set;
	STAILQ_HEAD(, cfg_bind) binds;
	STAILQ_HEAD(, cfg_server) servers;
	unsigned n_servers;
	struct cfg_server *dispatch; /* where all goes that no cookie binds; NULL: there are servers */
	struct cfg_rules *rules;     /* cfg/rules.h; NULL: none */
	struct cfg_formats *formats; /* cfg/rules.h; NULL: nothing is logged or numbered */
	struct capture_slots *slots; /* NULL: nothing is captured */
	const struct cfg_source *source_header; /* of its servers: usesrc hdr_ip; NULL: none */
	const char *use_backend; /* without a condition; goes before default_backend */
	struct diag_place use_backend_at;
	struct cfg_proxy
	    *backend; /* a frontend's: default_backend, or itself (listen); may be NULL */
};

STAILQ_HEAD(cfg_proxies, cfg_proxy);

/* stats socket */
enum cfg_stats_level {
	CFG_STATS_USER,
	CFG_STATS_OPERATOR, /* HAProxy's default */
	CFG_STATS_ADMIN,
};

/* severity-output: what stands before a message of the runtime API */
enum cfg_severity {
	CFG_SEVERITY_NONE,
	CFG_SEVERITY_NUMBER,
	CFG_SEVERITY_STRING,
};
extern const char *const cfg_severity_words[]; /* in that order; NULL at the end */

struct cfg_stats_socket {
	STAILQ_ENTRY(cfg_stats_socket) next;
	struct diag_place at;
	const char *text; /* equal text is the same socket */
	struct cfg_addr addr;
	int inherited_fd; /* fd@N; -1: none */
	enum cfg_stats_level level;
	enum cfg_severity severity;
	struct cfg_access access;
	bool exposes; /* expose-fd listeners */
};

enum cfg_paths { CFG_PATHS_CURRENT, CFG_PATHS_CONFIG, CFG_PATHS_PARENT, CFG_PATHS_ORIGIN };

/* What clients of HTTP/2 are told: tune.h2.… */
struct cfg_h2 {
	unsigned max_streams, window, frame_size, table_size;
};

struct cfg_global {
	struct cfg_h2 h2;
	enum cfg_paths paths; /* default-path */
	const char *origin;
	unsigned maxconn;  /* 0: not written */
	unsigned nbthread; /* 0: as many as CPUs */
	unsigned ulimit_n, fd_limit; /* 0: not written */
	uint64_t close_spread_ns; /* close-spread-time; 0: all at once, UINT64_MAX: none is closed */
	unsigned maxcomprate; /* KiB a second; 0: any number */
	unsigned maxconnrate, maxsessrate, maxsslrate, maxsslconn; /* 0: any number */
	bool daemon, external_check;
	bool strict_limits, zero_warning, dumpable, busy_polling;
	bool multi_queue; /* tune.listener.multi-queue: accepted connections may go to another thread */
	cpu_set_t *cpu_map; /* CFG_THREADS_MAX of them; an empty one: any CPU. NULL: not written */
	unsigned thread_limit; /* 0: none */
	unsigned pipe_size; /* bytes; 0: the engine's */
	struct cfg_access unix_bind; /* of unix sockets whose bind line says nothing */
	const char *unix_prefix;     /* goes before their paths; NULL: nothing */
	bool usesrc; /* addresses that are not ours are bound to */
	bool netns;  /* other network namespaces are entered */
	struct cfg_tcp tcp_client, tcp_server; /* buffers */
	const char *pidfile, *log_tag, *node, *description;
	const char *log_hostname; /* log-send-hostname; NULL: it is not sent */
	const char *state_file, *state_base; /* of servers; NULL: none */
	STAILQ_HEAD(, cfg_stats_socket) stats_sockets;
	uint64_t stats_timeout_ns; /* 0: 10 s */
	unsigned stats_maxconn;	   /* 0: 10 */
	long uid, gid;		   /* also of `user` and `group`; -1: not written */
	uint64_t hard_stop_ns, grace_ns;
	unsigned line_max; /* tune.http.logurilen: bytes of a request line in the log; 1023 when not written */
	unsigned maxhdr; /* fields of an HTTP head, up to CFG_FIELDS_OF_HEAD_MAX; 101 when not written */
	unsigned bufsize, maxrewrite; /* bytes, up to CFG_BUFSIZE_MAX: an HTTP head may have the one less the other */
	bool no_splice;		/* nosplice */
	unsigned compression_level; /* tune.comp.maxlevel; 0: 1 */
	unsigned vars_max[CFG_VAR_SCOPES]; /* bytes of variables, by enum var_scope; 0: any number */
	unsigned pattern_memory; /* tune.pattern.cache-size */
	int nap_us;		/* tune.coalesce-us: -1 automatic, 0 off, else the longest nap */
	unsigned spread_checks; /* percent */
	uint64_t max_spread_ns; /* max-spread-checks; 0: none */
	const struct cfg_case *cases; /* h1-case-adjust; the last one first */
	unsigned n_cases;
	struct cfg_logs logs;
	struct cfg_tls_global tls;
};

STAILQ_HEAD(cfg_resolvers_list, cfg_resolvers); /* cfg/resolvers.h */

struct cfg {
	unsigned refs; /* of others beside its owner: cfg_hold() */
	struct cfg_global global;
	struct cfg_proxies defaults, proxies;
	struct cfg_proxies frontends; /* of `proxies`, those with clients: few, where there are many */
	struct cfg_resolvers_list resolvers;
	STAILQ_HEAD(, cfg_mailers) mailers;
	STAILQ_HEAD(, cfg_peers) peers;
	STAILQ_HEAD(, cfg_peers_use) peers_uses;
	STAILQ_HEAD(, cfg_ring) rings;
	struct cfg_debug *debugs;
	STAILQ_HEAD(, cfg_forward) forwards;
	unsigned n_proxies, n_servers;
	const char *file[CFG_FILES_MAX];
	size_t n_files;
	struct var_names *vars;	    /* of rules; NULL: none */
	struct rule_shared *shared; /* maps, users, tables: rules/map.h; NULL: none */
	struct cfg_end *ends;	    /* what is called when it goes */
	struct cfg_names *names;    /* cfg/names.h */
	struct cfg_netns *netns;    /* all that are named */
	struct tls_store *tls_store; /* files that TLS is made of */
	struct cfg_block *memory; /* cfg/memory.c */
	char *memory_free;	  /* of the last chunk */
	size_t memory_left, memory_used;
	bool too_large;
	bool composes; /* some http-error has a text that is written for each client */
};

struct upgrade; /* cfg/upgrade.h */

struct cfg_load_opts {
	const char *const *path; /* files, or folders of *.cfg */
	size_t n_paths;
	bool ignore_unresolved; /* -dr */
	bool diagnose;		/* -dD: .diag speaks */
	bool localpeer_given;	/* -L: HAPROXY_LOCALPEER stays what it is */
	/* For --migrate: lines first to last of a file are, in HAProxy of today, those of `u`. NULL: nobody
	 * asks. */
	void (*upgraded)(void *userdata, const char *file, unsigned first, unsigned last,
			 const struct upgrade *u);
	void *userdata;
};

/*
 * Reads and checks the files. What was found goes to `d`, sorted by place; the result may run when
 * d->count[DIAG_ERROR] is 0. 0 or -ENOMEM, with *ret untouched.
 */
int cfg_load(const struct cfg_load_opts *o, struct diag *d, struct cfg **ret);
void cfg_free(struct cfg *c);
/* It lives until cfg_free() was called once more. One thread at a time. */
struct cfg *cfg_hold(struct cfg *c);

/* `copy`, of another, has nothing that is its own yet: neither memory nor ends nor holders. */
void cfg_memory_apart(struct cfg *copy);

/* Memory of the configuration: zeroed, freed with it. NULL when there is none. */
void *cfg_alloc(struct cfg *c, size_t size);
const char *cfg_strdup(struct cfg *c, const char *text);

/* cfg_free calls `fn` with `object`. False: no memory, and it was called. */
bool cfg_at_end(struct cfg *c, void (*fn)(void *object), void *object);

/* NULL: there is none. */
struct cfg_proxy *cfg_find_backend(const struct cfg *c, const char *name);

#endif
