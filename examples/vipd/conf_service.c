/* SPDX-License-Identifier: MIT */
/* The blocks of services: virtual_server, real_server, their checks, virtual_server_group. */
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libha/service.h>

#include "conf_words.h"

#define VIRTUAL(member) offsetof(struct conf_virtual, member)
#define REAL(member) offsetof(struct conf_real, member)
#define CHECK(member) offsetof(struct conf_check, member)
#define HOUR 3600.0

static const struct conf_check_common common_unset = {CONF_UNSET, CONF_UNSET, CONF_UNSET,
						      CONF_UNSET, CONF_UNSET, CONF_UNSET};

/* ---- Addresses with ports ---- */

static const char *port_text(struct conf_parse *p, const struct ha_ip *ip, unsigned port)
{
	char text[HA_IP_TEXT_SIZE] = "";

	ha_ip_format(ip, text, sizeof(text));
	return conf_printf(p->memory, ip->family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, port);
}

/* ADDRESS [PORT] behind a keyword. */
static bool read_endpoint(struct conf_parse *p, const struct conf_node *n, struct ha_ip *ip,
			  uint16_t *port)
{
	const char *word = n->word->text;

	*port = 0;
	if (n->n < 2) {
		conf_warn(p, &n->word->at,
			  "\"%s\" lacks its address: write %s ADDRESS PORT. "
			  "Skipped",
			  word, word);
		return false;
	}
	if (ha_ip_parse(n->word[1].text, ip) < 0) {
		conf_warn(p, &n->word[1].at,
			  "\"%s\" is not an address: write %s ADDRESS PORT. Skipped",
			  n->word[1].text, word);
		return false;
	}
	if (n->n < 3)
		return true;
	return conf_read_port(p, &n->word[2], port);
}

static bool read_fwmark(struct conf_parse *p, const struct conf_word *w, struct conf_listen *l)
{
	double v;

	if (!conf_number(p, w, 1, UINT32_MAX, true, &v))
		return false;
	l->fwmark = (uint32_t)v;
	l->ip.family = AF_INET;
	return true;
}

/* ---- Choices ---- */

static void set_scheduler(struct conf_parse *p, const struct conf_node *n,
			  const struct conf_keyword *k, void *target)
{
	static const char *const known[] = {"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh",
					    "mh", "dh",	 "fo", "ovf", "sed",  "nq",    "twos"};
	struct conf_virtual *v = target;
	const struct conf_word *w = conf_argument(p, n);

	(void)k;
	for (size_t i = 0; w && i < sizeof(known) / sizeof(*known); i++) {
		if (!strcmp(w->text, known[i])) {
			v->scheduler = known[i];
			return;
		}
	}
	if (w)
		conf_warn(p, &w->at,
			  "unknown scheduler \"%s\": write rr, wrr, lc, wlc, sh, mh, dh, sed, nq, "
			  "fo, ovf, lblc, lblcr or twos. wlc is taken",
			  w->text);
}

/* "TUN [type ipip|gue port N|gre] [nocsum|csum|remcsum]" */
static void read_tunnel(struct conf_parse *p, const struct conf_node *n, struct conf_forward *f)
{
	for (size_t i = 2; i < n->n; i++) {
		const struct conf_word *w = &n->word[i];
		const char *next = i + 1 < n->n ? n->word[i + 1].text : "";

		if (!strcmp(w->text, "nocsum")) {
			f->tunnel_flags = 0;
		} else if (!strcmp(w->text, "csum")) {
			f->tunnel_flags = HA_TUNNEL_CSUM;
		} else if (!strcmp(w->text, "remcsum")) {
			f->tunnel_flags = HA_TUNNEL_REMCSUM;
		} else if (!strcmp(w->text, "type") && !strcmp(next, "ipip")) {
			f->tunnel = HA_TUNNEL_IPIP;
			i++;
		} else if (!strcmp(w->text, "type") && !strcmp(next, "gue")) {
			f->tunnel = HA_TUNNEL_GUE;
			i++;
		} else if (!strcmp(w->text, "type") && !strcmp(next, "gre")) {
			f->tunnel = HA_TUNNEL_GRE;
			i++;
		} else if (!strcmp(w->text, "port") && *next) {
			conf_read_port(p, &n->word[++i], &f->tunnel_port);
		} else {
			conf_warn(
			    p, &w->at,
			    "\"%s\" is no option of TUN: write type ipip, type gue port N, type "
			    "gre, nocsum, csum or remcsum",
			    w->text);
		}
	}
	if (f->tunnel == HA_TUNNEL_GUE && !f->tunnel_port)
		conf_warn(p, &n->word->at, "type gue lacks its port: write type gue port NUMBER");
}

/* Of a virtual server, a real server, a sorry server; the offset leads to its struct conf_forward. */
static void set_forward(struct conf_parse *p, const struct conf_node *n,
			const struct conf_keyword *k, void *target)
{
	struct conf_forward *f = (struct conf_forward *)(void *)((char *)target + k->offset);
	const struct conf_word *w = conf_argument(p, n);

	if (!w)
		return;
	if (!strcmp(w->text, "NAT")) {
		f->method = HA_FORWARD_NAT;
	} else if (!strcmp(w->text, "DR")) {
		f->method = HA_FORWARD_DR;
	} else if (!strcmp(w->text, "TUN")) {
		f->method = HA_FORWARD_TUN;
		read_tunnel(p, n, f);
	} else {
		conf_warn(p, &w->at, "unknown forwarding method \"%s\": write NAT, DR or TUN",
			  w->text);
	}
}

static void set_protocol(struct conf_parse *p, const struct conf_node *n,
			 const struct conf_keyword *k, void *target)
{
	struct conf_virtual *v = target;
	const struct conf_word *w = conf_argument(p, n);

	(void)k;
	if (!w)
		return;
	if (!strcmp(w->text, "TCP"))
		v->protocol = IPPROTO_TCP;
	else if (!strcmp(w->text, "UDP"))
		v->protocol = IPPROTO_UDP;
	else if (!strcmp(w->text, "SCTP"))
		v->protocol = IPPROTO_SCTP;
	else
		conf_warn(p, &w->at, "unknown protocol \"%s\": write TCP, UDP or SCTP", w->text);
}

static void set_persistence(struct conf_parse *p, const struct conf_node *n,
			    const struct conf_keyword *k, void *target)
{
	struct conf_virtual *v = target;
	double s = 360;

	(void)k;
	if (n->n > 1 && !strcmp(n->word[1].text, "0")) {
		conf_warn(p, &n->word[1].at,
			  "persistence_timeout 0: without persistence. Leave the line out");
		v->persistence_s = 0;
		return;
	}
	if (n->n > 1 && !conf_number(p, &n->word[1], 1, HA_PERSISTENCE_MAX_S, true, &s))
		return;
	if (n->n < 2)
		conf_note(p, &n->word->at, "persistence_timeout without a value is 360 seconds");
	v->persistence_s = (int64_t)s;
}

/* A dotted mask or, for IPv6, a prefix length. */
static void set_granularity(struct conf_parse *p, const struct conf_node *n,
			    const struct conf_keyword *k, void *target)
{
	struct conf_virtual *v = target;
	const struct conf_word *w = conf_argument(p, n);
	struct ha_ip mask;
	uint32_t bits = 0;
	double length;

	(void)k;
	if (!w)
		return;
	if (ha_ip_parse(w->text, &mask) < 0 || mask.family != AF_INET) {
		if (conf_number(p, w, 1, 128, true, &length))
			v->persistence_prefix = (int)length;
		return;
	}
	for (int i = 0; i < 4; i++)
		bits = bits << 8 | mask.bytes[i];
	if (!bits || (~bits & (~bits + 1))) {
		conf_warn(p, &w->at, "\"%s\" is not a mask: skipped", w->text);
		return;
	}
	v->persistence_prefix = 0;
	for (; bits; bits <<= 1)
		v->persistence_prefix++;
}

/* The keyword's `min` is the flag. */
static void set_service_flag(struct conf_parse *p, const struct conf_node *n,
			     const struct conf_keyword *k, void *target)
{
	(void)p;
	(void)n;
	((struct conf_virtual *)target)->flags |= (uint32_t)k->min;
}

/* ---- Checks ---- */

/* What virtual servers, real servers and checks have in common; `o` is where it lies in each. */
#define COMMON_WORDS(o, from)                                                                      \
	{"delay_loop",                                                                             \
	 conf_set_seconds,                                                                         \
	 (o) + offsetof(struct conf_check_common, delay_loop_ms),                                  \
	 0.001,                                                                                    \
	 24 * HOUR,                                                                                \
	 .initial = from("60"),                                                                    \
	 .doc = "From one check to the next."},                                                    \
	    {"delay_before_retry",                                                                 \
	     conf_set_seconds,                                                                     \
	     (o) + offsetof(struct conf_check_common, delay_before_retry_ms),                      \
	     0,                                                                                    \
	     HOUR,                                                                                 \
	     .initial = from("1; 3 with HTTP_GET, delay_loop with DNS_CHECK"),                     \
	     .doc = "From a failure to the next check."},                                          \
	    {"warmup",                                                                             \
	     conf_set_seconds,                                                                     \
	     (o) + offsetof(struct conf_check_common, warmup_ms),                                  \
	     0,                                                                                    \
	     HOUR,                                                                                 \
	     .initial = from("delay_loop"),                                                        \
	     .doc = "The first check lies within this time."},                                     \
	    {"retry",                                                                              \
	     conf_set_int,                                                                         \
	     (o) + offsetof(struct conf_check_common, retry),                                      \
	     0,                                                                                    \
	     65534,                                                                                \
	     .initial = from("1; 3 with DNS_CHECK, 0 with MISC_CHECK"),                            \
	     .doc = "Failures more than one that are borne."},                                     \
	{                                                                                          \
		"alpha", conf_set_tristate, (o) + offsetof(struct conf_check_common, alpha),       \
		    .initial = from("off"), .doc = "A server is down until a check has succeeded." \
	}
#define CONNECT_TIMEOUT(o, from)                                                               \
	{                                                                                      \
		"connect_timeout", conf_set_seconds,                                           \
		    (o) + offsetof(struct conf_check_common, connect_timeout_ms), 0.001, HOUR, \
		    .initial = from("5"), .doc = "How long a check may take."                  \
	}
#define OF_ITS_OWN(what) what
#define OF_VIRTUAL(what) "that of the virtual server"
#define OF_REAL(what) "that of the real server"

#define WHY_MARK "a process without rights checks servers: mark by its user instead"
#define WHY_LOG "a failure is logged when it takes the server out"

#define CONNECT_WORDS                                                                              \
	CONNECT_TIMEOUT(CHECK(common), OF_REAL),                                                   \
	    {"connect_ip", conf_set_ip, CHECK(connect_ip), .initial = "the real server's",         \
	     .doc = "Address that is checked."},                                                   \
	    {"connect_port",                                                                       \
	     conf_set_int,                                                                         \
	     CHECK(connect_port),                                                                  \
	     1,                                                                                    \
	     65535,                                                                                \
	     .initial = "the real server's",                                                       \
	     .doc = "Port that is checked."},                                                      \
	    {"bindto", conf_set_ip, CHECK(bind_ip), .initial = "the system's choice",              \
	     .doc = "Address that checks leave from."},                                            \
	    {"bind_port",                                                                          \
	     conf_set_int,                                                                         \
	     CHECK(bind_port),                                                                     \
	     1,                                                                                    \
	     65535,                                                                                \
	     .initial = "the system's choice",                                                     \
	     .doc = "Port that checks leave from."},                                               \
	    {"bind_if", conf_set_name, CHECK(bind_device), .initial = "any",                       \
	     .doc = "Interface that checks leave through."},                                       \
	    {CONF_REFUSED("fwmark", "NUMBER", "Marks the packets of checks.", WHY_MARK)},          \
	{                                                                                          \
		CONF_REFUSED("log_all_failures", "[on|off]", "Logs each failed attempt.", WHY_LOG) \
	}

static const struct conf_keyword tcp_check_words[] = {
    CONNECT_WORDS, COMMON_WORDS(CHECK(common), OF_REAL), {0}};
static const struct conf_block tcp_check_block = {.name = "TCP_CHECK", .keyword = tcp_check_words};

static void set_status(struct conf_parse *p, const struct conf_node *n,
		       const struct conf_keyword *k, void *target)
{
	struct conf_check *c = target;

	(void)k;
	if (!conf_argument(p, n))
		return;
	c->n_status = 0;
	for (size_t i = 1; i < n->n; i++) {
		const struct conf_word *w = &n->word[i];
		int first = 0, last = 0, end = 0,
		    m = sscanf(w->text, "%3d%n-%3d%n", &first, &end, &last, &end);

		if (m == 1)
			last = first;
		if (m < 1 || w->text[end] || first < 100 || last > 999 || last < first) {
			conf_warn(p, &w->at,
				  "\"%s\" is no HTTP status: write 200, or 200-299. Skipped",
				  w->text);
		} else if (c->n_status == CONF_STATUS_MAX) {
			conf_warn(p, &w->at, "more than %d status codes: skipped", CONF_STATUS_MAX);
			return;
		} else {
			c->status[c->n_status].first = (uint16_t)first;
			c->status[c->n_status++].last = (uint16_t)last;
		}
	}
}

/* A word that goes out as it stands; `min` is what it begins with, 0: anything; `max` its length. */
static void set_sent(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		     void *target)
{
	const struct conf_word *w = conf_argument(p, n);
	bool good = w && *w->text && strlen(w->text) <= (size_t)k->max &&
		    (!k->min || *w->text == (char)k->min);

	for (const char *s = w ? w->text : ""; *s; s++)
		good = good && *s > ' ' && *s <= '~';
	if (good)
		*(const char **)(void *)((char *)target + k->offset) = w->text;
	else if (w)
		conf_warn(p, &w->at,
			  "\"%s\" cannot be sent as %s: 1 to %d visible characters%s. Skipped",
			  w->text, k->word, (int)k->max, k->min ? ", the first a /" : "");
}

static void set_http_protocol(struct conf_parse *p, const struct conf_node *n,
			      const struct conf_keyword *k, void *target)
{
	const struct conf_word *w = conf_argument(p, n);

	(void)k;
	if (!w)
		return;
	if (!strcmp(w->text, "1.1"))
		((struct conf_check *)target)->http_1_1 = true;
	else if (strcmp(w->text, "1.0") && strcmp(w->text, "1.0C") && strcmp(w->text, "1.0c"))
		conf_warn(p, &w->at,
			  "unknown protocol \"%s\": write 1.0, 1.0C or 1.1. 1.0 is taken", w->text);
}

/* RFC 1035 §2.3.4: labels of 1 to 63 bytes, 253 characters without the last dot. */
static bool is_dns_name(const char *s)
{
	size_t len = strlen(s);

	if (!strcmp(s, "."))
		return true;
	if (len && s[len - 1] == '.')
		len--;
	if (!len || len > 253)
		return false;
	for (size_t i = 0, label = 0; i <= len; i++) {
		if (i < len && s[i] != '.') {
			if (++label > 63 || s[i] == '\\')
				return false;
		} else if (!label) {
			return false;
		} else {
			label = 0;
		}
	}
	return true;
}

static void set_dns_name(struct conf_parse *p, const struct conf_node *n,
			 const struct conf_keyword *k, void *target)
{
	const struct conf_word *w = conf_argument(p, n);

	(void)k;
	if (w && is_dns_name(w->text))
		((struct conf_check *)target)->name = w->text;
	else if (w)
		conf_warn(p, &w->at, "\"%s\" is no domain name: skipped", w->text);
}

static void set_dns_type(struct conf_parse *p, const struct conf_node *n,
			 const struct conf_keyword *k, void *target)
{
	static const struct {
		const char *name;
		int type;
	} types[] = {{"A", 1},	  {"NS", 2},	{"CNAME", 5},  {"SOA", 6},    {"MX", 15},
		     {"TXT", 16}, {"AAAA", 28}, {"RRSIG", 46}, {"DNSKEY", 48}};
	const struct conf_word *w = conf_argument(p, n);

	(void)k;
	for (size_t i = 0; w && i < sizeof(types) / sizeof(*types); i++) {
		if (!strcmp(w->text, types[i].name)) {
			((struct conf_check *)target)->type = types[i].type;
			return;
		}
	}
	if (w)
		conf_warn(p, &w->at,
			  "unknown record type \"%s\": write A, NS, CNAME, SOA, MX, TXT, AAAA, "
			  "RRSIG or DNSKEY. SOA is taken",
			  w->text);
}

/* Each url is a check of its own: add_http_check. */
static void url_later(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	(void)p, (void)n, (void)k, (void)target;
}

#define WHY_BODY "the status decides: let a MISC_CHECK look at what the server says"
#define WHY_TLS "what the server says is not looked at"

static const struct conf_keyword url_words[] = {
    {"path", set_sent, CHECK(path), '/', 2048, .form = "PATH", .initial = "/",
     .doc = "What is asked for."},
    {"virtualhost", set_sent, CHECK(host), 0, 255, .form = "NAME",
     .initial = "virtualhost of the check", .doc = "Host that is asked for it."},
    {"status_code", set_status, .form = "CODE|CODE-CODE ...", .initial = "200-299",
     .doc = "Answers that are good."},
    {CONF_REFUSED("digest", "MD5", "The answer must be this.", WHY_BODY)},
    {CONF_REFUSED("regex", "PATTERN", "The answer must match.", WHY_BODY)},
    {CONF_REFUSED("regex_no_match", "", "It must not.", WHY_BODY)},
    {CONF_REFUSED("regex_options", "OPTION ...", "How it is matched.", WHY_BODY)},
    {CONF_REFUSED("regex_min_offset", "BYTES", "Where a match may begin.", WHY_BODY)},
    {CONF_REFUSED("regex_max_offset", "BYTES", "Where it must have begun.", WHY_BODY)},
    {CONF_REFUSED("regex_stack", "BYTES BYTES", "Memory for it.", WHY_BODY)},
    {CONF_NOTED("tls_compliant", "", "Wants an end in order.",
		"a server that just hangs up is well")},
    {0}};
static const struct conf_block url_block = {.name = "url", .keyword = url_words};

#define HTTP_WORDS                                                                           \
	CONNECT_WORDS, COMMON_WORDS(CHECK(common), OF_REAL), {"nb_get_retry",                \
							      conf_set_int,                  \
							      CHECK(common.retry),           \
							      0,                             \
							      65534,                         \
							      .doc = "Old word for retry."}, \
	    {CONF_NOTED("fast_recovery", "[on|off]", "Asks for all urls at once.",           \
			"they always are")},                                                 \
	{                                                                                    \
		CONF_NOTED("tls_compliant", "", "Wants an end in order.",                    \
			   "a server that just hangs up is well")                            \
	}

static const struct conf_keyword http_words[] = {
    HTTP_WORDS,
    {"virtualhost", set_sent, CHECK(host), 0, 255, .form = "NAME",
     .initial = "virtualhost of the real server", .doc = "Host that is asked."},
    {"http_protocol", set_http_protocol, .form = "1.0|1.0C|1.1", .initial = "1.0",
     .doc = "Version of HTTP."},
    {"url", url_later, .block = &url_block, .doc = "What is asked for; one or several."},
    {CONF_NOTED("enable_sni", "[on|off]", "Names the host in TLS.", "there is no TLS in HTTP_GET")},
    {CONF_NOTED("sni_name", "NAME", "Names this host in TLS.", "there is no TLS in HTTP_GET")},
    {0}};
static const struct conf_block http_block = {.name = "HTTP_GET", .keyword = http_words};
static const struct conf_keyword smtp_words[] = {
    CONNECT_WORDS,
    COMMON_WORDS(CHECK(common), OF_REAL),
    {"helo_name", set_sent, CHECK(helo), 0, 255, .form = "NAME", .initial = "localhost",
     .doc = "Greeting."},
    {CONF_REFUSED("host", "{ ... }", "Another address to check.",
		  "write one SMTP_CHECK for each, with connect_ip and connect_port"),
     .block = &tcp_check_block},
    {0}};
static const struct conf_block smtp_block = {.name = "SMTP_CHECK", .keyword = smtp_words};
static const struct conf_keyword dns_words[] = {
    CONNECT_WORDS,
    COMMON_WORDS(CHECK(common), OF_REAL),
    {"type", set_dns_type, .form = "A|NS|CNAME|SOA|MX|TXT|AAAA|RRSIG|DNSKEY", .initial = "SOA",
     .doc = "Record that is asked for."},
    {"name", set_dns_name, .form = "NAME", .initial = ".", .doc = "Whose record."},
    {0}};
static const struct conf_block dns_block = {.name = "DNS_CHECK", .keyword = dns_words};

/* Its connection is checked; that the rest is not is said once, for the block. */
static const struct conf_keyword ssl_words[] = {
    HTTP_WORDS,
    {CONF_NOTED("virtualhost", "NAME", "Host that is asked.", WHY_TLS), .fn = url_later},
    {CONF_NOTED("http_protocol", "1.0|1.0C|1.1", "Version of HTTP.", WHY_TLS), .fn = url_later},
    {CONF_NOTED("url", "{ ... }", "What is asked for.", WHY_TLS), .fn = url_later,
     .block = &url_block},
    {CONF_NOTED("enable_sni", "[on|off]", "Names the host in TLS.", WHY_TLS), .fn = url_later},
    {CONF_NOTED("sni_name", "NAME", "Names this host in TLS.", WHY_TLS), .fn = url_later},
    {0}};
static const struct conf_block ssl_get_block = {.name = "SSL_GET", .keyword = ssl_words};

/* Checks that are not run: their words are for the reference. */
#define WHY_UNRUN "the check is not run"
static const struct conf_keyword udp_words[] = {
    CONNECT_WORDS,
    COMMON_WORDS(CHECK(common), OF_REAL),
    {CONF_REFUSED("payload", "HEX ...", "What is sent.", WHY_UNRUN)},
    {CONF_REFUSED("require_reply", "[HEX ...]", "Wants an answer.", WHY_UNRUN)},
    {CONF_REFUSED("min_reply_length", "BYTES", "Its least length.", WHY_UNRUN)},
    {CONF_REFUSED("max_reply_length", "BYTES", "Its greatest length.", WHY_UNRUN)},
    {0}};
static const struct conf_block udp_block = {.name = "UDP_CHECK", .keyword = udp_words};
static const struct conf_block ping_block = {.name = "PING_CHECK", .keyword = tcp_check_words};
static const struct conf_keyword file_words[] = {
    {CONF_REFUSED("track_file", "NAME", "The file whose number counts.", WHY_UNRUN)},
    {CONF_REFUSED("weight", "NUMBER [reverse]", "What that number is multiplied with.", WHY_UNRUN)},
    {CONF_REFUSED("dynamic", "", "What the manual has.", WHY_UNRUN), .extra = true},
    {0}};
static const struct conf_block file_block = {.name = "FILE_CHECK", .keyword = file_words};
static const struct conf_keyword bfd_check_words[] = {
    {CONF_REFUSED("name", "NAME", "The bfd_instance.", WHY_UNRUN)},
    {CONF_REFUSED("alpha", "[on|off]", "Down until it has come up.", WHY_UNRUN)},
    {0}};
static const struct conf_block bfd_check_block = {.name = "BFD_CHECK", .keyword = bfd_check_words};

static struct conf_check *append_check(struct conf_parse *p, struct conf_real *r,
				       const struct conf_check *like)
{
	struct conf_check *c = conf_alloc(p->memory, sizeof(*c)), **end = &r->checks;

	*c = *like;
	c->next = NULL;
	while (*end)
		end = &(*end)->next;
	return *end = c;
}

/* The keyword's `min` is the kind. */
static struct conf_check check_read(struct conf_parse *p, const struct conf_node *n,
				    const struct conf_keyword *k)
{
	struct conf_check c = {.kind = (enum conf_check_kind)k->min,
			       .common = common_unset,
			       .connect_port = CONF_UNSET,
			       .bind_port = CONF_UNSET,
			       .at = n->word->at};

	conf_walk(p, n->child, k->block, &c);
	return c;
}

static void add_check(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	const struct conf_check c = check_read(p, n, k);

	append_check(p, target, &c);
}

/* A check for each url: the server is well when all are. */
static void add_http_check(struct conf_parse *p, const struct conf_node *n,
			   const struct conf_keyword *k, void *target)
{
	struct conf_check c = check_read(p, n, k);
	bool has_url = false;

	for (const struct conf_node *w = n->child; w; w = w->next) {
		if (strcmp(w->word->text, "url"))
			continue;
		has_url = true;
		conf_walk(p, w->child, &url_block, append_check(p, target, &c));
	}
	if (has_url)
		return;
	conf_warn(p, &n->word->at,
		  "HTTP_GET lacks \"url { path / }\": the server must connect, nothing is asked");
	c.kind = CONF_CHECK_CONNECT;
	append_check(p, target, &c);
}

#define SCRIPT(member) offsetof(struct conf_vrrp_script, member)

/* The words of a script and those of a check lie in two objects: first the one, then the other. */
/* Those of the script; misc_all_words, for the reference, has both. */
#define MISC_WORDS                                                                                 \
	{"misc_path", conf_set_script, SCRIPT(script), .form = "COMMAND",                          \
	 .doc = "What is run. Must be written."},                                                  \
	    {"misc_timeout",                                                                       \
	     conf_set_seconds,                                                                     \
	     SCRIPT(timeout_ms),                                                                   \
	     0.01,                                                                                 \
	     24 * HOUR,                                                                            \
	     .initial = "delay_loop",                                                              \
	     .doc = "A run that takes longer has failed."},                                        \
	    {CONF_REFUSED("misc_dynamic", "", "The exit code sets the weight.",                    \
			  "exit codes from 1 are failures: set the weight with lbctl")},           \
	{                                                                                          \
		CONF_REFUSED("log_all_failures", "[on|off]", "Logs each failed attempt.", WHY_LOG) \
	}

static const struct conf_keyword misc_words[] = {MISC_WORDS, {0}};
static const struct conf_keyword misc_common_words[] = {COMMON_WORDS(CHECK(common), OF_REAL), {0}};

/* add_misc_check looks at it itself. */
static void misc_user_later(struct conf_parse *p, const struct conf_node *n,
			    const struct conf_keyword *k, void *target)
{
	(void)p, (void)n, (void)k, (void)target;
}

static const struct conf_keyword misc_all_words[] = {
    MISC_WORDS,
    {"user", misc_user_later, .form = "USER [GROUP]", .initial = "script_user",
     .doc = "Who runs it."},
    COMMON_WORDS(CHECK(common), OF_REAL),
    {0}};
static const struct conf_block misc_script_block = {.name = "MISC_CHECK", .keyword = misc_words};
static const struct conf_block misc_common_block = {.name = "MISC_CHECK",
						    .keyword = misc_common_words};
static const struct conf_block misc_block = {.name = "MISC_CHECK", .keyword = misc_all_words};

static void set_misc_user(struct conf_vrrp_script *s, const struct conf_node *n)
{
	if (n->n > 1) {
		s->script.user = n->word[1].text;
		s->script.group = n->n > 2 ? n->word[2].text : NULL;
	}
}

static void add_misc_check(struct conf_parse *p, const struct conf_node *n,
			   const struct conf_keyword *k, void *target)
{
	struct conf_real *r = target;
	struct conf_check *c = conf_alloc(p->memory, sizeof(*c)), **end = &r->checks;
	const struct conf_node *user = NULL;

	(void)k;
	*c = (struct conf_check){.common = common_unset,
				 .misc = conf_alloc(p->memory, sizeof(*c->misc)),
				 .at = n->word->at};
	*c->misc = (struct conf_vrrp_script){
	    .timeout_ms = CONF_UNSET, .weight = CONF_NO_WEIGHT, .at = n->word->at};
	while (*end)
		end = &(*end)->next;
	*end = c;
	for (const struct conf_node *w = n->child; w; w = w->next) {
		struct conf_node one = *w;

		one.next = NULL;
		if (!strcmp(w->word->text, "user"))
			user = w;
		else if (conf_word_find(&misc_common_block, w->word->text))
			conf_walk(p, &one, &misc_common_block, c);
		else
			conf_walk(p, &one, &misc_script_block, c->misc);
	}
	if (user)
		set_misc_user(c->misc, user);
}

/* A server that does not answer is noticed; one that answers with an error is not. */
static void connect_only(struct conf_parse *p, const struct conf_node *n,
			 const struct conf_keyword *k, void *target)
{
	conf_warn(
	    p, &n->word->at,
	    "\"%s\" is checked as TCP_CHECK by this version: it must connect, what the server "
	    "says is not looked at",
	    k->word);
	add_check(p, n, k, target);
}

/* Its block's words are of no use without it. */
static void skip_check(struct conf_parse *p, const struct conf_node *n,
		       const struct conf_keyword *k, void *target)
{
	(void)target;
	conf_warn(p, &n->word->at, "\"%s\" has no effect: %s", k->word, k->why);
}

/* ---- real_server ---- */

#define WHY_CHECK                                                                            \
	"the server is taken as alive. Write TCP_CHECK, HTTP_GET, SMTP_CHECK, DNS_CHECK or " \
	"MISC_CHECK"
#define WHY_SNMP "there is no SNMP"

static const struct conf_keyword real_words[] = {
    {"weight", conf_set_int, REAL(weight), 0, HA_WEIGHT_MAX,
     .initial = "weight of the virtual server", .doc = "Share of the connections."},
    {"inhibit_on_failure", conf_set_tristate, REAL(inhibit),
     .initial = "that of the virtual server",
     .doc = "A failed server gets weight 0 instead of being removed: its connections go on."},
    {"lvs_method", set_forward, REAL(forward), .form = "NAT|DR|TUN ...",
     .initial = "that of the virtual server", .doc = "How packets get to it."},
    {"uthreshold", conf_set_int, REAL(upper), 0, INT_MAX,
     .doc = "No new connections from so many on."},
    {"lthreshold", conf_set_int, REAL(lower), 0, INT_MAX, .doc = "New ones again below so many."},
    {"notify_up", conf_set_script, REAL(notify_up), .doc = "Runs when it came up."},
    {"notify_down", conf_set_script, REAL(notify_down), .doc = "Runs when it went down."},
    {"virtualhost", set_sent, REAL(host), 0, 255, .form = "NAME",
     .initial = "that of the virtual server", .doc = "Host that HTTP_GET asks."},
    {"smtp_alert", conf_set_tristate, REAL(smtp_alert),
     .initial = "smtp_alert of the virtual server", .doc = "Mail at each change."},
    {CONF_NOTED("snmp_name", "NAME", "Name in SNMP.", WHY_SNMP)},
    COMMON_WORDS(REAL(common), OF_VIRTUAL),
    CONNECT_TIMEOUT(REAL(common), OF_VIRTUAL),
    {"TCP_CHECK", add_check, .block = &tcp_check_block, .doc = "It must take a connection."},
    {"HTTP_GET", add_http_check, .min = CONF_CHECK_HTTP, .block = &http_block,
     .doc = "It must answer requests. Each url is a check of its own."},
    {"SSL_GET", connect_only, .block = &ssl_get_block, .doc = "It must answer over TLS.",
     .why = "checked as TCP_CHECK: it must take a connection, what it says is not looked at"},
    {"MISC_CHECK", add_misc_check, .block = &misc_block, .doc = "A command must succeed."},
    {"SMTP_CHECK", add_check, .min = CONF_CHECK_SMTP, .block = &smtp_block,
     .doc = "It must greet and take HELO."},
    {"DNS_CHECK", add_check, .min = CONF_CHECK_DNS, .block = &dns_block,
     .doc = "It must answer a query, over UDP."},
    {"PING_CHECK", skip_check, .block = &ping_block, .doc = "It must answer pings.",
     .why = WHY_CHECK, .refused = true},
    {"UDP_CHECK", skip_check, .block = &udp_block, .doc = "It must take a datagram.",
     .why = WHY_CHECK, .refused = true},
    {"FILE_CHECK", skip_check, .block = &file_block, .doc = "A file has its weight.",
     .why = WHY_CHECK, .refused = true},
    {"BFD_CHECK", skip_check, .block = &bfd_check_block, .doc = "BFD must see it.",
     .why = WHY_CHECK, .refused = true},
    {0}};
static const struct conf_block real_block = {.name = "real_server", .keyword = real_words};

static struct conf_real *real_new(struct conf_parse *p, const struct conf_node *n)
{
	struct conf_real *r = conf_alloc(p->memory, sizeof(*r));

	*r = (struct conf_real){.weight = CONF_UNSET,
				.inhibit = CONF_UNSET,
				.smtp_alert = CONF_UNSET,
				.forward = {.method = CONF_UNSET},
				.common = common_unset,
				.at = n->word->at};
	if (!read_endpoint(p, n, &r->ip, &r->port))
		return NULL;
	r->where.ip = r->ip;
	r->where.port = r->port;
	return r;
}

static void add_real(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		     void *target)
{
	struct conf_virtual *v = target;
	struct conf_real *r = real_new(p, n), *same;

	if (!r)
		return;
	if (v->n_reals == HA_DESTS_MAX) {
		conf_warn(p, &n->word->at, "more than %d real servers: skipped", HA_DESTS_MAX);
		return;
	}
	same = conf_index_add(p->scratch, &p->reals, &r->where, sizeof(r->where), r);
	if (same) {
		conf_warn(p, &n->word->at, "this real_server is there already, in line %u: skipped",
			  same->at.line);
		return;
	}
	*p->reals_end = r;
	p->reals_end = &r->next;
	v->n_reals++;
	conf_walk(p, n->child, k->block, r);
}

static void set_sorry(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	(void)k;
	((struct conf_virtual *)target)->sorry = real_new(p, n);
}

/* ---- virtual_server ---- */

static void set_family(struct conf_parse *p, const struct conf_node *n,
		       const struct conf_keyword *k, void *target)
{
	const struct conf_word *w = conf_argument(p, n);

	(void)k;
	if (!w)
		return;
	if (!strcmp(w->text, "inet6"))
		((struct conf_virtual *)target)->family = AF_INET6;
	else if (!strcmp(w->text, "inet"))
		((struct conf_virtual *)target)->family = AF_INET;
	else
		conf_warn(p, &w->at, "unknown family \"%s\": write inet or inet6", w->text);
}

#define WHY_HASHED "IPVS sets it itself"

static const struct conf_keyword virtual_words[] = {
    {"lb_algo", set_scheduler, .form = "rr|wrr|lc|wlc|lblc|lblcr|sh|mh|dh|fo|ovf|sed|nq|twos",
     .initial = "wlc", .doc = "Who gets the next connection."},
    {"lvs_sched", set_scheduler, .form = "as lb_algo", .doc = "The same."},
    {"lb_kind", set_forward, VIRTUAL(forward),
     .form = "NAT|DR|TUN [type ipip|gue port N|gre] [nocsum|csum|remcsum]", .initial = "NAT",
     .doc = "How packets get to the servers."},
    {"lvs_method", set_forward, VIRTUAL(forward), .form = "as lb_kind", .doc = "The same."},
    {"protocol", set_protocol, .form = "TCP|UDP|SCTP", .initial = "UDP, with a warning",
     .doc = "Protocol that is balanced."},
    {"ip_family", set_family, .form = "inet|inet6", .initial = "inet", .doc = "Of a fwmark."},
    {"persistence_timeout", set_persistence, .form = "[SECONDS]",
     .initial = "0; 360 without a number", .doc = "A client comes to the same server for so long."},
    {"persistence_granularity", set_granularity, .form = "MASK|PREFIX",
     .initial = "the whole address", .doc = "Clients that are one client."},
    {"persistence_engine", conf_set_string, VIRTUAL(persistence_engine), .form = "NAME",
     .doc = "As sip."},
    {"ops", set_service_flag, .min = HA_SERVICE_ONE_PACKET, .doc = "Each datagram for itself."},
    {CONF_NOTED("hashed", "", "Flag of IPVS.", WHY_HASHED)},
    {"sh-port", set_service_flag, .min = HA_SERVICE_SCHED_PORT,
     .doc = "sh looks at the port, too."},
    {"mh-port", set_service_flag, .min = HA_SERVICE_SCHED_PORT,
     .doc = "mh looks at the port, too."},
    {"sh-fallback", set_service_flag, .min = HA_SERVICE_SCHED_FALLBACK,
     .doc = "sh takes another server when its own has weight 0."},
    {"mh-fallback", set_service_flag, .min = HA_SERVICE_SCHED_FALLBACK,
     .doc = "mh takes another server when its own has weight 0."},
    {"flag-1", set_service_flag, .min = HA_SERVICE_SCHED_FALLBACK,
     .doc = "First flag of the scheduler."},
    {"flag-2", set_service_flag, .min = HA_SERVICE_SCHED_PORT,
     .doc = "Second flag of the scheduler."},
    {"flag-3", set_service_flag, .min = HA_SERVICE_SCHED_3, .doc = "Third flag of the scheduler."},
    {"quorum", conf_set_int, VIRTUAL(quorum), 1, INT_MAX, .initial = "1",
     .doc = "Weight that must be alive."},
    {"hysteresis", conf_set_int, VIRTUAL(hysteresis), 0, INT_MAX, .initial = "0",
     .doc = "How far it may sink below, and must rise above."},
    {"quorum_up", conf_set_script, VIRTUAL(quorum_up), .doc = "Runs when the quorum is reached."},
    {"quorum_down", conf_set_script, VIRTUAL(quorum_down), .doc = "Runs when it is lost."},
    {"inhibit_on_failure", conf_set_tristate, VIRTUAL(inhibit), .initial = "off",
     .doc = "A failed server gets weight 0 instead of being removed: its connections go on."},
    {"omega", conf_set_flag, VIRTUAL(omega),
     .doc = "Runs notify_down and quorum_down at the stop."},
    {"weight", conf_set_int, VIRTUAL(weight), 0, HA_WEIGHT_MAX, .initial = "1",
     .doc = "Of servers that have none of their own."},
    {"sorry_server", set_sorry, .form = "ADDRESS [PORT]", .doc = "Who serves without a quorum."},
    {"sorry_server_inhibit", conf_set_tristate, VIRTUAL(sorry_inhibit),
     .initial = "inhibit_on_failure", .doc = "It has weight 0 instead of being removed."},
    {"sorry_server_lvs_method", set_forward, VIRTUAL(sorry_forward), .form = "as lb_kind",
     .initial = "lb_kind", .doc = "How packets get to it."},
    {"virtualhost", set_sent, VIRTUAL(host), 0, 255, .form = "NAME",
     .doc = "Host that HTTP_GET asks."},
    {CONF_REFUSED("ha_suspend", "[on|off]", "Checks only where the address is.",
		  "servers are checked on all nodes, so that a takeover knows them")},
    {"smtp_alert", conf_set_tristate, VIRTUAL(smtp_alert), .initial = "smtp_alert_checker",
     .doc = "Mail at each change."},
    {CONF_NOTED("snmp_name", "NAME", "Name in SNMP.", WHY_SNMP)},
    COMMON_WORDS(VIRTUAL(common), OF_ITS_OWN),
    CONNECT_TIMEOUT(VIRTUAL(common), OF_ITS_OWN),
    {"real_server", add_real, .block = &real_block, .form = "ADDRESS [PORT] { ... }",
     .doc = "A server."},
    {0}};

const struct conf_block conf_block_virtual = {.name = "virtual_server", .keyword = virtual_words};

/* "ADDRESS PORT", "fwmark N" or "group NAME". */
static bool read_where(struct conf_parse *p, const struct conf_node *n, struct conf_virtual *v)
{
	struct conf_listen l = {.at = n->word->at};

	if (n->n > 2 && !strcmp(n->word[1].text, "group")) {
		v->group_name = n->word[2].text;
		v->name = conf_printf(p->memory, "group %s", v->group_name);
		return true;
	}
	if (n->n > 2 && !strcmp(n->word[1].text, "fwmark")) {
		if (!read_fwmark(p, &n->word[2], &l))
			return false;
		v->name = conf_printf(p->memory, "fwmark %u", l.fwmark);
	} else {
		if (!read_endpoint(p, n, &l.ip, &l.port))
			return false;
		v->name = port_text(p, &l.ip, l.port);
	}
	v->listen = conf_grow(p->memory, NULL, 0, sizeof(l));
	v->listen[v->n_listen++] = l;
	return true;
}

void conf_virtual_new(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	struct conf *c = target;
	struct conf_virtual *v = conf_alloc(p->memory, sizeof(*v));

	*v = (struct conf_virtual){.forward = {.method = CONF_UNSET},
				   .sorry_forward = {.method = CONF_UNSET},
				   .protocol = CONF_UNSET,
				   .quorum = 1,
				   .inhibit = CONF_UNSET,
				   .smtp_alert = CONF_UNSET,
				   .sorry_inhibit = CONF_UNSET,
				   .weight = 1,
				   .common = common_unset,
				   .at = n->word->at};
	if (!read_where(p, n, v))
		return;
	*p->virtuals_end = v;
	p->virtuals_end = &v->next;
	c->n_virtuals++;
	conf_index_clear(&p->reals);
	p->reals_end = &v->reals;
	conf_walk(p, n->child, k->block, v);
}

/* ---- virtual_server_group ---- */

static void add_listen(struct conf_parse *p, struct conf_virtual_group *g,
		       const struct conf_listen *l)
{
	if (p->n_listen == HA_SERVICES_MAX) {
		conf_warn(p, &l->at, "more than %d addresses in all groups: skipped",
			  HA_SERVICES_MAX);
		return;
	}
	p->n_listen++;
	g->listen = conf_grow(p->memory, g->listen, g->n_listen, sizeof(*l));
	g->listen[g->n_listen++] = *l;
}

/* "10.0.0.1-9": the last number of the address (hexadecimal in IPv6) counts up. */
static void add_range(struct conf_parse *p, struct conf_virtual_group *g, const struct conf_word *w,
		      struct conf_listen *l)
{
	const char *dash = strchr(w->text, '-');
	bool v4;
	unsigned first, last;
	char *end;

	if (ha_ip_parse(conf_strndup(p->memory, w->text, (size_t)(dash - w->text)), &l->ip) < 0) {
		conf_warn(p, &w->at, "\"%s\" is not a range: write ADDRESS-NUMBER. Skipped",
			  w->text);
		return;
	}
	v4 = l->ip.family == AF_INET;
	first = v4 ? l->ip.bytes[3] : (unsigned)(l->ip.bytes[14] << 8 | l->ip.bytes[15]);
	last = (unsigned)strtoul(dash + 1, &end, v4 ? 10 : 16);
	if (*end || end == dash + 1 || last < first || last > (v4 ? 255u : 65535u)) {
		conf_warn(p, &w->at,
			  "\"%s\" is not a range: \"%s\" must be a number from %u on. "
			  "Skipped",
			  w->text, dash + 1, first);
		return;
	}
	for (unsigned i = first; i <= last; i++) {
		if (v4) {
			l->ip.bytes[3] = (uint8_t)i;
		} else {
			l->ip.bytes[14] = (uint8_t)(i >> 8);
			l->ip.bytes[15] = (uint8_t)i;
		}
		add_listen(p, g, l);
	}
}

static void add_group_line(struct conf_parse *p, struct conf_virtual_group *g,
			   const struct conf_node *n)
{
	struct conf_listen l = {.at = n->word->at};

	if (!strcmp(n->word->text, "fwmark")) {
		if (n->n > 1 && read_fwmark(p, &n->word[1], &l)) {
			if (n->n > 2 && !strcmp(n->word[2].text, "inet6"))
				l.ip.family = AF_INET6;
			add_listen(p, g, &l);
		}
		return;
	}
	if (n->n > 1 && !conf_read_port(p, &n->word[1], &l.port))
		return;
	if (strchr(n->word->text, '-'))
		add_range(p, g, n->word, &l);
	else if (ha_ip_parse(n->word->text, &l.ip) < 0)
		conf_warn(p, &n->word->at, "\"%s\" is not an address: write ADDRESS PORT. Skipped",
			  n->word->text);
	else
		add_listen(p, g, &l);
}

const struct conf_block conf_block_virtual_group = {.name = "virtual_server_group"};

void conf_virtual_group_new(struct conf_parse *p, const struct conf_node *n,
			    const struct conf_keyword *k, void *target)
{
	struct conf_virtual_group *g;

	(void)k, (void)target;
	if (n->n < 2) {
		conf_warn(p, &n->word->at, "virtual_server_group needs a name: skipped");
		return;
	}
	g = conf_alloc(p->memory, sizeof(*g));
	g->name = n->word[1].text;
	g->at = n->word->at;
	*p->groups_of_services_end = g;
	p->groups_of_services_end = &g->next;
	conf_index_add_name(p->scratch, &p->virtual_groups, g->name, g); /* the first counts */
	for (const struct conf_node *l = n->child; l; l = l->next)
		add_group_line(p, g, l);
}
