//! A checked configuration becomes a server in the making.
//!
//! What a file alone cannot tell is found out here, with the same kind of fault: whether a database
//! is there, whether a statement fits it, whether a URI template is one. All of it is reported at
//! once, each fault with its key path and line.

mod api_keys;
mod introspection;
mod policy;

use std::collections::BTreeMap;
use std::sync::Arc;

use jsonwebtoken::Algorithm;

use super::ServerBuilder;
use super::admin::AdminAddress;
use crate::auth::{
    ClaimNames, Issuer, KeySource, KeyTimes, LocalIdentity, Principal, ScopeInclusion,
};
use crate::config::{self, Config, Faults};
use crate::record::Exporter;
use crate::source::sqlite::Sqlite;
use crate::source::{Bound, SqlSpec, SqlTool};
use crate::tool::{Arguments, Resource, Tool, UriTemplate, argument_names};
use crate::transport::http::Tls;
use policy::govern;

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
            admin: admin_address(config.server.admin_listen),
            max_in_flight: config.server.max_in_flight,
            max_quota_keys: config.quotas.max_keys,
            failure_limit: policy::quota(config.auth.failure_limit),
            shutdown_grace: config.server.shutdown_grace,
            service: config.telemetry.service.clone(),
            ..Self::default()
        };
        builder.http.public_url = config.server.public_url.clone();
        builder.http.allowed_hosts = config.server.allowed_hosts.clone();
        builder.http.allowed_origins = config.server.allowed_origins.clone();
        builder.http.tls = config
            .server
            .tls
            .as_ref()
            .and_then(|tls| load_tls(tls, &mut faults));
        builder.http.behind_proxy = config.server.behind_proxy;
        builder.http.trusted_proxies = config.server.trusted_proxies.clone();
        builder.http.limits.max_connections = config.server.max_connections;
        builder.http.limits.max_connections_per_address = config.server.max_connections_per_address;
        builder.http.max_body_bytes = config.server.max_body_bytes;
        builder.http.authorization_servers = authorization_servers(&config.auth.issuers);
        for issuer in &config.auth.issuers {
            match checked_issuer(issuer) {
                Ok(issuer) => builder.issuers.extend(issuer),
                Err(error) => faults.0.push(issuer.origin.fault(error.to_string())),
            }
        }
        introspection::add(&config.auth, &mut builder, &mut faults);
        api_keys::add(&config.auth, &mut builder, &mut faults);
        builder.local = config.stdio.as_ref().and_then(local_identity);
        for exporter in &config.telemetry.traces {
            builder = builder.trace(match exporter {
                config::TraceExporter::Console => Exporter::Console,
                config::TraceExporter::Otlp => Exporter::Otlp,
            });
        }
        let sources = open_sources(&config.sources, &mut faults);
        for tool in &config.tools {
            let own = config.tenants.iter();
            let own = own.filter_map(|(name, tenant)| Some((name, tenant.tools.get(&tool.name)?)));
            let built = declared_tool(tool, &sources, &mut faults);
            let arguments = argument_names(&tool.input_schema);
            let arguments = arguments.as_deref();
            let governed = govern(built, arguments, &tool.policy, own, &mut faults);
            builder.tools.extend(governed);
        }
        for resource in &config.resources {
            let (uri, own) = (&resource.uri_template, config.tenants.iter());
            let own = own.filter_map(|(name, tenant)| Some((name, tenant.resources.get(uri)?)));
            let built = declared_resource(resource, &sources, &mut faults);
            let template = UriTemplate::parse(uri).ok();
            let variables = template
                .as_ref()
                .map(|known| known.variables().collect::<Vec<_>>());
            let variables = variables.as_deref();
            let governed = govern(built, variables, &resource.policy, own, &mut faults);
            builder.resources.extend(governed);
        }
        faults.or(builder)
    }
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

fn load_tls(tls: &config::Tls, faults: &mut Faults) -> Option<Tls> {
    let loaded = Tls::load(&tls.certificate, &tls.key);
    loaded
        .map_err(|error| faults.0.push(tls.origin.fault(error.to_string())))
        .ok()
}

fn claim_names(claims: &config::Claims) -> ClaimNames {
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

/// Issuers that are URLs are where clients may go for a token (RFC 9728 §2).
fn authorization_servers(issuers: &[config::Issuer]) -> Vec<String> {
    let is_url = |name: &&String| name.starts_with("https://") || name.starts_with("http://");
    issuers
        .iter()
        .map(|issuer| &issuer.issuer)
        .filter(is_url)
        .cloned()
        .collect()
}

/// The issuer, unless it is one that is asked about its tokens.
fn checked_issuer(issuer: &config::Issuer) -> Result<Option<Issuer>, crate::auth::IssuerError> {
    let (name, audiences) = (&issuer.issuer, &issuer.audiences);
    let checked = match &issuer.keys {
        config::IssuerKeys::Introspection(_) => return Ok(None),
        config::IssuerKeys::Secret(secret) => Issuer::hs256(name, audiences, secret),
        config::IssuerKeys::Public(source, times) => {
            let source = match source {
                config::KeySource::Discovery => KeySource::Discovery,
                config::KeySource::Url(url) => KeySource::Url(url.clone()),
                config::KeySource::File(path) => KeySource::File(path.clone()),
            };
            let times = KeyTimes {
                refresh: times.refresh,
                max_age: times.max_age,
                cooldown: times.cooldown,
            };
            Issuer::with_keys(name, audiences, &source, times)
        }
    };
    let checked = checked?.with_algorithms(issuer.algorithms.iter().map(algorithm))?;
    Ok(Some(if issuer.allow_missing_audience {
        checked.allow_missing_audience()
    } else {
        checked
    }))
}

fn algorithm(algorithm: &config::Algorithm) -> Algorithm {
    match algorithm {
        config::Algorithm::Hs256 => Algorithm::HS256,
        config::Algorithm::Hs384 => Algorithm::HS384,
        config::Algorithm::Hs512 => Algorithm::HS512,
        config::Algorithm::Rs256 => Algorithm::RS256,
        config::Algorithm::Rs384 => Algorithm::RS384,
        config::Algorithm::Rs512 => Algorithm::RS512,
        config::Algorithm::Ps256 => Algorithm::PS256,
        config::Algorithm::Ps384 => Algorithm::PS384,
        config::Algorithm::Ps512 => Algorithm::PS512,
        config::Algorithm::Es256 => Algorithm::ES256,
        config::Algorithm::Es384 => Algorithm::ES384,
        config::Algorithm::EdDsa => Algorithm::EdDSA,
    }
}

fn local_identity(stdio: &config::Stdio) -> Option<LocalIdentity> {
    match stdio {
        config::Stdio::Token(token) => Some(LocalIdentity::Token(token.clone())),
        config::Stdio::Principal {
            tenant,
            subject,
            scopes,
        } => {
            // The configuration holds them to the same limits, so this does not fail.
            Principal::configured(tenant, subject, scopes)
                .ok()
                .map(LocalIdentity::Principal)
        }
    }
}

fn open_sources(
    sources: &BTreeMap<String, config::Source>,
    faults: &mut Faults,
) -> BTreeMap<String, Sqlite> {
    let mut open = BTreeMap::new();
    for (
        name,
        config::Source::Sqlite {
            path,
            threads,
            origin,
        },
    ) in sources
    {
        match Sqlite::open(path, *threads) {
            Ok(database) => {
                open.insert(name.clone(), database);
            }
            Err(error) => faults.0.push(origin.fault(error.to_string())),
        }
    }
    open
}

fn declared_tool(
    tool: &config::Tool,
    sources: &BTreeMap<String, Sqlite>,
    faults: &mut Faults,
) -> Option<Tool> {
    let properties = tool
        .input_schema
        .get("properties")
        .and_then(serde_json::Value::as_object);
    let arguments = properties
        .into_iter()
        .flat_map(|properties| properties.keys())
        .map(String::as_str);
    let handler = sql_tool(&tool.sql, arguments.collect(), &tool.bind, sources, faults)?;
    let mut built = Tool::new(&tool.name, &tool.description).declared(
        tool.input_schema.clone(),
        tool.defaults.clone(),
        Some(handler.output_schema()),
        Arc::new(handler),
    );
    if let Some(title) = &tool.title {
        built = built.title(title);
    }
    Some(built)
}

fn declared_resource(
    resource: &config::Resource,
    sources: &BTreeMap<String, Sqlite>,
    faults: &mut Faults,
) -> Option<Resource> {
    let template = match UriTemplate::parse(&resource.uri_template) {
        Ok(template) => template,
        Err(error) => {
            faults.0.push(resource.origin.fault(error.to_string()));
            return None;
        }
    };
    let arguments: Vec<&str> = template.variables().collect();
    if let Some(unknown) = resource
        .parameters
        .keys()
        .find(|name| !arguments.contains(&name.as_str()))
    {
        faults.0.push(resource.origin.fault(format!(
            "`parameters` names `{unknown}`, which is no variable of the URI template"
        )));
        return None;
    }
    let handler = sql_tool(&resource.sql, arguments, &resource.bind, sources, faults)?;
    let input = serde_json::json!({
        "type": "object",
        "properties": resource.parameters,
        "additionalProperties": false,
    });
    let mut built = Resource::new(&resource.uri_template, &resource.name)
        .mime_type(&resource.mime_type)
        .declared(input, Arguments::new(), None, Arc::new(handler));
    if let Some(title) = &resource.title {
        built = built.title(title);
    }
    if let Some(description) = &resource.description {
        built = built.description(description);
    }
    Some(built)
}

fn sql_tool(
    sql: &config::Sql,
    arguments: Vec<&str>,
    bind: &BTreeMap<String, config::Binding>,
    sources: &BTreeMap<String, Sqlite>,
    faults: &mut Faults,
) -> Option<SqlTool> {
    // A source that could not be opened has its own fault already.
    let database = sources.get(&sql.source)?;
    let bound = bind.iter().map(|(name, binding)| {
        let bound = match binding {
            config::Binding::Tenant => Bound::Tenant,
            config::Binding::Subject => Bound::Subject,
        };
        (name.as_str(), bound)
    });
    let spec = SqlSpec {
        statement: &sql.statement,
        arguments,
        bound: bound.collect(),
        one: sql.result == config::SqlResult::One,
        max_rows: sql.max_rows,
        max_bytes: sql.max_bytes,
    };
    match SqlTool::new(database, &spec) {
        Ok(tool) => Some(tool),
        Err(error) => {
            faults.0.push(sql.origin.fault(error.to_string()));
            None
        }
    }
}
