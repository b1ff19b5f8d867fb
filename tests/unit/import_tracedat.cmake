# SPDX-License-Identifier: GPL-2.0-only
# The reader of trace.dat, and the process that reads recordings.
if(TARGET unsync-import)
	add_executable(test_import_confine unit/test_import_confine.c)
	target_link_libraries(test_import_confine unsync-import PkgConfig::CMOCKA)
	add_test(NAME import-confine COMMAND test_import_confine)
endif()
if(TARGET PkgConfig::TRACECMD AND TARGET unsync-import)
	add_executable(test_import_tracedat unit/test_import_tracedat.c)
	target_link_libraries(test_import_tracedat unsync-import PkgConfig::CMOCKA)
	add_test(NAME import-tracedat COMMAND test_import_tracedat)

	add_executable(test_import_tracecmd unit/test_import_tracecmd.c)
	target_link_libraries(test_import_tracecmd unsync-import PkgConfig::TRACECMD PkgConfig::CMOCKA)
	file(GLOB recordings CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/data/recordings/*.dat)
	add_test(NAME import-tracecmd COMMAND test_import_tracecmd ${recordings})
	# Whose memory is lost can only be told by whole stacks.
	set_tests_properties(import-tracedat import-tracecmd PROPERTIES ENVIRONMENT
		"ASAN_OPTIONS=fast_unwind_on_malloc=0;LSAN_OPTIONS=print_suppressions=0:suppressions=${CMAKE_CURRENT_LIST_DIR}/libraries.supp")
endif()
