/* SPDX-License-Identifier: MIT */
#include "tls_client.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* As the traffic has it, set at run time perhaps. NULL: what is in the file is read. To be freed. */
static char *stored(const struct tls_store *store, enum tls_kind kind, const char *file)
{
	const struct tls_item *item = store && file ? tls_store_find(store, kind, file) : NULL;

	return item ? tls_item_pem(item) : NULL;
}

int tls_client_new(const struct cfg_tls *t, const struct tls_store *store, const char *sni, const char *alpn, char *why, size_t cap,
		   struct health_tls **ret)
{
	bool verify = t->set.verify == TLS_VERIFY_REQUIRED;
	struct health_tls_opts o = {
	    .size = sizeof(o),
	    .flags = (verify ? HEALTH_TLS_VERIFY : 0) | (t->no_reuse ? HEALTH_TLS_NO_RESUMPTION : 0),
	    .sni = sni,
	    .verify_name = verify ? t->verify_host : NULL,
	    .alpn = alpn,
	    .crl_file = t->set.crl_file,
	    .cert_file = t->crt_file,
	    .ciphers = t->set.ciphers,
	    .ciphersuites = t->set.ciphersuites,
	};
	char *own = stored(store, TLS_CERT, t->crt_file), *ca = stored(store, TLS_CA, t->set.ca_file),
	     *crl = stored(store, TLS_CRL, t->set.crl_file);
	uint16_t min, max;
	int e;

	tls_versions(&t->set, true, &min, &max);
	o.min_version = min;
	o.max_version = max;
	if (verify && t->set.ca_file && strcmp(t->set.ca_file, "@system-ca") != 0)
		*(is_folder(t->set.ca_file) ? &o.ca_dir : &o.ca_file) = t->set.ca_file;
	o.ca_pem = o.ca_file || o.ca_dir ? ca : NULL;
	o.crl_pem = crl;
	o.cert_pem = own;
	e = health_tls_new(&o, why, cap, ret);
	if (own)
		explicit_bzero(own, strlen(own)); /* a key is in it */
	free(own);
	free(ca);
	free(crl);
	return e;
}
