# SPDX-License-Identifier: GPL-2.0-only
# What `unsync record` relies on, without a kernel: the bound on the size of a file, the process that
# keeps files in order, marks.
add_executable(test_trace_bound unit/test_trace_bound.c unit/trace_gen.c)
target_link_libraries(test_trace_bound unsync-trace PkgConfig::CMOCKA)
add_test(NAME trace-bound COMMAND test_trace_bound)

if(TARGET unsync-collector)
	add_executable(test_collector_keeper unit/test_collector_keeper.c)
	target_link_libraries(test_collector_keeper unsync-collector PkgConfig::CMOCKA)
	add_test(NAME collector-keeper COMMAND test_collector_keeper)
endif()
