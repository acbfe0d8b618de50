//! Tools, resources and prompts, as far as they are alike: each has a policy and a place in the file.

use std::borrow::Cow;

use super::{Config, Origin, Policy};

/// One of them.
#[derive(Clone, Copy)]
pub struct Governed<'c> {
    /// The section that it stands in: `tools`, `resources` or `prompts`.
    pub section: &'static str,
    /// Its key there.
    pub name: &'c str,
    /// What governs it.
    pub policy: &'c Policy,
    /// Where it is declared.
    pub origin: &'c Origin,
}

impl<'c> Governed<'c> {
    /// What the catalogue calls it.
    pub fn target(&self) -> Cow<'c, str> {
        target_of(self.section, self.name)
    }
}

/// What the catalogue calls what stands in a section under a name.
pub(super) fn target_of<'c>(section: &str, name: &'c str) -> Cow<'c, str> {
    match section {
        // `tool::PROMPT`, which this floor does not know.
        "prompts" => format!("prompt/{name}").into(),
        _ => name.into(),
    }
}

impl Config {
    /// All of them: tools, resources, prompts.
    pub fn governed(&self) -> impl Iterator<Item = Governed<'_>> {
        let one = |section, name, policy, origin| Governed {
            section,
            name,
            policy,
            origin,
        };
        let tools = self.tools.iter();
        let tools = tools.map(move |tool| one("tools", &*tool.name, &tool.policy, &tool.origin));
        let resources = self.resources.iter().map(move |resource| {
            let (policy, origin) = (&resource.policy, &resource.origin);
            one("resources", &*resource.uri_template, policy, origin)
        });
        let prompts = self.prompts.iter();
        let prompts = prompts
            .map(move |prompt| one("prompts", &*prompt.name, &prompt.policy, &prompt.origin));
        tools.chain(resources).chain(prompts)
    }
}
