# Completion of lbctl for bash: source it, or put it into /usr/share/bash-completion/completions/lbctl.
# Commands and options come from --help, names from the running vipd.
_lbctl() {
    local word before=${COMP_WORDS[COMP_CWORD - 1]} w command='' socket=() words='' i
    # ":" breaks words for bash, and stands in the names of servers
    if declare -F _get_comp_words_by_ref >/dev/null; then
        _get_comp_words_by_ref -n : -c word
    else
        word=${COMP_WORDS[COMP_CWORD]}
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        w=${COMP_WORDS[i]}
        case $w in
        -s | --socket) socket=(-s "${COMP_WORDS[++i]}") ;;
        -*) ;;
        *) [ -n "$command" ] || command=$w ;;
        esac
    done
    if [[ $before == -s || $before == --socket ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
    elif [[ $word == -* ]]; then
        words='--socket --json --help --version --follow --in --wait --force'
    elif [[ $before == --in ]]; then
        words=$(lbctl "${socket[@]}" names virtual_servers 2>/dev/null)
    else
        case $command in
        '' | help) words="help $(lbctl --json help | sed -n 's/.*"command": "\(.*\)".*/\1/p')" ;;
        show | explain) words=$(lbctl "${socket[@]}" names 2>/dev/null) ;;
        failover | hold | release | announce) words=$(lbctl "${socket[@]}" names instances 2>/dev/null) ;;
        drain | disable | enable | weight) words=$(lbctl "${socket[@]}" names real_servers 2>/dev/null) ;;
        check) words=$(lbctl "${socket[@]}" names scripts 2>/dev/null && lbctl "${socket[@]}" names real_servers 2>/dev/null) ;;
        names) words='instances groups virtual_servers real_servers scripts' ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    ! declare -F __ltrim_colon_completions >/dev/null || __ltrim_colon_completions "$word"
}
complete -F _lbctl lbctl
