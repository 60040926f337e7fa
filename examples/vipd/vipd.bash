# Completion of vipd for bash: source it, or put it into /usr/share/bash-completion/completions/vipd.
# Options come from --help, keywords from the tables of the parser.
_vipd() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    if [ "$before" = --keyword ] || { [ "$before" = = ] && [ "${COMP_WORDS[COMP_CWORD - 2]}" = --keyword ]; }; then
        mapfile -t COMPREPLY < <(compgen -W "$(vipd --keyword)" -- "${word#=}")
    elif [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(vipd --help | grep -oE -- '--[a-z][a-z_-]+')" -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}
complete -F _vipd vipd
