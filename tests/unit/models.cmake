# SPDX-License-Identifier: GPL-2.0-only
foreach(name models models_bounds models_kvm models_marks models_modes
		models_oos models_random models_xen)
	add_executable(test_${name} ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c
		${CMAKE_CURRENT_LIST_DIR}/guest.c ${CMAKE_CURRENT_LIST_DIR}/bed.c)
	target_link_libraries(test_${name} PRIVATE unsync-models unsync-trace PkgConfig::CMOCKA)
	add_test(NAME unit.${name} COMMAND test_${name})
endforeach()

# What once was wrong, brought back: the library knows how only in this build.
get_target_property(sources unsync-models SOURCES)
list(TRANSFORM sources PREPEND ${PROJECT_SOURCE_DIR}/models/)
add_library(unsync-models-history STATIC ${sources} ${PROJECT_SOURCE_DIR}/models/history.c)
target_compile_definitions(unsync-models-history PRIVATE UNSYNC_BUILT_IN PUBLIC UNSYNC_HISTORY)
target_link_libraries(unsync-models-history PUBLIC ${CMAKE_DL_LIBS})
add_executable(test_models_history ${CMAKE_CURRENT_LIST_DIR}/test_models_history.c
	${CMAKE_CURRENT_LIST_DIR}/guest.c ${CMAKE_CURRENT_LIST_DIR}/bed.c
	${PROJECT_SOURCE_DIR}/replay/oracle.c ${PROJECT_SOURCE_DIR}/replay/guest.c)
target_link_libraries(test_models_history
	PRIVATE unsync-models-history unsync-trace PkgConfig::CMOCKA)
add_test(NAME unit.models_history COMMAND test_models_history)
