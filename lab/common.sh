# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034 # the variables are for the scripts that source this
#
# What every lab script shares: messages, the cache folder, kernels and initramfs files in it.
# Sourced, never run. The scripts that source it have already set -euo pipefail.

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB_ME=lab/$(basename "$0")
LAB_CACHE=${UNSYNC_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/unsync/lab}

# Guests always run this kernel series, whatever the lab host runs, so that the same workload
# means the same guest on every host.
LAB_GUEST_SERIES=6.1

say() { printf '%s: %s\n' "$LAB_ME" "$*" >&2; }
die() { say "$*"; exit 1; }
usage_error() { say "$*; see $LAB_ME --help"; exit 2; }

# The comment block at the head of the calling script is its help text.
lab_help() { sed -n '/^# SPDX/d; 2,/^$/s/^# \{0,1\}//p' "$0"; }

# is_number WORD: a plain decimal number above zero, short enough for the shell's arithmetic.
is_number() { [[ $1 =~ ^[1-9][0-9]{0,8}$ ]]; }

# need_value OPTION COUNT: COUNT arguments are left, the option itself included.
need_value() { (($2 >= 2)) || usage_error "$1 needs a value"; }

# Commands the lab needs, and the Debian package each of them comes from.
LAB_TOOLS=(qemu-system-x86_64:qemu-system-x86 busybox:busybox-static cpio:cpio depmod:kmod
	dpkg:dpkg apt-get:apt xz:xz-utils lz4:lz4 zstd:zstd make:make gcc:gcc flock:util-linux)

lab_missing_packages()
{
	local pair
	for pair in "${LAB_TOOLS[@]}"; do
		PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%:*}" >/dev/null || echo "${pair#*:}"
	done | sort -u
}

# kernel_dir SERIES FLAVOUR: where that kernel is kept (FLAVOUR is amd64 or cloud-amd64).
kernel_dir() { printf '%s/%s-%s\n' "$LAB_CACHE" "$1" "$2"; }

# kernel_release SERIES FLAVOUR: its release as uname -r prints it.
kernel_release() { cat "$(kernel_dir "$1" "$2")/release"; }

# newest_image SERIES FLAVOUR: the newest packaged kernel image, the signed one if there is one
# (the code in both is the same).
newest_image()
{
	local series=${1//./\\.} newest
	newest=$(apt-cache search --names-only \
		"^linux-image-$series\\.[0-9.+~-]*(deb[0-9]+[0-9.u]*)?-$2(-unsigned)?\$" |
		awk '{ sub(/-unsigned$/, "", $1); print $1 }' | sort -uV | tail -n 1)
	[[ -n $newest ]] || die "no Linux $1 image ($2) among the packages; run apt-get update," \
		"or choose another --kernel"
	apt-cache show --no-all-versions "$newest" >/dev/null 2>&1 || newest+=-unsigned
	echo "$newest"
}

# header_packages RELEASE: what is needed to build a module for that kernel.
header_packages()
{
	echo "linux-headers-$1"
	apt-cache depends --no-recommends --no-suggests "linux-headers-$1" |
		awk '$1 == "Depends:" && $2 ~ /^linux-(headers|kbuild)-/ { print $2 }'
}

# u32_at FILE OFFSET: little-endian, as every bzImage field is.
u32_at() { od -An -v -tu4 --endian=little -j "$2" -N 4 "$1" | tr -d ' '; }

# cut_vmlinux BZIMAGE OUT: writes the ELF kernel that a bzImage carries. Where the payload lies is
# in the image's own setup header (Documentation/arch/x86/boot.rst: setup_sects at 0x1f1, magic
# "HdrS" at 0x202, payload_offset and payload_length at 0x248 and 0x24c). Its last four bytes are
# the size of what is packed.
cut_vmlinux()
{
	local image=$1 out=$2 sectors start length magic size
	[[ $(od -An -c -j 514 -N 4 "$image" | tr -d ' ') == HdrS ]] ||
		die "$image: not a bzImage, so its kernel cannot be cut out"
	sectors=$(od -An -tu1 -j 497 -N 1 "$image" | tr -d ' ')
	start=$((((sectors ? sectors : 4) + 1) * 512 + $(u32_at "$image" 584)))
	length=$(($(u32_at "$image" 588) - 4))
	((length > 0 && start + length + 4 <= $(stat -c %s "$image"))) ||
		die "$image: offset 584: the packed kernel lies outside of the file"
	size=$(u32_at "$image" $((start + length)))
	magic=$(od -An -tx1 -j "$start" -N 4 "$image" | tr -d ' ')

	local -a unpack
	case $magic in
	fd377a58) unpack=(xz -dc) ;;
	02214c18) unpack=(lz4 -dc) ;;
	28b52ffd) unpack=(zstd -dcq --long=31) ;;
	1f8b*) unpack=(gzip -dc) ;;
	*) die "$image: offset $start: kernel packed in an unknown way (magic $magic)" ;;
	esac
	dd if="$image" bs=1M iflag=skip_bytes,count_bytes skip="$start" count="$length" status=none |
		"${unpack[@]}" >"$out" ||
		die "$image: offset $start: ${unpack[0]} cannot unpack the kernel"
	[[ $(head -c 4 "$out") == $'\x7fELF' && $(stat -c %s "$out") == "$size" ]] ||
		die "$image: offset $start: what was unpacked is not a whole ELF kernel"
}

# download DIR PACKAGE...: unpacks packages into DIR/root without installing them.
download()
{
	local dir=$1 deb
	shift
	# apt's download user may not write into a private folder; it then says so and goes on.
	(cd "$dir" && apt-get -qq download "$@" 2>apt.log) ||
		die "cannot download $*: $(grep -m1 '^E:' "$dir/apt.log" || echo 'apt-get failed')"
	for deb in "$dir"/*.deb; do
		dpkg -x "$deb" "$dir/root" || die "cannot unpack ${deb##*/}"
	done
	rm -f "$dir"/*.deb "$dir/apt.log"
}

# fetch_kernel SERIES FLAVOUR: brings a kernel into the cache, in one step at the end.
fetch_kernel()
{
	local final tmp image release
	final=$(kernel_dir "$1" "$2")
	image=$(newest_image "$1" "$2")
	release=${image#linux-image-}
	release=${release%-unsigned}
	if [[ -e $final/release && $(<"$final/release") == "$release" ]]; then
		return
	fi
	say "fetching $image"
	tmp=$final.new
	rm -rf "$tmp"
	mkdir -p "$tmp"
	if [[ $2 == amd64 ]]; then
		# shellcheck disable=SC2046 # package names hold no blanks
		download "$tmp" "$image" $(header_packages "$release")
		relocate_headers "$tmp" "$final" "$release"
	else
		download "$tmp" "$image"
	fi
	cut_vmlinux "$tmp/root/boot/vmlinuz-$release" "$tmp/vmlinux"
	PATH=$PATH:/usr/sbin:/sbin depmod -b "$tmp/root" "$release"
	echo "$release" >"$tmp/release"
	rm -rf "$final"
	mv "$tmp" "$final"
}

# relocate_headers TMP FINAL RELEASE: Debian's header packages name each other by absolute path.
relocate_headers()
{
	local headers=$1/root/usr/src/linux-headers-$3
	[[ -d $headers ]] || die "linux-headers-$3 does not hold /usr/src/linux-headers-$3"
	find "$headers" -maxdepth 1 -name Makefile -exec sed -i "s#/usr/src/#$2/root/usr/src/#g" {} +
	ln -sfn "$2/root/usr/src/linux-headers-$3" "$1/root/lib/modules/$3/build"
}

# need_kernel SERIES FLAVOUR: fetched unless the cache has one already.
need_kernel()
{
	[[ -e $(kernel_dir "$1" "$2")/release ]] && return
	mkdir -p "$LAB_CACHE"
	(
		flock 9
		[[ -e $(kernel_dir "$1" "$2")/release ]] || fetch_kernel "$1" "$2"
	) 9>"$LAB_CACHE/lock"
}

# find_unsync: the newest one that was built, else the installed one.
find_unsync()
{
	local found
	found=$(find "$LAB_DIR/../build" -type f -name unsync -perm -u+x -printf '%T@ %p\n' \
		2>/dev/null | sort -n | tail -n 1 | cut -d ' ' -f 2-)
	[[ -n $found ]] || found=$(command -v unsync) ||
		die "no unsync found; build it, or name it with --unsync"
	realpath "$found"
}

# pack DIR: a folder as an initramfs archive on standard output.
pack() { (cd "$1" && find . -print0 | sort -z | cpio -0 -o -H newc -R 0:0 --quiet); }

# add_modules DIR RELEASE TREE MODULE...: unpacked, with a list in the order to load them.
# A module may carry parameters: "kvm_amd npt=0".
add_modules()
{
	local dir=$1 release=$2 tree=$3 module file name params
	shift 3
	mkdir -p "$dir/modules"
	for module in "$@"; do
		params=${module#"${module%% *}"}
		while read -r _ file; do
			name=$(basename "$file" .xz)
			[[ -e $dir/modules/$name ]] && continue
			case $file in
			*.xz) xz -dc "$file" ;;
			*) cat "$file" ;;
			esac >"$dir/modules/$name"
			if [[ $name == "${module%% *}.ko" ]]; then
				echo "$name$params"
			else
				echo "$name"
			fi
		done < <(PATH=$PATH:/usr/sbin:/sbin modprobe -a --show-depends -d "$tree" -S "$release" \
			"${module%% *}" | grep '^insmod')
	done >>"$dir/modules/order"
}

# build_initramfs OUT ROLE SERIES: busybox, lab/init and the modules that the role needs.
build_initramfs()
{
	local out=$1 role=$2 series=$3 dir release tree
	local -a modules=()
	case $role in
	# nothing but busybox: the micro guest
	micro) ;;
	full) modules=(virtio_pci 9pnet_virtio 9p overlay) ;;
	# kvm_amd pulls kvm in; without the TDP MMU and nested paging every guest is shadowed
	host) modules=(virtio_pci 9pnet_virtio 9p overlay virtio_console
		"kvm tdp_mmu=0" "kvm-amd npt=0 nested=0") ;;
	esac
	dir=$(mktemp -d)
	mkdir -p "$dir"/{bin,proc,sys,dev,root,lower,upper,modules}
	: >"$dir/modules/order"
	cp "$(command -v busybox)" "$dir/bin/busybox"
	cp "$LAB_DIR/init" "$dir/init"
	chmod 755 "$dir/init"
	if ((${#modules[@]})); then
		release=$(kernel_release "$series" amd64)
		tree=$(kernel_dir "$series" amd64)/root
		add_modules "$dir" "$release" "$tree" "${modules[@]}"
	fi
	pack "$dir" >"$out.$$"
	mv "$out.$$" "$out"
	rm -rf "$dir"
}

# need_initramfs ROLE SERIES: prints the path of an initramfs that is not older than its parts.
need_initramfs()
{
	local out=$LAB_CACHE/initramfs-$1-$2.cpio part
	(
		flock 9
		for part in "$LAB_DIR/init" "$LAB_DIR/common.sh" "$(kernel_dir "$2" amd64)/release"; do
			if [[ ! $out -nt $part ]]; then
				build_initramfs "$out" "$1" "$2"
				break
			fi
		done
	) 9>"$LAB_CACHE/lock"
	echo "$out"
}

# need_exact_module SERIES: builds collector/exact for that kernel unless it is there; prints its path.
need_exact_module()
{
	local dir out source=$LAB_DIR/../collector/exact
	dir=$(kernel_dir "$1" amd64)
	out=$dir/unsync_exact.ko
	(
		flock 9
		[[ -e $out && -z $(find "$source" -type f -newer "$out") ]] && exit
		rm -rf "$dir/exact"
		mkdir "$dir/exact"
		cp "$source"/{Kbuild,Makefile,*.c} "$dir/exact"
		make -C "$dir/exact" \
			KDIR="$dir/root/usr/src/linux-headers-$(kernel_release "$1" amd64)" \
			>"$dir/exact/log" 2>&1 ||
			die "cannot build collector/exact for Linux $1; see $dir/exact/log"
		mv "$dir/exact/unsync_exact.ko" "$out"
	) 9>"$LAB_CACHE/lock"
	echo "$out"
}
