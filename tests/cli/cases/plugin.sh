# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154,SC2016
# models of somebody else: built here, outside of the tree, against what `cmake --install` installs

plugins=$source_dir/tests/plugin
flags=(-std=c11 -O2 -Wall -Wextra -Werror)
if ! command -v cc >/dev/null || ! command -v pkg-config >/dev/null; then
	skips "plug-ins" "cc or pkg-config is not installed"
	return 0
fi
passes "install" cmake --install "${unsync_binary%/*}" --prefix "$work/prefix"
export PKG_CONFIG_PATH=$work/prefix/share/pkgconfig
read -ra header < <(pkg-config --cflags unsync)
skeleton=$(pkg-config --variable=skeleton unsync)
installed=$work/prefix/bin/unsync

# build NAME.so SOURCE FLAGS...
build()
{
	local out=$1 source=$2
	shift 2
	cc "${flags[@]}" -shared -fPIC "${header[@]}" "$source" -o "$out" "$@"
}

# ---- the header: all that there is, and all that it declares is there ----
echo '#include <unsync/model.h>' >"$work/alone.c"
holds "one header is installed" test "$(find "$work/prefix/include" -type f | wc -l)" = 1
holds "header by itself" cc "${flags[@]}" -pedantic "${header[@]}" -fsyntax-only "$work/alone.c"
if command -v g++ >/dev/null; then
	holds "header in C++ compiles in extern C" g++ "${header[@]}" -fsyntax-only -x c++ - \
		<<<'extern "C" {
#include <unsync/model.h>
}'
fi
# Bodies of structures and inline functions aside, what is left are declarations.
declared=$(cc "${header[@]}" -E -P "$work/alone.c" | tr '\n' ' ' |
	sed -E ':again; s/\{[^{}]*\}/;/; t again; s/;/;\n/g' | grep -v 'static inline' |
	grep -oE '\bu[mt]_[a-z0-9_]+ ?\(' | tr -d ' (' | sort -u)
exported=$(nm -D --defined-only "$installed" | awk '{ print $3 }' | grep -E '^u[mt]_' | sort -u)
holds "the header declares functions" test "$(wc -l <<<"$declared")" -gt 20
holds "unsync exports what the header declares, no more and no less" \
	diff <(echo "$declared") <(echo "$exported")

# ---- the skeleton ----
holds "the skeleton builds" build "$work/skeleton.so" "$skeleton"
holds "the skeleton compiles to be built in" cc "${flags[@]}" -DUNSYNC_BUILT_IN "${header[@]}" -c \
	"$skeleton" -o "$work/skeleton.o"
holds "built in, it has a name of its own and no other" test \
	"$(nm --defined-only -g "$work/skeleton.o" | awk '{ print $3 }')" = um_skeleton
cp "$work/skeleton.so" mine.so
prints "its options and counters" 'patience=4' unsync models ./mine.so
prints "without a slash" '^skeleton$' unsync models mine.so
prints "as JSON" '"plugin": "./mine.so"' unsync models --json ./mine.so
passes "check" unsync models --check ./mine.so
holds "check: all tests passed" grep -qE '^[0-9]+ passed, 0 failed$' "$work/out"
prints "replay: its own counters" '^skeleton .* patient: ' \
	unsync replay --no-measure --model ./mine.so exact.utrace
passes "replay by the installed command, measured" \
	"$installed" replay --passes 1 -q --model null,./mine.so -o "$work/r.json" exact.utrace
holds "results: own counters, their meaning and the file" jq -e \
	'.runs[1] | .own.patient >= 0 and .plugin == "./mine.so" and .options.patience == "4"' \
	"$work/r.json"
holds "results: glossary" jq -e '.glossary.own.skeleton.patient' "$work/r.json"
passes "replay with an option, and the same file twice" unsync replay --no-measure --format json \
	--model ./mine.so:patience=0 --model ./mine.so,mine.so exact.utrace
holds "an option is another run, the same again is not" jq -e \
	'[.runs[].label] == ["skeleton(patience=0)", "skeleton"]' "$work/out"
holds "patience 0: no write is waited for" jq -e '.runs[0].own.patient == 0' "$work/out"
passes "CSV" unsync replay --no-measure --format csv --model null,./mine.so exact.utrace
holds "CSV: own counters have columns" test \
	"$(head -n 1 "$work/out" | grep -o 'skeleton\.[a-z_]*' | paste -sd ,)" = \
	skeleton.patient,skeleton.lists_synced
holds "CSV: every line has all columns" test "$(awk -F, '{ print NF }' "$work/out" | sort -u | wc -l)" = 1
fails "option it does not have" 2 "model skeleton has no option 'x'" \
	unsync replay --model ./mine.so:x=1 exact.utrace
fails "value it does not take" 2 "option patience takes a number" \
	unsync replay --model ./mine.so:patience=x exact.utrace
passes "plot" unsync plot "$work/r.json" -o "$work/page"

# ---- a built-in model's own source, built outside ----
mkdir "$work/out-of-tree"
cp "$source_dir"/models/{sync_on_write.c,flood.c,flood.h} "$work/out-of-tree"
sed -i 's,"models/\(builtin\|model\)\.h",<unsync/model.h>,; s,"models/flood.h","flood.h",' \
	"$work"/out-of-tree/*
holds "sync-on-write builds" build "$work/taken.so" "$work/out-of-tree/sync_on_write.c" \
	"$work/out-of-tree/flood.c"
fails "the name of a built-in model" 1 "taken.so: a built-in model is named sync-on-write, too; " \
	unsync replay --model "$work/taken.so" exact.utrace
sed -i 's/"sync-on-write"/"outside"/' "$work/out-of-tree/sync_on_write.c"
holds "sync-on-write builds under another name" build "$work/outside.so" \
	"$work/out-of-tree/sync_on_write.c" "$work/out-of-tree/flood.c"
for trace in exact.utrace native.utrace; do
	passes "$trace: inside and outside" unsync replay --no-measure --format json \
		--model sync-on-write --model "$work/outside.so" "$trace"
	holds "$trace: inside and outside count the same" jq -e \
		'[.runs[] | {options, counted, resyncs, timeline}] | length == 2 and .[0] == .[1]' \
		"$work/out"
done

# ---- refused, with a sentence: file, what is wrong, what to do ----

# refused NAME PATTERN FLAGS...: broken.c so built must not be loaded by any verb.
refused()
{
	local name=$1 pattern=$2
	shift 2
	holds "$name: builds" build "$work/broken.so" "$plugins/broken.c" "$@"
	for verb in "replay --model $work/broken.so exact.utrace" "models $work/broken.so" \
		"models --check $work/broken.so"; do
		# shellcheck disable=SC2086
		fails "$name: ${verb%% /*}" 1 "^unsync: $work/broken.so: $pattern" unsync $verb
	done
}

flaw() { refused "$1" "$2" -DFLAW="$1"; }

flaw MAGIC "unsync_model is no model .*; begin it with UM_MODEL_HEAD\$"
flaw ABI "made for version [0-9]+ of the interface, this unsync has version [0-9]+; build it again"
flaw SIZE "struct um_model has [0-9]+ bytes there and [0-9]+ here; build it again"
flaw LAYOUT "pages, frames or events are laid out in another way there; .* build it again"
flaw NO_WANT_WRITABLE "the hook want_writable is missing; "
flaw NO_TABLE_WRITTEN "the hook table_written is missing; "
flaw NO_CR3_WRITTEN "the hook cr3_written is missing; "
for name in NO_NAME WILD_NAME ODD_NAME NAME_ALL; do
	flaw $name "the model has no proper name; set .name"
done
flaw NAME_TAKEN "a built-in model is named null, too; change .name"
flaw NO_SUMMARY "the model has no summary; set .summary"
flaw TWO_LINES "the model has no summary; set .summary to one line"
flaw GREEDY "the model wants more than 16 MiB .*; set .state_bytes"
flaw OPTION_TYPE "option limit is of type 7, which there is not; use UM_OPT_"
flaw OPTION_NO_HELP "option limit has no help; set .help"
flaw OPTION_NO_DEFAULT "option limit has no default; set .def"
flaw OPTION_DEFAULT "the default is not allowed: option limit takes a number from 1 to 9, not '10'; "
flaw OPTION_RANGE "option limit: 100 to 9 is no range; set .min and .max"
flaw OPTION_NO_CHOICES "option how is a choice, but has no .choices; "
flaw OPTION_CHOICES "option how: choices \"a\|\|b\" are not of the form"
flaw OPTION_TWICE "two options are named limit; rename one"
flaw OPTIONS_WILD "options\[0\] has no proper name .*; a table ends with"
flaw COUNTER_NAME "counters\[0\] has no proper name .*; a table ends with"
flaw COUNTER_NO_HELP "counter one has no help; set .help"
flaw COUNTER_SHARED "counter writes: all models have one of that name; rename it"
flaw COUNTER_TWICE "two counters are named one; rename one"
refused "no symbol" "no symbol unsync_model; define the model with UM_MODEL" -DFLAW=NONE -DWITHOUT_SYMBOL
refused "a function" "unsync_model is no struct um_model; " -DFLAW=NONE -DAS_FUNCTION
refused "an object too short" "struct um_model has 12 bytes there" -DFLAW=NONE -DAS_SHORT_OBJECT
refused "options without an end" "" -DFLAW=NONE -DWITHOUT_OPTIONS_END
refused "counters without an end" "" -DFLAW=NONE -DWITHOUT_COUNTERS_END
refused "a function that is not there" "it needs there_is_no_such_function, which .*; build it" \
	-DFLAW=NONE -DWITH_UNDEFINED
fails "no file" 1 '^unsync: \./none\.so: No such file' unsync replay --model ./none.so exact.utrace
fails "a folder" 1 'no file; name a shared object' unsync replay --model ./ exact.utrace
echo text >"$work/text.so"
fails "no shared object" 1 'not a shared object for this program .*; build it with cc -shared' \
	unsync replay --model "$work/text.so" exact.utrace
: >"$work/empty.so"
fails "an empty file" 1 'not a shared object' unsync replay --model "$work/empty.so" exact.utrace
fails "a program" 1 'not a shared object' unsync replay --model /bin/true exact.utrace
fails "no such name" 2 "no model 'mine'; 'unsync models' lists them" \
	unsync replay --model mine exact.utrace
holds "right but for nothing: builds" build "$work/right.so" "$plugins/broken.c" -DFLAW=NONE
passes "right but for nothing: check" unsync models --check "$work/right.so"
holds "another of the same name: builds" build "$work/other.so" "$plugins/broken.c" -DFLAW=LEAK
fails "two models of one name" 1 'other.so: .*/right.so has a model named broken, too; rename one' \
	unsync models "$work/right.so" "$work/other.so"

# ---- loaded, and found out by the check ----

# found FLAW TEST PATTERN [OPTIONS...]: the line of that test says so, the others as they may.
found()
{
	local flaw=$1 test=$2 pattern=$3 status=0
	shift 3
	holds "$flaw: builds" build "$work/broken.so" "$plugins/broken.c" -DFLAW="$flaw"
	run unsync models --check "$@" "$work/broken.so" || status=$?
	holds "$flaw: exit status" test "$status" = 1
	holds "$flaw: the test $test fails" grep -qE "^FAILED  $test +$pattern" "$work/out"
	holds "$flaw: sums up" grep -qE '^[0-9]+ passed, [1-9][0-9]* failed$' "$work/out"
}

# With AddressSanitizer a crash is an exit, and the report of it goes to stderr.
crashed='(crashed: signal 11 \(Segmentation fault\)|ended the process with exit status 1)'
found CRASH determinism "$crashed"
found HANG determinism 'did not end within 1 s' --seconds 1
found EXIT determinism 'ended the process with exit status 7'
found DEAF determinism 'did not end within 1 s' --seconds 1
found RANDOM determinism 'one is [0-9]+ the first time and [0-9]+ the second'
found GLOBAL fresh 'one is [0-9]+ in the first instance and [0-9]+ in one after another'
found GLOBAL blocks 'one is [0-9]+ in one piece and [0-9]+ in blocks of 1'
found LEAK leaks '(each life of an instance leaves [0-9]+ bytes behind; |LeakSanitizer found a leak)'
found FALLS accounts 'one fell from 1 to 0 at event [0-9]+'
found VERDICT accounts 'gave up: want_writable\(\) answered 5, which is no verdict'
found LIE accounts 'gave up: want_writable\(\) gave table 0x[0-9a-f]+ away while 1 of'
found OPTION_REFUSED options 'with limit=9, which its table allows: .*: 9 is too much'
found NO_END accounts 'gave up: um_resync_begin\(\) without its um_resync_end\(\)'
found BOOKS accounts 'bookkeeping is -8 bytes at event [0-9]+'
found UNSOUND sound '[0-9]+ violations, the first: event [0-9]+ '
found NO_OPTION determinism "refuses its defaults: the model asks for an option 'limits'"
found OPTION_AS_BOOL determinism "refuses .*'limit' that is not in its table as of that type"
holds "CRASH_LOADING: builds" build "$work/broken.so" "$plugins/broken.c" -DFLAW=CRASH_LOADING
run unsync models --check "$work/broken.so"
holds "CRASH_LOADING: says so" grep -qE "^unsync: $work/broken.so: $crashed" "$work/err"
holds "CHATTER: builds" build "$work/broken.so" "$plugins/broken.c" -DFLAW=CHATTER
run unsync models --check "$work/broken.so"
holds "CHATTER: nothing of it on stdout" sh -c '! grep -q hello "$1"' sh "$work/out"
