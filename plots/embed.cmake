# SPDX-License-Identifier: GPL-2.0-only
# Writes a C file that holds other files' content: the program finds its scripts wherever it is moved.
# Usage: cmake -DOUT=FILE.c -DDIR=FOLDER "-DFILES=a;b" -P embed.cmake

set(table "")
set(text "// Generated from the files named below; do not edit.\n#include \"plots/files.h\"\n")
set(number 0)
foreach(name IN LISTS FILES)
	file(READ ${DIR}/${name} hex HEX)
	string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
	string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)"
		"\\1\n" bytes "${bytes}")
	string(APPEND text "\nstatic const unsigned char file_${number}[] = {\n${bytes}\n};\n")
	string(APPEND table "\t{ \"${name}\", file_${number}, sizeof(file_${number}) },\n")
	math(EXPR number "${number} + 1")
endforeach()
string(APPEND text "\nconst struct pl_file pl_files[] = {\n${table}\t{ 0 },\n};\n")
file(WRITE ${OUT} "${text}")
