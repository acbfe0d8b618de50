//! Who a new token or key is for, as flags.

use clap::Args;

use super::CliError;
use crate::auth::Principal;

/// The caller that holds what is made.
#[derive(Debug, Args)]
pub(super) struct CallerArgs {
    /// On whose behalf the caller acts
    #[arg(long)]
    pub(super) tenant: String,
    /// Who the caller is
    #[arg(long)]
    pub(super) subject: String,
    /// A scope to grant; repeat for more
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(super) scopes: Vec<String>,
}

impl CallerArgs {
    /// Refuses what the server would refuse in the token or entry.
    pub(super) fn check(&self) -> Result<(), CliError> {
        Principal::configured(&self.tenant, &self.subject, &self.scopes)?;
        Ok(())
    }
}
