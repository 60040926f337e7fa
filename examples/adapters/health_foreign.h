/* SPDX-License-Identifier: MIT */
/* What probes may borrow, of what this program was built with: -DHAVE_LIBCRYPTO, -DHAVE_PCRE2. */
#ifndef HEALTH_FOREIGN_H
#define HEALTH_FOREIGN_H

#include <libhealth/url.h>

#ifdef HAVE_LIBCRYPTO
#include "health_openssl.h"
#endif
#ifdef HAVE_PCRE2
#include "health_pcre2.h"
#endif

static const struct health_url_opts health_foreign = {
    sizeof(health_foreign),
#ifdef HAVE_LIBCRYPTO
    &health_openssl,
#else
    NULL,
#endif
#ifdef HAVE_PCRE2
    &health_pcre2,
#else
    NULL,
#endif
};

#endif
