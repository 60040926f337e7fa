/* SPDX-License-Identifier: MIT */
/* The HTTP probe against nginx on loopback: what a real server makes of our requests, and we of its answers. */
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

#include "tests/unit/libhealth/rig.h"

#define NGINX "/usr/sbin/nginx"
#define PAGE_LINES 20000 /* of a page that comes in many chunks */

static char folder[] = "/tmp/health-nginx-XXXXXX";
static struct sockaddr_in address = {.sin_family = AF_INET};
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

static void write_files(unsigned int port)
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
		"  location = / { return 200 'the second house'; } } }\n",
		folder, folder, folder, folder, folder, folder, folder, port, port);
	fclose(f);
	f = file("page.html");
	for (int i = 0; i < PAGE_LINES; i++)
		fprintf(f, "line %d\n", i);
	fputs("the very end\n", f);
	fclose(f);
}

/* A port nobody has, as the kernel chose it. */
static unsigned int free_port(void)
{
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	close(fd);
	return ntohs(address.sin_port);
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

	(void)state;
	assert_non_null(mkdtemp(folder));
	write_files(free_port());
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

	(void)state;
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

static void every_method_and_version_is_understood(void **state)
{
	struct health_http_opts o = {.size = sizeof(o)};

	(void)state;
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

	(void)state;
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

	(void)state;
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

	(void)state;
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
	};

	if (access(NGINX, X_OK) < 0) {
		puts("skipped: needs nginx (Debian package nginx)");
		return 77;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
