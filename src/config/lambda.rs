//! What AWS Lambda tells a function in its environment, and the runtime crate takes for granted.

use super::environment::Environment;

/// Lambda's variables, as far as they are needed ("Defined runtime environment variables").
const VARIABLES: [&str; 4] = [
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
];

/// Whether Lambda started this process.
///
/// # Errors
/// A sentence that names the first variable that is missing.
pub(crate) fn check_lambda_variables(environment: &dyn Environment) -> Result<(), String> {
    let is_set = |name| {
        environment
            .variable(name)
            .is_some_and(|value| !value.is_empty())
    };
    let is_size = |text: String| text.parse::<i32>().is_ok();
    match VARIABLES.into_iter().find(|name| !is_set(name)) {
        Some(name) => Err(format!(
            "the environment variable {name} is not set: AWS Lambda starts this mode, and sets it"
        )),
        None if !environment.variable(VARIABLES[3]).is_some_and(is_size) => Err(format!(
            "the environment variable {} is no number of MiB",
            VARIABLES[3]
        )),
        None => Ok(()),
    }
}
