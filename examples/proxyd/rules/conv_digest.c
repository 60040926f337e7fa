/* SPDX-License-Identifier: MIT */
/* Converters that OpenSSL computes: digests, and codes with a key. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "rules/expr.h"
#include "rules/vars.h"

static bool digest_of(const EVP_MD *md, struct run *r, struct sample *s)
{
	unsigned len;
	char *p = md ? scratch_take(&r->scratch, EVP_MAX_MD_SIZE) : NULL;

	if (!p || !EVP_Digest(s->text.at, s->text.len, (unsigned char *)p, &len, md, NULL))
		return false;
	*s = sample_text(SAMPLE_BIN, p, len);
	return true;
}

/* sha1 */
static bool named(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r,
		  struct sample *s)
{
	(void)arg;
	(void)n_args;
	return digest_of(EVP_get_digestbyname(c->name), r, s);
}

/* digest(NAME), sha2([BITS]) */
static bool chosen(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r,
		   struct sample *s)
{
	(void)c;
	(void)n_args;
	return digest_of(arg[0].object, r, s);
}

static bool check_digest(struct expr_arg *arg, unsigned n, const struct rule_memory *m,
			 struct rule_error *e)
{
	(void)n;
	(void)m;
	arg[0].object = EVP_get_digestbyname(arg[0].text.at);
	return arg[0].object ||
	       rule_fail(e, "OpenSSL has no digest \"%.60s\": write sha256 and the like", arg[0].text.at);
}

static bool check_bits(struct expr_arg *arg, unsigned n, const struct rule_memory *m,
		       struct rule_error *e)
{
	(void)m;
	arg[0].object = !n || !arg[0].text.len || arg[0].number == 256 ? EVP_sha256()
			: arg[0].number == 224			       ? EVP_sha224()
			: arg[0].number == 384			       ? EVP_sha384()
			: arg[0].number == 512			       ? EVP_sha512()
								       : NULL;
	return arg[0].object || rule_fail(e, "\"%.20s\" is no length of sha2: write 224, 256, 384 or 512",
					  arg[0].text.at);
}

/* hmac(NAME,KEY): the key in base64, or the name of a variable that holds it so */
static bool check_hmac(struct expr_arg *arg, unsigned n, const struct rule_memory *m,
		       struct rule_error *e)
{
	if (!check_digest(arg, n, m, e))
		return false;
	arg[1].number = -1;
	if (memchr(arg[1].text.at, '.', arg[1].text.len)) /* base64 has none */
		arg[1].number = var_number(arg[1].text, m, e);
	return arg[1].number >= 0 || !memchr(arg[1].text.at, '.', arg[1].text.len);
}

static bool hmac(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r,
		 struct sample *s)
{
	struct text code = arg[1].text;
	struct sample value;
	unsigned char *key;
	unsigned len;
	char *p;
	int n;

	(void)c;
	(void)n_args;
	if (arg[1].number >= 0) {
		if (!r->vars || !vars_get(r->vars, (unsigned)arg[1].number, &value) ||
		    !sample_cast(&value, SAMPLE_STR, &r->scratch))
			return false;
		code = value.text;
	}
	key = (unsigned char *)scratch_take(&r->scratch, code.len + 3);
	p = scratch_take(&r->scratch, EVP_MAX_MD_SIZE);
	if (!key || !p || code.len > INT32_MAX)
		return false;
	n = EVP_DecodeBlock(key, (const unsigned char *)code.at, (int)code.len);
	for (size_t i = code.len; n > 0 && i-- > 0 && code.at[i] == '=';)
		n--;
	if (n < 0 || !HMAC(arg[0].object, key, n, (const unsigned char *)s->text.at, s->text.len,
			   (unsigned char *)p, &len))
		return false;
	*s = sample_text(SAMPLE_BIN, p, len);
	return true;
}

const struct conv convs_digest[] = {
    {"digest", "s", SAMPLE_BIN, SAMPLE_BIN, chosen, 0, check_digest, false},
    {"hmac", "ss", SAMPLE_BIN, SAMPLE_BIN, hmac, 0, check_hmac, false},
    {"sha1", "", SAMPLE_BIN, SAMPLE_BIN, named, 0, NULL, false},
    {"sha2", "I", SAMPLE_BIN, SAMPLE_BIN, chosen, 0, check_bits, false},
    {NULL, NULL, 0, 0, NULL, 0, NULL, false},
};
