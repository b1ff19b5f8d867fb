# SPDX-License-Identifier: GPL-2.0-only
add_executable(test_compare_rank ${CMAKE_CURRENT_LIST_DIR}/test_compare_rank.c)
target_link_libraries(test_compare_rank PRIVATE unsync-compare PkgConfig::CMOCKA m)
add_test(NAME unit.compare_rank COMMAND test_compare_rank)
