# SPDX-License-Identifier: GPL-2.0-only
foreach(suite platform rank)
	add_executable(test_cost_${suite} ${CMAKE_CURRENT_LIST_DIR}/test_cost_${suite}.c)
	target_link_libraries(test_cost_${suite} PRIVATE unsync-cost PkgConfig::CMOCKA m)
	add_test(NAME unit.cost_${suite} COMMAND test_cost_${suite})
endforeach()
