/* SPDX-License-Identifier: MIT */
/* The built-in algorithms: one file per family, one line here and one in algos.c. */
#ifndef LIBSCHED_ALGOS_H
#define LIBSCHED_ALGOS_H

#include <libsched/lb_algo.h>

extern const struct lb_algo algo_roundrobin;	    /* roundrobin.c */
extern const struct lb_algo algo_leastconn;	    /* leastconn.c */
extern const struct lb_algo algo_rr;		    /* rr.c */
extern const struct lb_algo algo_wrr;		    /* wrr.c */
extern const struct lb_algo algo_lc, algo_wlc;	    /* lc.c */
extern const struct lb_algo algo_sed, algo_nq;	    /* sed.c */
extern const struct lb_algo algo_fo, algo_ovf;	    /* fo.c */
extern const struct lb_algo algo_sh, algo_dh;	    /* sh.c */
extern const struct lb_algo algo_mh;		    /* mh.c */
extern const struct lb_algo algo_static_rr;	    /* static_rr.c */
extern const struct lb_algo algo_first;		    /* first.c */
extern const struct lb_algo algo_random, algo_twos; /* random.c */
extern const struct lb_algo algo_maglev;	    /* maglev.c */

#endif
