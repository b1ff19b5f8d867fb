# SPDX-License-Identifier: GPL-2.0-only
# The reader of perf.data.
if(TARGET unsync-import)
	add_library(perf-make STATIC unit/perf_make.c)
	target_link_libraries(perf-make PUBLIC unsync-import)
	foreach(name import_perf import_perf_damage)
		add_executable(test_${name} unit/test_${name}.c)
		target_link_libraries(test_${name} perf-make PkgConfig::CMOCKA)
		string(REPLACE "_" "-" test ${name})
		add_test(NAME ${test} COMMAND test_${name})
	endforeach()
endif()
