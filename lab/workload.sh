# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034 # the variables are for the scripts that source this
#
# Reads what a workload declares about itself. Sourced, after common.sh.
#
# A workload is a shell script that runs inside a guest and exits with 0 if all went well. Its head
# holds comment lines of the form "# KEY: value", up to the first line that is no comment:
#
#   TITLE     what it does, in a few words
#   GUEST     micro (busybox alone, /bin/sh) or full (this machine's own programs, bash)
#   VCPUS     1 to 8
#   MEMORY    of the guest, MiB
#   TIMEOUT   seconds of lab time after which it hangs, for the slowest way to record it
#   PACKAGES  Debian packages that must be installed on this machine (may be left out)

# load_workload NAME-OR-PATH: sets W_FILE, W_NAME and a W_ variable for every key.
load_workload()
{
	local line key
	W_FILE=$1
	[[ $1 == */* ]] || W_FILE=$LAB_DIR/../data/workloads/$1.sh
	[[ -f $W_FILE && -r $W_FILE ]] ||
		die "$1: no such workload; there are: $(workload_names)"
	W_NAME=$(basename "$W_FILE" .sh)
	[[ $W_NAME =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] || die "$W_FILE: unusable file name"
	W_TITLE='' W_GUEST='' W_VCPUS='' W_MEMORY='' W_TIMEOUT='' W_PACKAGES=''
	while IFS= read -r line && [[ $line == '#'* ]]; do
		[[ $line =~ ^'# '([A-Z]+):' '*(.*)$ ]] || continue
		key=${BASH_REMATCH[1]}
		case $key in
		TITLE | GUEST | VCPUS | MEMORY | TIMEOUT | PACKAGES)
			printf -v "W_$key" %s "${BASH_REMATCH[2]}" ;;
		*) die "$W_FILE: unknown key '$key' in its head" ;;
		esac
	done <"$W_FILE"
	[[ -n $W_TITLE ]] || die "$W_FILE: its head lacks '# TITLE:'"
	[[ $W_GUEST == micro || $W_GUEST == full ]] || die "$W_FILE: GUEST must be micro or full"
	for key in VCPUS MEMORY TIMEOUT; do
		line=W_$key
		is_number "${!line}" || die "$W_FILE: $key must be a whole number above 0"
	done
	((W_VCPUS <= 8)) || die "$W_FILE: VCPUS must be 8 at most"
	[[ $W_PACKAGES =~ ^[a-z0-9+.\ -]*$ ]] || die "$W_FILE: PACKAGES holds odd characters"
}

workload_names()
{
	local file
	for file in "$LAB_DIR"/../data/workloads/*.sh; do
		basename "$file" .sh
	done | paste -sd ' '
}

# check_packages: those that the workload names are installed.
check_packages()
{
	local package missing=()
	for package in $W_PACKAGES; do
		[[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
			missing+=("$package")
	done
	((${#missing[@]} == 0)) ||
		die "workload $W_NAME needs packages: ${missing[*]}; as root: apt-get install ${missing[*]}"
}

# guest_flavour: of the kernel that the workload's guest boots.
guest_flavour()
{
	if [[ $W_GUEST == micro ]]; then
		echo cloud-amd64
	else
		echo amd64
	fi
}
