/* SPDX-License-Identifier: MIT */
/*
 * The HTTP probe against nginx on loopback, in the clear and over TLS: what a real server makes of our requests, and
 * we of its answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <libhealth/probe_http.h>
#ifdef HAVE_HEALTH_TLS
#include <libhealth/tls.h>
#endif

#include "tests/unit/libhealth/rig.h"

#define NGINX "/usr/sbin/nginx"
#define PAGE_LINES 20000 /* of a page that comes in many chunks */

static char folder[] = "/tmp/health-nginx-XXXXXX";
static struct sockaddr_in address = {.sin_family = AF_INET}, tls_address;
static pid_t nginx;

static FILE *file(const char *name)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	return f;
}

/* A house that is its own authority. */
static void write_certificate(const char *name)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 "
		 "-subj /CN=%s "
		 "-addext subjectAltName=DNS:%s -keyout %s/%s.key -out %s/%s.crt 2>/dev/null",
		 name, name, folder, name, folder, name);
	assert_int_equal(system(command), 0);
}

static void write_tls_server(FILE *f, unsigned int port, const char *name, const char *text)
{
	fprintf(f,
		"server { listen 127.0.0.1:%u ssl; server_name %s; ssl_certificate %s/%s.crt;\n"
		"  ssl_certificate_key %s/%s.key; location = /page.html { }\n"
		"  location = / { return 200 '%s'; } }\n",
		port, name, folder, name, folder, name, text);
}

static void write_files(unsigned int port, unsigned int tls_port)
{
	FILE *f = file("nginx.conf");

	/* SSI makes the length unknown beforehand: nginx then sends chunks. */
	fprintf(f,
		"daemon off; master_process off; pid %s/pid; error_log stderr crit;\n"
		"events { worker_connections 64; }\n"
		"http { access_log off; default_type text/html; root %s;\n"
		"client_body_temp_path %s/b; proxy_temp_path %s/p; fastcgi_temp_path %s/f;\n"
		"uwsgi_temp_path %s/u; scgi_temp_path %s/s;\n"
		"server { listen 127.0.0.1:%u default_server; server_name one.example;\n"
		"  location = / { return 200 'the first house'; }\n"
		"  location = /busy { return 503; }\n"
		"  location = /moved { return 301 /; }\n"
		"  location = /empty { return 204; }\n"
		"  location = /page.html { }\n"
		"  location = /chunks { ssi on; try_files /page.html =404; } }\n"
		"server { listen 127.0.0.1:%u; server_name two.example;\n"
		"  location = / { return 200 'the second house'; } }\n",
		folder, folder, folder, folder, folder, folder, folder, port, port);
	write_certificate("one.example");
	write_certificate("two.example");
	write_tls_server(f, tls_port, "one.example", "the first house");
	write_tls_server(f, tls_port, "two.example", "the second house");
	fputs("}\n", f);
	fclose(f);
	f = file("page.html");
	for (int i = 0; i < PAGE_LINES; i++)
		fprintf(f, "line %d\n", i);
	fputs("the very end\n", f);
	fclose(f);
}

/* A port nobody has, as the kernel chose it. */
static unsigned int free_port(struct sockaddr_in *ret)
{
	socklen_t len = sizeof(*ret);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*ret = (struct sockaddr_in){.sin_family = AF_INET};
	ret->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)ret, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret, &len), 0);
	close(fd);
	return ntohs(ret->sin_port);
}

static bool listens(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int r = connect(fd, (struct sockaddr *)&address, sizeof(address));

	close(fd);
	return r == 0;
}

static int set_up(void **state)
{
	char path[64];

	assert_non_null(mkdtemp(folder));
	write_files(free_port(&address), free_port(&tls_address));
	snprintf(path, sizeof(path), "%s/nginx.conf", folder);
	nginx = fork();
	assert_true(nginx >= 0);
	if (nginx == 0) {
		execl(NGINX, NGINX, "-e", "stderr", "-p", folder, "-c", path, (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 500 && !listens(); i++)
		usleep(20000);
	assert_true(listens());
	return 0;
}

static int tear_down(void **state)
{
	char command[64];

	kill(nginx, SIGTERM);
	waitpid(nginx, NULL, 0);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static void expect(const struct health_http_opts *http, enum health_code code, uint32_t status)
{
	struct health_check_opts o;
	struct rig r;

	rig_open(&r, NULL, NULL);
	o = rig_opts(&r);
	o.destination = (struct sockaddr *)&address;
	o.destination_len = sizeof(address);
	assert_int_equal(health_probe_new(health_probe_http(), http, &o.probe), 0);
	rig_add(&r, &o);
	health_probe_free(o.probe);
	rig_dispatch(&r);
	for (int i = 0; i < 5000 && !r.results; i++) { /* the rig's clock stands: no timeout */
		poll(&(struct pollfd){.fd = health_engine_fd(r.engine), .events = POLLIN}, 1, 100);
		rig_dispatch(&r);
	}
	assert_int_equal(r.results, 1);
	if (r.result.code != code || r.result.status != status)
		print_error("%s %u %s\n", health_code_name(r.result.code), r.result.status, r.text);
	assert_int_equal(r.result.code, code);
	assert_int_equal(r.result.status, status);
	rig_close(&r);
}

#ifdef HAVE_HEALTH_TLS

/* Three runs of a check over TLS; each has to end like this, the later ones by the first one's session. */
static void expect_tls(const char *sni, const char *authority, uint32_t max_version,
		       const struct health_http_opts *http, enum health_code code)
{
	char ca[128], why[256];
	struct health_tls_opts t = {.size = sizeof(t),
				    .flags = HEALTH_TLS_VERIFY,
				    .sni = sni,
				    .ca_file = ca,
				    .max_version = max_version};
	struct health_check_opts o;
	struct health_tls *tls = NULL;
	struct health_check *c;
	struct rig r;

	snprintf(ca, sizeof(ca), "%s/%s.crt", folder, authority);
	if (health_tls_new(&t, why, sizeof(why), &tls) < 0)
		fail_msg("%s", why);
	rig_open(&r, NULL, NULL);
	o = rig_opts(&r);
	o.destination = (struct sockaddr *)&tls_address;
	o.destination_len = sizeof(tls_address);
	o.transport = health_tls_transport(tls);
	assert_int_equal(health_probe_new(health_probe_http(), http, &o.probe), 0);
	c = rig_add(&r, &o);
	health_probe_free(o.probe);
	health_tls_free(tls);
	for (unsigned int run = 1; run <= 3; run++) {
		health_check_run_now(c);
		rig_dispatch(&r);
		for (int i = 0; i < 5000 && r.results < run; i++) {
			poll(&(struct pollfd){.fd = health_engine_fd(r.engine), .events = POLLIN},
			     1, 100);
			rig_dispatch(&r);
		}
		assert_int_equal(r.results, run);
		if (r.result.code != code)
			print_error("%s %s\n", health_code_name(r.result.code), r.text);
		assert_int_equal(r.result.code, code);
		if (code == HEALTH_CODE_L7OK)
			assert_int_equal(r.result.tls_resumed != 0, run > 1);
	}
	rig_close(&r);
}

static void the_name_chooses_the_certificate_and_sessions_are_taken_up(void **state)
{
	const struct health_http_opts second = {
	    .size = sizeof(second), .host = "two.example", .body = "second house"};

	expect_tls("one.example", "one.example", 0, NULL, HEALTH_CODE_L7OK);
	expect_tls("two.example", "two.example", HEALTH_TLS_1_2, &second, HEALTH_CODE_L7OK);
	expect_tls("two.example", "one.example", 0, &second, HEALTH_CODE_L6RSP);
}

static void a_long_body_comes_whole_over_tls(void **state)
{
	const struct health_http_opts o = {.size = sizeof(o),
					   .host = "one.example",
					   .path = "/page.html",
					   .body = "the very end",
					   .body_max_bytes = 1 << 20};

	expect_tls("one.example", "one.example", 0, &o, HEALTH_CODE_L7OK);
}

#endif

static void every_method_and_version_is_understood(void **state)
{
	struct health_http_opts o = {.size = sizeof(o)};

	expect(NULL, HEALTH_CODE_L7OK, 200);
	o.method = HEALTH_HTTP_HEAD;
	expect(&o, HEALTH_CODE_L7OK, 200);
	o.version = HEALTH_HTTP_1_1;
	o.host = "one.example";
	expect(&o, HEALTH_CODE_L7OK, 200);
	o.method = HEALTH_HTTP_OPTIONS;
	o.path = "/page.html";
	expect(&o, HEALTH_CODE_L7STS, 405); /* nginx has no OPTIONS for files */
}

static void the_status_decides(void **state)
{
	static const struct health_http_range haproxy = {200, 399};
	struct health_http_opts o = {.size = sizeof(o), .path = "/busy"};

	expect(&o, HEALTH_CODE_L7STS, 503);
	o.path = "/missing";
	expect(&o, HEALTH_CODE_L7STS, 404);
	o.path = "/empty";
	expect(&o, HEALTH_CODE_L7OK, 204);
	o.path = "/moved";
	expect(&o, HEALTH_CODE_L7STS, 301);
	o.status = &haproxy;
	o.n_status = 1;
	expect(&o, HEALTH_CODE_L7OK, 301);
}

static void the_host_chooses_the_house(void **state)
{
	struct health_http_opts o = {
	    .size = sizeof(o), .host = "two.example", .body = "second house"};

	expect(&o, HEALTH_CODE_L7OK, 200);
	o.host = "one.example";
	expect(&o, HEALTH_CODE_L7RSP, 200);
	o.body = "first house";
	expect(&o, HEALTH_CODE_L7OK, 200);
}

static void a_text_is_found_at_the_end_of_a_long_body(void **state)
{
	struct health_http_opts o = {.size = sizeof(o),
				     .host = "one.example",
				     .body = "the very end",
				     .body_max_bytes = 1 << 20};

	for (int version = HEALTH_HTTP_1_0; version <= HEALTH_HTTP_1_1; version++) {
		o.version = (enum health_http_version)version;
		o.path = "/page.html"; /* a length */
		expect(&o, HEALTH_CODE_L7OK, 200);
		o.path = "/chunks"; /* chunks in 1.1; in 1.0 until the end of the connection */
		expect(&o, HEALTH_CODE_L7OK, 200);
	}
	o.body_max_bytes = 0; /* the default reads less than the page has */
	expect(&o, HEALTH_CODE_L7RSP, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_method_and_version_is_understood),
	    cmocka_unit_test(the_status_decides),
	    cmocka_unit_test(the_host_chooses_the_house),
	    cmocka_unit_test(a_text_is_found_at_the_end_of_a_long_body),
#ifdef HAVE_HEALTH_TLS
	    cmocka_unit_test(the_name_chooses_the_certificate_and_sessions_are_taken_up),
	    cmocka_unit_test(a_long_body_comes_whole_over_tls),
#endif
	};

	if (access(NGINX, X_OK) < 0 || access("/usr/bin/openssl", X_OK) < 0) {
		puts("skipped: needs nginx and openssl (Debian packages of these names)");
		return 77;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
