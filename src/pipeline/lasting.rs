//! What outlasts a configuration: all that counts.
//!
//! A pipeline is made whole for each configuration and never changed: a call keeps the one it began
//! with. What it counts is shared from one to the next, so that nobody gets back what was spent and
//! no call is forgotten. A reader would ask why a pipeline stands in for it (`Deref`): to whoever
//! calls, both are one thing, and which of them a part belongs to is of interest here alone.

use std::ops::Deref;
use std::sync::Arc;

use super::{Cancellations, Changes, Listeners, Load, LogLevels, Reloads, ResourceUpdates};
use crate::auth::{Authenticator, Lookups};
use crate::quota::{DenialLimit, FailureLimit, Quotas};
use crate::record::Recorder;
use crate::run::Places;
use crate::seal::Seal;
use crate::task::Tasks;
use crate::tool::{Catalog, Questions};

/// Everything a call passes, shared by all transports. One per configuration that was served.
pub struct Pipeline {
    /// Who is calling.
    pub authenticator: Authenticator,
    /// What can be called.
    pub catalog: Catalog,
    /// How many of each tool and resource at once.
    pub places: Places,
    /// Which configuration it is of; that of the start is 1.
    pub generation: u64,
    /// What counts, whatever the configuration.
    pub lasting: Arc<Lasting>,
}

/// The part of a pipeline that is one for all configurations of a server.
pub struct Lasting {
    /// How many bad credentials an address may send.
    pub failures: FailureLimit,
    /// How many refused calls a caller may make.
    pub denials: DenialLimit,
    /// How often calls may be made.
    pub quotas: Quotas,
    /// How many at once, and whether still.
    pub load: Arc<Load>,
    /// What becomes known of calls.
    pub recorder: Arc<Recorder>,
    /// Word to listeners that lists may have changed.
    pub changes: Arc<Changes>,
    /// Word to them that a resource holds something else.
    pub updates: ResourceUpdates,
    /// Who listens for either.
    pub listeners: Arc<Listeners>,
    /// Calls that a message of their caller may cancel.
    pub cancellations: Arc<Cancellations>,
    /// Questions to clients that are out.
    pub questions: Questions,
    /// Which log messages clients want that said so once.
    pub log_levels: LogLevels,
    /// Runs that outlive their calls.
    pub tasks: Arc<Tasks>,
    /// For what clients carry for us.
    pub seal: Seal,
    /// How often a list was at hand when it was asked for.
    pub list_lookups: Arc<Lookups>,
    /// What became of other configurations.
    pub reloads: Reloads,
}

impl Deref for Pipeline {
    type Target = Lasting;

    fn deref(&self) -> &Lasting {
        &self.lasting
    }
}

impl Pipeline {
    /// The pipeline that takes this one's place, with all that it counted.
    pub(crate) fn followed_by(&self, authenticator: Authenticator, catalog: Catalog) -> Self {
        Self {
            authenticator,
            places: self.places.renewed(&catalog),
            catalog,
            generation: self.generation + 1,
            lasting: Arc::clone(&self.lasting),
        }
    }
}
