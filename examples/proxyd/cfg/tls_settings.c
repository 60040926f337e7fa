/* SPDX-License-Identifier: MIT */
/* What the words of a line come to: with the global section, with the places of files, for who reads them at a reload. */
#include "cfg/tls_internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Files ---- */

const char *tls_with_base(struct cfg *c, const char *base, const char *file, const char *path)
{
	char full[4096];

	if (!path || *path == '/' || *path == '@')
		return path;
	if (base) {
		snprintf(full, sizeof(full), "%s/%s", base, path);
		path = cfg_strdup(c, full);
	}
	return cfg_path(c, file, path);
}

void tls_place_files(struct cfg *c, const char *file, struct tls_settings *s)
{
	const struct cfg_tls_global *g = &c->global.tls;

	s->ca_file = tls_with_base(c, g->ca_base, file, s->ca_file);
	s->ca_verify_file = tls_with_base(c, g->ca_base, file, s->ca_verify_file);
	s->crl_file = tls_with_base(c, g->ca_base, file, s->crl_file);
	s->ticket_keys = cfg_path(c, file, s->ticket_keys);
}

/* What a line does not say, the global section may. */
void tls_settings_inherit(struct tls_settings *s, const struct tls_settings *from)
{
	if (!s->ciphers)
		s->ciphers = from->ciphers;
	if (!s->ciphersuites)
		s->ciphersuites = from->ciphersuites;
	if (!s->curves)
		s->curves = from->curves;
	if (!s->ecdhe)
		s->ecdhe = from->ecdhe;
	if (!s->alpn)
		s->alpn = from->alpn;
	if (!s->ca_file)
		s->ca_file = from->ca_file;
	if (!s->ca_verify_file)
		s->ca_verify_file = from->ca_verify_file;
	if (!s->crl_file)
		s->crl_file = from->crl_file;
	if (!s->min_version)
		s->min_version = from->min_version;
	if (!s->max_version)
		s->max_version = from->max_version;
	if (s->verify == TLS_VERIFY_UNSET)
		s->verify = from->verify;
	if (!s->forgive_cert.all && !s->forgive_cert.bits[0] && !s->forgive_cert.bits[1])
		s->forgive_cert = from->forgive_cert;
	if (!s->forgive_ca.all && !s->forgive_ca.bits[0] && !s->forgive_ca.bits[1])
		s->forgive_ca = from->forgive_ca;
	s->off_versions |= from->off_versions;
	s->no_tickets |= from->no_tickets;
	s->prefer_client_ciphers |= from->prefer_client_ciphers;
	s->no_ca_names |= from->no_ca_names;
}

void tls_check_versions(struct reader *r, const struct tls_settings *s, bool of_server, const struct diag_place *at)
{
	uint16_t min, max;

	if (s->off_versions && (s->min_version || s->max_version))
		diag_add(r->diag, DIAG_WARNING, at, "no-sslv3 and no-tlsv1x are not heard beside ssl-min-ver, ssl-max-ver or force-tlsv1x: remove them");
	if (!tls_versions(s, of_server, &min, &max))
		diag_add(r->diag, DIAG_ERROR, at, "no version of TLS is left: ssl-min-ver must not be above ssl-max-ver, nor no-tlsv1x leave out all (see ssl-default-bind-options, too)");
}

/* HTTP/2 is not spoken to servers: h2 is not offered to them. In mode tcp it is the client that speaks, so all is. */
void tls_without_h2(struct reader *r, const struct cfg_proxy *p, struct tls_settings *s,
		       const struct diag_place *at)
{
	char list[256] = "", copy[256], *save = NULL;
	bool has = false;

	if (!s->alpn || p->set.mode == CFG_MODE_TCP || strlen(s->alpn) >= sizeof(copy))
		return;
	memcpy(copy, s->alpn, strlen(s->alpn) + 1);
	for (char *one = strtok_r(copy, ",", &save); one; one = strtok_r(NULL, ",", &save)) {
		if (!strcmp(one, "h2")) {
			has = true;
			continue;
		}
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", *list ? "," : "",
			 one);
	}
	if (!has)
		return;
	s->alpn = cfg_strdup(r->cfg, *list ? list : "http/1.1");
	if (!r->told_h2)
		diag_add(r->diag, DIAG_NOTICE, at,
			 "HTTP/2 is not spoken to servers: \"h2\" is not offered, they are asked in HTTP/1.1");
	r->told_h2 = true;
}

bool tls_is_alpn(const char *list)
{
	size_t total = 0;

	if (!list)
		return true;
	for (const char *at = list; *at;) {
		size_t n = strcspn(at, ",");

		total += n + 1;
		at += n + (at[n] == ',');
	}
	return total <= TLS_ALPN_MAX;
}

/* ---- Reload ---- */

static bool is_allowed(const struct stat *st, long uid, long gid, unsigned bit)
{
	unsigned shift = st->st_uid == (uid_t)uid ? 6 : st->st_gid == (gid_t)gid ? 3 : 0;

	return st->st_mode >> shift & bit;
}

/* By the modes of the file and of the folders on the way. */
static bool is_readable_by(const char *path, long uid, long gid)
{
	char part[4096];
	struct stat st;

	if ((size_t)snprintf(part, sizeof(part), "%s", path) >= sizeof(part) ||
	    stat(part, &st) < 0 || !is_allowed(&st, uid, gid, 4))
		return false;
	for (char *slash = strrchr(part, '/'); slash && slash > part; slash = strrchr(part, '/')) {
		*slash = '\0';
		if (stat(part, &st) < 0 || !is_allowed(&st, uid, gid, 1))
			return false;
	}
	return true;
}

/* HAProxy reads certificates as root; a reload here reads them as the user that the workers are. */
void tls_check_reload(struct reader *r, const char *path, const struct diag_place *at)
{
	const struct cfg_global *g = &r->cfg->global;
	struct stat st;

	if (geteuid() != 0 || g->uid <= 0 || !path || stat(path, &st) < 0 ||
	    is_readable_by(path, g->uid, g->gid))
		return;
	diag_add(
	    r->diag, DIAG_WARNING, at,
	    "%s: root can read this, the user of the global section cannot: a reload (HUP) will "
	    "fail; let its group read it (chgrp, chmod g+r, and g+x for the folder), or restart "
	    "with -sf instead",
	    path);
}
