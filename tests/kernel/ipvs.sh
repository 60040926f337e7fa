#!/bin/bash
# Inside user-mode Linux (run-uml): the tests of libha's IPVS, one after the other in one boot, which is dear.
# usage: ipvs.sh IPVS_APPLY IPVS_CONFIG IPVS_TABLE [HELLO_SERVICE]
set -u
here=$(dirname "$(realpath "$0")")
worst=0

part() { # part SCRIPT ARG...: the worst is a failure, then what could not run
    local status
    "$here/$1" "${@:2}"
    status=$?
    case $status in
    0) echo "$1: ok" ;;
    77) [ "$worst" = 1 ] || worst=77 ;;
    *) echo "$1: failed" && worst=1 ;;
    esac
}
part ipvs-apply.sh "$1" ${4:+"$4"} # the first: it begins without the module
part ipvs-config.sh "$2"
part ipvs-traffic.sh "$3"
exit "$worst"
