# SPDX-License-Identifier: GPL-2.0-only
if(TARGET unsync-import)
	add_executable(test_import_story unit/test_import_story.c)
	target_link_libraries(test_import_story unsync-import PkgConfig::CMOCKA)
	add_test(NAME import-story COMMAND test_import_story)
endif()
