# SPDX-License-Identifier: GPL-2.0-only
foreach(name replay replay_away replay_cli replay_clock replay_hardware replay_hist replay_measured replay_notes
		replay_oracle replay_stats replay_team replay_truth)
	add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c)
	target_link_libraries(test_${name} PRIVATE unsync-replay PkgConfig::CMOCKA m)
	add_test(NAME unit.${name} COMMAND test_${name})
endforeach()
target_compile_definitions(test_replay PRIVATE UNSYNC_TRACES="${CMAKE_SOURCE_DIR}/data/traces")
target_compile_definitions(test_replay_truth PRIVATE UNSYNC_TRACES="${CMAKE_SOURCE_DIR}/data/traces"
	UNSYNC_PAIRS="${CMAKE_SOURCE_DIR}/tests/known/pairs")
target_link_libraries(test_replay_cli PRIVATE unsync-plots)
target_sources(test_replay_cli PRIVATE ${CMAKE_SOURCE_DIR}/cli/replay.c ${CMAKE_SOURCE_DIR}/cli/predict.c
	${CMAKE_SOURCE_DIR}/cli/models.c ${CMAKE_SOURCE_DIR}/cli/check.c ${CMAKE_SOURCE_DIR}/cli/common.c)
add_test(NAME unit.results_schema COMMAND python3 ${CMAKE_CURRENT_LIST_DIR}/results_schema.py
	$<TARGET_FILE:unsync> $<TARGET_FILE:mktrace> ${CMAKE_SOURCE_DIR}/docs/results.schema.json)
set_tests_properties(unit.results_schema PROPERTIES SKIP_RETURN_CODE 77)
target_sources(test_replay_oracle PRIVATE ${CMAKE_CURRENT_LIST_DIR}/guest.c)
