"""Every bad input that is answered so far, by its number in the list of bad inputs, and the tests that show the answer.

The answers: on the command line exit code 2 (4: not found; 78: a service refuses to start) and one line; a bad
record ends in the dlq with its reason.
"""

_LIB = "libs/farandole/tests/unit"
_BODY = f"{_LIB}/runtime/test_bad_records.py::test_a_bad_body_is_dead_lettered_with_its_bytes"
_HEADERS = f"{_LIB}/runtime/test_bad_records.py::test_bad_headers_are_dead_lettered"
_HARMLESS = f"{_LIB}/runtime/test_bad_records.py::test_what_is_not_used_is_tolerated"
_SOON = f"{_LIB}/events/test_bad_records.py::test_a_bad_payload_from_outside_is_refused_soon_and_small"
_URI = f"{_LIB}/assets/test_resolve.py::test_everything_else_is_refused_by_name"
_SCHEMA = f"{_LIB}/events/test_schema.py::test_a_schema_that_cannot_be_relied_on_is_refused_by_file_and_field"
_SHOP = "tests/cli/test_log_commands.py::test_bad_input_is_one_line_and_changes_nothing"
_TYPED = "tests/badinput/test_command_line.py"
_ALL = "tests/badinput/test_records.py::test_every_bad_record_ends_in_the_dlq_and_the_next_one_is_handled"
_EDGE = "tests/badinput/test_records.py::test_a_bad_body_is_refused_where_it_is_published"
_RECORDS = "tests/badinput/test_records.py"
_DEAD = "tests/badinput/test_assets.py::test_63_to_71_a_uri_that_may_not_be_read_is_dead_at_once"
_DECLARED = "tests/badinput/test_declared.py"
_KAFKA = "tests/kafka/test_bad_inputs.py"
_FOREIGN = f"{_KAFKA}::test_a_bad_record_of_an_outsider_is_dead_lettered_and_the_next_one_is_handled"
_ADDRESS = f"{_LIB}/engines/kafka/test_address.py"

TABLE: dict[int, tuple[str, tuple[str, ...]]] = {
    1: (
        "unknown command",
        (f"{_LIB}/cli/test_main.py::test_an_unknown_command_or_option_suggests_what_was_meant",),
    ),
    2: (
        "file that is missing, unreadable, a folder or a pipe",
        (
            f"{_TYPED}::test_2_a_file_that_is_none_is_refused_by_name_and_not_waited_for",
            f"{_TYPED}::test_2_a_file_without_permission_is_refused_by_name",
            f"{_LIB}/config/test_load.py::test_a_file_that_is_none_is_refused",
            _SHOP,
        ),
    ),
    3: (
        "NUL, newline, ESC in an id",
        (
            f"{_TYPED}::test_3_and_4_an_id_that_could_do_harm_is_refused_escaped",
            f"{_LIB}/client/test_publish.py::test_an_id_or_workflow_that_could_do_harm_is_refused",
        ),
    ),
    4: ("id that is a path or 10 kB", (f"{_TYPED}::test_3_and_4_an_id_that_could_do_harm_is_refused_escaped", _SHOP)),
    5: (
        "time or duration that is none",
        (
            f"{_TYPED}::test_5_a_duration_that_is_none_is_refused",
            f"{_TYPED}::test_5_a_bound_that_is_none_is_refused",
            _SHOP,
        ),
    ),
    6: ("closed stdout", ("tests/cli/test_log_commands.py::test_a_reader_that_has_gone_leaves_the_command_quiet",)),
    7: (
        "argument that is not UTF-8",
        (
            "tests/cli/test_log_commands.py::test_an_argument_that_is_no_utf8_is_refused",
            f"{_LIB}/cli/test_main.py::test_an_argument_that_is_no_text_is_refused",
        ),
    ),
    8: (
        "unknown id to replay",
        (f"{_TYPED}::test_8_an_id_that_the_log_does_not_know_is_not_found", _SHOP),
    ),
    10: (
        "Ctrl-C twice",
        (
            "tests/cli/test_supervision.py::test_run_drains_on_sigterm_and_ends_at_once_on_the_second_signal",
            "tests/cli/test_supervision.py::test_ctrl_c_twice_on_up_ends_it_at_once_and_leaves_the_log_whole",
        ),
    ),
    11: ("empty body", (_BODY, _SOON, _ALL, _EDGE)),
    12: ("null, a tombstone", (_BODY, _ALL, _FOREIGN)),
    13: ("truncated JSON", (_BODY, _SOON, _ALL, _EDGE)),
    14: ("invalid UTF-8", (_BODY, _SOON, _ALL, _EDGE)),
    15: ("BOM", (_BODY, _SOON, _ALL, _EDGE)),
    16: ("NaN, 1e999", (_BODY, _SOON, _ALL, _EDGE)),
    17: (
        "duplicate names, of outsiders",
        (
            _BODY,
            _SOON,
            _ALL,
            _EDGE,
            f"{_LIB}/runtime/test_bad_records.py"
            "::test_17_a_record_that_a_step_of_ours_wrote_is_not_judged_by_foreign_rules",
        ),
    ),
    18: ("100,000 nested lists", (_BODY, _SOON, _ALL, _EDGE)),
    19: ("integer of 5,000 digits", (_BODY, _SOON, _ALL, _EDGE)),
    20: ("lone surrogate", (_BODY, _SOON, _ALL, _EDGE)),
    21: ("2^53+1", (_BODY, _SOON, _ALL, _EDGE)),
    22: (
        "1 MB and a byte",
        (
            _BODY,
            _ALL,
            _EDGE,
            f"{_RECORDS}::test_22_a_body_that_is_too_large_is_dead_lettered_with_the_remedy",
            _FOREIGN,
            f"{_KAFKA}::test_22_a_record_beyond_our_limit_is_read_and_dead_lettered_and_the_next_one_is_handled",
            f"{_KAFKA}::test_22_what_a_step_gives_beyond_the_limit_is_dead_lettered_with_the_remedy",
            f"{_KAFKA}::test_22_what_a_client_publishes_beyond_the_limit_is_refused_with_the_remedy",
            f"{_LIB}/events/test_bad_records.py"
            "::test_data_beyond_the_limit_is_refused_with_the_remedy_and_without_a_copy",
        ),
    ),
    23: ("gzip bomb", (_BODY, _SOON, _ALL, _EDGE)),
    24: ("pickle", (_BODY, _SOON, _ALL, _EDGE)),
    25: ("__proto__, __class__", (_BODY, _SOON, _ALL, _EDGE)),
    26: ("unknown version", (_HEADERS, _ALL)),
    27: ("right schema, wrong topic", (_HEADERS, _ALL, _FOREIGN)),
    28: (
        "same id, another body",
        (
            f"{_RECORDS}::test_28_another_body_under_a_known_id_raises_an_alarm",
            f"{_LIB}/runtime/test_bad_records.py::test_28_the_same_id_with_another_body_is_dead_lettered",
            f"{_LIB}/runtime/test_bad_records.py::test_28_a_conflict_that_waited_in_its_lane_is_one_after_a_crash_too",
            f"{_LIB}/runtime/test_seen.py::test_what_is_older_than_seven_days_is_forgotten_with_its_row",
        ),
    ),
    29: ("the year 9999", (_BODY, _SOON, _ALL, _EDGE)),
    30: ("header without a value, empty key", (_HARMLESS, _FOREIGN)),
    31: (
        "attribute that stands twice",
        (
            _HEADERS,
            _ALL,
            f"{_LIB}/events/test_bad_records.py::test_an_attribute_that_stands_twice_is_refused",
        ),
    ),
    32: ("a header of 900 kB", (_HEADERS, _ALL, _FOREIGN)),
    33: ("attempt=-1", (_HARMLESS,)),
    34: (
        "malformed traceparent",
        (
            _HARMLESS,
            f"{_RECORDS}::test_34_a_malformed_traceparent_gives_a_new_trace",
            f"{_LIB}/events/test_codec.py::test_a_malformed_traceparent_starts_a_new_trace_and_is_kept",
        ),
    ),
    35: ("forged workflow or principal", (_HARMLESS, f"{_RECORDS}::test_35_a_forged_header_changes_nothing")),
    36: (
        "10,000 headers",
        (_HEADERS, _ALL, f"{_LIB}/events/test_bad_records.py::test_ten_thousand_headers_are_refused"),
    ),
    41: (
        "names of topics that collide, are paths or too long",
        (
            f"{_DECLARED}::test_41_a_type_that_cannot_be_a_topic_is_refused_by_class_and_name",
            f"{_DECLARED}::test_41_names_of_services_and_steps_cannot_collide_either",
            f"{_LIB}/events/test_event.py::test_a_name_that_cannot_be_a_topic_is_refused",
        ),
    ),
    42: (
        "password in the URL",
        (
            f"{_KAFKA}::test_42_a_password_in_the_url_is_refused_and_not_shown",
            f"{_ADDRESS}::test_a_secret_in_the_url_is_refused_and_not_repeated",
        ),
    ),
    43: (
        "acks=1, latest, auto-commit",
        (
            f"{_KAFKA}::test_43_and_44_an_option_of_the_client_is_refused_by_name",
            f"{_KAFKA}::test_43_and_44_nor_does_a_variable_reach_the_client",
            f"{_ADDRESS}::test_what_is_wrong_is_named",
            f"{_LIB}/engines/kafka/test_security.py::test_a_variable_that_sets_an_option_of_the_client_is_refused_by_name",
        ),
    ),
    44: (
        "two services with one transactional id",
        (
            f"{_KAFKA}::test_44_two_processes_of_one_service_never_share_a_transactional_id",
            f"{_KAFKA}::test_43_and_44_an_option_of_the_client_is_refused_by_name",
        ),
    ),
    46: (
        "remote $ref",
        (
            f"{_DECLARED}::test_46_to_48_a_schema_file_that_cannot_be_relied_on_is_refused_by_file_and_field",
            f"{_LIB}/events/test_schema.py::test_a_remote_reference_is_never_asked_for",
            _SCHEMA,
        ),
    ),
    47: (
        "recursive $ref",
        (f"{_DECLARED}::test_46_to_48_a_schema_file_that_cannot_be_relied_on_is_refused_by_file_and_field", _SCHEMA),
    ),
    48: (
        "catastrophic pattern",
        (
            f"{_DECLARED}::test_46_to_48_a_schema_file_that_cannot_be_relied_on_is_refused_by_file_and_field",
            f"{_LIB}/events/test_patterns.py::test_patterns_that_some_engine_would_run_badly_are_refused",
            _SCHEMA,
        ),
    ),
    49: (
        "incompatible with a stored revision",
        (
            f"{_DECLARED}::test_49_what_breaks_with_any_stored_revision_is_refused",
            f"{_LIB}/cli/test_offline.py::test_a_change_that_breaks_a_committed_version_is_refused",
        ),
    ),
    50: (
        "same version, other content",
        (
            f"{_DECLARED}::test_50_the_same_version_with_other_content_is_refused",
            f"{_LIB}/events/test_schema.py::test_a_committed_file_that_was_edited_by_hand_is_refused",
        ),
    ),
    63: ("file:///etc/passwd", (_DEAD, _URI)),
    64: ("../, %2e%2e, ..%00", (_DEAD, _URI)),
    65: (
        "link out of the root, swapped after the check",
        (
            _DEAD,
            "tests/badinput/test_assets.py::test_65_a_link_that_is_swapped_in_never_gives_the_secret",
            f"{_LIB}/assets/test_resolve.py::test_no_swap_of_names_wins_against_the_check",
            f"{_LIB}/assets/test_resolve.py::test_a_link_that_comes_between_look_and_opening_is_not_followed",
        ),
    ),
    66: ("address within, by scheme", (_DEAD, _URI)),
    67: ("redirect within, by scheme", (_DEAD, _URI)),
    68: ("rebinding host, by scheme", (_DEAD, _URI)),
    69: ("user@host, gopher:", (_DEAD, _URI)),
    70: (
        "another digest or length",
        (
            "tests/badinput/test_assets.py::test_70_content_that_does_not_fit_its_name_is_dead_at_once",
            f"{_LIB}/assets/test_local.py::test_the_local_store_keeps_the_contract",
            "tests/objects/test_contract.py::test_an_object_store_keeps_the_contract",
        ),
    ),
    71: (
        "pipe, /dev/zero",
        (_DEAD, f"{_LIB}/assets/test_resolve.py::test_what_is_no_regular_file_is_refused_at_once"),
    ),
    72: (
        "missing content",
        (
            "tests/badinput/test_assets.py::test_72_content_that_is_missing_is_retried_and_then_dead",
            "tests/badinput/test_assets.py::test_72_content_that_comes_in_time_is_read",
        ),
    ),
}
