# SPDX-License-Identifier: GPL-2.0-only
add_executable(test_compare_rank ${CMAKE_CURRENT_LIST_DIR}/test_compare_rank.c)
target_link_libraries(test_compare_rank PRIVATE unsync-compare PkgConfig::CMOCKA m)
add_test(NAME unit.compare_rank COMMAND test_compare_rank)

add_test(NAME unit.schemas COMMAND ${CMAKE_SOURCE_DIR}/tests/formats/schemas.py $<TARGET_FILE:unsync>
	${CMAKE_SOURCE_DIR})
set_tests_properties(unit.schemas PROPERTIES LABELS unit SKIP_RETURN_CODE 77 TIMEOUT 300)
