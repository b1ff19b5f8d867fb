# SPDX-License-Identifier: GPL-2.0-only
# The parts of the collector that need no kernel: records in, events out; type information in,
# hooks and layouts out.
add_executable(test_collector_assemble unit/test_collector_assemble.c)
target_link_libraries(test_collector_assemble unsync-assemble PkgConfig::CMOCKA)
add_test(NAME collector-assemble COMMAND test_collector_assemble)

if(TARGET unsync-collector)
	add_executable(test_collector_host unit/test_collector_host.c)
	target_link_libraries(test_collector_host unsync-collector PkgConfig::CMOCKA)
	add_test(NAME collector-host COMMAND test_collector_host)
endif()
