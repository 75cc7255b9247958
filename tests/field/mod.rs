//! Logs and deployments as people have them, and a test for every rule of the table.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::diagnose::{each, wordings};
use crate::support::{DOMAIN, chmod, deployment, folder, helper, rule_ids, token};

/// Rules that a state of the host, the engine, a certificate or a conversation raises.
struct Elsewhere {
    /// The test, or the table of cases, that raises them: file and function.
    raised: (&'static str, &'static str),
    /// The one in which a near miss does not: of the same file, or `file::function`. Empty where the same one has both,
    /// one after the other.
    spared: &'static str,
    rules: &'static [&'static str],
}

const fn by(file: &'static str, test: &'static str, spared: &'static str, rules: &'static [&'static str]) -> Elsewhere {
    Elsewhere { raised: (file, test), spared, rules }
}

const ELSEWHERE: &[Elsewhere] = &[
    by(
        "tests/engine/call.rs",
        "engine_a_call_is_followed_as_far_as_it_comes",
        "",
        &["call-not-received", "call-not-answered"],
    ),
    by(
        "tests/commands/namespace.rs",
        "what_the_shared_namespace_leaves_open_is_said_where_it_matters",
        "",
        &["namespace-shared"],
    ),
    by(
        "tests/commands/namespace.rs",
        "a_name_that_others_may_have_is_said",
        "separate_puts_cloudflared_on_a_network_with_the_proxy_alone",
        &["proxy-name-shared"],
    ),
    by(
        "tests/engine/heal.rs",
        "engine_one_render_and_one_up_move_between_the_settings",
        "",
        &["namespace-not-applied"],
    ),
    by(
        "tests/export/replica.rs",
        "what_stays_behind_is_named",
        "a_bundle_makes_a_replica_without_the_ca_key_and_the_token",
        &["replica-left-out"],
    ),
    by(
        "tests/export/replica.rs",
        "a_token_elsewhere_than_in_env_makes_no_bundle",
        "a_bundle_makes_a_replica_without_the_ca_key_and_the_token",
        &["replica-has-token"],
    ),
    by("tests/export/replica.rs", "a_changed_route_arrives_and_edits_of_that_host_stay", "", &["replica-file-gone"]),
    by(
        "tests/export/replica.rs",
        "a_replica_says_where_to_renew_and_takes_the_update",
        "a_bundle_makes_a_replica_without_the_ca_key_and_the_token",
        &["replica-update-older", "replica-cannot-sign"],
    ),
    by(
        "tests/export/replica.rs",
        "servers_that_every_host_has_for_itself_are_named",
        "a_bundle_makes_a_replica_without_the_ca_key_and_the_token",
        &["replica-upstream-apart"],
    ),
    by("tests/export/helm.rs", "an_export_is_brought_up_to_date_and_an_edit_is_kept", "", &["edit-not-replaced"]),
    by("tests/export/helm.rs", "the_token_is_included_only_when_asked_and_then_loudly", "", &["export-holds-token"]),
    by(
        "tests/export/helm.rs",
        "a_private_ca_and_settings_without_a_page_are_named",
        "it_holds_what_the_pages_name_and_no_secret",
        &["export-setting-left-out"],
    ),
    by(
        "tests/export/helm.rs",
        "each_route_is_carried_or_named_with_what_to_write",
        "it_holds_what_the_pages_name_and_no_secret",
        &["export-route-not-portable", "export-route-needs-service"],
    ),
    by("helper/commands/stack.rs", "a_stack_that_is_late_is_an_error_and_one_on_its_way_is_not", "", &["not-live"]),
    by("helper/diagnose/states.rs", "what_is_worth_knowing_is_a_note", "", &["compose-orphans"]),
    by("helper/preflight/host/checks.rs", "a_file_system_without_modes_is_found", "", &["directory-without-modes"]),
    by("helper/probe/tests.rs", "a_program_that_is_not_an_mcp_server_is_told_from_one", "", &["upstream-not-mcp"]),
    by(
        "helper/probe/tests.rs",
        "a_certificate_of_an_upstream_is_checked_as_the_proxy_does",
        "",
        &["upstream-tls-failed"],
    ),
    by(
        "tests/certs/authority_cases.rs",
        "broken_authorities",
        "tests/certs/good_cases.rs::good_ones",
        &["ca-missing", "ca-unusable", "ca-key-unusable", "ca-key-mismatch"],
    ),
    by("tests/certs/server_cases.rs", "broken_servers", "tests/certs/good_cases.rs::good_ones", &["tls-handshake"]),
    by("tests/certs/good_cases.rs", "beyond_us", "tests/certs/good_cases.rs::good_ones", &["certs-not-verifiable"]),
    by("tests/certs/check.rs", "the_cas_key_may_be_elsewhere", "", &["ca-key-missing"]),
    by(
        "tests/certs/issue.rs",
        "what_is_shown_is_the_certificate_and_nothing_that_is_pasted_around_it",
        "what_is_issued_has_the_profile_of_the_documentation",
        &["ca-extra-text"],
    ),
    by(
        "tests/certs/half_finished.rs",
        "every_half_finished_state_is_completed_or_named_and_nothing_is_replaced",
        "what_is_issued_has_the_profile_of_the_documentation",
        &["ca-key-needed"],
    ),
    by("tests/certs/issue.rs", "a_server_certificate_ends_no_later_than_its_ca", "", &["ca-ends-first"]),
    by(
        "tests/certs/renewed_pair.rs",
        "a_renewal_of_a_file_that_the_proxy_may_not_read_is_no_success",
        "a_stack_of_another_shape_reads_the_same_pair",
        &["proxy-pair-unknown"],
    ),
    by(
        "tests/certs/interrupted.rs",
        "an_interrupted_begin_is_named_as_that_by_every_command",
        "tests/certs/rollover.rs::three_steps_change_the_ca_and_every_moment_has_a_valid_certificate",
        &["certs-rotation-open"],
    ),
    by(
        "tests/commands/check.rs",
        "what_is_wrong_with_the_compose_files_is_found",
        "a_sound_deployment_has_no_findings",
        &["compose-file-shadowed", "image-unpinned", "depends-on-plain", "ports-published"],
    ),
    by(
        "tests/commands/check.rs",
        "the_state_of_the_token_is_found",
        "a_sound_deployment_has_no_findings",
        &["token-shadowed"],
    ),
    by(
        "tests/commands/init.rs",
        "a_domain_that_looks_mistyped_is_made_and_warned_about",
        "one_call_writes_the_whole_deployment_with_the_modes_of_the_table",
        &["domain-unusual"],
    ),
    by(
        "tests/commands/init.rs",
        "a_file_that_a_person_edited_is_kept",
        "a_second_init_changes_nothing",
        &["edit-kept"],
    ),
    by(
        "tests/commands/probe.rs",
        "engine_probe_finds_what_keeps_the_proxy_from_a_server",
        "",
        &["upstream-firewalled", "upstream-wrong-scheme"],
    ),
    by(
        "tests/commands/servers.rs",
        "engine_probe_tells_real_servers_apart",
        "",
        &["upstream-web-page", "upstream-path-other"],
    ),
    by(
        "tests/commands/edited.rs",
        "an_edited_compose_file_is_kept_with_a_diff_unless_it_may_be_overwritten",
        "line_endings_alone_are_no_edit",
        &["edit-blocks-change"],
    ),
    by(
        "tests/commands/sample.rs",
        "an_older_sample_that_a_person_edited_goes_on_with_what_it_needs",
        "tests/commands/check.rs::a_sound_deployment_has_no_findings",
        &["sample-of-mcp-1"],
    ),
    by(
        "tests/commands/takeover.rs",
        "all_that_is_replaced_is_said_in_the_refusal_and_in_a_dry_run",
        "no_fix_of_a_warning_is_a_take_over",
        &["foreign-replaced"],
    ),
    by(
        "tests/commands/token.rs",
        "bytes_that_are_not_utf8_stay_and_are_told",
        "every_other_byte_of_the_env_file_stays",
        &["env-encoding"],
    ),
    by(
        "tests/contract/advice.rs",
        "the_command_that_a_finding_names_cures_it",
        "",
        &[
            "stack-stopped",
            "image-absent",
            "git-not-ignored",
            "config-not-applied",
            "token-not-applied",
            "proxy-cert-order",
            "ca-unfit",
            "ca-name-constraints",
            "ca-expired",
            "server-unfit",
            "token-placeholder",
            "ca-expires-soon",
            "tls-key-id",
            "tls-expires-soon",
            "route-not-configured",
        ],
    ),
    by(
        "tests/contract/advice.rs",
        "what_git_tracks_is_taken_out_of_its_index_by_the_command_of_its_finding",
        "",
        &["git-tracked"],
    ),
    by(
        "tests/contract/advice.rs",
        "the_shell_command_of_a_finding_cures_it",
        "",
        &["directory-open", "env-readable", "env-writable", "key-readable", "key-writable"],
    ),
    by("tests/diagnose/wordings.rs", "a_tool_that_fails_is_no_fault_of_the_tunnel", "", &["tool-failed"]),
    by(
        "tests/engine/diagnose.rs",
        "engine_diagnose_what_was_never_started",
        "tests/commands/check.rs::a_sound_deployment_has_no_findings",
        &["token-in-clear"],
    ),
    by(
        "tests/engine/diagnose.rs",
        "engine_diagnose_what_runs_and_what_was_changed_under_it",
        "",
        &["proxy-reaches-nothing", "upstream-down"],
    ),
    by(
        "tests/engine/start_apart.rs",
        "engine_one_domain_in_two_folders_is_refused",
        "engine_folders_of_one_name_are_two_stacks",
        &["project-conflict"],
    ),
    by(
        "tests/plugin/conversation.rs",
        "a_directory_made_by_hand_is_resumed",
        "engine_both_conversations_from_nothing_to_torn_down",
        &["foreign-deployment"],
    ),
    by("tests/preflight/engine.rs", "podman_is_named", "a_sound_machine", &["podman-engine"]),
    by(
        "tests/preflight/engine.rs",
        "an_engine_that_is_elsewhere_or_of_another_kind",
        "a_sound_machine",
        &["engine-remote", "user-namespace"],
    ),
    by("tests/preflight/host.rs", "a_disk_that_is_full_or_read_only", "a_sound_machine", &["disk-low"]),
    by(
        "tests/preflight/host.rs",
        "tools_that_nothing_hangs_on_are_notes",
        "a_sound_machine",
        &["git-missing", "openssl-missing"],
    ),
    by(
        "tests/preflight/host.rs",
        "a_directory_that_will_not_do",
        "a_sound_machine",
        &["directory-not-writable", "directory-synced"],
    ),
    by("tests/preflight/host.rs", "a_deployment_s_own_settings_count", "a_sound_machine", &["selinux-labels"]),
    by("tests/preflight/host.rs", "variables_of_the_shell", "a_sound_machine", &["shell-variables", "proxy-not-used"]),
    by(
        "tests/preflight/network.rs",
        "a_name_behind_a_route_that_docker_has_taken_over",
        "everything_answers",
        &["network-overlap"],
    ),
    by(
        "tests/preflight/network.rs",
        "a_clock_that_is_off_is_found_by_a_server_s",
        "everything_answers",
        &["clock-wrong"],
    ),
    by("tests/preflight/dropped.rs", "a_host_without_any_way_out", "everything_answers", &["network-down"]),
    by("tests/preflight/network.rs", "a_captive_portal_explains_the_rest", "everything_answers", &["captive-portal"]),
    by("tests/preflight/network.rs", "an_inspecting_proxy_is_named", "everything_answers", &["tls-inspected"]),
    by(
        "tests/preflight/network.rs",
        "servers_that_hang_or_hang_up_are_no_end_of_the_tunnel",
        "everything_answers",
        &["registry-blocked", "api-unreachable"],
    ),
    by(
        "tests/preflight/network.rs",
        "both_blocked_is_an_error_and_one_region_a_warning",
        "everything_answers",
        &["edge-region-unreachable"],
    ),
    by(
        "tests/preflight/network.rs",
        "ipv6_that_is_there_and_blocked_is_noted",
        "everything_answers",
        &["edge-no-ipv6"],
    ),
    by(
        "tests/safety/odd_files.rs",
        "a_file_that_is_too_large_to_be_what_it_is_called_is_left_alone",
        "empty_and_odd_files_are_no_panic",
        &["env-unreadable"],
    ),
    by(
        "tests/safety/canaries.rs",
        "a_name_that_is_no_name_is_a_finding_and_stands_in_no_command",
        "tests/commands/check.rs::a_sound_deployment_has_no_findings",
        &["compose-name-invalid"],
    ),
    by(
        "tests/safety/docker_faults.rs",
        "compose_that_is_missing_old_or_something_else",
        "",
        &["compose-too-old", "compose-old"],
    ),
    by(
        "tests/safety/docker_faults.rs",
        "daemon_that_cannot_be_asked",
        "compose_that_is_missing_old_or_something_else",
        &["docker-host-nowhere"],
    ),
    by(
        "tests/safety/docker_faults.rs",
        "other_words_of_compose",
        "compose_that_is_missing_old_or_something_else",
        &["compose-failed"],
    ),
];

fn field(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/field").join(name);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// The findings above a note, a warning marked as one.
fn severe(answer: &Value) -> Vec<String> {
    let findings = answer["findings"].as_array().unwrap().iter().filter(|f| f["severity"] != "note");
    let id = |f: &Value| f["id"].as_str().unwrap().to_owned();
    findings.map(|f| if f["severity"] == "error" { id(f) } else { format!("{} (warning)", id(f)) }).collect()
}

#[test]
fn logs_of_the_field_add_up_to_what_is_true_of_them() {
    let logs = field("logs.json");
    let cases: Vec<(&String, &Value)> = logs.as_object().unwrap().iter().collect();
    let folder = folder();
    each(&cases, |(name, case)| {
        let text = texts(&case["log"]).iter().map(|line| format!("{line}\n")).collect::<String>();
        let bytes = match case["encoding"].as_str() {
            Some("utf-16") => std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect(),
            _ => text.into_bytes(),
        };
        let path = folder.path().join(format!("{name}.log"));
        fs::write(&path, bytes).unwrap();
        let answer = helper(["diagnose"]).json(json!({"logs": path})).run();
        assert_eq!(severe(&answer.json), texts(&case["expected"]), "{name} ({}): {:#}", case["what"], answer.json);
        assert_eq!(answer.data()["healthy"], case["healthy"], "{name} ({}): {:#}", case["what"], answer.json);
    });
}

/// A deployment made by hand: the files of the base and of the case in place of those of `init`.
fn made(parent: &Path, base: &Value, case: &Value) -> PathBuf {
    let dir = deployment(parent);
    for ours in ["docker-compose.yaml", "config/mcp-gateway.yaml", ".env"] {
        fs::remove_file(dir.join(ours)).unwrap();
    }
    fs::remove_dir_all(dir.join("hello-mcp")).unwrap();
    let mut files: BTreeMap<&String, &Value> = base.as_object().unwrap().iter().collect();
    files.extend(case["files"].as_object().unwrap());
    for (name, text) in files {
        let Some(text) = text.as_str() else { continue };
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text.replace("{TOKEN}", &token("field")).replace("{DOMAIN}", DOMAIN)).unwrap();
        chmod(&path, if name == ".env" { 0o600 } else { 0o644 });
    }
    let named = |key: &str| case[key].as_object().into_iter().flatten().map(|(name, to)| (name, to.as_str().unwrap()));
    for (from, to) in named("moved") {
        fs::create_dir_all(dir.join(to).parent().unwrap()).unwrap();
        fs::rename(dir.join(from), dir.join(to)).unwrap();
    }
    for (link, target) in named("links") {
        // One that leads elsewhere stands in place of the file.
        let _ = fs::remove_file(dir.join(link));
        std::os::unix::fs::symlink(target, dir.join(link)).unwrap();
    }
    for (name, mode) in case["modes"].as_object().into_iter().flatten() {
        chmod(&dir.join(name), u32::from_str_radix(mode.as_str().unwrap(), 8).unwrap());
    }
    dir
}

#[test]
fn deployments_of_the_field_are_judged_as_what_they_are() {
    let all = field("deployments.json");
    let cases: Vec<(&String, &Value)> = all["cases"].as_object().unwrap().iter().collect();
    each(&cases, |(name, case)| {
        let parent = folder();
        let dir = made(parent.path(), &all["base"], case);
        let env = case["env"].as_object().into_iter().flatten();
        let call = env.fold(helper(["check"]), |call, (name, value)| {
            call.env(name, value.as_str().unwrap().replace("{TOKEN}", &token("field")))
        });
        let answer = call.dir(&dir).changes_nothing().run();
        let mut found = severe(&answer.json);
        found.retain(|id| id != "token-in-clear (warning)");
        found.sort();
        assert_eq!(found, texts(&case["expected"]), "{name} ({}): {:#}", case["what"], answer.json["findings"]);
        let fixes = answer.json["findings"].as_array().unwrap().iter().map(|f| f["fix"].as_str().unwrap());
        let fixes = fixes.collect::<Vec<_>>().join("\n");
        for words in case["fix"].as_array().into_iter().flatten() {
            assert!(fixes.contains(words.as_str().unwrap()), "{name}: {words} is not in\n{fixes}");
        }
    });
}

#[test]
fn a_log_that_is_near_a_rule_does_not_raise_it() {
    let near = field("near.json");
    let cases: Vec<(&String, &Value)> = near.as_object().unwrap().iter().collect();
    let folder = folder();
    each(&cases, |(rule, lines)| {
        let path = folder.path().join(format!("{rule}.log"));
        fs::write(&path, texts(lines).join("\n") + "\n").unwrap();
        let answer = helper(["diagnose"]).json(json!({"logs": path})).run();
        assert!(!answer.findings().contains(&rule.as_str()), "{rule}: {:#}", answer.json);
    });
}

/// The text of a function or a table of a file, from its name to its end: the closing line at its own depth.
fn body<'a>(file: &str, text: &'a str, name: &str) -> &'a str {
    let begin = ["fn ", "const "].iter().find_map(|kind| text.find(&format!("{kind}{name}")));
    let begin = begin.unwrap_or_else(|| panic!("{file} has no `{name}`"));
    let line = text[..begin].rfind('\n').map_or(0, |at| at + 1);
    let indent: String = text[line..].chars().take_while(|c| *c == ' ').collect();
    let ends = [format!("\n{indent}}}"), format!("\n{indent}];")];
    let end = ends.iter().filter_map(|end| text[begin..].find(end.as_str())).min();
    &text[begin..end.map_or(text.len(), |end| begin + end)]
}

/// Whether a text names a rule, by its id or as the code does.
fn names(text: &str, rule: &str) -> bool {
    let is_id = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let name: String = rule.split('-').map(|part| part[..1].to_uppercase() + &part[1..]).collect();
    text.split(|c: char| !is_id(c)).any(|word| word == rule)
        || text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == name)
}

/// Every rule is raised by a log, a deployment or a test, and a near miss does not raise it: a wording and a rule of
/// `near.json` have their own lines, a deployment has the sound one that it is made from, a test names another one.
#[test]
fn every_rule_of_the_table_is_raised_and_has_a_near_miss() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read =
        |path: &str| -> Value { serde_json::from_slice(&fs::read(root.join("tests").join(path)).unwrap()).unwrap() };
    let expected = |cases: &Value| -> BTreeSet<String> {
        let said = cases.as_object().unwrap().values().flat_map(|case| texts(&case["expected"]));
        said.map(|said| said.split(' ').next().unwrap().to_owned()).collect()
    };
    let worded: BTreeSet<String> = wordings::LINES.iter().map(|(rule, ..)| (*rule).to_owned()).collect();
    let deployments = read("field/deployments.json");
    assert_eq!(deployments["cases"]["base"]["expected"], json!([]), "what every deployment is made from is sound");
    let deployed = expected(&deployments["cases"]);
    let mut raised: BTreeSet<String> = &worded | &deployed;
    let mut spared = raised.clone();
    raised.extend(
        ["logs/labels.json", "cases/cases.json", "field/logs.json"].iter().flat_map(|path| expected(&read(path))),
    );
    for rule in read("field/near.json").as_object().unwrap().keys() {
        assert!(raised.contains(rule), "`{rule}` has a near miss and no log that raises it");
        spared.insert(rule.clone());
    }
    for Elsewhere { raised: (file, test), spared: near, rules } in ELSEWHERE {
        let text = |file: &str| fs::read_to_string(root.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        let whole = text(file);
        let own = body(file, &whole, test);
        let (near_file, near) = near.split_once("::").unwrap_or((file, if near.is_empty() { test } else { near }));
        body(near_file, &text(near_file), near);
        for rule in *rules {
            // A table of the file's cases, or what the test calls, may name it.
            let is_named = names(own, rule) || names(&without_tests(&whole), rule);
            assert!(is_named, "`{test}` of {file} does not raise `{rule}`");
            assert!(raised.insert((*rule).to_owned()), "`{rule}` has a fixture, and is in ELSEWHERE as well");
            spared.insert((*rule).to_owned());
        }
    }
    let missing = |known: &BTreeSet<String>| rule_ids().difference(known).cloned().collect::<Vec<_>>();
    assert_eq!(missing(&raised), Vec::<String>::new(), "rules without a test that raises them");
    assert_eq!(missing(&spared), Vec::<String>::new(), "rules without a near miss");
}

/// A file without its test functions: tables and what tests call.
fn without_tests(text: &str) -> String {
    let mut rest = String::new();
    for (at, part) in text.split("#[test]").enumerate() {
        let end = if at == 0 { 0 } else { part.find("\n}\n").map_or(part.len(), |end| end + 3) };
        rest.push_str(&part[end..]);
    }
    rest
}
