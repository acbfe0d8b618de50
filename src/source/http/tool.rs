//! A tool's call: the request is filled, sent, and its answer read; tried again where that helps.
//!
//! There is no timeout here: at the deadline, or when the caller leaves, the future is dropped, and
//! with it the connection, which is how the other side hears of it.

use std::sync::Arc;

use ::http::Method;
use ::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::HttpSource;
use super::answer::{self, Reading};
use super::request::{Filled, HttpSpec, RequestError, Template};
use super::status;
use crate::source::resilience::{Failure, Resilience, Tries};
use crate::tool::{Arguments, CallContext, Handler, ToolError, ToolOutput};

/// A checked request, ready to serve calls.
pub struct HttpTool {
    source: HttpSource,
    resilience: Arc<Resilience>,
    method: Method,
    template: Template,
    reading: Reading,
    idempotent: bool,
}

impl HttpTool {
    /// Checks a request.
    ///
    /// # Errors
    /// [`RequestError`], in words for the author of the configuration.
    pub fn new(
        source: &HttpSource,
        resilience: &Arc<Resilience>,
        spec: &HttpSpec<'_>,
    ) -> Result<Self, RequestError> {
        Ok(Self {
            template: Template::new(spec, |name| source.headers.contains_key(name))?,
            source: source.clone(),
            resilience: Arc::clone(resilience),
            method: spec.method.clone(),
            reading: Reading {
                text: spec.text,
                max_bytes: spec.max_bytes,
            },
            idempotent: spec.idempotent,
        })
    }

    /// What the tool answers with, where that is known.
    pub fn output_schema(&self) -> Option<Value> {
        self.reading.text.then(|| json!({"type": "string"}))
    }

    async fn ask(
        &self,
        context: CallContext,
        arguments: Arguments,
    ) -> Result<ToolOutput, ToolError> {
        let base = &self.source.base;
        let filled = self.template.fill(base, &arguments, context.principal())?;
        let call = Tries {
            deadline: context.deadline(),
            repeatable: self.idempotent,
            fair_time: Some(context.timeout() / 2),
        };
        let attempt = || self.attempt(&filled);
        let value = self.resilience.call(call, attempt).await?;
        Ok(ToolOutput::json(value))
    }

    async fn attempt(&self, filled: &Filled) -> Result<Value, Failure> {
        let client = &self.source.client;
        let mut request = client
            .request(self.method.clone(), filled.url.clone())
            .header(
                ACCEPT,
                if self.reading.text {
                    "*/*"
                } else {
                    "application/json"
                },
            )
            .header(ACCEPT_ENCODING, "identity");
        for (name, value) in &filled.headers {
            request = request.header(name, value);
        }
        if let Some(body) = &filled.body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        // Last, since these stand instead of what was there: the operator may want another `Accept`.
        let request = request.headers(self.source.headers.clone());
        let response = request.send().await;
        let response = response.map_err(|error| answer::unanswered(&error))?;
        status::check(response.status(), response.headers(), &self.method)?;
        answer::read(response, self.reading).await
    }
}

impl Handler for HttpTool {
    fn call(
        &self,
        context: CallContext,
        arguments: Arguments,
    ) -> BoxFuture<'_, Result<ToolOutput, ToolError>> {
        self.ask(context, arguments).boxed()
    }
}
