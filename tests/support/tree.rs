//! Every span of a server, as a tree that a person can read.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use opentelemetry::trace::{SpanId, SpanKind};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter};
use tollgate::record::Tracing;

/// The spans that ended so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().expect("not poisoned").extend(batch);
        Ok(())
    }
}

impl Kept {
    /// Tracing that keeps this share of the traces that begin here.
    pub(crate) fn share(share: f64) -> (Tracing, Self) {
        let kept = Self::default();
        let root = Box::new(Sampler::TraceIdRatioBased(share));
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(root))
            .with_simple_exporter(kept.clone())
            .build();
        (Tracing::over(provider), kept)
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<SpanData> {
        self.0.lock().expect("not poisoned").clone()
    }

    /// The one of that name.
    pub(crate) fn named(&self, name: &str) -> SpanData {
        let mut all = self.all().into_iter();
        let found = all.find(|span| span.name == name);
        found.unwrap_or_else(|| panic!("no span `{name}` in\n{}", self.tree()))
    }

    /// Who began whom: a span a line, further in than the one it began in; `!` and the kind of error
    /// where it failed.
    pub(crate) fn tree(&self) -> String {
        let all = self.all();
        let ids: Vec<SpanId> = all.iter().map(|span| span.span_context.span_id()).collect();
        let roots = all
            .iter()
            .filter(|span| !ids.contains(&span.parent_span_id));
        let mut text = String::new();
        for root in roots {
            draw(&mut text, &all, root, 0);
        }
        text
    }
}

fn draw(text: &mut String, all: &[SpanData], span: &SpanData, depth: usize) {
    let kind = match span.span_kind {
        SpanKind::Server => " (server)",
        SpanKind::Client => " (client)",
        _ => "",
    };
    let error = attribute(span, "error.type");
    let error = if error.is_empty() {
        error
    } else {
        format!(" !{error}")
    };
    let _ = writeln!(text, "{:depth$}{}{kind}{error}", "", span.name);
    let id = span.span_context.span_id();
    let mut children: Vec<_> = all.iter().filter(|one| one.parent_span_id == id).collect();
    children.sort_by_key(|child| child.start_time);
    for child in children {
        assert_eq!(child.span_context.trace_id(), span.span_context.trace_id());
        draw(text, all, child, depth + 2);
    }
}

/// An attribute's text, empty when it is not there.
pub(crate) fn attribute(span: &SpanData, name: &str) -> String {
    let mut all = span.attributes.iter();
    let found = all.find(|pair| pair.key.as_str() == name);
    found.map_or_else(String::new, |pair| pair.value.as_str().into_owned())
}
