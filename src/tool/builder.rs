//! How authors say what a tool, a resource or a prompt is: its face, which is what callers see of it.
//!
//! One builder serves typed functions and declared SQL alike. What governs the three is the same, and stands
//! in [`governed`](super::governed).

use std::future::Future;
use std::sync::Arc;

use schemars::JsonSchema;
use serde_json::Value;

use super::schema::output_schema_of;
use super::{
    Annotations, CallContext, Confirm, Governed, Icon, Suggestions, TaskPolicy, ToolError,
    ToolHints, Typing,
};

/// A tool: what it is called, what governs it, what runs.
///
/// ```
/// use std::time::Duration;
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
/// use tollgate::{CallContext, Quota, Tool, ToolError};
///
/// #[derive(Deserialize, JsonSchema)]
/// struct CityArgs {
///     /// City name in English, for example "Paris".
///     city: String,
/// }
///
/// #[derive(Serialize, JsonSchema)]
/// struct Weather {
///     celsius: f64,
/// }
///
/// async fn current(_call: CallContext, args: CityArgs) -> Result<Weather, ToolError> {
///     match args.city.as_str() {
///         "Paris" => Ok(Weather { celsius: 21.5 }),
///         other => Err(ToolError::not_found(format!("no weather for {other}"))),
///     }
/// }
///
/// let tool = Tool::new("weather.current", "Current weather for a city.")
///     .scope("weather:read")
///     .quota(Quota::per_minute(60).burst(10))
///     .timeout(Duration::from_secs(5))
///     .handler(current);
/// ```
pub type Tool = Governed<ToolFace>;

/// A resource: which URIs it answers for, what governs it, what reads it.
///
/// ```
/// use schemars::JsonSchema;
/// use serde::Deserialize;
/// use tollgate::{CallContext, Resource, ToolError};
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Args {
///     id: String,
/// }
///
/// let resource = Resource::new("notes://{id}", "note")
///     .scope("notes:read")
///     .mime_type("text/plain")
///     .handler(async |_call: CallContext, args: Args| Ok::<_, ToolError>(format!("note {}", args.id)));
/// ```
pub type Resource = Governed<ResourceFace>;

/// A prompt: what people pick it by, what governs it, what writes its messages.
///
/// Its arguments are texts, since that is all the protocol carries.
///
/// ```
/// use schemars::JsonSchema;
/// use serde::Deserialize;
/// use tollgate::{CallContext, Prompt, Suggestions, ToolError};
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Args {
///     /// The language of the code.
///     language: String,
/// }
///
/// let prompt = Prompt::new("review", "Asks for a review.")
///     .scope("review:use")
///     .complete("language", async |_call, typing| {
///         Ok(Suggestions::beginning_with(&typing.value, ["python", "rust"]))
///     })
///     .handler(async |_call: CallContext, args: Args| {
///         Ok::<_, ToolError>(format!("Review my {} code.", args.language))
///     });
/// ```
pub type Prompt = Governed<PromptFace>;

/// How a tool shows itself.
#[derive(Clone, Debug)]
pub struct ToolFace {
    /// 1 to 128 of `A-Z a-z 0-9 _ - .` (MCP 2026-07-28, server/tools, "Tool Names").
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// Its name for people.
    pub title: Option<String>,
    /// What it does to the world.
    pub hints: ToolHints,
    /// Pictures beside its name.
    pub icons: Vec<Icon>,
}

/// How a resource shows itself.
#[derive(Clone, Debug)]
pub struct ResourceFace {
    /// RFC 6570 level 1; a URI without variables is a single resource.
    pub uri_template: String,
    /// A short name.
    pub name: String,
    /// Its name for people.
    pub title: Option<String>,
    /// What it holds, for the model.
    pub description: Option<String>,
    /// Media type of its text. Default `application/json`.
    pub mime_type: String,
    /// Whom its content is for, how much it matters, when it changed.
    pub annotations: Annotations,
    /// How long its content is, in bytes, if that is known.
    pub size: Option<u64>,
    /// Pictures beside its name.
    pub icons: Vec<Icon>,
}

/// How a prompt shows itself.
#[derive(Clone, Debug)]
pub struct PromptFace {
    /// 1 to 128 of `A-Z a-z 0-9 _ - .`, as for tools.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its name for people.
    pub title: Option<String>,
}

impl Tool {
    /// A tool with no access policy yet: until it has one, the catalogue refuses it.
    pub fn new(name: impl Into<String>, description: impl Into<String>) -> Self {
        Self::with_face(ToolFace {
            name: name.into(),
            description: description.into(),
            title: None,
            hints: ToolHints::default(),
            icons: Vec::new(),
        })
    }

    /// A name for people.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.face.title = Some(title.into());
        self
    }

    /// Says that it changes nothing (`readOnlyHint`). Clients decide by this, and by the next three,
    /// what to ask their users; nothing of it governs a call.
    ///
    /// ```
    /// use tollgate::Tool;
    /// use tollgate::tool::Icon;
    ///
    /// let look = Tool::new("forecast", "Tomorrow's weather.")
    ///     .read_only()
    ///     .open_world(false)
    ///     .icon(Icon::new("https://tools.example.com/sun.png").size("48x48"));
    /// let store = Tool::new("set_alarm", "Sets an alarm.").destructive(false).idempotent();
    /// ```
    pub fn read_only(mut self) -> Self {
        self.face.hints.read_only = Some(true);
        self
    }

    /// Says whether it may undo or overwrite something, or only adds (`destructiveHint`). Clients take
    /// it that it may.
    pub fn destructive(mut self, destructive: bool) -> Self {
        self.face.hints.destructive = Some(destructive);
        self
    }

    /// Says that a second call with the same arguments changes nothing more (`idempotentHint`).
    pub fn idempotent(mut self) -> Self {
        self.face.hints.idempotent = Some(true);
        self
    }

    /// Says whether it deals with things outside of what its server knows, such as the web
    /// (`openWorldHint`). Clients take it that it does.
    pub fn open_world(mut self, open_world: bool) -> Self {
        self.face.hints.open_world = Some(open_world);
        self
    }

    /// A picture beside its name, besides those named already.
    pub fn icon(mut self, icon: Icon) -> Self {
        self.face.icons.push(icon);
        self
    }

    /// Takes what this JSON Schema (2020-12) lets through, in place of what the handler's type says.
    /// It is shown to clients as it is, and every call is checked against it: nothing is added, so a
    /// schema without `additionalProperties: false` takes any other argument as well. Its root says
    /// `"type": "object"`, its `$ref`s stay inside, its patterns have no look-around and no
    /// back-references; else the catalogue refuses it.
    ///
    /// For schemas that no Rust type has. The function then takes [`Arguments`](super::Arguments), a JSON object, or a
    /// type that is made from whatever passes.
    ///
    /// ```
    /// use serde_json::json;
    /// use tollgate::tool::Arguments;
    /// use tollgate::{CallContext, Tool, ToolError};
    ///
    /// async fn contact(_call: CallContext, args: Arguments) -> Result<String, ToolError> {
    ///     let how = args.get("phone").or_else(|| args.get("email"));
    ///     Ok(format!("asking {}", how.and_then(|how| how.as_str()).unwrap_or_default()))
    /// }
    ///
    /// let tool = Tool::new("contact", "Asks somebody.")
    ///     .scope("contact")
    ///     .input_schema(json!({
    ///         "type": "object",
    ///         "properties": {"phone": {"type": "string"}, "email": {"type": "string"}},
    ///         "anyOf": [{"required": ["phone"]}, {"required": ["email"]}],
    ///         "additionalProperties": false,
    ///     }))
    ///     .handler(contact);
    /// ```
    pub fn input_schema(mut self, schema: Value) -> Self {
        self.given_input = Some(schema);
        self
    }

    /// All four hints at once.
    pub(crate) fn hints(mut self, hints: ToolHints) -> Self {
        self.face.hints = hints;
        self
    }

    /// What it answers with, where its function's type does not say: the schema of the structured
    /// part of a [`ToolOutput`](super::ToolOutput).
    pub fn output<R: JsonSchema>(mut self) -> Self {
        self.output = Some(output_schema_of::<R>());
        self
    }

    /// Demands that the caller's user approves of calls before they run. Resources and prompts have
    /// no such thing: they change nothing, and it is the user or its client that picks them.
    ///
    /// ```
    /// use tollgate::{Confirm, Tool};
    ///
    /// let refund = Tool::new("refund", "Pays money back.")
    ///     .scope("orders:write")
    ///     .confirm(Confirm::when("args.amount > 100"));
    /// ```
    pub fn confirm(mut self, confirm: Confirm) -> Self {
        self.policy.confirm = confirm;
        self
    }

    /// Lets calls go on as tasks, for clients that know them.
    pub fn task(mut self, policy: TaskPolicy) -> Self {
        self.policy.task = Some(policy);
        self
    }
}

impl Prompt {
    /// A prompt with no access policy yet: until it has one, the catalogue refuses it.
    pub fn new(name: impl Into<String>, description: impl Into<String>) -> Self {
        Self::with_face(PromptFace {
            name: name.into(),
            description: description.into(),
            title: None,
        })
    }

    /// A name for people.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.face.title = Some(title.into());
        self
    }

    /// Suggests values for an argument while it is being typed.
    pub fn complete<F, Fut>(self, argument: impl Into<String>, function: F) -> Self
    where
        F: Fn(CallContext, Typing) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Suggestions, ToolError>> + Send + 'static,
    {
        self.completer(argument.into(), Arc::new(function))
    }
}

impl Resource {
    /// A resource with no access policy yet: until it has one, the catalogue refuses it.
    pub fn new(uri_template: impl Into<String>, name: impl Into<String>) -> Self {
        Self::with_face(ResourceFace {
            uri_template: uri_template.into(),
            name: name.into(),
            title: None,
            description: None,
            mime_type: "application/json".to_owned(),
            annotations: Annotations::default(),
            size: None,
            icons: Vec::new(),
        })
    }

    /// A name for people.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.face.title = Some(title.into());
        self
    }

    /// What it holds, for the model.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.face.description = Some(description.into());
        self
    }

    /// Media type of its text (RFC 6838), such as `text/plain`.
    pub fn mime_type(mut self, mime_type: impl Into<String>) -> Self {
        self.face.mime_type = mime_type.into();
        self
    }

    /// Whom its content is for, how much it matters, when it changed.
    pub fn annotations(mut self, annotations: Annotations) -> Self {
        self.face.annotations = annotations;
        self
    }

    /// How long its content is, in bytes. Of a single resource alone, not of a template.
    pub fn size(mut self, bytes: u64) -> Self {
        self.face.size = Some(bytes);
        self
    }

    /// A picture beside its name, besides those named already.
    pub fn icon(mut self, icon: Icon) -> Self {
        self.face.icons.push(icon);
        self
    }

    /// Suggests values for a variable of its URI template while it is being typed.
    pub fn complete<F, Fut>(self, variable: impl Into<String>, function: F) -> Self
    where
        F: Fn(CallContext, Typing) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Suggestions, ToolError>> + Send + 'static,
    {
        self.completer(variable.into(), Arc::new(function))
    }
}
