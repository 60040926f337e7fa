/* SPDX-License-Identifier: MIT */
/* What a configuration says of TLS, and which certificate a name gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "cfg/cfg.h"
#include "tls/tls.h"

static char folder[] = "/tmp/proxyd-tls.XXXXXX";

/* NAME.pem with these names, the first its common name, and its own key. */
static const char *make(const char *name, const char *alt)
{
	static char path[8][128];
	static unsigned n;
	char *to = path[n++ % 8], text[512];
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_EXTENSION *e;
	FILE *f;

	snprintf(to, sizeof(path[0]), "%s/%s.pem", folder, name);
	snprintf(text, sizeof(text), "%s", alt);
	e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, text);
	assert_non_null(e);
	X509_set_version(x, 2);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
				   (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_add_ext(x, e, -1);
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	f = fopen(to, "w");
	assert_non_null(f);
	PEM_write_X509(f, x);
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	X509_EXTENSION_free(e);
	X509_free(x);
	EVP_PKEY_free(key);
	return to;
}

static struct cfg *load(struct diag *d, const char *format, ...)
{
	char file[160], text[4096];
	const char *path = file;
	struct cfg *cfg;
	va_list args;
	FILE *f;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	snprintf(file, sizeof(file), "%s/test.cfg", folder);
	f = fopen(file, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	memset(d, 0, sizeof(*d));
	assert_int_equal(cfg_load(&(struct cfg_load_opts){.path = &path, .n_paths = 1}, d, &cfg),
			 0);
	return cfg;
}

static void end(struct diag *d, struct cfg *cfg)
{
	diag_fini(d);
	cfg_free(cfg);
}

static void assert_gets(const struct tls_front *f, const char *name, const char *file)
{
	const char *found = tls_front_find(f, name);

	if (!file)
		assert_null(found);
	else
		assert_string_equal(found, file);
}

static void a_name_gets_its_certificate(void **state)
{
	const char *one = make("one.example", "DNS:one.example,DNS:WWW.one.example"),
		   *wild = make("wild", "DNS:*.wild.example"),
		   *exact = make("exact", "DNS:exact.wild.example");
	struct diag d;
	struct cfg *cfg =
	    load(&d, "listen a\n bind :1 ssl crt %s crt %s crt %s\n", one, wild, exact);
	const struct tls_front *f = cfg_bind_front(STAILQ_FIRST(&STAILQ_FIRST(&cfg->proxies)->binds));

	assert_non_null(f);
	assert_gets(f, "one.example", one);
	assert_gets(f, "www.one.example", one);
	assert_gets(f, "a.wild.example", wild);
	assert_gets(f, "exact.wild.example", exact);
	assert_gets(f, "a.b.wild.example", one); /* the first is the default */
	assert_gets(f, "wild.example", one);
	assert_gets(f, "", one);
	assert_gets(f, ".", one);
	end(&d, cfg);
}

static void strict_sni_has_no_default(void **state)
{
	const char *one = make("one.example", "DNS:one.example");
	struct diag d;
	struct cfg *cfg = load(&d, "listen a\n bind :1 ssl crt %s strict-sni\n", one);
	const struct tls_front *f = cfg_bind_front(STAILQ_FIRST(&STAILQ_FIRST(&cfg->proxies)->binds));

	assert_gets(f, "one.example", one);
	assert_gets(f, "other.example", NULL);
	end(&d, cfg);
}

static void a_server_has_an_expression_of_its_own(void **state)
{
	struct diag d;
	struct cfg *cfg = load(&d, "listen a\n mode http\n bind :1\n default-server ssl verify none sni srv_name\n server s 127.0.0.1:1\n"
				   " server t 127.0.0.1:1 sni req.hdr(host)\n server u 127.0.0.1:1 sni str(u)\n");
	const struct cfg_server *s = STAILQ_FIRST(&STAILQ_FIRST(&cfg->proxies)->servers), *t = STAILQ_NEXT(s, next), *u = STAILQ_NEXT(t, next);

	assert_int_equal(d.count[DIAG_ERROR], 0);
	assert_non_null(cfg_server_sni(s));
	assert_non_null(cfg_server_sni(t));
	assert_ptr_not_equal(cfg_server_sni(s), cfg_server_sni(t));
	assert_null(cfg_server_sni(u));
	assert_string_equal(u->tls_words->sni_name, "u");
	end(&d, cfg);
}

static void a_list_has_names_of_its_own_and_excludes_some(void **state)
{
	const char *one = make("one", "DNS:unused.example"), *two = make("two", "DNS:two.example");
	char list[160];
	struct diag d;
	struct cfg *cfg;
	const struct tls_front *f;
	FILE *out;

	snprintf(list, sizeof(list), "%s/list", folder);
	out = fopen(list, "w");
	fprintf(
	    out,
	    "# names\n%s [ alpn http/1.1 ssl-min-ver TLSv1.3 ]\n%s *.l.example !not.l.example\n\n",
	    two, one);
	fclose(out);
	cfg = load(&d, "listen a\n bind :1 ssl crt-list %s\n", list);
	f = cfg_bind_front(STAILQ_FIRST(&STAILQ_FIRST(&cfg->proxies)->binds));
	assert_non_null(f);
	assert_gets(f, "a.l.example", one);
	assert_gets(f, "not.l.example", two);
	assert_gets(f, "unused.example", two);
	assert_gets(f, "two.example", two);
	end(&d, cfg);
}

static void a_list_that_is_wrong_is_told_by_its_lines(void **state)
{
	const char *one = make("one", "DNS:one.example");
	char list[160];
	struct diag d;
	struct cfg *cfg;
	FILE *out;

	snprintf(list, sizeof(list), "%s/list", folder);
	out = fopen(list, "w");
	fprintf(out,
		"%s []\n%s [alpn http/1.1\n%s [nonsense x] a\n%s [verify required]\n/none.pem\n",
		one, one, one, one);
	fclose(out);
	cfg = load(&d, "listen a\n bind :1 ssl crt-list %s\n", list);
	assert_int_equal(d.count[DIAG_ERROR], 4);
	for (size_t i = 0; i < d.n; i++)
		if (d.message[i].level == DIAG_ERROR) {
			assert_string_equal(d.message[i].at.file, list);
			assert_in_range(d.message[i].at.line, 2, 5);
		}
	end(&d, cfg);
}

static void a_range_of_ports_has_one_front(void **state)
{
	const char *one = make("one", "DNS:one.example");
	struct diag d;
	struct cfg *cfg = load(&d, "listen a\n bind :1-3 ssl crt %s\n bind :9\n", one);
	const struct cfg_bind *b = STAILQ_FIRST(&STAILQ_FIRST(&cfg->proxies)->binds);

	assert_non_null(cfg_bind_front(b));
	assert_ptr_equal(cfg_bind_front(b), cfg_bind_front(STAILQ_NEXT(b, next)));
	assert_null(cfg_bind_front(STAILQ_NEXT(STAILQ_NEXT(STAILQ_NEXT(b, next), next), next)));
	end(&d, cfg);
}

static void servers_inherit_and_differ(void **state)
{
	struct diag d;
	struct cfg *cfg =
	    load(&d, "backend b\n default-server ssl verify none\n"
		     " server a 127.0.0.1:1 check\n server b 127.0.0.1:2 no-ssl check\n"
		     " server c 127.0.0.1:3 check port 4\n"
		     " server d 127.0.0.1:3 check port 4 check-ssl\n"
		     " server e 127.0.0.1:3 no-ssl check check-ssl\n");
	const struct cfg_server *s = STAILQ_FIRST(&STAILQ_FIRST(&cfg->proxies)->servers);
	const bool tls[] = {true, false, true, true, false},
		   check[] = {true, false, false, true, true};

	assert_int_equal(d.count[DIAG_ERROR], 0);
	for (int i = 0; i < 5; i++, s = STAILQ_NEXT(s, next)) {
		assert_int_equal(cfg_server_back(s) != NULL, tls[i]);
		assert_int_equal(s->check_tls, check[i]);
	}
	end(&d, cfg);
}

static void a_server_is_verified_unless_one_says_otherwise(void **state)
{
	struct diag d;
	struct cfg *cfg = load(&d, "backend b\n server a 127.0.0.1:1 ssl\n");

	assert_int_equal(d.count[DIAG_ERROR], 1);
	end(&d, cfg);
	cfg = load(&d, "global\n ssl-server-verify none\nbackend b\n server a 127.0.0.1:1 ssl\n");
	assert_int_equal(d.count[DIAG_ERROR], 0);
	end(&d, cfg);
}

static void versions_are_what_is_left(void **state)
{
	static const struct {
		struct tls_settings s;
		uint16_t min, max; /* 0: none */
		bool of_server;
	} cases[] = {
	    {{0}, TLS_V_12, TLS_V_13, false},
	    {{.max_version = TLS_V_11}, TLS_V_11, TLS_V_11, false},
	    {{.min_version = TLS_V_10}, TLS_V_10, TLS_V_13, false},
	    {{.off_versions = 1u << 4}, TLS_V_12, TLS_V_12, false},
	    {{.off_versions = 1u << 3}, TLS_V_13, TLS_V_13, false},
	    {{.off_versions = 0xff}, 0, 0, false},
	    {{.off_versions = 0xff, .max_version = TLS_V_12}, TLS_V_12, TLS_V_12, false},
	    {{.min_version = TLS_V_13, .max_version = TLS_V_12}, 0, 0, false},
	    {{.min_version = TLS_V_SSL3, .max_version = TLS_V_12}, TLS_V_10, TLS_V_12, false},
	    {{.max_version = TLS_V_SSL3}, 0, 0, false},
	    {{0}, TLS_V_10, TLS_V_13, true},
	    {{.off_versions = 1u << 4 | 1u << 3}, TLS_V_10, TLS_V_11, true},
	};
	uint16_t min, max;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(tls_versions(&cases[i].s, cases[i].of_server, &min, &max), cases[i].min != 0);
		if (!cases[i].min)
			continue;
		assert_int_equal(min, cases[i].min);
		assert_int_equal(max, cases[i].max);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_name_gets_its_certificate),
	    cmocka_unit_test(strict_sni_has_no_default),
	    cmocka_unit_test(a_server_has_an_expression_of_its_own),
	    cmocka_unit_test(a_list_has_names_of_its_own_and_excludes_some),
	    cmocka_unit_test(a_list_that_is_wrong_is_told_by_its_lines),
	    cmocka_unit_test(a_range_of_ports_has_one_front),
	    cmocka_unit_test(servers_inherit_and_differ),
	    cmocka_unit_test(a_server_is_verified_unless_one_says_otherwise),
	    cmocka_unit_test(versions_are_what_is_left),
	};
	char command[64];
	int failed;

	if (!mkdtemp(folder))
		return 99;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command) || failed;
}
