/* SPDX-License-Identifier: MIT */
/* Checks over TLS against a server of OpenSSL's, stepped by the test: how each handshake ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <openssl/pem.h>
#include <cmocka.h>

#include <libhealth/probe_http.h>
#include <libhealth/probe_login.h>
#include <libhealth/tls.h>

#include "rig.h"
#include "tests/support/tls_peer.h"

#define QUIET_STEPS 100

static time_t later; /* seconds that have passed for whoever asks the time of day */

time_t time(time_t *ret)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += later;
	if (ret)
		*ret = t.tv_sec;
	return t.tv_sec;
}

/* The engine's clock stands still; the server and the sockets go on until `results` were told. */
static void settle(struct rig *r, struct tls_peer *p, unsigned int results)
{
	struct pollfd ready = {.fd = health_engine_fd(r->engine), .events = POLLIN};

	for (int quiet = 0; r->results < results && quiet < QUIET_STEPS;) {
		tls_peer_step(p);
		quiet = poll(&ready, 1, 1) > 0 ? 0 : quiet + 1;
		rig_dispatch(r);
	}
}

static struct health_tls *tls_of(const struct health_tls_opts *o)
{
	struct health_tls *tls = NULL;
	char why[256];

	if (health_tls_new(o, why, sizeof(why), &tls) < 0)
		fail_msg("%s", why);
	return tls;
}

struct tls_rig {
	struct rig rig;
	struct tls_peer peer;
	struct health_tls *tls;
	struct health_check *check;
};

static const char *text_of(const char *path)
{
	static char text[16384];
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

/* A check of `script`'s server, with `probe` (NULL: the handshake alone), not yet run. */
static void open_rig(struct tls_rig *t, const struct tls_peer_script *script,
		     struct health_tls_opts o, struct health_probe *probe, uint32_t flags)
{
	struct health_check_opts c;

	o.size = sizeof(o);
	rig_open(&t->rig, NULL, NULL);
	tls_peer_open(&t->peer, script);
	if (o.ca_file)
		o.ca_file = t->peer.ca_file;
	if (o.ca_pem)
		o.ca_pem = text_of(t->peer.ca_file);
	t->tls = tls_of(&o);
	c = rig_opts(&t->rig);
	c.destination = (const struct sockaddr *)&t->peer.address;
	c.destination_len = sizeof(t->peer.address);
	c.transport = health_tls_transport(t->tls);
	c.probe = probe;
	c.flags |= flags;
	t->check = rig_add(&t->rig, &c);
	health_tls_free(t->tls); /* the check keeps it */
	health_probe_free(probe);
}

static void close_rig(struct tls_rig *t)
{
	rig_close(&t->rig);
	tls_peer_close(&t->peer);
}

static void run_again(struct tls_rig *t)
{
	unsigned int results = t->rig.results;

	health_check_run_now(t->check);
	settle(&t->rig, &t->peer, results + 1);
	if (t->rig.results == results) /* waits for tickets that do not come */
		rig_pass(&t->rig, HEALTH_TRANSPORT_LINGER_NS);
	assert_int_equal(t->rig.results, results + 1);
}

#define TRUSTED "the peer's" /* any ca_file: open_rig puts the peer's there */

static struct health_probe *http_probe(void)
{
	struct health_probe *p = NULL;

	assert_int_equal(health_probe_new(health_probe_http(), NULL, &p), 0);
	return p;
}

static void a_handshake_is_a_success_and_its_session_is_taken_up_again(void **state)
{
	static const int version[] = {0, TLS1_2_VERSION};

	for (size_t i = 0; i < 2; i++) {
		struct tls_peer_script script = {.version = version[i]};
		struct health_tls_stats s = {.size = sizeof(s)};
		struct tls_rig t;

		open_rig(&t, &script,
			 (struct health_tls_opts){
			     .flags = HEALTH_TLS_VERIFY, .ca_file = TRUSTED, .sni = "check.test"},
			 NULL, 0);
		for (int run = 0; run < 3; run++) {
			run_again(&t);
			assert_int_equal(t.rig.result.verdict, HEALTH_OK);
			assert_int_equal(t.rig.result.code, HEALTH_CODE_L6OK);
			assert_int_equal(t.rig.result.phase, HEALTH_PHASE_TLS);
			assert_true(t.rig.result.tls_ns >= t.rig.result.connect_ns);
			assert_int_equal(t.rig.result.tls_resumed != 0, run > 0);
			assert_true(t.rig.result.tls_expires_s > 0);
		}
		assert_string_equal(t.peer.sni, "check.test");
		assert_true(t.peer.resumed >= 1); /* the last one it may not have seen the end of */
		assert_int_equal(health_tls_stats(t.tls, &s), 0);
		assert_int_equal(s.handshakes, 3);
		assert_int_equal(s.resumed, 2);
		close_rig(&t);
	}
}

/* As a server does that restarts, or whose ticket has grown too old. */
static void forget_sessions(struct tls_peer *p)
{
	static unsigned char keys[80];

	keys[0]++;
	assert_int_equal(SSL_CTX_set_tlsext_ticket_keys(p->ctx, keys, sizeof(keys)), 1);
}

static void a_forgotten_session_is_replaced_by_the_next(void **state)
{
	static const int version[] = {0, TLS1_2_VERSION};
	static const bool resumed[] = {false, true, false, true, false, true};

	for (size_t i = 0; i < 2; i++) {
		struct tls_peer_script script = {.version = version[i]};
		struct tls_rig t;

		open_rig(&t, &script,
			 (struct health_tls_opts){
			     .flags = HEALTH_TLS_VERIFY, .ca_file = TRUSTED, .sni = "check.test"},
			 NULL, 0);
		for (size_t run = 0; run < sizeof(resumed) / sizeof(*resumed); run++) {
			if (run && !resumed[run])
				forget_sessions(&t.peer);
			run_again(&t);
			assert_int_equal(t.rig.result.code, HEALTH_CODE_L6OK);
			assert_int_equal(t.rig.result.tls_resumed != 0, resumed[run]);
		}
		close_rig(&t);
	}
}

static void a_certificate_that_matters_is_shown_again_by_and_by(void **state)
{
	static const struct {
		uint32_t flags;
		uint64_t warn_s;
		bool again;
	} cases[] = {{HEALTH_TLS_VERIFY, 0, true}, {0, 86400, true}, {0, 0, false}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct tls_peer_script script = {0};
		struct tls_rig t;

		open_rig(&t, &script,
			 (struct health_tls_opts){.flags = cases[i].flags,
						  .expiry_warn_s = cases[i].warn_s,
						  .ca_file = cases[i].flags ? TRUSTED : NULL,
						  .sni = "check.test"},
			 NULL, 0);
		run_again(&t);
		later = HEALTH_TLS_SHOWN_S - 10;
		run_again(&t);
		assert_int_not_equal(t.rig.result.tls_resumed, 0);
		later = HEALTH_TLS_SHOWN_S + 10;
		run_again(&t);
		assert_int_equal(t.rig.result.code, HEALTH_CODE_L6OK);
		assert_int_equal(t.rig.result.tls_resumed != 0, !cases[i].again);
		run_again(&t);
		assert_int_not_equal(t.rig.result.tls_resumed, 0);
		later = 0; /* the clock was set back */
		run_again(&t);
		assert_int_equal(t.rig.result.tls_resumed != 0, !cases[i].again);
		close_rig(&t);
	}
}

static void a_server_without_tickets_is_waited_for_once(void **state)
{
	struct tls_peer_script script = {.no_tickets = true};
	struct tls_rig t;

	open_rig(&t, &script, (struct health_tls_opts){0}, NULL, 0);
	settle(&t.rig, &t.peer, 1);
	assert_int_equal(t.rig.results, 0); /* lingers */
	rig_pass(&t.rig, HEALTH_TRANSPORT_LINGER_NS);
	assert_int_equal(t.rig.results, 1);
	assert_int_equal(t.rig.result.code, HEALTH_CODE_L6OK);
	health_check_run_now(t.check);
	settle(&t.rig, &t.peer, 2);
	assert_int_equal(t.rig.results, 2); /* not again */
	assert_int_equal(t.rig.result.tls_resumed, 0);
	close_rig(&t);
}

static void https_is_http_over_it(void **state)
{
	struct tls_peer_script script = {.reply = "HTTP/1.1 204 No Content\r\n\r\n", .rude = true};
	struct tls_rig t;

	open_rig(&t, &script, (struct health_tls_opts){0}, http_probe(), 0);
	for (int run = 0; run < 3; run++) {
		run_again(&t);
		assert_int_equal(t.rig.result.code, HEALTH_CODE_L7OK);
		assert_int_equal(t.rig.result.status, 204);
		assert_int_equal(t.rig.result.tls_resumed != 0, run > 0);
		assert_true(t.rig.result.first_byte_ns > 0);
	}
	close_rig(&t);
}

/* A host that knows only bytes cannot tell how TLS cuts them; so a long answer in one go. */
static void an_answer_longer_than_a_record_is_read_whole(void **state)
{
	char *reply = malloc(60000);
	struct tls_peer_script script = {.reply = reply};
	const struct health_http_opts o = {.size = sizeof(o), .body = "the end"};
	struct health_probe *p = NULL;
	struct tls_rig t;
	int head;

	assert_non_null(reply);
	head = snprintf(reply, 60000, "HTTP/1.1 200 OK\r\nContent-Length: 50007\r\n\r\n");
	memset(reply + head, 'x', 50000);
	strcpy(reply + head + 50000, "the end");
	assert_int_equal(health_probe_new(health_probe_http(), &o, &p), 0);
	open_rig(&t, &script, (struct health_tls_opts){0}, p, 0);
	settle(&t.rig, &t.peer, 1);
	assert_int_equal(t.rig.result.code, HEALTH_CODE_L7OK);
	close_rig(&t);
	free(reply);
}

static void a_certificate_is_judged_when_asked(void **state)
{
	static const struct {
		struct tls_peer_script script;
		const char *ca, *name, *text;
	} want[] = {
	    {{0}, NULL, NULL, "certificate: unable to get local issuer certificate"},
	    {{.name = "other.test"}, TRUSTED, "check.test", "certificate: hostname mismatch"},
	    {{.valid_days = -2}, TRUSTED, "check.test", "certificate: certificate has expired"},
	};

	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		for (int verify = 0; verify < 2; verify++) {
			struct tls_rig t;

			open_rig(&t, &want[i].script,
				 (struct health_tls_opts){.flags = verify ? HEALTH_TLS_VERIFY : 0,
							  .ca_file = want[i].ca,
							  .verify_name = want[i].name},
				 NULL, 0);
			run_again(&t);
			assert_int_equal(t.rig.result.verdict, verify ? HEALTH_FAIL : HEALTH_OK);
			if (verify) {
				assert_int_equal(t.rig.result.code, HEALTH_CODE_L6RSP);
				assert_string_equal(t.rig.text, want[i].text);
			}
			close_rig(&t);
		}
	}
}

static void a_certificate_that_nobody_judges_is_no_reason(void **state)
{
	struct tls_rig t;

	open_rig(&t, &(struct tls_peer_script){.version = TLS1_2_VERSION, .wants_certificate = true}, (struct health_tls_opts){0}, NULL, 0);
	run_again(&t); /* it has none to show */
	assert_int_equal(t.rig.result.code, HEALTH_CODE_L6RSP);
	assert_memory_equal(t.rig.text, "TLS: ", 5);
	close_rig(&t);
}

static void authorities_may_be_a_text(void **state)
{
	struct tls_rig t;

	open_rig(&t, &(struct tls_peer_script){0},
		 (struct health_tls_opts){.flags = HEALTH_TLS_VERIFY, .ca_pem = TRUSTED, .sni = "check.test"}, NULL, 0);
	run_again(&t);
	assert_int_equal(t.rig.result.verdict, HEALTH_OK);
	close_rig(&t);
}

static void a_certificate_about_to_expire_is_told(void **state)
{
	static const enum health_verdict as[] = {HEALTH_NEUTRAL, HEALTH_OK, HEALTH_FAIL};
	static const enum health_verdict want[] = {HEALTH_DEGRADED, HEALTH_OK, HEALTH_FAIL};
	const struct tls_peer_script script = {.valid_days = 3};

	for (size_t i = 0; i < 3; i++) {
		struct tls_rig t;

		open_rig(
		    &t, &script,
		    (struct health_tls_opts){.expiry_warn_s = 7 * 86400, .expiry_verdict = as[i]},
		    NULL, 0);
		for (int run = 0; run < 2; run++) { /* resumed as well */
			run_again(&t);
			assert_int_equal(t.rig.result.verdict, want[i]);
			assert_non_null(strstr(t.rig.text, "certificate expires "));
			assert_non_null(strstr(t.rig.text, " days)"));
		}
		close_rig(&t);
	}
}

static void alpn_is_chosen_or_refused(void **state)
{
	const struct tls_peer_script script = {.alpn = "h2"};
	struct tls_rig t;

	open_rig(&t, &script, (struct health_tls_opts){.alpn = "http/1.1,h2"}, NULL, 0);
	run_again(&t);
	assert_int_equal(t.rig.result.code, HEALTH_CODE_L6OK);
	close_rig(&t);
	open_rig(&t, &script, (struct health_tls_opts){.alpn = "http/1.1"}, NULL, 0);
	run_again(&t);
	assert_int_equal(t.rig.result.code, HEALTH_CODE_L6RSP);
	assert_non_null(strstr(t.rig.text, "no application protocol"));
	close_rig(&t);
}

/* ---- servers that are none ---- */

static void run_against(const struct peer_script *script, enum health_code code, const char *text)
{
	struct health_tls *tls =
	    tls_of(&(struct health_tls_opts){.size = sizeof(struct health_tls_opts)});
	struct health_check_opts o;
	struct rig r;

	rig_open(&r, NULL, script);
	o = rig_opts(&r);
	o.transport = health_tls_transport(tls);
	o.timeout_ns = 2 * S;
	o.tls_timeout_ns = S;
	rig_add(&r, &o);
	health_tls_free(tls);
	rig_settle(&r, 1);
	if (!r.results)
		rig_pass(&r, S);
	assert_int_equal(r.results, 1);
	assert_int_equal(r.result.verdict, HEALTH_FAIL);
	assert_int_equal(r.result.code, code);
	assert_int_equal(r.result.phase, HEALTH_PHASE_TLS);
	assert_string_equal(r.text, text);
	rig_close(&r);
}

static void servers_that_do_not_shake_hands_fail_with_what_they_did(void **state)
{
	run_against(&(struct peer_script){0}, HEALTH_CODE_L6TOUT, "no handshake in time");
	run_against(&(struct peer_script){.listen_for = 1, .end = PEER_CLOSES}, HEALTH_CODE_L6RSP,
		    "closed in the handshake");
	run_against(&(struct peer_script){.listen_for = 1, .end = PEER_RESETS}, HEALTH_CODE_L6RSP,
		    "Connection reset by peer");
	run_against(&(struct peer_script){.listen_for = 1,
					  .reply = "HTTP/1.1 400 Bad Request\r\n",
					  .reply_len = 26},
		    HEALTH_CODE_L6RSP, "TLS: wrong version number");
	/* half a record, and then nothing */
	run_against(
	    &(struct peer_script){
		.listen_for = 1, .reply = "\x16\x03\x03\x00\x7a\x02", .reply_len = 6, .chunk = 1},
	    HEALTH_CODE_L6TOUT, "no handshake in time");
}

/* ---- STARTTLS ---- */

static enum health_step upgrade_open(void *state, const void *config, struct health_probe_io *io)
{
	if (!io->tls)
		return HEALTH_STEP_MORE; /* the server greets */
	io->send = "over TLS\r\n";
	io->send_len = 10;
	return HEALTH_STEP_MORE;
}

static enum health_step upgrade_received(void *state, const void *config, const void *data,
					 size_t len, struct health_probe_io *io)
{
	if (io->tls) {
		io->verdict = HEALTH_OK;
		return HEALTH_STEP_DONE;
	}
	if (!strncmp(data, "220", 3)) {
		io->send = "STARTTLS\r\n";
		io->send_len = 10;
		return HEALTH_STEP_MORE;
	}
	return HEALTH_STEP_TLS;
}

static const struct health_probe_ops upgrade_ops = {
    .size = sizeof(upgrade_ops),
    .name = "upgrade",
    .open = upgrade_open,
    .received = upgrade_received,
};

static void a_probe_begins_tls_where_it_wants(void **state)
{
	struct tls_peer_script script = {
	    .greeting = "220 hello\r\n", .clear_line = "454 go\r\n", .reply = "250 fine\r\n"};
	struct health_probe *p = NULL;
	struct tls_rig t;

	assert_int_equal(health_probe_new(&upgrade_ops, NULL, &p), 0);
	open_rig(&t, &script, (struct health_tls_opts){0}, p, HEALTH_CHECK_STARTTLS);
	settle(&t.rig, &t.peer, 1);
	assert_int_equal(t.rig.result.code, HEALTH_CODE_L7OK);
	assert_true(t.rig.result.tls_ns > 0);
	close_rig(&t);

	/* what a stranger slips in behind the answer is never taken for encrypted */
	script.clear_line = "454 go\r\n250 fine\r\n";
	assert_int_equal(health_probe_new(&upgrade_ops, NULL, &p), 0);
	open_rig(&t, &script, (struct health_tls_opts){0}, p, HEALTH_CHECK_STARTTLS);
	settle(&t.rig, &t.peer, 1);
	assert_int_equal(t.rig.result.code,
			 HEALTH_CODE_L7OK); /* consumed whole: this probe took it */
	close_rig(&t);
}

/* A built-in probe that changes to TLS on the way: its certificate is looked at like any other. */
static void a_certificate_is_told_behind_starttls_too(void **state)
{
	const struct tls_peer_script script = {.greeting = "* OK hello\r\n",
					       .clear_line = "h OK go\r\n",
					       .reply = "h OK\r\n",
					       .valid_days = 3};
	const struct health_login_opts imap = {.size = sizeof(imap), .starttls = 1};
	struct health_probe *p = NULL;
	struct tls_rig t;

	assert_int_equal(health_probe_new(health_probe_imap(), &imap, &p), 0);
	open_rig(&t, &script, (struct health_tls_opts){.expiry_warn_s = 7 * 86400}, p,
		 HEALTH_CHECK_STARTTLS);
	settle(&t.rig, &t.peer, 1);
	assert_int_equal(t.rig.result.verdict, HEALTH_DEGRADED);
	assert_int_equal(t.rig.result.code, HEALTH_CODE_L7OK);
	assert_non_null(strstr(t.rig.text, "certificate expires "));
	assert_true(t.rig.result.tls_expires_s > 0);
	close_rig(&t);
}

static void tls_where_there_is_none_is_the_checkers_own_trouble(void **state)
{
	static const struct peer_script script = {.reply = "454 go\r\n", .reply_len = 8};
	struct health_check_opts o;
	struct rig r;

	rig_open(&r, NULL, &script);
	o = rig_opts(&r);
	assert_int_equal(health_probe_new(&upgrade_ops, NULL, &o.probe), 0);
	rig_add(&r, &o);
	rig_settle(&r, 1);
	assert_int_equal(r.result.verdict, HEALTH_NEUTRAL);
	assert_int_equal(r.result.code, HEALTH_CODE_SOCKERR);
	o.flags |= HEALTH_CHECK_STARTTLS; /* without a transport */
	assert_int_equal(health_check_add(r.engine, &o, NULL, &(struct health_check *){NULL}),
			 -EINVAL);
	health_probe_free(o.probe);
	rig_close(&r);
}

/* ---- options ---- */

static void options_are_checked_and_the_reason_is_told(void **state)
{
	static const struct {
		struct health_tls_opts o;
		int error;
		const char *why;
	} want[] = {
	    {{.flags = 1u << 30}, -EINVAL, "flags"},
	    {{.sni = "192.0.2.1"}, -EINVAL, "sni \"192.0.2.1\""},
	    {{.sni = ""}, -EINVAL, "sni"},
	    {{.alpn = "h2,,http/1.1"}, -EINVAL, "alpn"},
	    {{.ciphers = "NO-SUCH"}, -EINVAL, "ciphers \"NO-SUCH\""},
	    {{.ciphersuites = "TLS_NONE"}, -EINVAL, "ciphersuites"},
	    {{.min_version = HEALTH_TLS_1_3, .max_version = HEALTH_TLS_1_2}, -EINVAL, "version"},
	    {{.min_version = 7}, -EINVAL, "version"},
	    {{.flags = HEALTH_TLS_VERIFY, .ca_file = "/no/ca"}, -ENOENT, "ca_file \"/no/ca\""},
	    {{.flags = HEALTH_TLS_VERIFY, .ca_file = "/dev/null"}, -EBADMSG, "ca_file"},
	    {{.cert_file = "/no/cert"}, -ENOENT, "cert_file"},
	    {{.flags = HEALTH_TLS_VERIFY, .ca_pem = "nothing"}, -EBADMSG, "ca_pem"},
	    {{.flags = HEALTH_TLS_VERIFY, .ca_file = "/dev/null", .crl_pem = "nothing"}, -EBADMSG, "crl_pem"},
	    {{.cert_pem = "nothing"}, -EBADMSG, "cert_pem"},
	    {{.key_file = "/no/key"}, -EINVAL, "key_file without cert_file"},
	};
	struct health_tls *tls = NULL;
	char why[256];

	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		struct health_tls_opts o = want[i].o;

		o.size = sizeof(o);
		assert_int_equal(health_tls_new(&o, why, sizeof(why), &tls), want[i].error);
		if (!strstr(why, want[i].why))
			fail_msg("%s: does not say %s", why, want[i].why);
	}
	assert_null(tls);
	assert_int_equal(health_tls_new(NULL, NULL, 0, NULL), -EINVAL);
	assert_null(health_tls_transport(NULL));
	health_tls_free(NULL);
}

static void a_key_with_a_password_is_opened_by_it_alone(void **state)
{
	struct tls_peer peer;
	char path[] = "/tmp/health-key-XXXXXX";
	struct health_tls_opts o = {.size = sizeof(o), .cert_file = path};
	struct health_tls *tls = NULL;
	FILE *f = fdopen(mkstemp(path), "w");

	assert_non_null(f);
	tls_peer_open(&peer, &(struct tls_peer_script){0});
	assert_int_equal(PEM_write_X509(f, peer.authority), 1);
	assert_int_equal(PEM_write_PKCS8PrivateKey(f, peer.authority_key, EVP_aes_256_cbc(),
						   "open sesame", 11, NULL, NULL),
			 1);
	fclose(f);
	tls_peer_close(&peer);
	assert_true(health_tls_new(&o, NULL, 0, &tls) < 0);
	o.key_password = "open sesam";
	assert_true(health_tls_new(&o, NULL, 0, &tls) < 0);
	o.key_password = "open sesame";
	assert_int_equal(health_tls_new(&o, NULL, 0, &tls), 0);
	health_tls_free(tls);
	o.cert_file = NULL;
	o.cert_pem = text_of(path);
	assert_int_equal(health_tls_new(&o, NULL, 0, &tls), 0);
	health_tls_free(tls);
	tls = NULL;
	o.key_password = NULL;
	assert_int_equal(health_tls_new(&o, NULL, 0, &tls), -EBADMSG);
	unlink(path);
}

/* A host may have one for each server name. */
static void many_contexts_live_side_by_side(void **state)
{
	struct health_tls *tls[300];
	const struct health_tls_opts o = {.size = sizeof(o), .sni = "check.test"};

	for (size_t i = 0; i < 300; i++)
		tls[i] = tls_of(&o);
	for (size_t i = 0; i < 300; i++)
		health_tls_free(tls[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_handshake_is_a_success_and_its_session_is_taken_up_again),
	    cmocka_unit_test(a_forgotten_session_is_replaced_by_the_next),
	    cmocka_unit_test(a_certificate_that_matters_is_shown_again_by_and_by),
	    cmocka_unit_test(a_server_without_tickets_is_waited_for_once),
	    cmocka_unit_test(https_is_http_over_it),
	    cmocka_unit_test(an_answer_longer_than_a_record_is_read_whole),
	    cmocka_unit_test(a_certificate_is_judged_when_asked),
	    cmocka_unit_test(a_certificate_that_nobody_judges_is_no_reason),
	    cmocka_unit_test(authorities_may_be_a_text),
	    cmocka_unit_test(a_certificate_about_to_expire_is_told),
	    cmocka_unit_test(alpn_is_chosen_or_refused),
	    cmocka_unit_test(servers_that_do_not_shake_hands_fail_with_what_they_did),
	    cmocka_unit_test(a_probe_begins_tls_where_it_wants),
	    cmocka_unit_test(a_certificate_is_told_behind_starttls_too),
	    cmocka_unit_test(tls_where_there_is_none_is_the_checkers_own_trouble),
	    cmocka_unit_test(a_key_with_a_password_is_opened_by_it_alone),
	    cmocka_unit_test(many_contexts_live_side_by_side),
	    cmocka_unit_test(options_are_checked_and_the_reason_is_told),
	};

	signal(
	    SIGPIPE,
	    SIG_IGN); /* the server's, which is OpenSSL's own socket; the library's must not need it */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
