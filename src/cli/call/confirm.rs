//! Asks whoever sits at the terminal about a call that needs confirmation.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::cli::CliError;
use crate::log::Inert;
use crate::stderr::Stderr;

/// What is said when a confirmation that has just been asked for does not do.
pub(super) const NOT_TAKEN: &str = "the call still needs confirmation: its policy has just changed, or replicas seal with different secrets (server.stateSecret)";

/// Returns when the answer is yes; `yes` is one that was given before.
pub(super) fn ask(yes: bool, question: &str) -> Result<(), CliError> {
    if yes {
        return Ok(());
    }
    let question: Vec<String> = question
        .lines()
        .map(|line| Inert(line).to_string())
        .collect();
    let question = question.join("\n");
    if !io::stdin().is_terminal() {
        return Err(format!("the call needs confirmation: give --yes\n{question}").into());
    }
    Stderr.write_all(format!("{question}\n[y/N] ").as_bytes())?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err("the call was not confirmed".into()),
    }
}
