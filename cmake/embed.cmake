# SPDX-License-Identifier: GPL-2.0-only
# Writes a C file that holds other files' content: the program finds them wherever it is moved.
# For a script of the page, NAME.sha256 is added: its hash as a Content-Security-Policy names it.
# Usage: cmake -DOUT=FILE.c -DDIR=FOLDER "-DFILES=a;b" -DHEADER=room/files.h -DTYPE=pl_file -DTABLE=pl_files
#	-P embed.cmake
# HEADER declares "struct TYPE { const char *name; const unsigned char *data; size_t len; }" and TABLE.
# -DSTRIP=.json takes that off the names.

set(table "")
set(text "// Generated from the files named below; do not edit.\n#include \"${HEADER}\"\n")
set(number 0)

# SHA-256 in base64: 32 bytes are ten groups of three, and two bytes that are filled up.
function(hash_of file result)
	set(alphabet "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
	set(base64 "")
	file(SHA256 ${file} hex)
	foreach(group RANGE 10)
		math(EXPR at "${group} * 6")
		string(SUBSTRING "${hex}00" ${at} 6 bytes)
		math(EXPR value "0x${bytes}")
		foreach(shift 18 12 6 0)
			math(EXPR digit "(${value} >> ${shift}) & 63")
			string(SUBSTRING ${alphabet} ${digit} 1 letter)
			string(APPEND base64 ${letter})
		endforeach()
	endforeach()
	string(REGEX REPLACE ".$" "=" base64 ${base64})
	set(${result} ${base64} PARENT_SCOPE)
endfunction()

foreach(name IN LISTS FILES)
	file(READ ${DIR}/${name} hex HEX)
	string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
	string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)"
		"\\1\n" bytes "${bytes}")
	string(APPEND text "\nstatic const unsigned char file_${number}[] = {\n${bytes}\n};\n")
	if(STRIP)
		string(REPLACE "${STRIP}" "" name "${name}")
	endif()
	string(APPEND table "\t{ \"${name}\", file_${number}, sizeof(file_${number}) },\n")
	math(EXPR number "${number} + 1")
	if(name MATCHES "[.]js$")
		hash_of(${DIR}/${name} hash)
		string(LENGTH ${hash} length)
		string(APPEND table "\t{ \"${name}.sha256\", (const unsigned char *)\"${hash}\", ${length} },\n")
	endif()
endforeach()
string(APPEND text "\nconst struct ${TYPE} ${TABLE}[] = {\n${table}\t{ 0 },\n};\n")
file(WRITE ${OUT} "${text}")
