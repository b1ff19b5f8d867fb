# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# bash completion for unsync. It asks the command itself: verbs and options are those of --help, models
# and their options those of `unsync models`, so that it knows no more and no less than what is installed.

_unsync_verbs() { "$1" --help 2>/dev/null | sed -nE 's/^  ([a-z]+) .*/\1/p'; }

# _unsync_options COMMAND VERB: every option, short and long.
_unsync_options()
{
	"$1" "$2" --help 2>/dev/null | sed -nE 's/^ +(-.*)/\1/p' | sed -E 's/   *.*//' |
		grep -oE -e '(^|[ ,])--?[a-z][a-z-]*' | tr -d ' ,'
}

# _unsync_takes COMMAND VERB OPTION: does it take a value?
_unsync_takes()
{
	"$1" "$2" --help 2>/dev/null | sed -nE 's/^ +(-.*)/\1/p' | sed -E 's/   *.*//' |
		grep -qE -e "(^|, )$3(,.*)? [A-Z]"
}

# _unsync_values COMMAND VERB OPTION: those that help lists in lines of their own below it, or else in its
# text as "a, b or c" with the default in parentheses.
_unsync_values()
{
	"$1" "$2" --help 2>/dev/null | awk -v option="$3" '
	/^ +-/ {
		head = $0
		sub(/^ +/, "", head)
		text = head
		sub(/   *.*/, "", head)
		text = substr(text, length(head) + 1)
		n = split(head, words, /[ ,]+/)
		mine = 0
		for (i = 1; i <= n; i++)
			if (words[i] == option)
				mine = 1
		if (mine)
			said = text
		next
	}
	mine && /^          +[a-z]+  +[^ ]/ { print $1; listed = 1; next }
	mine && /^ / { said = said " " $0 }
	/^$/ { mine = 0 }
	END {
		if (listed)
			exit
		gsub(/ *\([^)]*\)/, "", said)
		sub(/^ +/, "", said)
		if (match(said, /[a-z]+(, [a-z]+)*,? +or +[a-z]+/)) {
			said = substr(said, RSTART, RLENGTH)
			gsub(/,|  *or  */, " ", said)
			gsub(/ +/, "\n", said)
			print said
		}
	}'
}

_unsync_models() { "$1" models 2>/dev/null | grep -E '^[a-z]'; }

# _unsync_model COMMAND WORD: for NAME,NAME or NAME:option=value,option=value
_unsync_model()
{
	local command=$1 word=$2 head='' name option
	if [[ $word != *:* ]]; then
		[[ $word == *,* ]] && head=${word%,*},
		{ echo all; _unsync_models "$command"; } | sed "s|^|$head|"
		return
	fi
	name=${word%%:*}
	head=$name:
	option=${word#*:}
	if [[ $option == *,* ]]; then
		head=$head${option%,*},
		option=${option##*,}
	fi
	if [[ $option == *=* ]]; then
		"$command" models "$name" 2>/dev/null |
			sed -nE "s/^    ${option%%=*}=[^ ]*  \((.*)\)\$/\1/p" |
			sed -E 's/^yes or no$/yes|no/; /^[0-9]+ to [0-9]+$/d' | tr '|' '\n' |
			sed "s|^|$head${option%%=*}=|"
	else
		"$command" models "$name" 2>/dev/null |
			sed -nE "s|^    ([a-z_]+)=[^ ]*  \(.*|$head\1=|p"
	fi
}

# _unsync_kinds COMMAND WORD: a list with commas of what --help of dump has below "Kinds:"
_unsync_kinds()
{
	local head=''
	[[ $2 == *,* ]] && head=${2%,*},
	"$1" dump --help 2>/dev/null | sed -n '/Kinds:$/,$p' | sed 1d | tr -s ' ' '\n' | sed '/^$/d' |
		sed "s|^|$head|"
}

# _unsync_files WORD SUFFIX...: files that end so, and folders to go on in
_unsync_files()
{
	local word=$1 file suffix
	shift
	while IFS= read -r file; do
		if [[ -d $file ]]; then
			echo "$file/"
			continue
		fi
		for suffix in "$@"; do
			[[ $file == *"$suffix" ]] && echo "$file"
		done
	done < <(compgen -f -- "$word")
}

_unsync()
{
	local IFS=$' \t\n' command verb='' word='' previous='' line=${COMP_LINE:0:COMP_POINT}
	local -a words candidates=()
	local i cut=''

	read -ra words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=("")
	command=${words[0]/#\~/$HOME}
	word=${words[${#words[@]} - 1]}
	previous=${words[${#words[@]} - 2]}
	((${#words[@]} > 2)) && verb=${words[1]}
	COMPREPLY=()

	# --option=value is the value of an option
	if [[ $word == --*=* ]]; then
		previous=${word%%=*}
		cut=$previous=
		word=${word#*=}
	fi

	# what follows -- is somebody else's command
	for ((i = 2; i < ${#words[@]} - 1; i++)); do
		if [[ ${words[i]} == -- ]]; then
			mapfile -t COMPREPLY < <(compgen -o default -c -- "$word")
			return
		fi
	done

	if [[ -z $verb ]]; then
		mapfile -t candidates < <(_unsync_verbs "$command"; printf '%s\n' --help --version)
	elif [[ $previous == -* && $previous != "$verb" ]] && _unsync_takes "$command" "$verb" "$previous"; then
		case $verb:$previous in
		replay:-m | replay:--model)
			if [[ $word == */* || $word == *.so ]]; then
				mapfile -t candidates < <(_unsync_files "$word" .so)
			else
				mapfile -t candidates < <(_unsync_model "$command" "$word")
			fi
			;;
		compare:-m | compare:--model) mapfile -t candidates < <(_unsync_models "$command") ;;
		cost:-m | cost:--among) mapfile -t candidates < <(_unsync_models "$command") ;;
		cost:-p | cost:--platform)
			mapfile -t candidates < <("$command" cost --list 2>/dev/null; _unsync_files "$word" .json)
			;;
		cost:--profile-from) mapfile -t candidates < <(_unsync_files "$word" .utrace) ;;
		dump:-k | dump:--kind) mapfile -t candidates < <(_unsync_kinds "$command" "$word") ;;
		replay:--predict) mapfile -t candidates < <(_unsync_files "$word" .utrace) ;;
		export:-r | export:--replay) mapfile -t candidates < <(_unsync_files "$word" .json) ;;
		*:-o | *:--output) mapfile -t candidates < <(compgen -f -- "$word") ;;
		*) mapfile -t candidates < <(_unsync_values "$command" "$verb" "$previous") ;;
		esac
	elif [[ $word == -* ]]; then
		mapfile -t candidates < <(_unsync_options "$command" "$verb")
	else
		case $verb in
		models)
			mapfile -t candidates < <(_unsync_models "$command"; _unsync_files "$word" .so)
			;;
		info | dump | scrub | replay | export) mapfile -t candidates < <(_unsync_files "$word" .utrace) ;;
		plot | compare | cost) mapfile -t candidates < <(_unsync_files "$word" .json) ;;
		doctor | gen | mark | record) ;;
		*) mapfile -t candidates < <(compgen -f -- "$word") ;;
		esac
	fi

	# bash replaces only what stands after the last of these characters
	[[ $COMP_WORDBREAKS == *=* && $cut$word == *=* ]] && i=${word%"${word##*=}"} || i=''
	[[ $COMP_WORDBREAKS == *:* && ${word#"$i"} == *:* ]] && i=${word%"${word##*:}"}
	[[ $COMP_WORDBREAKS == *=* ]] || candidates=("${candidates[@]/#/$cut}")
	[[ $COMP_WORDBREAKS == *=* ]] || word=$cut$word
	local candidate files=0
	for candidate in "${candidates[@]}"; do
		if [[ -n $candidate && $candidate == "$word"* ]]; then
			COMPREPLY+=("${candidate#"$i"}")
			[[ -e $candidate ]] && files=1
		fi
	done
	# names of files are quoted where they need it; nothing else may be
	((files)) && compopt -o filenames 2>/dev/null
	# a model's option wants its value, a folder what is in it
	if ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} == *[=/] ]]; then
		compopt -o nospace 2>/dev/null
	fi
}

complete -F _unsync unsync
