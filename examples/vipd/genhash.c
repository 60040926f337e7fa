/* SPDX-License-Identifier: MIT */
/*
 * It is a check as vipd runs it, whose hash is looked at instead of compared: so what it prints is what the
 * check will find.
 */
#include "genhash.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libha/ip.h>
#include <libhealth/health.h>
#include <libhealth/probe_http.h>

#include "loop.h"
#include "openssl.h"

#define NS_PER_S UINT64_C(1000000000)
#define HASH_LEN 16
#define WIDTH 16 /* bytes of a line of a dump */

static const char usage[] =
    "Usage: genhash -s ADDRESS -p PORT -u PATH [OPTION]...   (or: vipd --genhash ...)\n"
    "\n"
    "Asks a web server once and prints the MD5 of the content, for \"digest\" in HTTP_GET and "
    "SSL_GET.\n"
    "\n"
    "  -s, --server=ADDRESS        the server's address\n"
    "  -p, --port=PORT             its port\n"
    "  -u, --url=PATH              what is asked for, from / on\n"
    "  -S, --use-ssl               over TLS\n"
    "  -I, --use-sni               names the host of -V in TLS\n"
    "  -V, --use-virtualhost=NAME  host that is asked; default: ADDRESS:PORT\n"
    "  -P, --protocol=VERSION      1.0, 1.0c or 1.1; default: 1.0\n"
    "  -t, --timeout=SECONDS       default: 5\n"
    "  -m, --fwmark=NUMBER         mark of the packets\n"
    "  -v, --verbose               says what came\n"
    "  -h, --help\n";

static const struct option long_options[] = {
    {"server", required_argument, NULL, 's'},	{"port", required_argument, NULL, 'p'},
    {"url", required_argument, NULL, 'u'},	{"use-ssl", no_argument, NULL, 'S'},
    {"use-sni", no_argument, NULL, 'I'},	{"use-virtualhost", required_argument, NULL, 'V'},
    {"protocol", required_argument, NULL, 'P'}, {"timeout", required_argument, NULL, 't'},
    {"fwmark", required_argument, NULL, 'm'},	{"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},		{0}};

struct question {
	struct ha_ip server;
	uint16_t port;
	const char *path, *host;
	bool tls, sni, verbose;
	enum health_http_version version;
	uint32_t fwmark;
	uint64_t timeout_ns;
};

/* What came. The library's hash function has no userdata, and this program asks one thing only. */
static struct {
	bool seen, over;
	uint8_t hash[HEALTH_HASH_MAX_BYTES];
	char why[HEALTH_TEXT_MAX + 64];
	uint64_t took_ns;
} answer;

bool genhash_wanted(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');

	if (!strcmp(slash ? slash + 1 : argv[0], "genhash"))
		return true;
	return argc > 1 && (!strcmp(argv[1], "--genhash") || !strcmp(argv[1], "-T"));
}

/* ---- Words ---- */

static bool number(const char *text, unsigned long max, unsigned long *ret)
{
	char *end;

	*ret = strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && *ret && *ret <= max;
}

static bool set_version(const char *text, struct question *q)
{
	q->version = !strcmp(text, "1.1") ? HEALTH_HTTP_1_1 : HEALTH_HTTP_1_0;
	return !strcmp(text, "1.1") || !strcmp(text, "1.0") || !strcasecmp(text, "1.0c");
}

static bool take(int option, const char *text, struct question *q)
{
	unsigned long n = 0;
	bool good = true;

	switch (option) {
	case 's':
		return ha_ip_parse(text, &q->server) >= 0;
	case 'p':
		good = number(text, 65535, &n);
		q->port = (uint16_t)n;
		return good;
	case 'u':
		q->path = text;
		return *text == '/';
	case 'V':
		q->host = text;
		return true;
	case 'P':
		return set_version(text, q);
	case 't':
		good = number(text, 3600, &n);
		q->timeout_ns = n * NS_PER_S;
		return good;
	case 'm':
		good = number(text, UINT32_MAX, &n);
		q->fwmark = (uint32_t)n;
		return good;
	case 'S':
		return q->tls = true;
	case 'I':
		return q->sni = true;
	case 'v':
		return q->verbose = true;
	}
	return false;
}

/* -1: go on; else the exit code. */
static int read_options(int argc, char **argv, struct question *q)
{
	int option;

	*q = (struct question){.timeout_ns = 5 * NS_PER_S};
	while ((option = getopt_long(argc, argv, "s:p:u:SIV:P:t:m:vh", long_options, NULL)) != -1) {
		if (option == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		if (option == '?')
			return 1;
		if (!take(option, optarg, q)) {
			fprintf(stderr, "genhash: -%c does not take \"%s\": see genhash --help\n",
				option, optarg);
			return 1;
		}
	}
	if (q->server.family && q->port && q->path && optind == argc)
		return -1;
	fprintf(stderr, "genhash: needs -s ADDRESS -p PORT -u PATH%s\n",
		optind < argc ? ", and nothing behind them" : "");
	fputs(usage, stderr);
	return 1;
}

/* ---- The check ---- */

#ifdef HAVE_LIBCRYPTO

static void print_content(const uint8_t *data, size_t len)
{
	for (size_t at = 0; at < len; at += WIDTH) {
		size_t n = len - at < WIDTH ? len - at : WIDTH;

		printf("%06zx ", at);
		for (size_t i = 0; i < WIDTH; i++)
			printf(i < n ? " %02x" : "   ", i < n ? data[at + i] : 0u);
		printf("  ");
		for (size_t i = 0; i < n; i++)
			putchar(data[at + i] >= ' ' && data[at + i] <= '~' ? data[at + i] : '.');
		putchar('\n');
	}
}

static int look_at(enum health_hash hash, const void *data, size_t len, uint8_t *ret)
{
	int r = openssl_module()->crypto->digest(hash, data, len, ret);

	answer.seen = r >= 0;
	memcpy(answer.hash, ret, HASH_LEN);
	return r;
}

static int look_at_verbosely(enum health_hash hash, const void *data, size_t len, uint8_t *ret)
{
	print_content(data, len);
	return look_at(hash, data, len, ret);
}

static void on_result(struct health_check *check, const struct health_result *r, void *userdata)
{
	answer.over = true;
	answer.took_ns = r->total_ns;
	snprintf(answer.why, sizeof(answer.why), "%s%s%s", health_code_name(r->code),
		 *r->text || r->error ? ", " : "",
		 *r->text   ? r->text
		 : r->error ? strerror(r->error)
			    : "");
}

static int make_probe(const struct question *q, struct health_probe **ret)
{
	static struct health_crypto crypto;
	static const struct health_http_range any = {100, 999};
	char ip[HA_IP_TEXT_SIZE] = "", address[HA_IP_TEXT_SIZE + 10];
	const struct health_http_opts o = {
	    .size = sizeof(o),
	    .version = q->version,
	    .path = q->path,
	    .host = q->host ? q->host : address,
	    .status = &any,
	    .n_status = 1,
	    .body_max_bytes = HEALTH_HTTP_BODY_MAX_BYTES,
	    .digest = "00000000000000000000000000000000", /* another one, but for a miracle */
	    .crypto = &crypto,
	};

	if (!openssl_module())
		return -EOPNOTSUPP;
	crypto = *openssl_module()->crypto;
	crypto.digest = q->verbose ? look_at_verbosely : look_at;
	ha_ip_format(&q->server, ip, sizeof(ip));
	snprintf(address, sizeof(address), q->server.family == AF_INET6 ? "[%s]:%u" : "%s:%u", ip,
		 q->port);
	return health_probe_new(health_probe_http(), &o, ret);
}

static int add_transport(const struct question *q, struct health_check_opts *o)
{
#ifdef HAVE_HEALTH_TLS
	const struct health_tls_opts tls = {.size = sizeof(tls), .sni = q->sni ? q->host : NULL};
	static struct health_tls *context; /* for the life of the program */
	int r;

	if (!q->tls)
		return 0;
	if (!openssl_module())
		return -EOPNOTSUPP;
	r = openssl_module()->tls_new(&tls, answer.why, sizeof(answer.why), &context);
	if (r >= 0)
		o->transport = openssl_module()->tls_transport(context);
	return r;
#else
	return q->tls ? -EOPNOTSUPP : 0;
#endif
}

static int ask(const struct question *q, struct health_engine *e)
{
	struct sockaddr_storage to;
	struct health_check_opts o = {.size = sizeof(o),
				      .destination = (void *)&to,
				      .flags = HEALTH_CHECK_AT_ONCE,
				      .timeout_ns = q->timeout_ns,
				      .fwmark = q->fwmark};
	struct health_check *check;
	int r = add_transport(q, &o);

	o.destination_len = (socklen_t)ha_ip_to_sockaddr(&q->server, q->port, 0, &to);
	if (r >= 0)
		r = make_probe(q, &o.probe);
	if (r >= 0)
		r = health_check_add(e, &o, NULL, &check);
	health_probe_free(o.probe);
	return r;
}

static void wait_for_answer(struct health_engine *e)
{
	struct pollfd p = {.fd = health_engine_fd(e), .events = POLLIN};

	while (!answer.over) {
		uint64_t now = loop_clock_ns(), next = health_engine_deadline(e);
		uint64_t ms = next <= now ? 0 : (next - now) / 1000000 + 1;

		poll(&p, 1, ms < 1000 ? (int)ms : 1000);
		health_engine_dispatch(e, loop_clock_ns());
	}
}

static int run(const struct question *q)
{
	const struct health_engine_ops ops = {.size = sizeof(ops), .result = on_result};
	const struct health_engine_opts o = {.size = sizeof(o), .ops = &ops, .seed = 1};
	struct health_engine *e;
	int r = health_engine_new(&o, &e);

	if (r >= 0) {
		r = ask(q, e);
		if (r >= 0)
			wait_for_answer(e);
		health_engine_free(e);
	}
	if (r < 0 && !*answer.why)
		snprintf(answer.why, sizeof(answer.why), "%s", strerror(-r));
	if (!answer.seen) {
		fprintf(stderr, "genhash: no content: %s\n", answer.why);
		return 1;
	}
	for (size_t i = 0; i < HASH_LEN; i++)
		printf("%02x", answer.hash[i]);
	printf("\n");
	if (q->verbose)
		printf("\nGlobal response time for [%s] = %llu usecs\n", q->path,
		       (unsigned long long)(answer.took_ns / 1000));
	return 0;
}

#else

static int run(const struct question *q)
{
	fputs("genhash: this vipd was built without OpenSSL\n", stderr);
	return 1;
}

#endif

int genhash_main(int argc, char **argv)
{
	struct question q;
	int r;

	if (argc > 1 && (!strcmp(argv[1], "--genhash") || !strcmp(argv[1], "-T"))) {
		argv[1] = argv[0];
		argv++;
		argc--;
	}
	r = read_options(argc, argv, &q);
	return r >= 0 ? r : run(&q);
}
