# SPDX-License-Identifier: GPL-2.0-only
foreach(suite platform rank)
	add_executable(test_cost_${suite} ${CMAKE_CURRENT_LIST_DIR}/test_cost_${suite}.c)
	target_link_libraries(test_cost_${suite} PRIVATE unsync-cost PkgConfig::CMOCKA m)
	add_test(NAME unit.cost_${suite} COMMAND test_cost_${suite})
endforeach()
add_test(NAME unit.cost_schema COMMAND python3 ${CMAKE_CURRENT_LIST_DIR}/cost_schema.py $<TARGET_FILE:unsync>
	${CMAKE_SOURCE_DIR}/docs/cost.schema.json ${CMAKE_SOURCE_DIR}/tests/golden/boot-exact.json
	${CMAKE_SOURCE_DIR}/tests/golden/fork-exact.json ${CMAKE_SOURCE_DIR}/tests/golden/fork-native.json)
set_tests_properties(unit.cost_schema PROPERTIES SKIP_RETURN_CODE 77)
