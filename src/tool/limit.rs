//! A limit: a quota, whose calls it counts together, and what one call takes from it.
//!
//! Every limit has a bucket name that tells whose calls share its buckets, and that leaves out how
//! much the limit lets through: a limit that is changed while the server runs finds what was spent
//! before.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::numbers::Numbers;
use super::quota::Span;
use super::{Mode, Quota};

/// The most limits that one target may have.
pub const MAX_LIMITS: usize = 8;

/// Whose calls a limit counts together.
///
/// ```
/// use std::time::Duration;
/// use tollgate::{CallContext, Limit, Per, Quota, Tool, ToolError};
/// # #[derive(serde::Deserialize, schemars::JsonSchema)]
/// # struct Nothing {}
///
/// const DAY: Duration = Duration::from_secs(86_400);
/// let tool = Tool::new("report", "Writes a report.")
///     .any_authenticated()
///     // A tenant's calls of this tool, and within them those of one person.
///     .quota(Quota::per_minute(60))
///     .limit(Limit::new(Quota::per_minute(10)).per(Per::SubjectTarget))
///     // What a tenant does with all tools that have this limit.
///     .limit(Limit::new(Quota::per(1_000, DAY)).per(Per::Tenant))
///     // What the system behind the tool bears, whoever calls.
///     .limit(Limit::new(Quota::per_second(20)).per(Per::Target))
///     .handler(async |_: CallContext, _: Nothing| Ok::<_, ToolError>("done".to_owned()));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Per {
    /// Those of one tenant to one target.
    #[default]
    TenantTarget,
    /// Those of one tenant, over all targets with such a limit over the same period. It must be the
    /// same quota in all of them.
    Tenant,
    /// Those of one subject of one tenant to one target.
    SubjectTarget,
    /// Those of everybody to one target.
    Target,
}

/// One limit of a target. With several, a call goes through if all let it, and else takes nothing
/// from any.
///
/// ```
/// use std::time::Duration;
/// use tollgate::{Limit, Quota};
///
/// // Several windows: ten at once, and a thousand a day.
/// let limits = [
///     Limit::new(Quota::per_second(10)),
///     Limit::new(Quota::per(1_000, Duration::from_secs(86_400))),
/// ];
/// assert_eq!(limits.map(|limit| limit.policy_name()), ["1s", "1d"]);
/// ```
///
/// With a cost, the quota counts units, and a call takes several:
///
/// ```
/// use std::time::Duration;
/// use tollgate::{Limit, Per, Quota};
///
/// // A thousand units a day for all that a tenant does; one call of this tool takes ten.
/// let limit = Limit::new(Quota::per(1_000, Duration::from_secs(86_400))).per(Per::Tenant).cost(10);
/// assert_eq!(limit.taken_by_a_call(), 10);
/// assert_eq!(limit.to_string(), "1000/1d per [tenant] cost 10");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    quota: Quota,
    per: Per,
    cost: NonZeroU32,
    mode: Mode,
}

impl Limit {
    /// A limit on each tenant's calls to the target, which counts each call as one.
    pub const fn new(quota: Quota) -> Self {
        Self {
            quota,
            per: Per::TenantTarget,
            cost: NonZeroU32::MIN,
            mode: Mode::Enforce,
        }
    }

    /// Counts the calls of others together.
    pub const fn per(mut self, per: Per) -> Self {
        self.per = per;
        self
    }

    /// Counts each call as so many. Zero counts as one; more than the quota's burst is refused when
    /// the catalogue is built, since no call could ever go through.
    pub const fn cost(mut self, cost: u32) -> Self {
        self.cost = match NonZeroU32::new(cost) {
            Some(cost) => cost,
            None => NonZeroU32::MIN,
        };
        self
    }

    /// Whether it refuses, or only records that it would.
    pub const fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// How much it lets through.
    pub const fn quota(&self) -> &Quota {
        &self.quota
    }

    /// Whose calls it counts together.
    pub const fn counts_per(&self) -> Per {
        self.per
    }

    /// What one call takes.
    pub const fn taken_by_a_call(&self) -> u32 {
        self.cost.get()
    }

    /// Whether it refuses calls.
    pub const fn is_enforced(&self) -> bool {
        matches!(self.mode, Mode::Enforce)
    }

    /// What tells it from the other limits of a target: the period, and whose calls it counts unless
    /// those are one tenant's to one target. Such as `10s`, `tenant-1d`, `subject-1m`, `target-1s`.
    pub fn policy_name(&self) -> String {
        let whose = match self.per {
            Per::TenantTarget => "",
            Per::Tenant => "tenant-",
            Per::SubjectTarget => "subject-",
            Per::Target => "target-",
        };
        format!("{whose}{}", Span(self.quota.period()))
    }

    /// For somebody whom it refused: `1000 per 1d for all calls of the tenant`.
    pub fn in_words(&self) -> String {
        let whose = match self.per {
            Per::TenantTarget => "these calls of the tenant",
            Per::Tenant => "all calls of the tenant",
            Per::SubjectTarget => "these calls of the caller",
            Per::Target => "these calls of everybody",
        };
        let (count, period) = (self.quota.count(), Span(self.quota.period()));
        format!("{count} per {period} for {whose}")
    }
}

/// As a configuration could write it, but for the mode: `1000/1d per [tenant] cost 10`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.quota.fmt(f)?;
        match self.per {
            Per::TenantTarget => {}
            Per::Tenant => f.write_str(" per [tenant]")?,
            Per::SubjectTarget => f.write_str(" per [subject, tool]")?,
            Per::Target => f.write_str(" per [tool]")?,
        }
        match self.cost.get() {
            1 => Ok(()),
            cost => write!(f, " cost {cost}"),
        }
    }
}

/// Names the buckets of a limit: whose calls they count together, over which period, and, where it
/// matters, of which target. With the caller's identity it makes one bucket's key.
///
/// Equal texts have equal numbers in all catalogues that follow one another, so that a configuration
/// that is loaded again finds its buckets.
#[derive(Clone, Debug)]
pub struct BucketName {
    number: u32,
    text: Arc<str>,
}

impl BucketName {
    fn of(limit: &Limit, target: &str, numbers: &Numbers) -> Result<Self, String> {
        let period = limit.quota.period().as_millis();
        // A period is digits, so the text tells apart whatever a target is called.
        let text = Arc::from(match limit.per {
            Per::TenantTarget => format!("tenant-target:{period}:{target}"),
            Per::Tenant => format!("tenant:{period}"),
            Per::SubjectTarget => format!("subject-target:{period}:{target}"),
            Per::Target => format!("target:{period}:{target}"),
        });
        let number = numbers.of(&text)?;
        Ok(Self { number, text })
    }

    /// What stands for it in this process.
    pub fn number(&self) -> u32 {
        self.number
    }
}

/// A limit on a target, with the name of its buckets.
#[derive(Clone, Debug)]
pub struct BoundLimit {
    limit: Limit,
    name: BucketName,
}

impl BoundLimit {
    /// # Errors
    /// A sentence: the limits contradict one another or themselves.
    pub(super) fn all(
        limits: &[Limit],
        target: &str,
        numbers: &Numbers,
    ) -> Result<Vec<Self>, String> {
        if limits.len() > MAX_LIMITS {
            return Err(format!("has more than {MAX_LIMITS} limits"));
        }
        let mut bound: Vec<Self> = Vec::new();
        for limit in limits {
            if limit.cost.get() > limit.quota.burst_size() {
                return Err(format!(
                    "a call costs {}, more than the burst of {}: no call could go through",
                    limit.cost,
                    limit.quota.burst_size()
                ));
            }
            let name = BucketName::of(limit, target, numbers)?;
            if bound.iter().any(|other| other.name.number == name.number) {
                return Err("has two limits over the same period for the same callers".to_owned());
            }
            bound.push(Self {
                limit: *limit,
                name,
            });
        }
        Ok(bound)
    }

    /// The limit.
    pub fn limit(&self) -> &Limit {
        &self.limit
    }

    /// The name of its buckets.
    pub fn name(&self) -> &BucketName {
        &self.name
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
