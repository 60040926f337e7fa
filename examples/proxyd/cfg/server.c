/* SPDX-License-Identifier: MIT */
/* The lines `server`, `default-server` and their like: a name, an address, then parameters. */
#include "cfg/names.h"
#include "cfg/parameter.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEMPLATE_MAX 1000 /* servers of one */

static void server_addr(struct reader *r, size_t i, void *target)
{
	struct cfg_server *s = target;
	struct address a;

	if (read_address(r, i + 1, word_at(r, i + 1), 0, &a))
		s->check_addr = keep_copy(r, &a.addr, sizeof(a.addr));
	if (a.port)
		s->check_port = a.port;
}

static void read_interval(struct reader *r, size_t i, const char *name, uint64_t *ret)
{
	if (read_time(r, i, name, ret) && *ret < CFG_MS) {
		say(r, DIAG_ERROR, i, "%s is too short: the shortest interval is 1ms", name);
		*ret = 0;
	}
}

static void server_time(struct reader *r, size_t i, void *target)
{
	struct cfg_server *s = target;
	const char *name = word_at(r, i);
	uint64_t *to = !strcmp(name, "inter")	    ? &s->inter_ns
		       : !strcmp(name, "fastinter") ? &s->fastinter_ns
						    : &s->downinter_ns;

	read_interval(r, i + 1, name, to);
}

static void server_slowstart(struct reader *r, size_t i, void *target)
{
	read_time(r, i + 1, "slowstart", &((struct cfg_server *)target)->slowstart_ns);
}

static void server_agent(struct reader *r, size_t i, void *target)
{
	struct cfg_server *s = target;
	const char *name = word_at(r, i) + strlen("agent-");
	struct address a;

	if (!strcmp(name, "addr") && read_address(r, i + 1, word_at(r, i + 1), 0, &a))
		s->agent_addr = keep_copy(r, &a.addr, sizeof(a.addr));
	else if (!strcmp(name, "inter"))
		read_interval(r, i + 1, "agent-inter", &s->agent_inter_ns);
	else if (!strcmp(name, "port"))
		read_number(r, i + 1, "agent-port", 1, 65535, &s->agent_port);
	else if (!strcmp(name, "send"))
		s->agent_send = keep_word(r, i + 1);
}

/* "80%", too: HAProxy reads it as 80, and files have it. */
static void read_weight(struct reader *r, size_t i, struct cfg_server *s)
{
	const char *text = word_at(r, i);
	size_t len = strlen(text);
	unsigned weight;

	if (len > 1 && len < 5 && strspn(text, "0123456789") == len - 1 && text[len - 1] == '%' &&
	    (weight = (unsigned)strtoul(text, NULL, 10)) <= CFG_WEIGHT_MAX) {
		say(r, DIAG_WARNING, i, "a weight is no share but a number: %s is taken as %u", text, weight);
		s->weight = weight;
	} else {
		read_number(r, i, "weight", 0, CFG_WEIGHT_MAX, &s->weight);
	}
}

static void server_count(struct reader *r, size_t i, void *target)
{
	struct cfg_server *s = target;
	const char *name = word_at(r, i);

	if (!strcmp(name, "rise"))
		read_number(r, i + 1, name, 1, 65535, &s->rise);
	else if (!strcmp(name, "fall"))
		read_number(r, i + 1, name, 1, 65535, &s->fall);
	else if (!strcmp(name, "error-limit"))
		read_number(r, i + 1, name, 1, 1000000, &s->error_limit);
	else if (!strcmp(name, "port"))
		read_number(r, i + 1, name, 1, 65535, &s->check_port);
	else if (!strcmp(name, "weight"))
		read_weight(r, i + 1, s);
	else if (!strcmp(name, "maxqueue"))
		read_number(r, i + 1, name, 0, MAXCONN_MAX, &s->maxqueue);
	else if (!strcmp(name, "minconn"))
		read_number(r, i + 1, name, 0, MAXCONN_MAX, &s->minconn);
	else
		read_number(r, i + 1, name, 0, MAXCONN_MAX, &s->maxconn);
}

static void server_id(struct reader *r, size_t i, void *target)
{
	struct cfg_server *s = target;

	s->id_given = read_number(r, i + 1, "id", 1, INT32_MAX, &s->id);
}

static void server_flag(struct reader *r, size_t i, void *target)
{
	struct cfg_server *s = target;
	const char *name = word_at(r, i);
	bool on = strncmp(name, "no-", 3) != 0;

	name += on ? 0 : 3;
	if (!strcmp(name, "check"))
		s->check = on;
	else if (!strcmp(name, "agent-check"))
		s->agent_check = on;
	else if (!strncmp(name, "send-proxy", 10)) {
		s->send_proxy = !on ? 0 : name[10] ? 2 : 1;
		s->proxy_tells = !on ? 0
				     : s->proxy_tells | (!strcmp(name, "send-proxy-v2-ssl-cn") ? CFG_PROXY_TLS | CFG_PROXY_CN
							 : !strcmp(name, "send-proxy-v2-ssl")  ? CFG_PROXY_TLS
											       : 0);
	}
	else if (!strcmp(name, "backup"))
		s->backup = on;
	else if (!strcmp(name, "disabled"))
		s->disabled = true;
	else if (!strcmp(name, "enabled"))
		s->disabled = false;
}

/* Without a version of send-proxy this makes HAProxy send version 1, which tells nothing of it. */
static void server_proxy_tells(struct reader *r, size_t i, void *target)
{
	static const struct {
		const char *name;
		unsigned bits;
	} known[] = {
	    {"ssl", CFG_PROXY_TLS},
	    {"cert-cn", CFG_PROXY_TLS | CFG_PROXY_CN},
	    {"ssl-cipher", CFG_PROXY_TLS | CFG_PROXY_CIPHER},
	    {"cert-sig", CFG_PROXY_TLS | CFG_PROXY_CERT_SIG},
	    {"cert-key", CFG_PROXY_TLS | CFG_PROXY_CERT_KEY},
	    {"authority", CFG_PROXY_AUTHORITY},
	    {"crc32c", CFG_PROXY_CRC32C},
	    {"unique-id", CFG_PROXY_UNIQUE_ID},
	};
	const size_t n = sizeof(known) / sizeof(known[0]);
	struct cfg_server *s = target;
	char list[256], *save = NULL;

	if ((size_t)snprintf(list, sizeof(list), "%s", word_at(r, i + 1)) >= sizeof(list))
		list[0] = '\0';
	for (char *one = strtok_r(list, ",", &save); one; one = strtok_r(NULL, ",", &save)) {
		size_t k = 0;

		while (k < n && strcmp(one, known[k].name) != 0)
			k++;
		if (k == n) {
			say(r, DIAG_ERROR, i + 1, "proxy-v2-options takes a list of ssl, cert-cn, ssl-cipher, cert-sig, cert-key, "
			    "authority, crc32c and unique-id, not \"%s\"", one);
			return;
		}
		s->proxy_tells |= known[k].bits;
	}
	if (!s->proxy_tells)
		say(r, DIAG_ERROR, i + 1, "proxy-v2-options takes a list of ssl, cert-cn, ssl-cipher, cert-sig, cert-key, authority, "
		    "crc32c and unique-id");
	if (!s->send_proxy) {
		say(r, DIAG_WARNING, i, "proxy-v2-options without send-proxy-v2 sends version 1, as in HAProxy: write send-proxy-v2 before it");
		s->send_proxy = 1;
	}
}

/* The place of word `i` + 1 in a list of `n`; `n`: told. */
static unsigned read_one_of(struct reader *r, size_t i, const char *const *list, unsigned n, const char *all)
{
	for (unsigned k = 0; k < n; k++)
		if (!strcmp(word_at(r, i + 1), list[k]))
			return k;
	say(r, DIAG_ERROR, i + 1, "%s is one of %s", word_at(r, i), all);
	return n;
}

static void server_observe(struct reader *r, size_t i, void *target)
{
	static const char *const list[] = {"none", "layer4", "layer7"}; /* as enum cfg_observe */
	unsigned k = read_one_of(r, i, list, 3, "none, layer4, layer7");

	if (k < 3)
		((struct cfg_server *)target)->observe = (enum cfg_observe)k;
}

static void server_on_error(struct reader *r, size_t i, void *target)
{
	static const char *const list[] = {"fail-check", "fastinter", "sudden-death", "mark-down"};
	unsigned k = read_one_of(r, i, list, 4, "fastinter, fail-check, sudden-death, mark-down");

	if (k < 4)
		((struct cfg_server *)target)->on_error = (enum cfg_on_error)k;
}

static void server_marked_word(struct reader *r, size_t i, void *target)
{
	struct cfg_server *s = target;
	bool down = !strcmp(word_at(r, i), "on-marked-down");
	const char *only = down ? "shutdown-sessions" : "shutdown-backup-sessions";

	if (strcmp(word_at(r, i + 1), only) != 0)
		say(r, DIAG_ERROR, i + 1, "%s takes %s and nothing else", word_at(r, i), only);
	else if (down)
		s->ends_sessions = true;
	else
		s->ends_backup_sessions = true;
}

static void server_track_word(struct reader *r, size_t i, void *target)
{
	((struct cfg_server *)target)->track = keep_word(r, i + 1);
}

static void server_socks_word(struct reader *r, size_t i, void *target)
{
	struct cfg_addr *to = keep(r, sizeof(*to));
	struct address a;

	if (!to || !read_address(r, i + 1, word_at(r, i + 1), ADDR_PORT, &a))
		return;
	if (a.addr.sa.sa_family == AF_UNIX)
		say(r, DIAG_ERROR, i + 1, "a SOCKS proxy has an IPv4 or IPv6 address and a port");
	*to = a.addr;
	((struct cfg_server *)target)->socks = to;
}

/* The protocol's requests have room for an IPv4 address. */
static void check_socks(struct reader *r, size_t i, const struct cfg_server *s)
{
	if (s->socks && s->addr.len && s->addr.sa.sa_family != AF_INET)
		say(r, DIAG_ERROR, i, "SOCKS4 leads to IPv4 addresses only: this is none");
	if (s->check_via_socks && !s->socks)
		say(r, DIAG_WARNING, i, "check-via-socks4 has no effect without socks4: checks go straight to the server");
}

static void server_check_proxy(struct reader *r, size_t i, void *target)
{
	struct cfg_server *s = target;

	if (!strcmp(word_at(r, i), "check-via-socks4")) {
		s->check_via_socks = true;
		return;
	}
	s->check_proxy = !strcmp(word_at(r, i), "check-send-proxy");
	s->no_check_proxy = !s->check_proxy;
}

static void server_redir(struct reader *r, size_t i, void *target)
{
	const char *prefix = word_at(r, i + 1);

	for (const char *p = prefix; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f) {
			say(r, DIAG_ERROR, i + 1, "\"%s\" is no beginning of a URL", prefix);
			return;
		}
	((struct cfg_server *)target)->redir = keep_word(r, i + 1);
}

static void server_init_state(struct reader *r, size_t i, void *target)
{
	static const char *const list[] = {"up", "fully-up", "down", "fully-down"}; /* as enum cfg_init_state */
	unsigned k = read_one_of(r, i, list, 4, "up, fully-up, down, fully-down");

	if (k < 4)
		((struct cfg_server *)target)->init_state = (enum cfg_init_state)k;
}

static void server_hash_key(struct reader *r, size_t i, void *target)
{
	static const char *const list[] = {"id", "addr", "addr-port"}; /* as enum cfg_hash_key */
	unsigned k = read_one_of(r, i, list, 3, "id, addr, addr-port");

	if (k < 3)
		((struct cfg_server *)target)->hash_key = (enum cfg_hash_key)k;
}

static void server_stick(struct reader *r, size_t i, void *target)
{
	((struct cfg_server *)target)->non_stick = !strcmp(word_at(r, i), "non-stick");
}

/* Of connections that wait for the next request. */
static void server_pool(struct reader *r, size_t i, void *target)
{
	struct cfg_server *s = target;
	const char *word = word_at(r, i);
	int *to = !strcmp(word, "max-reuse") ? &s->max_reuse : &s->pool_max;
	unsigned n;

	if (!strcmp(word, "pool-purge-delay"))
		s->has_purge = read_time(r, i + 1, word, &s->purge_ns);
	else if (!strcmp(word, "pool-low-conn"))
		read_number(r, i + 1, word, 0, INT32_MAX, &s->pool_low);
	else if (!strcmp(word_at(r, i + 1), "-1"))
		*to = -1;
	else if (read_number(r, i + 1, word, 0, INT32_MAX, &n))
		*to = (int)n;
}

static const struct parameter server_parameters[] = {
    {"check-proto", 1, parameter_accepted},
    {"init-state", 1, server_init_state},
    {"max-reuse", 1, server_pool},
    {"non-stick", 0, server_stick},
    {"pool-low-conn", 1, server_pool},
    {"pool-max-conn", 1, server_pool},
    {"pool-purge-delay", 1, server_pool},
    {"proto", 1, parameter_accepted},
    {"stick", 0, server_stick},
    {"ws", 1, parameter_accepted},
    {"agent-addr", 1, server_agent},
    {"agent-check", 0, server_flag},
    {"agent-inter", 1, server_agent},
    {"agent-port", 1, server_agent},
    {"agent-send", 1, server_agent},
    {"addr", 1, server_addr},
    {"backup", 0, server_flag},
    {"check", 0, server_flag},
    {"check-send-proxy", 0, server_check_proxy},
    {"check-via-socks4", 0, server_check_proxy},
    {"cookie", 1, server_cookie},
    {"disabled", 0, server_flag},
    {"downinter", 1, server_time},
    {"enabled", 0, server_flag},
    {"error-limit", 1, server_count},
    {"fall", 1, server_count},
    {"fastinter", 1, server_time},
    {"hash-key", 1, server_hash_key},
    {"id", 1, server_id},
    {"init-addr", 1, server_init_addr},
    {"inter", 1, server_time},
    {"maxconn", 1, server_count},
    {"maxqueue", 1, server_count},
    {"minconn", 1, server_count},
    {"namespace", 1, server_netns},
    {"no-agent-check", 0, server_flag},
    {"no-backup", 0, server_flag},
    {"no-check", 0, server_flag},
    {"no-check-send-proxy", 0, server_check_proxy},
    {"observe", 1, server_observe},
    {"on-error", 1, server_on_error},
    {"on-marked-down", 1, server_marked_word},
    {"on-marked-up", 1, server_marked_word},
    {"port", 1, server_count},
    {"redir", 1, server_redir},
    {"resolve-net", 1, server_resolve_net},
    {"resolve-opts", 1, server_resolve_opts},
    {"resolve-prefer", 1, server_resolve_prefer},
    {"resolvers", 1, server_resolvers},
    {"rise", 1, server_count},
    {"slowstart", 1, server_slowstart},
    {"interface", 1, server_source_more},
    {"socks4", 1, server_socks_word},
    {"source", 1, server_source},
    {"usesrc", 1, server_source_more},
    {"tcp-ut", 1, server_tcp},
    {"tfo", 0, server_tcp},
    {"no-tfo", 0, server_tcp},
    {"track", 1, server_track_word},
    {"weight", 1, server_count},
    {"send-proxy", 0, server_flag},
    {"proxy-v2-options", 1, server_proxy_tells},
    {"send-proxy-v2", 0, server_flag},
    {"no-send-proxy", 0, server_flag},
    {"no-send-proxy-v2", 0, server_flag},
    {"no-send-proxy-v2-ssl", 0, server_flag},
    {"no-send-proxy-v2-ssl-cn", 0, server_flag},
    {"send-proxy-v2-ssl", 0, server_flag},
    {"send-proxy-v2-ssl-cn", 0, server_flag},
    {"allow-0rtt", 0, bind_tls_refused},
    {"alpn", 1, server_tls},
    {"ca-file", 1, server_tls},
    {"ca-path", 1, server_tls},
    {"check-alpn", 1, server_tls},
    {"check-sni", 1, server_tls},
    {"check-ssl", 0, server_tls},
    {"ciphers", 1, server_tls},
    {"ciphersuites", 1, server_tls},
    {"crl-file", 1, server_tls},
    {"crt", 1, server_tls},
    {"curves", 1, server_tls},
    {"force-sslv3", 0, server_tls},
    {"force-tlsv10", 0, server_tls},
    {"force-tlsv11", 0, server_tls},
    {"force-tlsv12", 0, server_tls},
    {"force-tlsv13", 0, server_tls},
    {"no-check-ssl", 0, server_tls},
    {"no-ssl", 0, server_tls},
    {"no-ssl-reuse", 0, server_tls},
    {"no-sslv3", 0, server_tls},
    {"no-tls-tickets", 0, server_tls},
    {"no-tlsv10", 0, server_tls},
    {"no-tlsv11", 0, server_tls},
    {"no-tlsv12", 0, server_tls},
    {"no-tlsv13", 0, server_tls},
    {"npn", 1, bind_tls_refused},
    {"sni", 1, server_tls},
    {"ssl", 0, server_tls},
    {"ssl-max-ver", 1, server_tls},
    {"ssl-min-ver", 1, server_tls},
    {"ssl-reuse", 0, server_tls},
    {"tls-tickets", 0, server_tls},
    {"verify", 1, server_tls},
    {"verifyhost", 1, server_tls},
    {NULL, 0, NULL},
};

bool cfg_server_tls_word(struct reader *r, size_t *i, struct cfg_server *s)
{
	const struct parameter *p = server_parameters;

	while (p->name && (p->fn != server_tls || strcmp(p->name, word_at(r, *i)) != 0))
		p++;
	if (!p->name || *i + p->arguments >= r->line->n)
		return false;
	p->fn(r, *i, s);
	*i += p->arguments;
	return true;
}

const struct cfg_server cfg_server_default = {.max_reuse = -1, .pool_max = -1, .weight = 1, .rise = 2, .fall = 3, .error_limit = 10};

/* A line adds to those before it, and to what a defaults section says; the sections that share it keep what they have. */
void kw_default_server(struct reader *r, size_t first, const void *data)
{
	struct cfg_server *s = keep_copy(r, r->proxy->set.server, sizeof(*s));

	if (!s)
		return;
	r->proxy->set.server = s;
	read_parameters(r, first, "parameter of \"default-server\"", server_parameters, cfg_words_server, s);
}

/* The first one of those of this name without an id, which in HAProxy must be the only one; of a disabled section it asks nothing. */
static const struct cfg_server *find_namesake(struct reader *r, struct cfg_server *s)
{
	return s->id_given || r->proxy->set.disabled ? s : cfg_names_take(r->cfg, &r->proxy->set, s->name, s);
}

/* Where one of them has an id, HAProxy, too, takes a name twice, and then means the first one by it. */
static void take_server_name(struct reader *r, size_t i, struct cfg_server *s)
{
	const struct cfg_server *other = cfg_names_take(r->cfg, r->proxy, s->name, s), *same = find_namesake(r, s);
	char name[CFG_NAME_MAX + 16];

	if (same && same != s) {
		say(r, DIAG_ERROR, i, "the server name \"%s\" is taken by line %u: choose another, or give one of them an id", s->name, same->at.line);
	} else if (other && other != s) {
		snprintf(name, sizeof(name), "%.*s:%u", CFG_NAME_MAX, s->name, s->at.line);
		say(r, DIAG_WARNING, i,
		    "the server name \"%s\" is taken by line %u: choose another; this one is called "
		    "\"%s\" now",
		    s->name, other->at.line, name);
		s->name = keep_text(r, name);
		other = cfg_names_take(r->cfg, r->proxy, s->name, s);
	}
	if (!other || !same)
		r->no_memory = true;
}

/* Of a name, as init-addr says. False: told. */
static bool first_address(struct reader *r, size_t i, unsigned flags, const struct cfg_server *s, struct address *a)
{
	const struct cfg_resolve *how = &s->resolve;
	static const enum cfg_init usual[] = {CFG_INIT_LAST, CFG_INIT_LIBC};
	const enum cfg_init *init = how->n_init ? how->init : usual;
	unsigned n = how->n_init ? how->n_init : 2;
	bool looked = false;

	for (unsigned k = 0; k < n && !a->addr.len; k++)
		switch (init[k]) {
		case CFG_INIT_LAST:
			break;
		case CFG_INIT_NONE:
			return true;
		case CFG_INIT_IP:
			a->addr = *how->init_addr;
			addr_set_port(&a->addr, a->port);
			break;
		case CFG_INIT_LIBC:
			if (s->is_srv)
				break;
			looked = true;
			read_address(r, i, word_at(r, i), flags | ADDR_UNRESOLVED, a);
		}
	if (a->addr.len || s->is_srv || (flags & ADDR_UNRESOLVED))
		return true;
	if (looked) /* says why, but for a name that came this moment */
		return read_address(r, i, word_at(r, i), flags, a);
	say(r, DIAG_ERROR, i, "\"%s\" has no address by init-addr: add libc, none or an address to it", a->host);
	return false;
}

static void read_server_address(struct reader *r, size_t i, unsigned flags, struct cfg_server *s)
{
	struct address a;

	if (!read_address(r, i, word_at(r, i), flags | ADDR_SERVER | ADDR_NO_LOOKUP, &a))
		return;
	s->is_name = !a.addr.len;
	s->is_srv = s->is_name && a.host[0] == '_' && s->resolve.section;
	if (s->is_name && !first_address(r, i, flags | ADDR_SERVER, s, &a))
		return;
	s->host = a.host;
	s->addr = a.addr;
	s->port = a.port;
	s->port_shift = a.port_shift;
	s->client_port = !a.port && !s->is_srv && a.addr.sa.sa_family != AF_UNIX;
	if (!a.addr.len && !s->resolve.section && flags < ADDR_NTH(1))
		say(r, DIAG_WARNING, i, "\"%s\" does not resolve: server \"%s\" starts disabled", a.host, s->name);
}

/* NULL: no memory. */
static struct cfg_server *read_server(struct reader *r, size_t first, const char *name, unsigned flags)
{
	struct cfg_server *s = keep_copy(r, r->proxy->set.server, sizeof(*s));

	if (!s)
		return NULL;
	s->name = name;
	s->at = place_at(r, first);
	if (strlen(s->name) > CFG_NAME_MAX)
		say(r, DIAG_ERROR, first, "this name is too long: more than %d characters",
		    CFG_NAME_MAX);
	read_parameters(r, first + 2, "parameter of \"server\"", server_parameters,
			cfg_words_server, s);
	if (!r->dynamic)
		take_server_name(r, first, s);
	read_server_address(r, first + 1, flags | (r->opts->ignore_unresolved ? ADDR_UNRESOLVED : 0), s);
	check_socks(r, first + 1, s);
	if (s->minconn >= s->maxconn && s->minconn) { /* nothing is left that could grow */
		s->maxconn = s->minconn;
		s->minconn = 0;
	}
	if (!s->agent_port) /* `port` and `addr` are the agent's, too, unless it has its own */
		s->agent_port = s->check_port;
	if (!s->agent_addr)
		s->agent_addr = s->check_addr;
	if (s->agent_check && !s->agent_port) {
		say(r, DIAG_ERROR, first, "server \"%s\" has agent-check and no agent-port: write agent-port N",
		    s->name);
		s->agent_check = false;
	}
	return s;
}

void cfg_server_words(struct reader *r, size_t i)
{
	struct cfg_server unused = cfg_server_default;

	read_parameters(r, i, "parameter of \"server\"", server_parameters, cfg_words_server, &unused);
}

struct cfg_server *cfg_server_read(struct reader *r)
{
	return read_server(r, 0, keep_word(r, 0), 0);
}

static void add_server(struct reader *r, size_t first, const char *name, unsigned flags)
{
	struct cfg_server *s = read_server(r, first, name, flags);

	if (!s)
		return;
	STAILQ_INSERT_TAIL(&r->proxy->servers, s, next);
	r->proxy->n_servers++;
}

/* One that no line names: what has no name in the log either. NULL: no memory. */
static struct cfg_server *nameless(struct reader *r, const struct diag_place *at)
{
	struct cfg_server *s = keep(r, sizeof(*s));

	if (!s)
		return NULL;
	*s = cfg_server_default;
	s->name = CFG_NO_SERVER;
	s->at = *at;
	return s;
}

void kw_dispatch(struct reader *r, size_t first, const void *data)
{
	const struct diag_place at = place_at(r, first);
	struct cfg_server *s = nameless(r, &at);
	struct address a;

	if (!s || !read_address(r, first, word_at(r, first), ADDR_PORT, &a))
		return;
	s->host = a.host;
	s->addr = a.addr;
	s->port = a.port;
	r->proxy->dispatch = s;
}

void cfg_nameless_check(struct reader *r, struct cfg_proxy *p)
{
	struct cfg_server *s = p->dispatch, *other;
	struct address any;

	if (!s && p->set.transparent && (p->kind & CFG_BACKEND)) {
		if (p->n_servers) {
			diag_add(r->diag, DIAG_WARNING, &p->at, "\"%s\" has servers: option transparent has no effect", p->name);
			return;
		}
		s = nameless(r, &p->at);
		if (!s)
			return;
		cfg_numeric_address("0.0.0.0", &any.addr);
		s->addr = any.addr;
		s->host = "0.0.0.0";
		s->client_port = true;
	}
	if (!s)
		return;
	STAILQ_FOREACH (other, &p->servers, next)
		other->weight = 0; /* for those that a cookie or a rule sends there */
	STAILQ_INSERT_TAIL(&p->servers, s, next);
	p->n_servers++;
}

/* Those that are written, each once; of the small ones it is noted that they are taken. */
static void check_given_ids(struct reader *r, struct cfg_proxy *p, bool *taken)
{
	const struct cfg_server *other;
	struct cfg_server *s;
	char text[16];

	STAILQ_FOREACH (s, &p->servers, next) {
		if (!s->id_given)
			continue;
		snprintf(text, sizeof(text), "%u", s->id);
		other = cfg_names_take(r->cfg, &p->servers, keep_text(r, text), s);
		if (!other)
			r->no_memory = true;
		else if (other != s)
			diag_add(r->diag, DIAG_ERROR, &s->at, "server \"%s\" has the id %u of server \"%s\": each has its own",
				 s->name, s->id, other->name);
		if (s->id <= 2 * p->n_servers)
			taken[s->id] = true;
	}
}

void cfg_server_ids(struct reader *r, struct cfg_proxy *p)
{
	bool *taken = NULL;
	struct cfg_server *s;
	unsigned next = 1;

	STAILQ_FOREACH (s, &p->servers, next)
		if (s->id_given && !taken) {
			taken = keep(r, 2 * p->n_servers + 2);
			if (!taken)
				return;
			check_given_ids(r, p, taken);
		}
	STAILQ_FOREACH (s, &p->servers, next) { /* each takes a number, also one that has its own */
		while (!s->id_given && taken && taken[next])
			next++;
		s->id = s->id_given ? s->id : next;
		next++;
	}
}

void kw_server(struct reader *r, size_t first, const void *data)
{
	add_server(r, first, keep_word(r, first), 0);
}

/* "server-template PREFIX N[-M] NAME:PORT …": a server for each address that the name has. */
void kw_server_template(struct reader *r, size_t first, const void *data)
{
	const char *range = word_at(r, first + 1);
	struct lex_word words[LEX_WORDS_MAX];
	const struct lex_line *written = r->line;
	struct lex_line line = {words, written->n - 1};
	unsigned low = 1, high;
	char end, name[CFG_NAME_MAX + 16];

	if (sscanf(range, "%u-%u%c", &low, &high, &end) != 2) {
		low = 1;
		if (sscanf(range, "%u%c", &high, &end) != 1)
			high = 0;
	}
	if (!high || high < low || high - low >= TEMPLATE_MAX) {
		say(r, DIAG_ERROR, first + 1, "\"%s\" is no number of servers: write one up to %d, or FROM-TO",
		    range, TEMPLATE_MAX);
		return;
	}
	/* without the number the line is that of a server */
	memcpy(words, written->word, (first + 1) * sizeof(words[0]));
	memcpy(words + first + 1, written->word + first + 2, (written->n - first - 2) * sizeof(words[0]));
	r->line = &line;
	for (unsigned i = low; i <= high && !r->no_memory; i++) {
		snprintf(name, sizeof(name), "%.*s%u", CFG_NAME_MAX, word_at(r, first), i);
		add_server(r, first, keep_text(r, name), ADDR_UNRESOLVED | ADDR_NTH(i - low));
	}
	r->line = written;
}
