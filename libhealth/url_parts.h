/* SPDX-License-Identifier: MIT */
/*
 * A URL taken apart, and what a scheme makes of the parts. A part counts as used once it was asked for; what
 * nobody asked for is an error of whoever wrote it.
 */
#ifndef LIBHEALTH_URL_PARTS_H
#define LIBHEALTH_URL_PARTS_H

#include <libhealth/probe_http.h>
#include <libhealth/url.h>

struct url_option {
	const char *name;
	char *value; /* decoded; may hold zeros */
	size_t len;
	bool used;
};

struct url_parts {
	char text[HEALTH_URL_MAX + 1]; /* holds all the others, each ended with 0 */
	const char *scheme, *user, *password, *host, *port, *path; /* NULL: not there */
	bool user_used, password_used, path_used;
	bool starttls;
	size_t n_options;
	struct url_option option[HEALTH_URL_OPTIONS_MAX];
	const struct health_url_opts *tools; /* never NULL */
	char *error;			     /* HEALTH_TEXT_MAX bytes */
};

#define NO_HOST (-1)

/* One row of the one table of names, in url_schemes.c. */
struct url_scheme {
	const char *name;
	int port; /* 0: the URL must say it; NO_HOST: it has no host at all */
	/* UPGRADE: in the clear, or with "starttls" where the protocol has its place for it */
	enum { PLAIN, TLS, TLS_H2, UPGRADE } tls;
	/* 0, or -errno, with words in u->error if it has better ones than that something is out of range. */
	int (*make)(struct url_parts *u, struct health_probe **ret);
};

/* NULL: no such scheme. */
const struct url_scheme *url_scheme_find(const char *name);

/* The parts of the URL, decoded; what a caller asks for counts as used. NULL: it is not there. */
const char *url_user(struct url_parts *u);
const char *url_password(struct url_parts *u);
const char *url_path(struct url_parts *u); /* without its first slash; NULL when empty */
/* The first of this name that was not asked for yet: options that may stand often are asked for often. */
const struct url_option *url_option(struct url_parts *u, const char *name);
const char *url_text(struct url_parts *u, const char *name); /* the option's value */

/* A number from 0 to max in `ret`, or `otherwise` when the option is not there. False: it is none. */
bool url_number(struct url_parts *u, const char *name, uint64_t max, uint64_t otherwise,
		uint64_t *ret);

/* -EINVAL, with these words. */
int url_wrong(struct url_parts *u, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* url_http.c: HTTP has more options than all the others. */
int url_make_http(struct url_parts *u, struct health_probe **ret);
/* "200-399,401" into HEALTH_HTTP_STATUS_MAX ranges: how many, or -EINVAL with words. */
int url_status_ranges(struct url_parts *u, const char *text, struct health_http_range *ret);

#endif
