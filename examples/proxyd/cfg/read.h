/* SPDX-License-Identifier: MIT */
/*
 * Inside the reader: the line at hand, and the tables of keywords. A handler is called with the
 * number of its first argument; it reads words with word_at() and reports with say().
 */
#ifndef PROXYD_CFG_READ_H
#define PROXYD_CFG_READ_H

#include "cfg/cfg.h"
#include "cfg/upgrade.h"
#include "cfg/words.h"
#include "lex.h"

enum cfg_section {
	SECTION_NONE,
	SECTION_GLOBAL,
	SECTION_PROXY,	 /* defaults, frontend, backend, listen */
	SECTION_OTHER,	 /* cfg/sections.c */
	SECTION_UNKNOWN, /* its lines mean nothing */
};

/* A word whose finding depends on the mode, which is known at the end of the section. */
struct reader_held {
	struct reader_held *next;
	struct diag_place at;
	const struct keyword *ours;  /* acts, some of them in HTTP mode only; NULL: */
	const struct cfg_word *word; /* HAProxy's, not of this version */
};

#define READER_IF_MAX 16 /* .if within .if */

struct reader_if {
	struct diag_place at;
	bool skipped; /* it stands in lines that do not count */
	bool taken;   /* one of its branches counts, or counted */
	bool reads;   /* the branch at hand counts */
	bool has_else;
};

struct userlist;
struct rule_memory;

#define READER_LETTERS_MAX 512

/* Words of cfg_keywords_proxy by their first letter: of each the first one, and behind each the next. */
struct reader_letters {
	const struct keyword *first[256], *next[READER_LETTERS_MAX];
};

struct reader {
	struct reader_letters letters;
	const struct cfg_load_opts *opts;
	struct cfg *cfg;
	struct diag *diag;
	struct lex *lex;
	const struct lex_line *line;
	enum cfg_section section;
	struct cfg_proxy *proxy;    /* the section at hand */
	struct cfg_proxy *defaults; /* the last defaults section; NULL: none yet */
	struct reader_held *held, *held_last, *held_spare;
	struct userlist *userlist;		    /* the section at hand */
	struct cfg_resolvers *resolvers;	    /* the section at hand */
	struct cfg_mailers *mailers;		    /* the section at hand */
	struct cfg_peers *peers;		    /* the section at hand */
	struct cfg_ring *ring;			    /* the section at hand */
	struct cfg_forward *forward;		    /* the same; NULL: another one, or no memory */
	const struct section_kind *other;	    /* SECTION_OTHER */
	struct cfg_errors *errors;	  /* of the section http-errors at hand */
	struct reader_if conditions[READER_IF_MAX]; /* .if, open ones */
	size_t n_if;
	struct upgrade *upgrade; /* of the line at hand */
	const char *rule_file;	 /* of the last rule; kept */
	bool told_h2;		 /* that it is not offered */
	bool no;		 /* the line began with "no" */
	bool dynamic;		 /* it is a server's that comes at run time */
	const struct cfg *running; /* then: what it is added to; NULL: nothing runs */
	bool no_memory;
};

typedef void keyword_fn(struct reader *r, size_t first, const void *data);

struct keyword {
	const char *name;  /* one word, or two with a space */
	unsigned kinds;	   /* proxy sections: CFG_FRONTEND | …; 0: everywhere */
	unsigned min, max; /* arguments; max READER_ANY: no limit */
	keyword_fn *fn;
	const void *data;  /* for fn */
	const char *usage; /* the arguments, for messages */
};

#define READER_ANY 1000u

extern const struct keyword cfg_keywords_global[];
extern const struct keyword cfg_keywords_proxy[];

/* "" past the end. */
const char *word_at(const struct reader *r, size_t i);

/* Place of a word; past the end, of the last one. */
struct diag_place place_at(const struct reader *r, size_t i);

__attribute__((format(printf, 4, 5))) void say(struct reader *r, enum diag_level level, size_t i,
					       const char *format, ...);

/* Memory that lives with the configuration; on failure the load as a whole ends with -ENOMEM. */
void *keep(struct reader *r, size_t size);
/* Nearly all words of a table differ here from the one that is looked for, and each line asks all. */
static inline bool begins_alike(const char *a, const char *b)
{
	return a[0] == b[0] && (!a[0] || a[1] == b[1]);
}

/* `size` bytes like those of `old`; zeroes if that is NULL. */
void *keep_copy(struct reader *r, const void *old, size_t size);
/*
 * cfg/track.c: `track` of a section's servers, true: some do; of all, once each knows whom it tracks; of one that comes
 * at run time.
 */
bool cfg_track_find(struct reader *r, struct cfg_proxy *p);
void cfg_track_check(struct reader *r);
void cfg_track_server(struct reader *r, const struct cfg_proxy *p, struct cfg_server *s);

const char *keep_text(struct reader *r, const char *text);
const char *keep_word(struct reader *r, size_t i);
/* The words from i on, with a space between. */
const char *keep_rest(struct reader *r, size_t i);

/*
 * `word` is neither a parameter we handle nor a known one: says so with the nearest of both.
 * `what` is "parameter of \"server\"" and the like.
 */
void say_unknown(struct reader *r, size_t i, const char *what, const char *const *ours,
		 const struct cfg_word *known);
/* A word that HAProxy knows and this version has not: ignored with a warning, or refused. */
void say_known(struct reader *r, const struct diag_place *at, const struct cfg_word *w);
const struct cfg_word *find_word(const struct cfg_word *table, const char *name);

/* The keyword at word i, and whether its name is one word or two. NULL: none of the table. */
const struct keyword *find_keyword(const struct reader *r, const struct keyword *table, size_t i,
				   size_t *ret_words);

/* Whether `k` at word i has as many arguments as it takes, from `first` on; false: said. */
bool check_count(struct reader *r, const struct keyword *k, size_t i, size_t first);

/* cfg/directive.c: true: the line is a directive, or in a branch that does not count. */
bool read_directive(struct reader *r);
/* At the end of a file: an .if that is still open. */
void end_directives(struct reader *r);
extern const struct lex_dialect cfg_dialect;

/* cfg/sections.c: sections that are no proxies. NULL: no such section. */
const struct section_kind *find_section(const char *name);
void begin_other_section(struct reader *r, const struct section_kind *kind);
void read_other_section(struct reader *r);

/* The values of words; each reports what is wrong and returns false. */
bool read_number(struct reader *r, size_t i, const char *what, unsigned min, unsigned max,
		 unsigned *ret);
/* A number that may have k, m or g behind it: 1024, its square, its cube. */
bool read_size(struct reader *r, size_t i, const char *what, unsigned min, unsigned max,
	       unsigned *ret);
bool read_time(struct reader *r, size_t i, const char *what, uint64_t *ret_ns);
/* The same of a part of word i. */
bool read_time_text(struct reader *r, size_t i, const char *what, const char *text,
		    uint64_t *ret_ns);

#define ADDR_LISTEN 1u	   /* a port is needed, "" and "*" are every address, ranges are allowed */
#define ADDR_PORT 2u	   /* a port is needed */
#define ADDR_DATAGRAM 4u   /* for datagrams; a log target without a port has 514 */
#define ADDR_UNRESOLVED 8u /* a name that does not resolve is no error */
#define ADDR_NO_LOOKUP 16u  /* a name is none of ours to resolve: no address, no error */
#define ADDR_SERVER 32u /* "" is where the client wanted to go, and "+1000" a port relative to that */
#define ADDR_NTH(n) ((unsigned)(n) << 8) /* of a name's addresses the one behind n others */

struct address {
	struct cfg_addr addr;
	const char *host; /* borrowed from the configuration's memory */
	unsigned port, port_end;
	int port_shift; /* from the client's port on */
	bool shifts;
	int fd; /* fd@N; -1: none */
};
bool read_address(struct reader *r, size_t i, const char *text, unsigned flags,
		  struct address *ret);
/* An address without a port, as it is written. False: it is none. */
bool cfg_numeric_address(const char *text, struct cfg_addr *ret);
void addr_set_port(struct cfg_addr *a, unsigned port);

/* keyword handlers that have a file of their own */
void kw_bind(struct reader *r, size_t first, const void *data);
void kw_server(struct reader *r, size_t first, const void *data);
/* The words of `server` behind that one, in r->proxy; it is put nowhere. NULL: no memory. */
struct cfg_server *cfg_server_read(struct reader *r);
/* Parameters from word i on, of those two lines, which are only looked at. */
void cfg_bind_words(struct reader *r, size_t i);
void cfg_server_words(struct reader *r, size_t i);
/* Numbers of all servers: as written, or the first that are free. */
void cfg_server_ids(struct reader *r, struct cfg_proxy *p);
void kw_dispatch(struct reader *r, size_t first, const void *data);
/* dispatch, option transparent: the server that is meant by them. */
void cfg_nameless_check(struct reader *r, struct cfg_proxy *p);
void kw_server_template(struct reader *r, size_t first, const void *data);
void kw_default_server(struct reader *r, size_t first, const void *data);
void kw_log(struct reader *r, size_t first, const void *data);

/* cfg/process.c */
keyword_fn kw_cpu_map, kw_grace, kw_global_flag;

/* cfg/tcp.c */
keyword_fn kw_tcp_buffer, kw_tcp_probes;
void bind_tcp(struct reader *r, size_t i, void *target);
void server_tcp(struct reader *r, size_t i, void *target);
/* Of all its lines, once the section and the global one are read. */
void cfg_tcp_check(struct reader *r, struct cfg_proxy *p);

/* cfg/source.c */
void kw_source(struct reader *r, size_t first, const void *data);

/* ---- cfg/path.c ---- */

void kw_default_path(struct reader *r, size_t first, const void *data);

/* The file that is called `name` in the configuration file `file`: as long as `c`; `name` itself where nothing else is said. */
const char *cfg_path(struct cfg *c, const char *file, const char *name);
void server_source(struct reader *r, size_t i, void *target);
void server_source_more(struct reader *r, size_t i, void *target);
void cfg_source_check(struct reader *r, struct cfg_proxy *p);

/* cfg/netns.c */
void bind_netns(struct reader *r, size_t i, void *target);
void server_netns(struct reader *r, size_t i, void *target);

/* cfg/mailers.c */
keyword_fn kw_email_alert, kw_mail_timeout, kw_mailer;
void begin_mailers(struct reader *r);
/* Once all sections are read: those of mailers; which ones a section's email-alert means. */
void cfg_mailers_check(struct reader *r);
void cfg_email_check(struct reader *r, struct cfg_proxy *p);

/* cfg/peers.c */
keyword_fn kw_localpeer, kw_peer, kw_peers_bind, kw_peers_bind_words, kw_peers_disabled, kw_peers_server_words, kw_peers_table;
void begin_peers(struct reader *r);
/* Word i of a stick-table names a section; whether there is one is known at the end. */
void cfg_peers_use(struct reader *r, size_t i, const char *name, const struct table_ref *ref);
void cfg_peers_check(struct reader *r);

/* cfg/tls.c: of a ring's server */
void cfg_tls_of_ring(struct reader *r, struct cfg_ring_server *s);
/* of a section's bind lines */
void cfg_tls_of_forward(struct reader *r, struct cfg_forward *f);
/* cfg/server.c: the word at *i is one of TLS: it is read, with its value. */
bool cfg_server_tls_word(struct reader *r, size_t *i, struct cfg_server *s);

/* cfg/log_forward.c */
void begin_log_forward(struct reader *r);
keyword_fn kw_forward_bind, kw_forward_number, kw_forward_timeout;

/* cfg/ring.c */
keyword_fn kw_ring_bytes, kw_ring_file, kw_ring_format, kw_ring_server, kw_ring_text, kw_ring_timeout;
void begin_ring(struct reader *r);
/* As rule_shared.debug_to: a struct cfg_logs. */
const void *cfg_debug_to(void *cfg, const char *name);
/* The name of the ring that sends to this address, of word i. NULL: told. */
const char *cfg_ring_of_address(struct reader *r, size_t i, const char *text);
/* Once all sections are read: which ring a log line means; a section's. */
void cfg_rings_check(struct reader *r);
void cfg_logs_check(struct reader *r, struct cfg_proxy *p);
/* The name of a format at word i. False: told. */
bool cfg_log_format(struct reader *r, size_t i, enum cfg_log_format *ret);
/* The name of a level, as in <syslog.h>. */
bool cfg_log_level(struct reader *r, size_t i, int *ret);

/* cfg/resolvers.c */
keyword_fn kw_nameserver, kw_parse_resolv_conf, kw_hold, kw_resolvers_timeout, kw_resolvers_number;
void begin_resolvers(struct reader *r);
/* Parameters of a server: `target` is a struct cfg_server. */
void server_resolvers(struct reader *r, size_t i, void *target);
void server_resolve_prefer(struct reader *r, size_t i, void *target);
void server_resolve_opts(struct reader *r, size_t i, void *target);
void server_resolve_net(struct reader *r, size_t i, void *target);
void server_init_addr(struct reader *r, size_t i, void *target);
/* Once all sections are read: those of resolvers; which ones a section means. */
void cfg_resolvers_check(struct reader *r);
void cfg_resolves_check(struct reader *r, struct cfg_proxy *p);
void cfg_bandwidth_check(struct reader *r, struct cfg_proxy *p);

/* cfg/rules.c: of the configuration. */
struct rule_memory;
const struct rule_memory *cfg_rule_memory(struct reader *r);

/* cfg/tls.c: parameters of `bind` and `server`; fronts and backs of a whole section. */
void bind_tls(struct reader *r, size_t i, void *target);
void bind_tls_refused(struct reader *r, size_t i, void *target);
void server_tls(struct reader *r, size_t i, void *target);
void cfg_tls_check(struct reader *r, struct cfg_proxy *p);
/* One word of settings, its value at `value`. True: it has one. */
bool tls_set_word(struct reader *r, struct tls_settings *s, const char *word, size_t value);

/* cfg/tls_global.c */
void kw_tls_base(struct reader *r, size_t first, const void *data);
void kw_tls_default(struct reader *r, size_t first, const void *data);
void kw_tls_keylog(struct reader *r, size_t first, const void *data);
keyword_fn kw_tls_extra, kw_tls_extra_files, kw_tls_issuers, kw_tls_provider;
/* What is read beside certificates. */
void cfg_tls_extra(struct reader *r);
void kw_tls_dh(struct reader *r, size_t first, const void *data);
void kw_tls_number(struct reader *r, size_t first, const void *data);
void kw_tls_server_verify(struct reader *r, size_t first, const void *data);

/* cfg/http.c */
void kw_balance_request(struct reader *r, size_t first);
void kw_closing(struct reader *r, size_t first, const void *data);
void kw_retry_on(struct reader *r, size_t first, const void *data);
void kw_http_reuse(struct reader *r, size_t first, const void *data);
void kw_monitor_uri(struct reader *r, size_t first, const void *data);

/* cfg/forwarded.c */
keyword_fn kw_forwardfor, kw_forwarded, kw_header_names, kw_name_header, kw_adjust_case, kw_case, kw_case_file;

/* cfg/errors.c */
void kw_errorfile(struct reader *r, size_t first, const void *data);
void kw_errorfiles(struct reader *r, size_t first, const void *data);
void kw_errorloc(struct reader *r, size_t first, const void *data);
void kw_http_error(struct reader *r, size_t first, const void *data);
void begin_errors(struct reader *r);
void cfg_errors_check(struct reader *r, struct cfg_proxy *p);

/* cfg/httpchk.c */
void kw_httpchk(struct reader *r, size_t first, const void *data);
void kw_http_check_send(struct reader *r, size_t first, const void *data);
void kw_http_check_expect(struct reader *r, size_t first, const void *data);
void kw_http_check_connect(struct reader *r, size_t first, const void *data);
keyword_fn kw_http_check_404, kw_http_check_set, kw_http_check_state;
void cfg_httpchk_describe(struct reader *r, struct cfg_proxy *p);

/* cfg/check_rules.c */

/* What of HTTP an expression of a check can ask: bits of expr.h */
#define CFG_CHECK_SEES_NOTHING 0u
#define CFG_CHECK_SEES_ANSWER (EXPR_RESPONSE | EXPR_ANSWERED)

/* What `text`, of word i, is when a check writes it; an expression. NULL: told. */
const struct format *cfg_check_format(struct reader *r, size_t i, const char *text, unsigned sees);
const struct expr *cfg_check_expression(struct reader *r, size_t i, unsigned sees);
bool cfg_is_check_rule(const char *word);
/* The words from i on, "set-var(check.x) EXPRESSION", are one more rule. False: told. */
bool cfg_add_check_rule(struct reader *r, size_t i, unsigned sees, const struct rule **to);

/* cfg/expect.c */

/* The words from `first` on, behind "expect"; `comment` is that of the line before, NULL: none. NULL: told. */
const struct cfg_expect *cfg_read_expect(struct reader *r, size_t first, bool http, const char *comment);
/* The bytes of word i, as they are or in hexadecimal digits. False: told. */
bool cfg_read_bytes(struct reader *r, size_t i, bool binary, const char **ret, size_t *ret_len);

/* cfg/probe.c */
void kw_check_kind(struct reader *r, size_t first, const void *data);
void kw_external_check(struct reader *r, size_t first, const void *data);
void kw_tcp_check(struct reader *r, size_t first, const void *data);
void cfg_probe_check(struct reader *r, struct cfg_proxy *p);
/* http-check connect or tcp-check connect, from word i behind it on; `proto`: what may stand behind that word. False: told. */
bool cfg_read_connect(struct reader *r, size_t i, const char *proto, struct cfg_check_port *ret_port, struct cfg_check_connect *ret);
/* One more connection of a check; word i made it. */
void cfg_take_connect(struct reader *r, size_t i, const struct cfg_check_connect *c);

void kw_compression_algo(struct reader *r, size_t first, const void *data);
keyword_fn kw_compression_minsize, kw_compression_direction;
void kw_compression_offload(struct reader *r, size_t first, const void *data);
void kw_compression_type(struct reader *r, size_t first, const void *data);
void kw_cookie(struct reader *r, size_t first, const void *data);
void kw_bandwidth(struct reader *r, size_t first, const void *data);
void kw_filter_compression(struct reader *r, size_t first, const void *data);
void kw_dynamic_cookie_key(struct reader *r, size_t first, const void *data);
void server_cookie(struct reader *r, size_t i, void *target);
/* "if …" or "unless …" from word `first` to the end of the line; NULL: told. */
const struct cond *cfg_read_condition(struct reader *r, size_t first);
/* What `text`, of word i, is as an expression. NULL: told. */
const struct expr *cfg_read_expr(struct reader *r, size_t i, const char *text);

/* cfg/stats.c */
void kw_stats_socket(struct reader *r, size_t first, const void *data);
void kw_stats(struct reader *r, size_t first, const void *data);
void kw_state_from(struct reader *r, size_t first, const void *data);
void kw_state_file(struct reader *r, size_t first, const void *data);
void kw_proc_var(struct reader *r, size_t first, const void *data); /* bool: a format */
void kw_vars_max(struct reader *r, size_t first, const void *data);
void kw_acl(struct reader *r, size_t first, const void *data);
void kw_rules(struct reader *r, size_t first, const void *data);
void kw_monitor_fail(struct reader *r, size_t first, const void *data);
void cfg_monitor_check(struct reader *r, struct cfg_proxy *p);
void kw_redirect(struct reader *r, size_t first, const void *data);
void kw_capture(struct reader *r, size_t first, const void *data);
void kw_capture_cookie(struct reader *r, size_t first, const void *data);
void kw_log_option(struct reader *r, size_t first, const void *data);
/* After the last line: what the log lines of a frontend look like. */
void cfg_compile_formats(struct reader *r, struct cfg_proxy *p);
void begin_userlist(struct reader *r);
void kw_group(struct reader *r, size_t first, const void *data);
void kw_user(struct reader *r, size_t first, const void *data);
void cfg_check_userlists(struct reader *r);
void cfg_vars_check(struct reader *r);
/* Of the section at hand; NULL: no memory. */
struct cfg_rules *cfg_rules_of(struct reader *r);
/* The rules of a defaults section come first. */
void cfg_inherit_rules(struct reader *r, const struct cfg_proxy *from);
void kw_stick_table(struct reader *r, size_t first, const void *data);
/* The table of that name: "type TYPE size SIZE …", from word i on; `what` stands in front of them. */
void cfg_define_table(struct reader *r, size_t i, const char *what, const char *name);
void kw_stick(struct reader *r, size_t first, const void *data);
void cfg_check_tables(struct reader *r);
void kw_inspect_delay(struct reader *r, size_t first, const void *data);
void kw_use_backend(struct reader *r, size_t first, const void *data);
void kw_persist_rule(struct reader *r, size_t first, const void *data);
void kw_use_server(struct reader *r, size_t first, const void *data);

/* After the last file: references, missing timeouts, warnings. */
void cfg_check(struct reader *r);

#endif
