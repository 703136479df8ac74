# bash completion for sharpsweep                                                            -*- shell-script -*-
# Made by `sharpsweep reference --completion` from the tables of the program; bash 4 or newer.

# @commands

# Files whose names end so, and the folders on the way to them.
_sharpsweep_files() {
    local word=${cur//\\/} suffix
    local -a found
    compopt -o filenames 2>/dev/null
    for suffix; do
        mapfile -t found < <(compgen -f -X "!*$suffix" -- "$word")
        COMPREPLY+=("${found[@]}")
    done
    mapfile -t found < <(compgen -d -- "$word")
    COMPREPLY+=("${found[@]}")
}

_sharpsweep_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

# What may follow an option.
_sharpsweep_values() {
    case $1 in
    --output | -o)
        if [[ $command == report ]]; then _sharpsweep_files /; else _sharpsweep_files .h5; fi
        ;;
    --weights | -w) _sharpsweep_files .h5 ;;
    --status-file) _sharpsweep_files '' ;;
    --progress) _sharpsweep_words 'auto live plain none' ;;
    --launcher) _sharpsweep_words 'auto mpirun srun none' ;;
    --man) _sharpsweep_words '1 5' ;;
    --partition | -p) [[ $command != submit ]] || _sharpsweep_words "$(sinfo -h -o %R 2>/dev/null)" ;;
    esac
}

_sharpsweep() {
    local cur=${COMP_WORDS[COMP_CWORD]} previous='' command='' word option='' n_files=0 only_files='' i
    local -a takes
    COMPREPLY=()
    # `--name=value` is three words to bash.
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ -z $command ]]; then
            command=$word
            read -r -a takes <<<"$(_sharpsweep_takes "$command")"
        elif [[ $word == = && -n $previous ]]; then
            option=$previous
        elif [[ -n $option ]]; then
            option=
        elif [[ -z $only_files && $word == -- ]]; then
            only_files=yes
        elif [[ -z $only_files && $word == -?* ]]; then
            [[ " ${takes[*]:1} " == *" $word= "* ]] && option=$word
        else
            n_files=$((n_files + 1))
        fi
        previous=$word
    done
    [[ $cur != = ]] || cur=
    if [[ -z $command ]]; then
        _sharpsweep_words "$_sharpsweep_commands help --help --version"
    elif [[ $command == help ]]; then
        _sharpsweep_words "$_sharpsweep_commands"
    elif [[ -n $option ]]; then
        _sharpsweep_values "$option"
    elif [[ -z $only_files && $cur == -* ]]; then
        _sharpsweep_words "${takes[*]:1}"
        COMPREPLY=("${COMPREPLY[@]%=}")
    else
        case ${takes[0]-}:$n_files in
        job:0) _sharpsweep_files .yaml .yml ;;
        results:0 | results+:*) _sharpsweep_files .h5 ;;
        esac
    fi
}
complete -F _sharpsweep sharpsweep
