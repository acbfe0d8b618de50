//! Tells the program what it is built of: its target, and the commit in release builds.
//!
//! `TOLLGATE_COMMIT` names the commit where there is no git, such as in a container's build. A reader would ask why
//! debug builds name none: they would be made anew after each commit.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=TOLLGATE_COMMIT");
    let target = variable("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=TOLLGATE_TARGET={target}");
    let is_release = variable("PROFILE").is_some_and(|profile| profile == "release");
    let commit = variable("TOLLGATE_COMMIT")
        .filter(|commit| !commit.is_empty())
        .or_else(|| is_release.then(of_checkout).flatten());
    println!(
        "cargo::rustc-env=TOLLGATE_COMMIT={}",
        commit.as_deref().unwrap_or("unknown")
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "cargo speaks to build scripts by their environment"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The commit that is checked out, with `-dirty` where what is built differs from it. Asked again when one of the
/// sources changes or something is committed.
fn of_checkout() -> Option<String> {
    // Packed as a dependency it may lie within somebody else's repository.
    if !Path::new(".git").exists() {
        return None;
    }
    for sources in ["src", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={sources}");
    }
    let history = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    println!("cargo::rerun-if-changed={history}");
    let commit = git(&["rev-parse", "HEAD"])?;
    let changes = git(&[
        "status",
        "--porcelain",
        "-uno",
        "--",
        "src",
        "build.rs",
        "Cargo.toml",
        "Cargo.lock",
    ]);
    Some(if changes.is_some() {
        format!("{commit}-dirty")
    } else {
        commit
    })
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}
