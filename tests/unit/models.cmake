# SPDX-License-Identifier: GPL-2.0-only
foreach(name models models_marks models_modes models_random)
	add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c
		${CMAKE_CURRENT_LIST_DIR}/guest.c ${CMAKE_CURRENT_LIST_DIR}/bed.c)
	target_link_libraries(test_${name} PRIVATE unsync-models unsync-trace PkgConfig::CMOCKA)
	add_test(NAME unit.${name} COMMAND test_${name})
endforeach()
