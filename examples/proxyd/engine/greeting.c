/* SPDX-License-Identifier: MIT */
/* The header that a connection may begin with: the PROXY protocol's, NetScaler's, or NetScaler's and then the other. */
#include "greeting.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "count.h"
#include "engine/log/facts.h"
#include "netscaler_cip.h"
#include "proxy_protocol.h"
#include "rule_store.h"

/* HAProxy's numbers, which fc_err gives */
#define CLIENT_ERROR_CUT_GREETING 14
#define CLIENT_ERROR_NO_GREETING 15
#define CLIENT_ERROR_BAD_GREETING 16
#define CLIENT_ERROR_GREETING_FAMILY 17
#define CLIENT_ERROR_CUT_CIP 21
#define CLIENT_ERROR_CIP_MAGIC 22
#define CLIENT_ERROR_CIP_PROTOCOL 23

/* What the header told besides the two ends, for rules and log lines. False: no memory. */
static bool keep_extras(const struct connection_ends *c, const struct proxy_ends *ends)
{
	struct rule_store *store;

	if (!c->frontend->rules && !c->frontend->proxy->formats)
		return true;
	store = rule_store_get(c->store);
	if (!store)
		return false;
	store->greeted = true;
	return rule_store_text(&store->pp_authority, ends->authority, ends->authority_len) &&
	       rule_store_text(&store->pp_unique_id, ends->unique_id, ends->unique_id_len);
}

bool greeting_expected(const struct set_listener *l, struct rule_store **store, bool *ret_greeting)
{
	*ret_greeting = l->accept_proxy || l->cip_magic;
	if (!l->cip_magic)
		return true;
	if (!rule_store_get(store))
		return false;
	(*store)->expects_cip = true;
	(*store)->proxy_follows = l->accept_proxy;
	(*store)->cip_magic = l->cip_magic;
	return true;
}

static ssize_t parse(const struct rule_store *store, const void *data, size_t len, struct proxy_ends *ret)
{
	return store && store->expects_cip ? netscaler_cip_parse(data, len, store->cip_magic, ret) : proxy_parse(data, len, ret);
}

/* It is looked at where it lies, in the socket; of the bytes behind it none is taken. */
static enum greeting read_header(struct worker *w, const struct connection_ends *c)
{
	ssize_t n = recv(c->fd, w->scratch, PROXY_READ_MAX, MSG_PEEK), len;
	struct proxy_ends ends;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? GREETING_PART : GREETING_BAD;
	len = n ? parse(*c->store, w->scratch, (size_t)n, &ends) : -EPROTO;
	if (len < 0)
		return GREETING_BAD;
	if (!len)
		return GREETING_PART;
	if (!keep_extras(c, &ends) || recv(c->fd, w->scratch, (size_t)len, 0) != len)
		return GREETING_BAD;
	if (ends.from.ss_family != AF_UNSPEC) {
		*c->from = endpoint_of(&ends.from);
		*c->to = endpoint_of(&ends.to);
	}
	return GREETING_READ;
}

/* NetScaler's comes first, as in HAProxy. */
enum greeting greeting_read(struct worker *w, const struct connection_ends *c)
{
	enum greeting g = read_header(w, c);

	if (g != GREETING_READ || !*c->store || !(*c->store)->proxy_follows)
		return g;
	(*c->store)->expects_cip = (*c->store)->proxy_follows = false;
	return read_header(w, c);
}

/* Why it is no PROXY header. */
static unsigned what_came(const char *at, size_t len)
{
	static const char *const families[] = {"TCP4 ", "TCP6 ", "UNKNOWN"};
	static const char begin[2][7] = {"PROXY ", "\r\n\r\n\0\r"};
	size_t n = len < 6 ? len : 6;

	if (!memcmp(at, begin[1], n))
		return CLIENT_ERROR_BAD_GREETING;
	if (memcmp(at, begin[0], n) != 0)
		return CLIENT_ERROR_NO_GREETING;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (len < 6 + strlen(families[i]) || !memcmp(at + 6, families[i], strlen(families[i])))
			return CLIENT_ERROR_BAD_GREETING;
	return CLIENT_ERROR_GREETING_FAMILY;
}

void greeting_failed(struct worker *w, const struct connection_ends *c)
{
	struct proxy_ends ends;
	ssize_t n = recv(c->fd, w->scratch, PROXY_READ_MAX, MSG_PEEK | MSG_DONTWAIT);
	bool cip = *c->store && (*c->store)->expects_cip;
	ssize_t e = n > 0 ? parse(*c->store, w->scratch, (size_t)n, &ends) : 0;
	unsigned code = cip ? (e == -EPROTO ? CLIENT_ERROR_CIP_MAGIC : e < 0 ? CLIENT_ERROR_CIP_PROTOCOL : CLIENT_ERROR_CUT_CIP)
			: e < 0 ? what_came(w->scratch, (size_t)n)
				: CLIENT_ERROR_CUT_GREETING;
	const char *words = code == CLIENT_ERROR_CUT_CIP        ? "Truncated NetScaler Client IP header received"
			    : code == CLIENT_ERROR_CIP_MAGIC    ? "Received an invalid NetScaler Client IP magic number"
			    : code == CLIENT_ERROR_CIP_PROTOCOL ? "Received an unhandled protocol in the NetScaler Client IP header"
			    : code == CLIENT_ERROR_CUT_GREETING ? "Truncated PROXY protocol header received"
			    : code == CLIENT_ERROR_NO_GREETING
				? "Received something which does not look like a PROXY protocol header"
			    : code == CLIENT_ERROR_GREETING_FAMILY ? "Received an unhandled protocol in the PROXY protocol header"
								   : "Received an invalid PROXY protocol header";

	count_greeting_failed(w, c->frontend);
	log_failed_connection(w, c, n > 0, code, words, words);
}
