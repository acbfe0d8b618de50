//! All targets of a server, checked once at start and looked up on each call.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde_json::{Map, Value, json};

use super::governed::Governed;
use super::mirrored::mirrored;
use super::numbers::Numbers;
use super::shared;
use super::uri_template::plain;
use super::{
    Access, Arguments, Confirm, Icon, Policy, Prompt, Resource, Schema, Target, TargetKind, Terms,
    Tool, UriTemplate,
};
use crate::auth::TenantKey;

/// Longest name of a tool or prompt (MCP 2026-07-28, server/tools, "Tool Names").
const MAX_NAME_CHARS: usize = 128;
/// What stands before a prompt's name in a target's: neither a tool's name nor a URI can begin so.
pub(crate) const PROMPT: &str = "prompt/";

/// What a call asks for.
#[derive(Clone, Copy, Debug)]
pub enum TargetRef<'a> {
    /// A tool, by its exact name.
    Tool(&'a str),
    /// A resource, by its URI.
    Resource(&'a str),
    /// A resource, by its URI template as it is listed, or else by a URI.
    Template(&'a str),
    /// A prompt, by its exact name.
    Prompt(&'a str),
}

/// A target that was found, and the arguments its URI holds.
pub struct Found {
    /// The target.
    pub target: Arc<Target>,
    /// For a resource the variables of its URI; for others `None`.
    pub uri_arguments: Option<Arguments>,
}

/// Why a tool or resource cannot be served.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{target}: {fault}")]
pub struct CatalogFault {
    /// The tool's name, the resource's URI template, or `prompt/` and the prompt's name.
    pub target: String,
    /// What is wrong and what to do.
    pub fault: String,
}

/// The targets of a server, in the order they were declared. Clones share them.
#[derive(Clone, Default)]
pub struct Catalog {
    targets: Vec<Arc<Target>>,
    tools: HashMap<Arc<str>, Arc<Target>, RandomState>,
    static_resources: HashMap<Arc<str>, Arc<Target>, RandomState>,
    templates: Vec<Arc<Target>>,
    prompts: HashMap<Arc<str>, Arc<Target>, RandomState>,
    numbers: Numbers,
}

/// What a catalogue is made of.
#[derive(Default)]
pub struct Declared {
    /// Its tools.
    pub tools: Vec<Tool>,
    /// Its resources.
    pub resources: Vec<Resource>,
    /// Its prompts.
    pub prompts: Vec<Prompt>,
}

impl Declared {
    /// Tools and nothing else.
    #[cfg(test)]
    pub(crate) fn tools(tools: impl IntoIterator<Item = Tool>) -> Self {
        Self {
            tools: tools.into_iter().collect(),
            ..Self::default()
        }
    }
}

impl Catalog {
    /// Checks tools, resources and prompts and makes them callable.
    ///
    /// # Errors
    /// Every fault of every target: bad or doubled names, no policy, no code, bad schemas, limits that
    /// contradict one another.
    pub fn build(declared: Declared) -> Result<Self, Vec<CatalogFault>> {
        Self::default().followed_by(declared)
    }

    /// Like [`build`](Self::build), for a catalogue that takes this one's place: targets and buckets
    /// keep their numbers.
    ///
    /// # Errors
    /// Those of [`build`](Self::build).
    pub fn followed_by(&self, declared: Declared) -> Result<Self, Vec<CatalogFault>> {
        let mut catalog = Self {
            numbers: self.numbers.clone(),
            ..Self::default()
        };
        let mut faults = Vec::new();
        let mut note = |target, added: Result<(), String>| {
            if let Err(fault) = added {
                faults.push(CatalogFault { target, fault });
            }
        };
        for tool in declared.tools {
            note(tool.face.name.clone(), catalog.add_tool(tool));
        }
        for resource in declared.resources {
            note(
                resource.face.uri_template.clone(),
                catalog.add_resource(resource),
            );
        }
        for prompt in declared.prompts {
            let target = [PROMPT, &prompt.face.name].concat();
            note(target, catalog.add_prompt(prompt));
        }
        faults.extend(shared::faults(&catalog.targets));
        if faults.is_empty() {
            Ok(catalog)
        } else {
            Err(faults)
        }
    }

    /// Finds what a call of this tenant asks for. Exact: no case folding, no normalisation, but that a
    /// URI may encode what it need not. What is not enabled for the tenant is not found, like what
    /// there is not.
    pub fn find(&self, target: &TargetRef<'_>, tenant: TenantKey) -> Option<Found> {
        let (target, uri_arguments) = match target {
            TargetRef::Tool(name) => (self.tools.get(*name)?, None),
            TargetRef::Resource(uri) => self.find_resource(uri, tenant)?,
            TargetRef::Template(uri) => match self.find_template(uri) {
                Some(target) => (target, None),
                None => self.find_resource(uri, tenant)?,
            },
            TargetRef::Prompt(name) => (self.prompts.get(*name)?, None),
        };
        target.terms(tenant).enabled().then(|| Found {
            target: Arc::clone(target),
            uri_arguments,
        })
    }

    fn find_template(&self, template: &str) -> Option<&Arc<Target>> {
        self.templates
            .iter()
            .find(|target| target.name() == template)
    }

    fn find_resource(
        &self,
        uri: &str,
        tenant: TenantKey,
    ) -> Option<(&Arc<Target>, Option<Arguments>)> {
        let enabled = |target: &&Arc<Target>| target.terms(tenant).enabled();
        if let Some(target) = self.static_resources.get(&*plain(uri)).filter(enabled) {
            return Some((target, Some(Arguments::new())));
        }
        let mut templates = self.templates.iter().filter(enabled);
        templates.find_map(|target| match &target.kind {
            TargetKind::Resource(_, template) => template
                .matches(uri)
                .map(|arguments| (target, Some(arguments))),
            TargetKind::Tool(_) | TargetKind::Prompt(_) => None,
        })
    }

    /// All targets in the order they were declared: tools, resources, prompts.
    pub fn targets(&self) -> &[Arc<Target>] {
        &self.targets
    }

    /// Every scope that something enabled demands, sorted, each once.
    pub fn scopes(&self) -> Vec<&str> {
        let terms = self.targets.iter().flat_map(|target| target.all_terms());
        let mut scopes: Vec<&str> = terms
            .filter(|terms| terms.enabled())
            .filter_map(|terms| match terms.access() {
                Access::Scopes(scopes) => Some(scopes.names()),
                Access::AnyAuthenticated => None,
            })
            .flatten()
            .collect();
        scopes.sort_unstable();
        scopes.dedup();
        scopes
    }

    fn add_tool(&mut self, mut tool: Tool) -> Result<(), String> {
        let name = tool.face.name.as_str();
        if !is_name(name) {
            return Err("a tool's name is 1 to 128 of A-Z a-z 0-9 _ - .".to_owned());
        }
        if self.tools.contains_key(name) {
            return Err("another tool has the same name".to_owned());
        }
        if let Some(given) = tool.given_input.take() {
            tool.input = given;
        }
        tool.face.hints.check()?;
        tool.face.icons.iter().try_for_each(Icon::check)?;
        let name: Arc<str> = Arc::from(name);
        let kind = TargetKind::Tool(tool.face.clone());
        let target = self.compile(Arc::clone(&name), kind, tool)?;
        self.tools.insert(name, target);
        Ok(())
    }

    fn add_resource(&mut self, mut resource: Resource) -> Result<(), String> {
        let template =
            UriTemplate::parse(&resource.face.uri_template).map_err(|error| error.to_string())?;
        let name: Arc<str> = Arc::from(template.as_str());
        if self.targets.iter().any(|target| target.name == name) {
            return Err("another resource has the same URI template".to_owned());
        }
        require_variables(&mut resource.input, &template)?;
        let is_static = template.is_static();
        if !is_static && resource.face.size.is_some() {
            return Err(
                "a size is of a single resource, and this is a template of many".to_owned(),
            );
        }
        resource.face.annotations.check()?;
        resource.face.icons.iter().try_for_each(Icon::check)?;
        let kind = TargetKind::Resource(resource.face.clone(), template);
        let target = self.compile(Arc::clone(&name), kind, resource)?;
        if is_static {
            self.static_resources.insert(plain(&name).into(), target);
        } else {
            self.templates.push(target);
        }
        Ok(())
    }

    fn add_prompt(&mut self, prompt: Prompt) -> Result<(), String> {
        let name = prompt.face.name.as_str();
        if !is_name(name) {
            return Err("a prompt's name is 1 to 128 of A-Z a-z 0-9 _ - .".to_owned());
        }
        if self.prompts.contains_key(name) {
            return Err("another prompt has the same name".to_owned());
        }
        require_texts(&prompt.input)?;
        let name: Arc<str> = Arc::from(name);
        let kind = TargetKind::Prompt(prompt.face.clone());
        let target = self.compile(Arc::clone(&name), kind, prompt)?;
        self.prompts.insert(name, target);
        Ok(())
    }

    fn compile<Face>(
        &mut self,
        known_as: Arc<str>,
        kind: TargetKind,
        governed: Governed<Face>,
    ) -> Result<Arc<Target>, String> {
        let name = match kind {
            TargetKind::Tool(_) | TargetKind::Resource(..) => Arc::clone(&known_as),
            TargetKind::Prompt(_) => [PROMPT, &known_as].concat().into(),
        };
        let handler = governed.handler.ok_or("has nothing to run")?;
        let completed = governed.completers.iter().map(|(name, _)| name.as_str());
        check(&governed.input, &governed.policy, completed)?;
        let arguments = argument_names(&governed.input);
        let is_tool = matches!(kind, TargetKind::Tool(_));
        let compile = |policy: &Policy| {
            if policy.confirm != Confirm::Never && !is_tool {
                return Err("only calls of tools can need approval".to_owned());
            }
            Terms::compile(&name, policy, arguments.as_deref(), &self.numbers)
        };
        let terms = compile(&governed.policy)?;
        let mut tenants = HashMap::new();
        for (tenant, own) in &governed.tenants {
            let terms = compile(&own.over(&governed.policy))
                .map_err(|fault| format!("for tenant `{tenant}`: {fault}"))?;
            let named = (Arc::from(tenant.as_str()), terms);
            if tenants.insert(TenantKey::of(tenant), named).is_some() {
                return Err(format!("has two policies for tenant `{tenant}`"));
            }
        }
        let mirrored = mirrored(&governed.input)?;
        if matches!(kind, TargetKind::Resource(..)) && !mirrored.is_empty() {
            return Err("x-mcp-header has an effect on tools alone; remove it".to_owned());
        }
        let target = Arc::new(Target {
            number: self.numbers.of(&name)?,
            name,
            known_as,
            kind,
            policy: governed.policy,
            terms,
            tenants,
            input: Schema::compile(governed.input)
                .map_err(|error| format!("its input schema: {error}"))?,
            mirrored,
            defaults: governed.defaults,
            output: governed
                .output
                .map(Schema::compile)
                .transpose()
                .map_err(|error| format!("its output schema: {error}"))?,
            handler,
            completers: governed.completers.into_iter().collect(),
        });
        self.targets.push(Arc::clone(&target));
        Ok(target)
    }
}

/// What can be seen without compiling anything.
fn check<'a>(
    input: &Value,
    policy: &Policy,
    mut completed: impl Iterator<Item = &'a str>,
) -> Result<(), String> {
    if input.get("type") != Some(&json!("object")) {
        return Err("its arguments must be an object".to_owned());
    }
    let timeout = policy.timeout;
    if policy.task.is_some_and(|task| task.ttl < timeout) {
        return Err(
            "its tasks would be forgotten while they run: make their ttl at least its timeout"
                .to_owned(),
        );
    }
    let unknown = |argument: &&str| input["properties"].get(argument).is_none();
    match completed.find(unknown) {
        Some(argument) => Err(format!("it has no argument `{argument}` to complete")),
        None => Ok(()),
    }
}

/// The arguments that a schema names, if it takes no other.
pub(crate) fn argument_names(input: &Value) -> Option<Vec<&str>> {
    let composed = ["$ref", "allOf", "anyOf", "oneOf", "patternProperties"];
    if input["additionalProperties"] != json!(false)
        || composed.iter().any(|keyword| !input[*keyword].is_null())
    {
        return None;
    }
    let properties = input["properties"].as_object();
    Some(properties.map_or_else(Vec::new, |known| known.keys().map(String::as_str).collect()))
}

fn is_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    (1..=MAX_NAME_CHARS).contains(&name.len()) && name.bytes().all(allowed)
}

/// The protocol carries a prompt's arguments as texts, so each must be able to be one.
fn require_texts(input: &Value) -> Result<(), String> {
    let properties = input["properties"].as_object();
    for (name, schema) in properties.into_iter().flatten() {
        let kind = &schema["type"];
        let is_text = match kind {
            Value::Null => true,
            Value::Array(kinds) => kinds.contains(&json!("string")),
            kind => kind == "string",
        };
        if !is_text {
            return Err(format!(
                "argument `{name}` of a prompt must be a text, not {kind}"
            ));
        }
    }
    Ok(())
}

/// A template's variables are the resource's arguments: each gets a property (a string unless the
/// author says more), and there can be no other required one.
fn require_variables(input: &mut Value, template: &UriTemplate) -> Result<(), String> {
    let Value::Object(schema) = input else {
        return Err("its arguments must be an object".to_owned());
    };
    if let Some(required) = schema.get("required").and_then(Value::as_array) {
        let unknown = |name: &&Value| !template.variables().any(|known| **name == known);
        if let Some(name) = required.iter().find(unknown) {
            return Err(format!(
                "{name} is required but is no variable of the template"
            ));
        }
    }
    let properties = schema
        .entry("properties")
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(properties) = properties {
        for name in template.variables() {
            properties
                .entry(name)
                .or_insert_with(|| json!({"type": "string"}));
        }
    }
    Ok(())
}
