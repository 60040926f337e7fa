/* SPDX-License-Identifier: MIT */
/* The one table of names: a scheme, its port, and how its probe is made from the parts of a URL. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <libhealth/h2.h>
#include <libhealth/probe_agent.h>
#include <libhealth/probe_broker.h>
#include <libhealth/probe_dns.h>
#include <libhealth/probe_exec.h>
#include <libhealth/probe_expect.h>
#include <libhealth/probe_ldap.h>
#include <libhealth/probe_login.h>
#include <libhealth/probe_net.h>
#include <libhealth/probe_services.h>
#include <libhealth/probe_smtp.h>
#include <libhealth/probe_sql.h>
#include <libhealth/probe_store.h>

#include "url_parts.h"

static int make_tcp(struct url_parts *u, struct health_probe **ret)
{
	return health_probe_new(health_probe_tcp(), NULL, ret);
}

static int make_half_open(struct url_parts *u, struct health_probe **ret)
{
	return health_probe_new(health_probe_half_open(), NULL, ret);
}

static int make_icmp(struct url_parts *u, struct health_probe **ret)
{
	struct health_icmp_opts o = {.size = sizeof(o)};

	if (!url_number(u, "bytes", HEALTH_ICMP_PAYLOAD_MAX, 0, &o.payload_bytes))
		return url_wrong(u, "icmp: bytes is a number from 8 to %d",
				 HEALTH_ICMP_PAYLOAD_MAX);
	return health_probe_new(health_probe_icmp(), &o, ret);
}

/* The path of a program or a file, from the root. */
static const char *rooted(struct url_parts *u, char *ret, size_t size)
{
	const char *path = url_path(u);

	snprintf(ret, size, "/%s", path ? path : "");
	return ret;
}

/* "arg=…", as often as wanted. The exit status is read as HAProxy does, or as `school` says. */
static int make_exec(struct url_parts *u, struct health_probe **ret)
{
	static const char *const schools[] = {"haproxy", "keepalived", "keepalived-dynamic", "f5",
					      "nagios"};
	char path[HEALTH_URL_MAX + 2];
	const char *argv[HEALTH_URL_OPTIONS_MAX + 2] = {rooted(u, path, sizeof(path))};
	struct health_exec_opts o = {.size = sizeof(o), .argv = argv};
	const char *school = url_text(u, "school");
	const struct url_option *arg;
	size_t i = 0, n = 1;

	while ((arg = url_option(u, "arg")))
		argv[n++] = arg->value;
	while (school && i < sizeof(schools) / sizeof(*schools) && strcmp(school, schools[i]) != 0)
		i++;
	if (i == sizeof(schools) / sizeof(*schools))
		return url_wrong(u, "exec: there is no school '%.20s'", school);
	o.school = (enum health_exec_school)i;
	return health_probe_new(health_probe_exec(), &o, ret);
}

static int make_file(struct url_parts *u, struct health_probe **ret)
{
	char path[HEALTH_URL_MAX + 2];
	const struct health_file_opts o = {
	    .size = sizeof(o),
	    .path = rooted(u, path, sizeof(path)),
	    .missing_ok = url_option(u, "missing-ok") != NULL,
	};

	return health_probe_new(health_probe_file(), &o, ret);
}

static int make_ssl_hello(struct url_parts *u, struct health_probe **ret)
{
	return health_probe_new(health_probe_ssl_hello(), NULL, ret);
}

static int make_memcached(struct url_parts *u, struct health_probe **ret)
{
	return health_probe_new(health_probe_memcached(), NULL, ret);
}

static int make_agent(struct url_parts *u, struct health_probe **ret)
{
	const struct health_agent_opts o = {.size = sizeof(o), .send = url_text(u, "send")};

	return health_probe_new(health_probe_agent(), &o, ret);
}

/* ---- send and expect ---- */

/* What stands in `option` goes to step `at`. 1: that step has all it may have; 0: it may go on; -1: no such option. */
static int fill_step(struct health_expect_step *at, const struct url_option *option)
{
	if (!strcmp(option->name, "send")) {
		at->send = option->value;
		at->send_len = option->len;
		return 0;
	}
	if (!strcmp(option->name, "regex") || !strcmp(option->name, "absent-regex")) {
		at->expect_regex = option->value;
	} else if (!strcmp(option->name, "expect") || !strcmp(option->name, "absent")) {
		at->expect = option->value;
		at->expect_len = option->len;
	} else {
		return -1;
	}
	if (option->name[0] == 'a')
		at->flags = HEALTH_EXPECT_ABSENT;
	return 1;
}

/*
 * In the order in which they stand: each "send" begins a step, what is expected belongs to it, and "min" to what was
 * unwanted last.
 */
static int make_expect(struct url_parts *u, struct health_probe **ret)
{
	struct health_expect_step step[HEALTH_EXPECT_STEPS_MAX + 1] = {0};
	struct health_expect_opts o = {.size = sizeof(o), .steps = step, .regex = u->tools->regex};
	const struct url_option *drain = url_option(u, "drain");
	bool begun = false;
	uint64_t min;

	if (drain) {
		o.drain = drain->value;
		o.drain_len = drain->len;
	}
	for (size_t i = 0; i < u->n_options && o.n_steps <= HEALTH_EXPECT_STEPS_MAX; i++) {
		struct url_option *option = &u->option[i];
		int filled;

		if (option->used)
			continue;
		if (!strcmp(option->name, "min") && o.n_steps) {
			if (!url_number(u, "min", HEALTH_EXPECT_REPLY_DEFAULT_BYTES, 0, &min))
				return url_wrong(u, "expect: min is a number of bytes");
			step[o.n_steps - 1].min_bytes = (uint32_t)min;
			continue;
		}
		option->used = true;
		if (!strcmp(option->name, "send") && step[o.n_steps].send_len)
			o.n_steps++;
		filled = fill_step(&step[o.n_steps], option);
		if (filled < 0)
			return url_wrong(u, "expect has no option '%.40s'", option->name);
		begun = !filled;
		o.n_steps += (size_t)filled;
	}
	o.n_steps += begun;
	return health_probe_new(health_probe_expect(), &o, ret);
}

static int make_udp(struct url_parts *u, struct health_probe **ret)
{
	const struct url_option *send = url_option(u, "send"), *expect = url_option(u, "expect"),
				*mask = url_option(u, "mask");
	struct health_udp_opts o = {.size = sizeof(o)};
	uint64_t min, max;

	if (send) {
		o.send = send->value;
		o.send_len = send->len;
	}
	if (expect) {
		o.expect = expect->value;
		o.expect_len = expect->len;
	}
	if (mask && (!expect || mask->len != expect->len))
		return url_wrong(u, "udp: the mask has to be as long as what is expected");
	if (mask)
		o.expect_mask = mask->value;
	if (!url_number(u, "min", UINT16_MAX, 0, &min) ||
	    !url_number(u, "max", UINT16_MAX, 0, &max))
		return url_wrong(u, "udp: min and max are numbers of bytes");
	o.reply_min = (size_t)min;
	o.reply_max = (size_t)max;
	if (url_option(u, "silence-ok"))
		o.flags |= HEALTH_UDP_SILENCE_OK;
	if (url_option(u, "anywhere"))
		o.flags |= HEALTH_UDP_ANYWHERE;
	return health_probe_new(health_probe_udp(), &o, ret);
}

static int make_dns(struct url_parts *u, struct health_probe **ret)
{
	struct health_dns_opts o = {
	    .size = sizeof(o), .name = url_path(u), .answer = url_text(u, "answer")};
	const char *type = url_text(u, "type");

	if (type && !(o.type = health_dns_type(type)))
		return url_wrong(u, "dns: '%.20s' is no record type", type);
	if (url_option(u, "any-rcode"))
		o.flags |= HEALTH_DNS_ANY_RCODE;
	if (url_option(u, "has-answer"))
		o.flags |= HEALTH_DNS_HAS_ANSWER;
	return health_probe_new(health_probe_dns(), &o, ret);
}

/* ---- lines ---- */

static int make_smtp(struct url_parts *u, struct health_probe **ret)
{
	const struct health_smtp_opts o = {
	    .size = sizeof(o),
	    .helo = url_text(u, "helo"),
	    .ehlo = url_option(u, "ehlo") != NULL,
	    .starttls = u->starttls,
	};

	return health_probe_new(health_probe_smtp(), &o, ret);
}

static int make_lmtp(struct url_parts *u, struct health_probe **ret)
{
	const struct health_smtp_opts o = {
	    .size = sizeof(o), .helo = url_text(u, "helo"), .starttls = u->starttls};

	return health_probe_new(health_probe_lmtp(), &o, ret);
}

static struct health_login_opts login(struct url_parts *u)
{
	return (struct health_login_opts){
	    .size = sizeof(struct health_login_opts),
	    .user = url_user(u),
	    .password = url_password(u),
	    .starttls = u->starttls,
	};
}

static int make_ftp(struct url_parts *u, struct health_probe **ret)
{
	struct health_login_opts o = login(u);

	o.path = url_path(u);
	return health_probe_new(health_probe_ftp(), &o, ret);
}

static int make_pop3(struct url_parts *u, struct health_probe **ret)
{
	const struct health_login_opts o = login(u);

	return health_probe_new(health_probe_pop3(), &o, ret);
}

static int make_imap(struct url_parts *u, struct health_probe **ret)
{
	struct health_login_opts o = login(u);

	o.path = url_path(u);
	return health_probe_new(health_probe_imap(), &o, ret);
}

static int make_redis(struct url_parts *u, struct health_probe **ret)
{
	const struct health_redis_opts o = {
	    .size = sizeof(o),
	    .user = url_user(u),
	    .password = url_password(u),
	    .role = url_text(u, "role"),
	    .absent_key = url_text(u, "absent-key"),
	};

	return health_probe_new(health_probe_redis(), &o, ret);
}

/* ---- logins ---- */

static int make_sql(struct url_parts *u, const struct health_probe_ops *ops,
		    struct health_probe **ret)
{
	const struct health_sql_opts o = {
	    .size = sizeof(o),
	    .user = url_user(u),
	    .password = url_password(u),
	    .database = url_path(u),
	    .crypto = u->tools->crypto,
	    .starttls = u->starttls,
	};

	if (o.password && !o.crypto)
		return url_wrong(u, "%.30s: a password needs hash functions: health_url_opts.crypto",
				 u->scheme);
	return health_probe_new(ops, &o, ret);
}

static int make_mysql(struct url_parts *u, struct health_probe **ret)
{
	return make_sql(u, health_probe_mysql(), ret);
}

static int make_pgsql(struct url_parts *u, struct health_probe **ret)
{
	return make_sql(u, health_probe_pgsql(), ret);
}

static int make_ldap(struct url_parts *u, struct health_probe **ret)
{
	const struct health_ldap_opts o = {
	    .size = sizeof(o),
	    .bind_dn = url_user(u),
	    .password = url_password(u),
	    .base = url_path(u),
	    .starttls = u->starttls,
	};

	return health_probe_new(health_probe_ldap(), &o, ret);
}

/* ---- brokers ---- */

static int make_mqtt(struct url_parts *u, struct health_probe **ret)
{
	const struct health_broker_opts o = {
	    .size = sizeof(o),
	    .user = url_user(u),
	    .password = url_password(u),
	    .client_id = url_text(u, "client-id"),
	};

	return health_probe_new(health_probe_mqtt(), &o, ret);
}

static int make_amqp(struct url_parts *u, struct health_probe **ret)
{
	const struct health_broker_opts o = {
	    .size = sizeof(o),
	    .user = url_user(u),
	    .password = url_password(u),
	    .vhost = url_path(u),
	};

	return health_probe_new(health_probe_amqp(), &o, ret);
}

/* ---- a network's own services ---- */

static int make_ntp(struct url_parts *u, struct health_probe **ret)
{
	struct health_ntp_opts o = {.size = sizeof(o)};

	if (!url_number(u, "stratum-max", 15, 0, &o.stratum_max))
		return url_wrong(u, "ntp: stratum-max is from 1 to 15");
	return health_probe_new(health_probe_ntp(), &o, ret);
}

static int make_snmp(struct url_parts *u, struct health_probe **ret)
{
	const struct health_snmp_opts o = {
	    .size = sizeof(o),
	    .community = url_user(u),
	    .oid = url_path(u),
	    .value = url_text(u, "value"),
	    .v1 = url_option(u, "v1") != NULL,
	};

	return health_probe_new(health_probe_snmp(), &o, ret);
}

static int make_radius(struct url_parts *u, struct health_probe **ret)
{
	const struct health_radius_opts o = {
	    .size = sizeof(o),
	    .secret = url_text(u, "secret"),
	    .user = url_user(u),
	    .password = url_password(u),
	    .crypto = u->tools->crypto,
	    .flags = url_option(u, "reject-ok") ? HEALTH_RADIUS_REJECT_OK : 0,
	};

	if (!o.crypto)
		return url_wrong(u, "radius needs hash functions: health_url_opts.crypto");
	if (!o.secret)
		return url_wrong(u, "radius needs #secret=…");
	return health_probe_new(health_probe_radius(), &o, ret);
}

static int make_sip(struct url_parts *u, struct health_probe **ret)
{
	bool udp = !strcmp(u->scheme, "sip-udp"), ip6 = strchr(u->host, ':');
	const char *user = url_user(u), *uri = url_text(u, "uri");
	char own[HEALTH_SIP_URI_MAX + 1];
	const struct health_sip_opts o = {
	    .size = sizeof(o),
	    .uri = uri ? uri : own,
	    .from = url_text(u, "from"),
	    .flags = url_option(u, "any-status") ? HEALTH_SIP_ANY_STATUS : 0,
	};

	if ((size_t)snprintf(own, sizeof(own), "sip:%s%s%s%s%s", user ? user : "", user ? "@" : "",
			     ip6 ? "[" : "", u->host, ip6 ? "]" : "") >= sizeof(own))
		return url_wrong(u, "sip: user and host are too long");
	return health_probe_new(udp ? health_probe_sip_udp() : health_probe_sip(), &o, ret);
}

/* ---- HTTP/2 ---- */

/* The authority of the URL, as it stands there. */
static const char *authority(const struct url_parts *u, char *ret, size_t size)
{
	bool ip6 = strchr(u->host, ':');

	snprintf(ret, size, "%s%s%s%s%s", ip6 ? "[" : "", u->host, ip6 ? "]" : "",
		 u->port ? ":" : "", u->port ? u->port : "");
	return ret;
}

static int make_h2(struct url_parts *u, struct health_probe **ret)
{
	char host[HEALTH_URL_HOST_MAX + 10], path[HEALTH_URL_MAX + 2];
	struct health_http_range status[HEALTH_HTTP_STATUS_MAX];
	const char *text = url_text(u, "status"), *given = url_text(u, "host");
	struct health_h2_opts o = {
	    .size = sizeof(o),
	    .path = rooted(u, path, sizeof(path)),
	    .authority = given ? given : authority(u, host, sizeof(host)),
	};
	int n = text ? url_status_ranges(u, text, status) : 0;

	if (n < 0)
		return n;
	o.status = n ? status : NULL;
	o.n_status = (size_t)n;
	if (!u->tools->h2)
		return url_wrong(u, "%.30s needs libhealth-h2: built without nghttp2", u->scheme);
	return health_probe_new(u->tools->h2(), &o, ret);
}

static int make_grpc(struct url_parts *u, struct health_probe **ret)
{
	char host[HEALTH_URL_HOST_MAX + 10];
	const char *given = url_text(u, "host");
	const struct health_grpc_opts o = {
	    .size = sizeof(o),
	    .service = url_path(u),
	    .authority = given ? given : authority(u, host, sizeof(host)),
	};

	if (!u->tools->grpc)
		return url_wrong(u, "%.30s needs libhealth-h2: built without nghttp2", u->scheme);
	return health_probe_new(u->tools->grpc(), &o, ret);
}

/* ---- the table ---- */

static const struct url_scheme schemes[] = {
    {"agent", 0, PLAIN, make_agent},
    {"amqp", 5672, PLAIN, make_amqp},
    {"amqps", 5671, TLS, make_amqp},
    {"dns", 53, PLAIN, make_dns},
    {"exec", NO_HOST, PLAIN, make_exec},
    {"expect", 0, PLAIN, make_expect},
    {"file", NO_HOST, PLAIN, make_file},
    {"ftp", 21, UPGRADE, make_ftp},
    {"grpc", 50051, PLAIN, make_grpc},
    {"grpcs", 443, TLS_H2, make_grpc},
    {"h2", 443, TLS_H2, make_h2},
    {"h2c", 80, PLAIN, make_h2},
    {"half-open", 0, PLAIN, make_half_open},
    {"http", 80, PLAIN, url_make_http},
    {"https", 443, TLS, url_make_http},
    {"icmp", 1, PLAIN, make_icmp}, /* the port is not used */
    {"imap", 143, UPGRADE, make_imap},
    {"imaps", 993, TLS, make_imap},
    {"ldap", 389, UPGRADE, make_ldap},
    {"ldaps", 636, TLS, make_ldap},
    {"lmtp", 24, UPGRADE, make_lmtp},
    {"memcached", 11211, PLAIN, make_memcached},
    {"mqtt", 1883, PLAIN, make_mqtt},
    {"mqtts", 8883, TLS, make_mqtt},
    {"mysql", 3306, UPGRADE, make_mysql},
    {"ntp", 123, PLAIN, make_ntp},
    {"pgsql", 5432, UPGRADE, make_pgsql},
    {"pop3", 110, UPGRADE, make_pop3},
    {"pop3s", 995, TLS, make_pop3},
    {"radius", 1812, PLAIN, make_radius},
    {"redis", 6379, PLAIN, make_redis},
    {"rediss", 6379, TLS, make_redis},
    {"sip", 5060, PLAIN, make_sip},
    {"sip-udp", 5060, PLAIN, make_sip},
    {"sips", 5061, TLS, make_sip},
    {"smtp", 25, UPGRADE, make_smtp},
    {"smtps", 465, TLS, make_smtp},
    {"snmp", 161, PLAIN, make_snmp},
    {"ssl-hello", 443, PLAIN, make_ssl_hello},
    {"tcp", 0, PLAIN, make_tcp},
    {"tls", 443, TLS, make_tcp}, /* the handshake is the question */
    {"udp", 0, PLAIN, make_udp},
};

#define SCHEMES (sizeof(schemes) / sizeof(*schemes))

const struct url_scheme *url_scheme_find(const char *name)
{
	for (size_t i = 0; i < SCHEMES; i++)
		if (!strcmp(schemes[i].name, name))
			return &schemes[i];
	return NULL;
}

const char *health_url_scheme(size_t number)
{
	return number < SCHEMES ? schemes[number].name : NULL;
}
