/* SPDX-License-Identifier: MIT */
/*
 * Sessions that clients take up again: by a ticket that they keep, or by an entry of our cache. Both must not
 * care which worker a client meets, so this is the one place of the process that workers share: keys that never
 * change, and a cache in parts with a lock each, asked only by clients without tickets.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "tls/internal.h"
#include "fnv1a.h"

/* ---- Tickets (RFC 5077, section 4) ---- */

#define KEYS_MAX 16
#define KEYS_MIN 3 /* the one in use, its successor, its predecessor (HAProxy's manual) */

struct ticket_key {
	unsigned char name[16],
	    secret[64]; /* AES then HMAC, half each; those of 48 bytes have 16 and 16 */
	size_t half;
};

struct tls_ticket_keys {
	unsigned refs; /* of fronts, beside the first */
	struct ticket_key key[KEYS_MAX];
	unsigned n, in_use;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct ticket_key own_key; /* of a process that was given none */
static bool have_own_key;
static int keys_index = -1;	      /* of a context's extra data */
static EVP_CIPHER *aes_128, *aes_256; /* fetched once: OpenSSL would do so for each ticket */

static void prepare(void)
{
	keys_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	aes_128 = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL);
	aes_256 = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	own_key.half = 32;
	have_own_key = aes_128 && aes_256 && RAND_bytes(own_key.name, sizeof(own_key.name)) == 1 &&
		       RAND_priv_bytes(own_key.secret, sizeof(own_key.secret)) == 1;
}

/* A line of base64: 48 bytes for AES-128, 80 for AES-256. */
static bool parse_key(const char *line, struct ticket_key *k)
{
	unsigned char raw[96];
	size_t len = strcspn(line, "\r\n \t");
	int n = len && len <= 108 && len % 4 == 0
		    ? EVP_DecodeBlock(raw, (const unsigned char *)line, (int)len)
		    : -1;

	while (n > 0 && len && line[len - 1] == '=') {
		n--;
		len--;
	}
	if (n == 48 || n == 80) {
		memcpy(k->name, raw, 16);
		k->half = n == 48 ? 16 : 32;
		memcpy(k->secret, raw + 16, 2 * k->half);
	}
	OPENSSL_cleanse(raw, sizeof(raw));
	return n == 48 || n == 80;
}

static bool read_keys(BIO *b, struct tls_ticket_keys *k, const char **ret_why)
{
	char line[256];
	bool ok = true;

	while (ok && BIO_gets(b, line, sizeof(line)) > 0) {
		if (line[strspn(line, " \t\r\n")] == '\0')
			continue;
		if (k->n == KEYS_MAX) { /* the last ones count */
			memmove(k->key, k->key + 1, (KEYS_MAX - 1) * sizeof(k->key[0]));
			k->n--;
		}
		ok = parse_key(line, &k->key[k->n++]);
	}
	OPENSSL_cleanse(line, sizeof(line));
	*ret_why = "a line is no key: write 48 or 80 random bytes in base64 (openssl rand -base64 80 -A)";
	if (!ok)
		return false;
	*ret_why = "there are fewer than 3 keys in it: the last but one encrypts, the others are "
		   "understood";
	k->in_use = k->n >= 2 ? k->n - 2 : 0;
	return k->n >= KEYS_MIN;
}

struct tls_ticket_keys *tls_ticket_keys_read(const char *file, const char **ret_why)
{
	struct tls_ticket_keys *k = calloc(1, sizeof(*k));
	BIO *b;
	bool ok;

	*ret_why = "out of memory, or without random numbers";
	if (!k)
		return NULL;
	pthread_once(&once, prepare);
	if (!file) {
		k->key[k->n++] = own_key;
		if (have_own_key)
			return k;
		tls_ticket_keys_free(k);
		return NULL;
	}
	b = tls_file(file, ret_why);
	ok = b && have_own_key && read_keys(b, k, ret_why);
	BIO_free(b);
	if (ok)
		return k;
	tls_ticket_keys_free(k);
	return NULL;
}

int tls_ticket_keys_with(const struct tls_ticket_keys *k, const char *line, struct tls_ticket_keys **ret)
{
	struct tls_ticket_keys *more;
	struct ticket_key key;
	int e = parse_key(line, &key) ? 0 : -EINVAL;

	if (!e && key.half != k->key[0].half)
		e = -EMSGSIZE;
	more = e ? NULL : malloc(sizeof(*more));
	if (!e && !more)
		e = -ENOMEM;
	if (more) {
		*more = *k;
		more->refs = 0;
		memmove(more->key, more->key + 1, (more->n - 1) * sizeof(key));
		more->key[more->n - 1] = key;
		*ret = more;
	}
	OPENSSL_cleanse(&key, sizeof(key));
	return e;
}

bool tls_ticket_keys_text(const struct tls_ticket_keys *k, unsigned i, char ret[TLS_TICKET_KEY_TEXT])
{
	unsigned char raw[80];

	if (i >= k->n)
		return false;
	memcpy(raw, k->key[i].name, 16);
	memcpy(raw + 16, k->key[i].secret, 2 * k->key[i].half);
	EVP_EncodeBlock((unsigned char *)ret, raw, (int)(16 + 2 * k->key[i].half));
	OPENSSL_cleanse(raw, sizeof(raw));
	return true;
}

struct tls_ticket_keys *tls_ticket_keys_hold(struct tls_ticket_keys *k)
{
	k->refs++;
	return k;
}

void tls_ticket_keys_free(struct tls_ticket_keys *k)
{
	if (!k || k->refs--)
		return;
	OPENSSL_cleanse(k, sizeof(*k));
	free(k);
}

static bool start_ticket(const struct ticket_key *k, unsigned char *iv, EVP_CIPHER_CTX *cipher,
			 EVP_MAC_CTX *mac, int encrypt)
{
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY,
					      (void *)(uintptr_t)(k->secret + k->half), k->half),
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t) "SHA256",
					     0),
	    OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) &&
	       EVP_CipherInit_ex(cipher, k->half == 16 ? aes_128 : aes_256, NULL, k->secret, iv,
				 encrypt);
}

/* 1: it is ours; 2: as well, and the client gets a new one; 0: it is not; -1: no. */
static int on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher,
		     EVP_MAC_CTX *mac, int encrypt)
{
	const struct tls_ticket_keys *k = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), keys_index);

	if (!k)
		return -1;
	if (encrypt) {
		memcpy(name, k->key[k->in_use].name, 16);
		return RAND_bytes(iv, EVP_MAX_IV_LENGTH) == 1 &&
			       start_ticket(&k->key[k->in_use], iv, cipher, mac, 1)
			   ? 1
			   : -1;
	}
	for (unsigned i = 0; i < k->n; i++)
		if (!CRYPTO_memcmp(name, k->key[i].name, 16)) {
			if (!start_ticket(&k->key[i], iv, cipher, mac, 0))
				return -1;
			/* a client shows a ticket of TLS 1.3 once only (RFC 8446 C.4) */
			return i == k->in_use && SSL_version(ssl) != TLS1_3_VERSION ? 1 : 2;
		}
	return 0;
}

/* ---- The cache ---- */

#define PARTS 16
#define WAYS 4		    /* places that a session may lie in: the oldest makes room */
#define SESSION_MAX 8192    /* bytes of one, with the client's certificate */
#define CACHE_DEFAULT 20000 /* HAProxy's tune.ssl.cachesize */

struct cached {
	unsigned char id[SSL_MAX_SSL_SESSION_ID_LENGTH];
	unsigned id_len, len;
	time_t time;
	unsigned char *der;
};

static struct part {
	_Alignas(64) pthread_mutex_t lock;
	struct cached *at; /* NULL: none yet */
	size_t n;
} part[PARTS];
static pthread_once_t cache_once = PTHREAD_ONCE_INIT;
static unsigned cache_size = CACHE_DEFAULT;
static _Atomic uint64_t n_lookups, n_misses;

static void make_cache(void)
{
	for (int i = 0; i < PARTS; i++) {
		pthread_mutex_init(&part[i].lock, NULL);
		part[i].n = cache_size / PARTS / WAYS * WAYS;
		if (part[i].n)
			part[i].at = calloc(part[i].n, sizeof(*part[i].at));
	}
}

void tls_session_cache(unsigned sessions)
{
	if (sessions)
		cache_size = sessions < PARTS * WAYS ? PARTS * WAYS : sessions;
	pthread_once(&cache_once, make_cache);
}

/* The places of this id, with their lock held. NULL: there is no memory for a cache. */
static struct cached *lock_places(const unsigned char *id, unsigned len, struct part **ret)
{
	uint32_t h = fnv1a(id, len);
	struct part *p = &part[h % PARTS];

	*ret = p;
	pthread_mutex_lock(&p->lock);
	if (p->at)
		return p->at + h / PARTS % (p->n / WAYS) * WAYS;
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static bool is_it(const struct cached *c, const unsigned char *id, unsigned len)
{
	return c->der && c->id_len == len && !memcmp(c->id, id, len);
}

static int on_new(SSL *ssl, SSL_SESSION *s)
{
	struct cached *at, *old = NULL;
	unsigned char *der, *end;
	const unsigned char *id;
	struct part *p;
	unsigned len;
	int size;

	/* a ticket of TLS 1.3 holds all there is to know */
	if (SSL_version(ssl) == TLS1_3_VERSION && !(SSL_get_options(ssl) & SSL_OP_NO_TICKET))
		return 0;
	id = SSL_SESSION_get_id(s, &len);
	size = i2d_SSL_SESSION(s, NULL);
	if (!len || len > sizeof(at->id) || size <= 0 || size > SESSION_MAX)
		return 0;
	der = end = malloc((size_t)size);
	if (!der)
		return 0;
	i2d_SSL_SESSION(s, &end);
	at = lock_places(id, len, &p);
	for (int i = 0; at && i < WAYS; i++)
		if (!old || is_it(&at[i], id, len) || !at[i].der ||
		    (old->der && at[i].time < old->time))
			old = &at[i];
	if (old) {
		unsigned char *gone = old->der;

		*old = (struct cached){
		    .id_len = len, .len = (unsigned)size, .time = time(NULL), .der = der};
		memcpy(old->id, id, len);
		der = gone;
		pthread_mutex_unlock(&p->lock);
	}
	free(der);
	return 0;
}

static SSL_SESSION *on_get(SSL *ssl, const unsigned char *id, int len, int *ret_keep)
{
	struct part *p;
	struct cached *at = lock_places(id, (unsigned)len, &p);
	SSL_SESSION *s = NULL;

	*ret_keep = 0;
	for (int i = 0; at && i < WAYS; i++)
		if (is_it(&at[i], id, (unsigned)len)) {
			const unsigned char *der = at[i].der;

			s = d2i_SSL_SESSION(NULL, &der, at[i].len);
			break;
		}
	if (at)
		pthread_mutex_unlock(&p->lock);
	atomic_fetch_add_explicit(&n_lookups, 1, memory_order_relaxed);
	if (!s)
		atomic_fetch_add_explicit(&n_misses, 1, memory_order_relaxed);
	return s;
}

void tls_session_lookups(uint64_t *ret_all, uint64_t *ret_misses)
{
	*ret_all = atomic_load_explicit(&n_lookups, memory_order_relaxed);
	*ret_misses = atomic_load_explicit(&n_misses, memory_order_relaxed);
}

static void on_remove(SSL_CTX *ctx, SSL_SESSION *s)
{
	unsigned len;
	const unsigned char *id = SSL_SESSION_get_id(s, &len);
	struct part *p;
	struct cached *at = lock_places(id, len, &p);

	for (int i = 0; at && i < WAYS; i++)
		if (is_it(&at[i], id, len)) {
			free(at[i].der);
			at[i].der = NULL;
		}
	if (at)
		pthread_mutex_unlock(&p->lock);
}

bool tls_session_use(SSL_CTX *ctx, const struct tls_ticket_keys *k, bool no_cache)
{
	tls_session_cache(0);
	SSL_CTX_set_session_cache_mode(ctx, no_cache ? SSL_SESS_CACHE_OFF : SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_new);
	SSL_CTX_sess_set_get_cb(ctx, on_get);
	SSL_CTX_sess_set_remove_cb(ctx, on_remove);
	return SSL_CTX_set_ex_data(ctx, keys_index, (void *)(uintptr_t)k) &&
	       SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
}
