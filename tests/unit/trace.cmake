# SPDX-License-Identifier: GPL-2.0-only
add_library(trace-gen STATIC unit/trace_gen.c)
target_link_libraries(trace-gen PUBLIC unsync-trace)

add_executable(test_trace unit/test_trace.c)
target_link_libraries(test_trace trace-gen PkgConfig::CMOCKA)
add_test(NAME trace COMMAND test_trace)

# Not a test: bytes per event and rates, of a file or of made-up events.
add_executable(trace_bench unit/trace_bench.c)
target_link_libraries(trace_bench trace-gen)

add_executable(test_trace_damage unit/test_trace_damage.c)
target_link_libraries(test_trace_damage trace-gen PkgConfig::CMOCKA)
add_test(NAME trace-damage COMMAND test_trace_damage)

find_program(PYTHON3 python3)
if(PYTHON3)
	add_test(NAME trace-document COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/unit/trace_document
		$<TARGET_FILE:unsync> $<TARGET_FILE:trace_bench>)
else()
	message(STATUS "the test of docs/trace-format.md is left out: python3 is not installed")
endif()

add_executable(test_trace_scrub unit/test_trace_scrub.c)
target_link_libraries(test_trace_scrub trace-gen unsync-models PkgConfig::CMOCKA)
add_test(NAME trace-scrub COMMAND test_trace_scrub)
