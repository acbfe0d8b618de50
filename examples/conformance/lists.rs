//! Tools that change what is listed, for tests of the word that it changed.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tollgate::server::Reloader;
use tollgate::{CallContext, Content, Prompt, Tool, ToolError};

use crate::contents::NoArgs;

/// What is listed besides the rest: so many tools and prompts more.
#[derive(Clone, Copy, Default)]
pub(crate) struct Extras {
    tools: u32,
    prompts: u32,
}

static RELOADER: OnceLock<Reloader> = OnceLock::new();
static TOOLS: AtomicU32 = AtomicU32::new(0);
static PROMPTS: AtomicU32 = AtomicU32::new(0);

/// Changes what this server serves.
pub(crate) fn changes_through(reloader: Reloader) {
    let _ = RELOADER.set(reloader);
}

/// Serves one more of what `counter` counts; at most two, so that lists do not grow without end.
async fn change(counter: &AtomicU32) -> Result<Content, ToolError> {
    counter.fetch_xor(1, Ordering::Relaxed);
    let extras = Extras {
        tools: TOOLS.load(Ordering::Relaxed),
        prompts: PROMPTS.load(Ordering::Relaxed),
    };
    let reloader = RELOADER.get();
    let reloader = reloader.ok_or_else(|| ToolError::refused("The server is starting"))?;
    // The call keeps what it began with; the next one sees the change.
    let builder = crate::server(extras).map_err(|error| ToolError::Failed(error.to_string()))?;
    reloader.reload(builder).await?;
    Ok(Content::text("Changed"))
}

pub(crate) fn tools(extras: Extras) -> Vec<Tool> {
    let trigger = |what: &str, counter: &'static AtomicU32| {
        Tool::new(format!("test_trigger_{what}_change"), "Changes a list.")
            .any_authenticated()
            .handler(async |_: CallContext, _: NoArgs| change(counter).await)
    };
    let mut tools = vec![trigger("tool", &TOOLS), trigger("prompt", &PROMPTS)];
    tools.extend((0..extras.tools).map(|number| {
        Tool::new(format!("test_extra_tool_{number}"), "One more.")
            .any_authenticated()
            .handler(async |_: CallContext, _: NoArgs| Ok::<_, ToolError>(Content::text("Extra")))
    }));
    tools
}

pub(crate) fn prompts(extras: Extras) -> Vec<Prompt> {
    let extra = |number| {
        Prompt::new(format!("test_extra_prompt_{number}"), "One more.")
            .any_authenticated()
            .handler(async |_: CallContext, _: NoArgs| Ok::<_, ToolError>("Extra".to_owned()))
    };
    (0..extras.prompts).map(extra).collect()
}
