/* SPDX-License-Identifier: MIT */
/* The words of `bind` and `server` lines about TLS; what becomes of them: tls.c */
#include "cfg/tls_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- Values ---- */

static uint16_t version_of(const char *text)
{
	static const char *const name[] = {"SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"};

	for (unsigned i = 0; i < sizeof(name) / sizeof(name[0]); i++)
		if (!strcmp(text, name[i]))
			return (uint16_t)(TLS_V_SSL3 + i);
	return 0;
}

/* "no-tlsv12", "force-tlsv12": the word behind the first hyphen. */
static uint16_t version_word(const char *word)
{
	static const char *const name[] = {"sslv3", "tlsv10", "tlsv11", "tlsv12", "tlsv13"};
	const char *text = strchr(word, '-') ? strchr(word, '-') + 1 : word;

	for (unsigned i = 0; i < sizeof(name) / sizeof(name[0]); i++)
		if (!strcmp(text, name[i]))
			return (uint16_t)(TLS_V_SSL3 + i);
	return 0;
}

static bool read_errors(const char *text, struct tls_errors *ret)
{
	while (*text) {
		char *end;
		unsigned long n;

		if (!strcmp(text, "all")) {
			ret->all = true;
			return true;
		}
		n = strtoul(text, &end, 10);
		if (end == text || n > 127 || (*end && *end != ','))
			return false;
		ret->bits[n / 64] |= UINT64_C(1) << (n % 64);
		text = end + (*end == ',');
	}
	return true;
}

static bool set_text(struct tls_settings *s, const char *word, const char *value)
{
	const struct {
		const char *name, **to;
	} texts[] = {
	    {"alpn", &s->alpn},
	    {"ca-file", &s->ca_file},
	    {"ca-path", &s->ca_file}, /* a folder, which ca-file may be as well */
	    {"ca-verify-file", &s->ca_verify_file},
	    {"ciphers", &s->ciphers},
	    {"ciphersuites", &s->ciphersuites},
	    {"crl-file", &s->crl_file},
	    {"curves", &s->curves},
	    {"ecdhe", &s->ecdhe},
	    {"tls-ticket-keys", &s->ticket_keys},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!strcmp(word, texts[i].name)) {
			*texts[i].to = value;
			return true;
		}
	return false;
}

/* Words without a value. */
static bool set_flag(struct tls_settings *s, const char *word)
{
	if (!strcmp(word, "no-tls-tickets"))
		s->no_tickets = true;
	else if (!strcmp(word, "tls-tickets"))
		s->no_tickets = false;
	else if (!strcmp(word, "prefer-client-ciphers"))
		s->prefer_client_ciphers = true;
	else if (!strcmp(word, "no-ca-names"))
		s->no_ca_names = true;
	else if (!strcmp(word, "no-alpn"))
		s->alpn = "";
	else if (!strncmp(word, "no-", 3) && version_word(word))
		s->off_versions |= (uint8_t)(1u << (version_word(word) & 7));
	else if (!strncmp(word, "force-", 6) && version_word(word))
		s->min_version = s->max_version = version_word(word);
	else
		return false;
	return true;
}

/* The error, or NULL. */
static const char *set_version(uint16_t *to, const char *value)
{
	uint16_t v = version_of(value);

	if (!v)
		return "there is no such version: write SSLv3, TLSv1.0, TLSv1.1, TLSv1.2 or TLSv1.3";
	*to = v;
	return NULL;
}

static const char *set_verify(struct tls_settings *s, const char *value)
{
	s->verify = !strcmp(value, "none")	 ? TLS_VERIFY_NONE
		    : !strcmp(value, "optional") ? TLS_VERIFY_OPTIONAL
		    : !strcmp(value, "required") ? TLS_VERIFY_REQUIRED
						 : TLS_VERIFY_UNSET;
	return s->verify == TLS_VERIFY_UNSET ? "write none, optional or required" : NULL;
}

static const char *set_forgiven(struct tls_errors *to, const char *value)
{
	return read_errors(value, to) ? NULL : "write all, or numbers of OpenSSL's verify errors with commas, such as 10,20";
}

bool tls_settings_word(struct tls_settings *s, const char *word, const char *value, const char **ret_error)
{
	*ret_error = NULL;
	if (set_text(s, word, value) || set_flag(s, word))
		return true;
	if (!strcmp(word, "ssl-min-ver"))
		*ret_error = set_version(&s->min_version, value);
	else if (!strcmp(word, "ssl-max-ver"))
		*ret_error = set_version(&s->max_version, value);
	else if (!strcmp(word, "verify"))
		*ret_error = set_verify(s, value);
	else if (!strcmp(word, "crt-ignore-err"))
		*ret_error = set_forgiven(&s->forgive_cert, value);
	else if (!strcmp(word, "ca-ignore-err"))
		*ret_error = set_forgiven(&s->forgive_ca, value);
	else
		return false;
	return !*ret_error;
}

static bool has_value(const char *word)
{
	return strncmp(word, "no-", 3) != 0 && strncmp(word, "force-", 6) != 0 &&
	       strcmp(word, "tls-tickets") != 0 && strcmp(word, "prefer-client-ciphers") != 0;
}

bool tls_set_word(struct reader *r, struct tls_settings *s, const char *word, size_t value)
{
	const char *error, *text = has_value(word) ? keep_word(r, value) : "";

	if (has_value(word) && !*text)
		say(r, DIAG_ERROR, value, "\"%s\" needs a value", word);
	else if (!tls_settings_word(s, word, text, &error))
		say(r, DIAG_ERROR, value - !error, "\"%s\": %s", word,
		    error ? error : "there is no such TLS option");
	return has_value(word);
}

/* ---- bind ---- */

static struct cfg_tls *words_of_bind(struct reader *r, struct cfg_bind *b, size_t i)
{
	if (b->tls_words)
		return b->tls_words;
	b->tls_words = keep(r, sizeof(*b->tls_words));
	if (!b->tls_words)
		return NULL;
	b->tls_words->at = place_at(r, i);
	STAILQ_INIT(&b->tls_words->crts);
	return b->tls_words;
}

static void add_crt(struct reader *r, struct cfg_tls *t, size_t i)
{
	struct cfg_tls_crt *c = keep(r, sizeof(*c));

	if (!c)
		return;
	c->at = place_at(r, i + 1);
	c->path = keep_word(r, i + 1);
	c->is_list = !strcmp(word_at(r, i), "crt-list");
	STAILQ_INSERT_TAIL(&t->crts, c, next);
}

/* Certificates made on the fly. */
static void bind_sign(struct reader *r, struct cfg_tls *t, size_t i)
{
	const char *word = word_at(r, i);

	if (*word == 'g')
		t->generates = true;
	else
		*(!strcmp(word, "ca-sign-file") ? &t->sign_file : &t->sign_pass) = keep_word(r, i + 1);
	if (!t->sign_at.line || !strcmp(word, "ca-sign-file"))
		t->sign_at = place_at(r, *word == 'g' ? i : i + 1);
}

void bind_tls(struct reader *r, size_t i, void *target)
{
	struct cfg_tls *t = words_of_bind(r, target, i);
	const char *word = word_at(r, i);

	if (!t)
		return;
	if (!strcmp(word, "ssl"))
		t->on = true;
	else if (!strcmp(word, "strict-sni"))
		t->strict_sni = true;
	else if (!strcmp(word, "generate-certificates") || !strncmp(word, "ca-sign-", 8))
		bind_sign(r, t, i);
	else if (!strcmp(word, "crt") || !strcmp(word, "crt-list"))
		add_crt(r, t, i);
	else
		tls_set_word(r, &t->set, word, i + 1);
}

void bind_tls_refused(struct reader *r, size_t i, void *target)
{
	const char *word = word_at(r, i);

	if (!strcmp(word, "npn"))
		say(r, DIAG_NOTICE, i,
		    "\"npn\" was removed from TLS: clients ask by ALPN; write alpn instead");
	else
		say(r, DIAG_WARNING, i,
		    "early data (0-RTT) is not taken by this version: clients send it again after "
		    "the handshake");
}

/* ---- server ---- */

/* A line's own copy of what its default-server says. */
static struct cfg_tls *words_of_server(struct reader *r, struct cfg_server *s, size_t i)
{
	const struct cfg_tls *from = s->tls_words;
	bool is_own =
	    from && from->at.line == place_at(r, i).line && from->at.file == place_at(r, i).file;

	if (is_own)
		return s->tls_words;
	s->tls_words = keep(r, sizeof(*s->tls_words));
	if (!s->tls_words)
		return NULL;
	if (from)
		*s->tls_words = *from;
	s->tls_words->at = place_at(r, i);
	return s->tls_words;
}

void server_tls(struct reader *r, size_t i, void *target)
{
	struct cfg_tls *t = words_of_server(r, target, i);
	const char *word = word_at(r, i);

	if (!t)
		return;
	if (!strcmp(word, "ssl") || !strcmp(word, "no-ssl"))
		t->on = *word == 's';
	else if (!strcmp(word, "ssl-reuse") || !strcmp(word, "no-ssl-reuse"))
		t->no_reuse = *word == 'n';
	else if (!strcmp(word, "check-ssl"))
		t->check_on = !(t->check_off = false);
	else if (!strcmp(word, "no-check-ssl"))
		t->check_off = !(t->check_on = false);
	else if (!strcmp(word, "crt"))
		t->crt = keep_word(r, i + 1);
	else if (!strcmp(word, "sni"))
		t->sni = keep_word(r, i + 1);
	else if (!strcmp(word, "verifyhost"))
		t->verify_host = keep_word(r, i + 1);
	else if (!strcmp(word, "check-sni"))
		t->check_sni = keep_word(r, i + 1);
	else if (!strcmp(word, "check-alpn"))
		t->check_alpn = keep_word(r, i + 1);
	else
		tls_set_word(r, &t->set, word, i + 1);
	if (t->set.verify == TLS_VERIFY_OPTIONAL)
		say(r, DIAG_ERROR, i + 1, "\"verify\" of a server: write none or required");
}
