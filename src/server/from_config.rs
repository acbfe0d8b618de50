//! A checked configuration becomes a server in the making.
//!
//! What a file alone cannot tell is found out here, with the same kind of fault: whether a database
//! is there, whether a statement fits it, whether a URI template is one. All of it is reported at
//! once, each fault with its key path and line.

mod api_keys;
mod audit;
mod declared;
mod http;
mod introspection;
mod issuers;
mod limits;
mod policy;
mod presentation;
mod quota_store;
mod sources;
mod telemetry;
mod unopened;

use std::collections::BTreeMap;

use secrecy::ExposeSecret;

use super::ServerBuilder;
use super::admin::AdminAddress;
use crate::auth::{ClaimNames, LocalIdentity, Principal, ScopeInclusion};
use crate::config::{self, Config, Faults};
use crate::record::TenantLabel;
use crate::tool::{PROMPT, TaskPolicy, UriTemplate, argument_names};
pub(crate) use audit::settings as audit_settings;
pub(crate) use issuers::jws_algorithm;

use declared::{declared_prompt, declared_resource, declared_tool};
use policy::govern;
use sources::{OpenSources, open_sources};

impl ServerBuilder {
    /// The server that a configuration describes.
    ///
    /// # Errors
    /// [`Faults`]: databases that cannot be opened, statements that do not fit them, URI templates
    /// that are none.
    pub fn from_config(config: Config) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let mut builder = Self {
            claims: claim_names(&config.auth.claims),
            scope_inclusion: scope_inclusion(&config.auth.scopes),
            http: http::settings(&config, &mut faults),
            listen: Some(config.server.listen),
            admin: admin_address(config.server.admin_listen),
            max_in_flight: config.server.max_in_flight,
            max_in_flight_per_tenant: config.server.max_in_flight_per_tenant,
            max_quota_keys: config.quotas.max_keys,
            quota_store: quota_store::settings(config.quotas.store.as_ref(), &mut faults),
            failure_limit: limits::quota(config.auth.failure_limit),
            denial_limit: config.quotas.denial_limit.map(limits::quota),
            page_size: config.server.page_size,
            shutdown_delay: config.server.shutdown_delay,
            shutdown_grace: config.server.shutdown_grace,
            service: config.telemetry.service.clone(),
            audit: config.audit.as_ref().map(audit::settings),
            state_secret: state_secret(&config.server),
            metrics: config
                .telemetry
                .metrics
                .as_ref()
                .map(|named| named.iter().copied().map(Into::into).collect()),
            tenant_label: tenant_label(&config),
            ..Self::default()
        };
        issuers::add(&config.auth, &mut builder, &mut faults);
        introspection::add(&config.auth, &mut builder, &mut faults);
        api_keys::add(&config.auth, &mut builder, &mut faults);
        builder.local = local_identity(config.stdio.as_ref(), &mut faults);
        for exporter in &config.telemetry.traces {
            builder = builder.trace((*exporter).into());
        }
        builder.tracing_settings.sampling = config.telemetry.sampling;
        let sources = open_sources(&config.sources, &mut faults);
        let resilience = sources.values().map(|source| &source.resilience);
        builder.sources = resilience.cloned().collect();
        builder.declare(&config, Some(&sources), &mut faults);
        faults.or(builder)
    }

    /// What of a configuration decides calls: nothing is opened, fetched or listened on, quotas are
    /// counted in memory, and nothing that is declared can run.
    ///
    /// # Errors
    /// [`Faults`]: rules that do not compile, URI templates that are none.
    pub(super) fn deciding(config: &Config) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let mut builder = Self {
            scope_inclusion: scope_inclusion(&config.auth.scopes),
            max_quota_keys: config.quotas.max_keys,
            denial_limit: config.quotas.denial_limit.map(limits::quota),
            ..Self::default()
        };
        builder.declare(config, None, &mut faults);
        faults.or(builder)
    }

    /// Adds the tools, resources and prompts of a configuration, under their policies; without `sources` such
    /// that cannot run.
    fn declare(&mut self, config: &Config, sources: Option<&OpenSources>, faults: &mut Faults) {
        for tool in &config.tools {
            let own = limits::of_tenants(config, &tool.policy, |own| own.tools.get(&tool.name));
            self.origins.insert(tool.name.clone(), tool.origin.clone());
            let built = declared_tool(tool, sources, faults);
            let arguments = argument_names(&tool.input_schema);
            let arguments = arguments.as_deref();
            let common = (
                &tool.policy,
                limits::common(&tool.policy, &config.quotas.default),
            );
            let governed = govern(built, arguments, common, own, faults);
            let governed = match &tool.task {
                Some(task) => governed.map(|built| built.task(task_policy(task))),
                None => governed,
            };
            self.declared.tools.extend(governed);
        }
        for resource in &config.resources {
            let uri = &resource.uri_template;
            let own = limits::of_tenants(config, &resource.policy, |own| own.resources.get(uri));
            self.origins.insert(uri.clone(), resource.origin.clone());
            let built = declared_resource(resource, sources, faults);
            let template = UriTemplate::parse(uri).ok();
            let variables = template
                .as_ref()
                .map(|known| known.variables().collect::<Vec<_>>());
            let variables = variables.as_deref();
            let common = (
                &resource.policy,
                limits::common(&resource.policy, &config.quotas.default),
            );
            let governed = govern(built, variables, common, own, faults);
            self.declared.resources.extend(governed);
        }
        self.declare_prompts(config, faults);
    }

    fn declare_prompts(&mut self, config: &Config, faults: &mut Faults) {
        for prompt in &config.prompts {
            let own =
                limits::of_tenants(config, &prompt.policy, |own| own.prompts.get(&prompt.name));
            let origin = prompt.origin.clone();
            self.origins.insert([PROMPT, &prompt.name].concat(), origin);
            let built = declared_prompt(prompt, faults);
            let arguments = argument_names(&prompt.input_schema);
            let common = (
                &prompt.policy,
                limits::common(&prompt.policy, &config.quotas.default),
            );
            let governed = govern(built, arguments.as_deref(), common, own, faults);
            self.declared.prompts.extend(governed);
        }
    }
}

fn state_secret(server: &config::Server) -> Option<Vec<u8>> {
    let secret = server.state_secret.as_ref();
    secret.map(|secret| secret.expose_secret().as_bytes().to_vec())
}

fn task_policy(task: &config::Task) -> TaskPolicy {
    let policy = TaskPolicy::new().ttl(task.ttl).poll_every(task.poll_every);
    if task.is_required {
        policy.required()
    } else {
        policy
    }
}

fn tenant_label(config: &Config) -> Option<TenantLabel> {
    Some(TenantLabel {
        max: config.telemetry.tenant_label?,
        named: config.tenants.keys().cloned().collect(),
    })
}

fn admin_address(listen: config::AdminListen) -> Option<AdminAddress> {
    let (address, is_required) = match listen {
        config::AdminListen::Default(address) => (address, false),
        config::AdminListen::At(address) => (address, true),
        config::AdminListen::Off => return None,
    };
    Some(AdminAddress {
        address,
        is_required,
    })
}

/// What the claims are called.
pub(crate) fn claim_names(claims: &config::Claims) -> ClaimNames {
    ClaimNames {
        subject: claims.subject.clone(),
        tenant: claims.tenant.clone(),
        scopes: claims.scopes.clone(),
    }
}

fn scope_inclusion(scopes: &BTreeMap<String, Vec<String>>) -> ScopeInclusion {
    let direct = scopes
        .iter()
        .map(|(scope, all)| (scope.as_str(), all.as_slice()));
    // The configuration holds them to the same limits, so this does not fail; if it did, no scope
    // would include another.
    ScopeInclusion::new(direct).unwrap_or_default()
}

fn local_identity(stdio: Option<&config::Stdio>, faults: &mut Faults) -> Option<LocalIdentity> {
    match stdio? {
        config::Stdio::Token(token) => Some(LocalIdentity::Token(token.clone())),
        config::Stdio::Principal {
            tenant,
            subject,
            scopes,
            origin,
        } => Principal::configured(tenant, subject, scopes)
            .map_err(|error| faults.0.push(origin.fault(error.to_string())))
            .map(LocalIdentity::Principal)
            .ok(),
    }
}
