//! The config file: YAML text in, a checked [`Config`] out, or every fault at once with its line.
//!
//! ```text
//! text ─ document ─ interpolate ─ shape (our JSON Schema) ─ raw (serde) ─ one check per section ─ Config
//! ```
//!
//! The first phase makes sure of the shape, the second of the meaning; nothing behind this module has to check
//! a setting again. It depends on no other module of the crate, and is the only one that reads the
//! environment, through [`Environment`].
//!
//! A reader would ask why the text is not deserialized straight into [`Config`]: serde stops at the first
//! fault, without a line, and quotes values that may be secrets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jsonschema::Draft;

use document::At;
use files_read::Recording;

mod admin;
mod api_key;
mod api_keys_file;
mod audit;
mod auth;
mod backend;
mod breaker;
mod cases;
mod concurrency;
mod confirm;
mod deciding;
mod document;
mod duration;
mod environment;
mod expansion;
mod faults;
mod files_read;
mod governed;
mod header_names;
mod http;
mod identity;
mod inputs;
mod interpolate;
mod introspection;
mod issuer;
mod keywords;
#[cfg(feature = "lambda")]
mod lambda;
mod log_format;
mod otel;
mod parameters;
mod policy;
mod prompt;
mod proxies;
mod quota;
mod quota_store;
mod rate_limit;
mod raw;
mod resource;
mod rule;
pub mod schema;
mod scope_set;
mod scopes;
mod secret;
mod server;
mod shape;
mod source;
mod sql;
mod stdio;
mod task;
mod telemetry;
mod tenant;
#[cfg(test)]
mod testing;
mod tls;
mod tool;

pub use admin::AdminListen;
pub use api_key::ApiKey;
pub(crate) use api_key::{BAD_ID as BAD_API_KEY_ID, is_id as is_api_key_id, parse_expiry};
pub(crate) use api_keys_file::{load_api_keys, parse_api_keys};
pub use audit::{Audit, AuditOverride, AuditRotation};
pub use auth::{Auth, Claims};
pub use backend::Backend;
pub use breaker::Breaker;
pub use cases::{ALLOW, CONFIRM, CaseCaller, CaseTarget, PolicyCase, Step, Wanted, load_cases};
pub use concurrency::Concurrency;
pub use confirm::Confirm;
pub use deciding::{audit_file, shares_quotas};
pub(crate) use duration::{format as format_duration, parse as parse_duration};
pub(crate) use environment::user_data_folder;
pub use environment::{Environment, ProcessEnvironment};
pub(crate) use environment::{notify_socket, watchdog_period};
pub use faults::{Fault, Faults, Origin};
pub use files_read::FilesRead;
pub use governed::Governed;
pub use http::Http;
pub use inputs::Binding;
pub use introspection::Introspection;
pub use issuer::{Algorithm, Issuer, IssuerKeys, KeySource, KeyTimes};
#[cfg(feature = "lambda")]
pub(crate) use lambda::check_lambda_variables;
pub(crate) use log_format::log_format;
pub use otel::{Otel, OtelFault, OtelSignal, OtelSpans, Otlp, OtlpProtocol};
pub use policy::{Access, Mode, Policy};
pub use prompt::{Message, Prompt};
pub use quota::{Quotas, Rate, RateError};
pub use quota_store::{OnStoreFailure, QuotaStore};
pub use rate_limit::{Limit, Per};
pub use raw::presentation::{Audience, Icon, ResourceAnnotations, Theme, ToolAnnotations};
pub use resource::Resource;
pub use rule::{Rule, RuleEffect};
pub use scope_set::ScopeSet;
pub use server::Server;
pub use source::{Source, SourceKind};
pub use sql::{Sql, SqlResult};
pub use stdio::Stdio;
pub use task::Task;
pub use telemetry::{LogFormat, MetricReader, Telemetry, TraceExporter};
pub use tenant::{Override, Tenant};
pub use tls::Tls;
pub use tool::Tool;

/// Everything that the config file says, checked. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the server listens and its limits.
    pub server: Server,
    /// Whose tokens are accepted.
    pub auth: Auth,
    /// Who the caller on stdio is; `None`: stdio serves no tool.
    pub stdio: Option<Stdio>,
    /// Where rate limits are counted.
    pub quotas: Quotas,
    /// Where tools get their data, by name.
    pub sources: BTreeMap<String, Source>,
    /// The tools, sorted by name.
    pub tools: Vec<Tool>,
    /// The resources, sorted by URI template.
    pub resources: Vec<Resource>,
    /// The prompts, sorted by name.
    pub prompts: Vec<Prompt>,
    /// What single tenants have otherwise, by name. Everything that it names is there.
    pub tenants: BTreeMap<String, Tenant>,
    /// What the server tells about itself.
    pub telemetry: Telemetry,
    /// Where calls are put on record; `None`: nowhere.
    pub audit: Option<Audit>,
}

impl Config {
    /// Reads and checks the config file at `path`, with the variables and files of this process.
    ///
    /// # Errors
    /// Every fault of the file at once; a file that cannot be read is one fault.
    pub fn load(path: &Path) -> Result<Self, Faults> {
        Self::load_watched(path).0
    }

    /// Like [`load`](Self::load), with the files that were read, whatever came of it.
    pub fn load_watched(path: &Path) -> (Result<Self, Faults>, FilesRead) {
        let environment = Recording::default();
        let config = Self::load_from(path, &environment);
        (config, environment.read())
    }

    /// Files that it names and that are read on their own, at the start and whenever they change.
    pub fn files_beside(&self) -> Vec<PathBuf> {
        let tls = self.server.tls.iter();
        let tls = tls.flat_map(|tls| [&tls.certificate, &tls.key]);
        let issuers = self.auth.issuers.iter();
        let keys = issuers.filter_map(|issuer| match &issuer.keys {
            IssuerKeys::Public(KeySource::File(file), _) => Some(file),
            _ => None,
        });
        let all = tls.chain(keys).chain(&self.auth.api_keys_file);
        all.cloned().collect()
    }

    fn load_from(path: &Path, environment: &dyn Environment) -> Result<Self, Faults> {
        Self::parse(&read(path, CONFIG_FILE, environment)?, path, environment)
    }

    /// Like [`load`](Self::load), but of the file only what decides calls: `tools`, `resources`, `tenants`,
    /// `auth.scopes` and the limits of `quotas`. Everything else is as if it were not there, so that its
    /// secrets need not be either.
    ///
    /// # Errors
    /// Those of [`load`](Self::load) that are about what is read.
    pub fn load_deciding(path: &Path) -> Result<Self, Faults> {
        let environment = ProcessEnvironment;
        Self::parse_deciding(&read(path, CONFIG_FILE, &environment)?, path, &environment)
    }

    fn parse_deciding(
        text: &str,
        file: &Path,
        environment: &dyn Environment,
    ) -> Result<Self, Faults> {
        let mut root = document::parse(text, file)?;
        deciding::keep_what_decides(&mut root);
        Self::checked(root, file, environment)
    }

    /// Checks the text of a config file. `file` names it in faults, and relative paths are relative to its folder.
    ///
    /// # Errors
    /// Every fault at once, in the order of the file. Faults of meaning only show once the shape is right.
    pub fn parse(text: &str, file: &Path, environment: &dyn Environment) -> Result<Self, Faults> {
        Self::checked(document::parse(text, file)?, file, environment)
    }

    fn checked(
        mut root: document::Node,
        file: &Path,
        environment: &dyn Environment,
    ) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        interpolate::expand_all(&mut root, file, environment, &mut faults);
        let expansion_faults = faults.0.len();

        let schema = schema::json_schema();
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .offline()
            .build(&schema)
            .map_err(|error| {
                At::root(file, &root).origin().fault(format!(
                    "the built-in schema is broken (please report this): {error}"
                ))
            })?;
        shape::convert_expanded(&mut root, &validator);
        let mut value = root.to_value();
        let top = At::root(file, &root);
        shape::check(validator.iter_errors(&value), &schema, &top, &mut faults);
        if faults.0.len() > expansion_faults {
            // A misspelt key should not hide what is wrong with the meaning of the others.
            shape::drop_unknown_keys(&mut value, &validator);
            if !validator.is_valid(&value) {
                return Err(faults.in_order());
            }
        }
        match serde_json::from_value(value) {
            Ok(raw) => {
                let config = check(raw, file, &top, &mut faults);
                faults.or(config)
            }
            // A value that could not be expanded may have the wrong type; that is already reported.
            Err(_) if !faults.0.is_empty() => Err(faults.in_order()),
            Err(_) => Err(top
                .origin()
                .fault("does not fit the schema of `tollgate schema` (please report this)")
                .into()),
        }
    }
}

/// What faults call the file.
const CONFIG_FILE: &str = "the config file";

fn read(path: &Path, what: &str, environment: &dyn Environment) -> Result<String, Faults> {
    environment.file(path).map_err(|error| {
        let origin = Origin {
            file: path.to_path_buf(),
            path: String::new(),
            line: None,
        };
        Faults::from(origin.fault(format!("cannot read {what}: {error}")))
    })
}

/// The second phase: the meaning of every section, once the shape is known to be right.
fn check(raw: raw::RawConfig, file: &Path, top: &At<'_>, faults: &mut Faults) -> Config {
    let sources = source::check(raw.sources, file, &top.key("sources"), faults);
    let (tools_at, resources_at) = (top.key("tools"), top.key("resources"));
    let tools = raw.tools.into_iter().map(|(name, raw)| {
        let at = tools_at.key(&name);
        tool::check(name, raw, &sources, &at, faults)
    });
    let tools: Vec<Tool> = tools.collect();
    let resources = raw.resources.into_iter().map(|(uri, raw)| {
        let at = resources_at.key(&uri);
        resource::check(uri, raw, &sources, &at, faults)
    });
    let resources: Vec<Resource> = resources.collect();
    let prompts_at = top.key("prompts");
    let prompts = raw.prompts.into_iter().map(|(name, raw)| {
        let at = prompts_at.key(&name);
        prompt::check(name, raw, &at, faults)
    });
    let prompts: Vec<Prompt> = prompts.collect();
    let known = tenant::Known {
        tools: &tools,
        resources: &resources,
        prompts: &prompts,
    };
    let tenants = tenant::check(raw.tenants, &known, &top.key("tenants"), faults);
    let server = server::check(raw.server, file, &top.key("server"), faults);
    let telemetry_at = top.key("telemetry");
    Config {
        audit: raw
            .audit
            .map(|raw| audit::check(raw, file, &top.key("audit"), faults)),
        resources,
        prompts,
        tools,
        tenants,
        auth: auth::check(raw.auth, file, &top.key("auth"), faults),
        stdio: raw
            .stdio
            .and_then(|raw| stdio::check(raw, &top.key("stdio"), faults)),
        quotas: quota::check(raw.quotas, file, &top.key("quotas"), faults),
        telemetry: telemetry::check(raw.telemetry, server.admin_listen, &telemetry_at, faults),
        server,
        sources,
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{FULL, Fixed, SECRET, faults, good, parse};
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn an_unknown_key_does_not_hide_what_is_wrong_elsewhere() {
        let text = "server:\n  listne: 127.0.0.1:8080\n  listen: 0.0.0.0:8080\n";
        let found = faults(text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("listne") && found[0].contains("did you mean `listen`"));
        assert!(
            found[1].contains("tollgate.yaml:3: server.listen: an address other than loopback")
        );
    }

    #[test]
    fn a_full_file_is_read() {
        let config = good(FULL);
        assert_eq!(
            config.server.public_url.as_deref(),
            Some("https://tools.example.com")
        );
        assert_eq!(
            (config.server.behind_proxy, config.server.max_body_bytes),
            (false, 2048)
        );
        assert_eq!(config.auth.issuers[0].algorithms, [Algorithm::Hs256]);
        assert_eq!(config.auth.claims.tenant, "org");
        assert_eq!(
            (config.quotas.max_keys, config.quotas.default.len()),
            (1000, 2)
        );
        assert_eq!(config.tools[0].policy.timeout, Duration::from_secs(2));
        assert_eq!(config.resources[0].policy.access, Access::AnyAuthenticated);
        let own = &config.tenants["acme"].tools["get_customer"];
        let own = own.limits.as_ref().unwrap();
        assert_eq!(own[0].rate.to_string(), "100/10s");
        assert_eq!((config.sources.len(), config.tools.len()), (2, 2));
        assert_eq!(config.telemetry.service, "shop-tools");
        assert!(!format!("{config:?}").contains(SECRET));
    }

    #[test]
    fn an_almost_empty_file_means_the_defaults() {
        let config = good("{}");
        assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
        assert!(
            config.tools.is_empty() && config.stdio.is_none() && config.auth.issuers.is_empty()
        );
        assert_eq!(
            faults("# nothing\n"),
            [
                "tollgate.yaml:2: expected a mapping, found nothing; give it a value or remove the key"
            ]
        );
    }

    #[test]
    fn every_unknown_key_is_a_fault_with_the_key_that_was_meant() {
        let text = "sever: {}\nserver:\n  max_body_bytes: 1\n  colour: red\ntools:\n  t: {ratelimit: 1/s}\n";
        assert_eq!(
            faults(text),
            [
                "tollgate.yaml:1: sever: unknown key `sever`; did you mean `server`?",
                "tollgate.yaml:3: server.max_body_bytes: unknown key `max_body_bytes`; did you mean `maxBodyBytes`?",
                "tollgate.yaml:4: server.colour: unknown key `colour`",
                "tollgate.yaml:6: tools.t: the key `description` is missing: What the tool does, for the model that chooses it",
                "tollgate.yaml:6: tools.t.ratelimit: unknown key `ratelimit`; did you mean `rateLimit`?",
            ]
        );
    }

    #[test]
    fn wrong_types_are_named_without_the_value() {
        let text = "server:\n  maxInFlight: lots\n  behindProxy: 1\n  listen: 8080\n  shutdownGrace:\ntools: []\nquotas: {store: 1, maxKeys: 1.5}\n";
        assert_eq!(
            faults(text),
            [
                "tollgate.yaml:2: server.maxInFlight: expected a whole number, found a string",
                "tollgate.yaml:3: server.behindProxy: expected true or false, found a whole number",
                "tollgate.yaml:4: server.listen: expected a string such as 127.0.0.1:8080, found a whole number",
                "tollgate.yaml:5: server.shutdownGrace: expected a string, found nothing; give it a value or remove the key",
                "tollgate.yaml:6: tools: expected a mapping, found a list",
                "tollgate.yaml:7: quotas.maxKeys: expected a whole number, found a number",
                "tollgate.yaml:7: quotas.store: expected a string, found a whole number; put it in quotes",
            ]
        );
    }

    #[test]
    fn faults_of_expansion_and_meaning_come_together() {
        let text = "server:\n  maxInFlight: ${UNSET}\n  shutdownGrace: 5\nauth:\n  issuers:\n  - {issuer: i, audiences: [a], secret: '${UNSET}'}\n";
        let unset = "environment variable `UNSET` is not set; set it, or write `${UNSET:-default}`";
        assert_eq!(faults(text), [
            format!("tollgate.yaml:2: server.maxInFlight: {unset}"),
            "tollgate.yaml:3: server.shutdownGrace: expected a string such as 10s, found a whole number".to_owned(),
            format!("tollgate.yaml:6: auth.issuers[0].secret: {unset}"),
        ]);
        let text = "server:\n  shutdownGrace: 5\u{20}s\nauth:\n  issuers:\n  - {issuer: i, audiences: [a], secret: '${UNSET}'}\n";
        assert_eq!(faults(text), [
            "tollgate.yaml:2: server.shutdownGrace: the unit of a duration is one of ms, s, m, h, d, such as 10s".to_owned(),
            format!("tollgate.yaml:5: auth.issuers[0].secret: {unset}"),
        ]);
    }

    #[test]
    fn only_expanded_strings_become_numbers() {
        let environment = Fixed::default()
            .variable("N", "7")
            .variable("YES", "true")
            .variable("WORD", "lots");
        let parse = |text: &str| Config::parse(text, Path::new("tollgate.yaml"), &environment);
        let server = parse("server: {maxInFlight: '${N}', behindProxy: '${YES}'}")
            .unwrap()
            .server;
        assert_eq!((server.max_in_flight, server.behind_proxy), (7, true));
        for text in [
            "server: {maxInFlight: '7'}",
            "server: {maxInFlight: '${WORD}'}",
            "server: {maxInFlight: '${N}.5'}",
        ] {
            assert_eq!(
                parse(text).unwrap_err().to_string(),
                "tollgate.yaml:1: server.maxInFlight: expected a whole number, found a string"
            );
        }
        let token = parse("telemetry: {service: '${N}'}").unwrap().telemetry;
        assert_eq!(token.service, "7");
    }

    #[test]
    fn no_fault_shows_a_value() {
        let secret = "hunter2-hunter2";
        let environment = Fixed::default().variable("S", secret);
        let text = FULL
            .lines()
            .map(|line| match line.split_once(": ") {
                Some((key, value)) if !value.starts_with('{') => format!("{key}: ${{S}}\n"),
                _ => format!("{line}\n"),
            })
            .collect::<String>();
        let faults = Config::parse(&text, Path::new("tollgate.yaml"), &environment).unwrap_err();
        assert!(
            faults.0.len() > 10 && !faults.to_string().contains("hunter2"),
            "{faults}"
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_is_one_fault() {
        let faults = Config::load(Path::new("/nonexistent/tollgate.yaml")).unwrap_err();
        assert_eq!(
            faults.to_string(),
            "/nonexistent/tollgate.yaml: cannot read the config file: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn a_file_is_loaded_with_the_files_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tollgate.yaml");
        std::fs::write(folder.path().join("service"), "shop\n").unwrap();
        std::fs::write(&path, "telemetry: {service: '${file:service}'}\n").unwrap();
        assert_eq!(Config::load(&path).unwrap().telemetry.service, "shop");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = parse(&text);
        }

        #[test]
        fn no_damage_to_a_good_file_panics(at in 0..FULL.len(), with in "[\\[\\]{}:,'\"&*!|>#%@$ \n\t0-9a-z-]{0,3}", cut in 0..20usize) {
            let end = (at + cut).min(FULL.len());
            let _ = parse(&format!("{}{with}{}", &FULL[..at], &FULL[end..]));
        }
    }
}
