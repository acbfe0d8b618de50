//! A tool cannot run without every check before it: shown by programs that do not compile.
//!
//! Each program is compiled against the library that this test was built with, and must fail with
//! the one error that the evidence types are there to cause. The first program, which goes the
//! whole way, must compile: so a failure elsewhere is not taken for proof.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The library among the artefacts next to this test: the one built last.
fn library(folder: &Path) -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder of this test")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "rlib")
        })
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("libtollgate-"))
        })
        .collect();
    found.sort_by_key(|path| path.metadata().and_then(|data| data.modified()).ok());
    found.pop().expect("the library beside its test")
}

/// Compiles a library crate with this body; gives the codes of its errors.
fn errors_of(body: &str) -> Vec<String> {
    let test = std::env::current_exe().expect("the path of this test");
    let folder = test.parent().expect("a folder").to_owned();
    let work = tempfile::tempdir().expect("a temporary folder");
    let source = work.path().join("evidence.rs");
    std::fs::write(&source, body).expect("a file of the test's own");
    let library = library(&folder);
    let output = Command::new("rustc")
        .args([
            "--edition",
            "2024",
            "--crate-type",
            "lib",
            "--emit",
            "metadata",
            "--error-format",
            "json",
        ])
        .arg("--extern")
        .arg(format!("tollgate={}", library.display()))
        .arg("-L")
        .arg(format!("dependency={}", folder.display()))
        .arg("--out-dir")
        .arg(work.path())
        .arg(&source)
        .output()
        .expect("the compiler");
    String::from_utf8_lossy(&output.stderr)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["level"] == "error")
        .filter_map(|message| message["code"]["code"].as_str().map(str::to_owned))
        .collect()
}

const IMPORTS: &str = "
    use std::sync::Arc;
    use tollgate::access::{AllowedArguments, Permit, authorize};
    use tollgate::approval::{ApprovedArguments, Review, review};
    use tollgate::auth::{Authenticator, Credentials, Principal};
    use tollgate::quota::{Admission, Quotas};
    use tollgate::run::{Scene, run};
    use tollgate::tool::{Arguments, Target, ValidArguments};
";

fn assert_fails_with(code: &str, body: &str) {
    let errors = errors_of(&format!("#![allow(unused_imports)]{IMPORTS}{body}"));
    assert!(!errors.is_empty(), "this compiles, and must not:\n{body}");
    assert!(
        errors.iter().all(|error| error == code),
        "expected {code}, got {errors:?} for:\n{body}"
    );
}

#[test]
fn a_call_that_passes_every_check_compiles() {
    let errors = errors_of(&format!(
        "{IMPORTS}
        pub async fn whole_way(door: Authenticator, quotas: Quotas, target: Arc<Target>, given: Arguments, scene: Scene<'_>) {{
            let principal: Arc<Principal> = door.authenticate(&Credentials::Missing).await.unwrap();
            let permit: Permit = authorize(&principal, target).unwrap();
            let admission: Admission = quotas.admit(permit, &Default::default()).await.unwrap();
            let arguments: ValidArguments = admission.target().validate(given).unwrap();
            let arguments: AllowedArguments = admission.permit().allow(arguments).unwrap();
            let Review::Approved(arguments) = review(&admission, arguments) else {{ return }};
            let _ = run(admission, arguments, scene).await;
        }}"
    ));
    assert_eq!(errors, [""; 0], "the way that must be open is closed");
}

#[test]
fn an_identity_cannot_be_made_up() {
    assert_fails_with(
        "E0451",
        "pub fn f(real: Principal) -> Principal { Principal { subject: \"root\".into(), ..real } }",
    );
}

#[test]
fn a_permit_cannot_be_made_up() {
    assert_fails_with(
        "E0451",
        "pub fn f(principal: Arc<Principal>, target: Arc<Target>) -> Permit { Permit { principal, target, would_deny: Vec::new() } }",
    );
}

#[test]
fn an_admission_cannot_be_made_up() {
    assert_fails_with(
        "E0451",
        "pub fn f(permit: Permit) -> Admission { Admission { permit, states: Default::default(), would_deny: None, is_counted: true } }",
    );
}

#[test]
fn valid_arguments_cannot_be_made_up() {
    assert_fails_with(
        "E0451",
        "pub fn f(arguments: Arguments) -> ValidArguments { ValidArguments { arguments, target: 0 } }",
    );
}

#[test]
fn authorization_cannot_be_skipped() {
    assert_fails_with(
        "E0308",
        "pub async fn f(quotas: Quotas, principal: Arc<Principal>) { let _ = quotas.admit(principal, &Default::default()).await; }",
    );
}

#[test]
fn the_quota_cannot_be_skipped() {
    assert_fails_with(
        "E0308",
        "pub async fn f(permit: Permit, arguments: ApprovedArguments, scene: Scene<'_>) { let _ = run(permit, arguments, scene).await; }",
    );
}

#[test]
fn validation_cannot_be_skipped() {
    assert_fails_with(
        "E0308",
        "pub async fn f(admission: Admission, given: Arguments, scene: Scene<'_>) { let _ = run(admission, given, scene).await; }",
    );
}

#[test]
fn allowed_arguments_cannot_be_made_up() {
    assert_fails_with(
        "E0451",
        "pub fn f(arguments: ValidArguments, principal: Arc<Principal>) -> AllowedArguments { AllowedArguments { arguments, principal, would_deny: Vec::new() } }",
    );
}

#[test]
fn rules_on_arguments_cannot_be_skipped() {
    assert_fails_with(
        "E0308",
        "pub async fn f(admission: Admission, given: ValidArguments, scene: Scene<'_>) { let _ = run(admission, given, scene).await; }",
    );
}

#[test]
fn rules_on_arguments_cannot_be_asked_before_validation() {
    assert_fails_with(
        "E0308",
        "pub fn f(permit: Permit, given: Arguments) { let _ = permit.allow(given); }",
    );
}

#[test]
fn approval_cannot_be_made_up() {
    assert_fails_with(
        "E0451",
        "pub fn f(arguments: AllowedArguments) -> ApprovedArguments { ApprovedArguments { arguments, target: 0, carried: None } }",
    );
}

#[test]
fn approval_cannot_be_skipped() {
    assert_fails_with(
        "E0308",
        "pub async fn f(admission: Admission, given: AllowedArguments, scene: Scene<'_>) { let _ = run(admission, given, scene).await; }",
    );
}

#[test]
fn approval_cannot_be_asked_for_before_the_rules() {
    assert_fails_with(
        "E0308",
        "pub fn f(admission: &Admission, given: ValidArguments) { let _ = review(admission, given); }",
    );
}

#[test]
fn evidence_is_used_once() {
    assert_fails_with(
        "E0382",
        "pub async fn f(quotas: Quotas, permit: Permit) { let _ = quotas.admit(permit, &Default::default()).await; let _ = quotas.admit(permit, &Default::default()).await; }",
    );
}

#[test]
fn a_handler_cannot_be_reached_around_the_pipeline() {
    assert_fails_with(
        "E0624",
        "pub fn f(target: &Target) { let _ = target.handler(); }",
    );
}
