//! What this program was built of: `--version`, the metric `tollgate_build_info` and the audit log tell it.

use std::sync::LazyLock;

/// The version of the crate.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit, with `-dirty` where files differed from it; `unknown` in debug builds, and where `build.rs` found none.
pub const COMMIT: &str = env!("TOLLGATE_COMMIT");
/// The target triple.
pub const TARGET: &str = env!("TOLLGATE_TARGET");

/// The cargo features, in the order of the alphabet with a comma between, or `none`.
pub fn features() -> &'static str {
    static FEATURES: LazyLock<String> = LazyLock::new(|| {
        let all = [
            ("lambda", cfg!(feature = "lambda")),
            ("otlp-grpc", cfg!(feature = "otlp-grpc")),
            ("testing", cfg!(feature = "testing")),
        ];
        let built_in = all.iter().filter(|(_, is_in)| *is_in);
        let names: Vec<_> = built_in.map(|(name, _)| *name).collect();
        match names.is_empty() {
            true => "none".to_owned(),
            false => names.join(","),
        }
    });
    &FEATURES
}

/// All of it, as `--version` prints it after the name of the program.
pub fn long_version() -> &'static str {
    static LONG: LazyLock<String> = LazyLock::new(|| {
        let features = features();
        format!("{VERSION}\ncommit: {COMMIT}\ntarget: {TARGET}\nfeatures: {features}")
    });
    &LONG
}
