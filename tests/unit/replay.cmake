# SPDX-License-Identifier: GPL-2.0-only
foreach(name replay replay_cli replay_clock replay_hist replay_stats)
	add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c)
	target_link_libraries(test_${name} PRIVATE unsync-replay PkgConfig::CMOCKA m)
	add_test(NAME unit.${name} COMMAND test_${name})
endforeach()
target_sources(test_replay_cli PRIVATE ${CMAKE_SOURCE_DIR}/cli/replay.c ${CMAKE_SOURCE_DIR}/cli/models.c
	${CMAKE_SOURCE_DIR}/cli/common.c)
