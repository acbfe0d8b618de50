//! Commands run in a folder of their own: what the tests of the command line share.

use tempfile::TempDir;

use crate::binary::{Finished, run};

/// What `tollgate call` prints of the demo's best known customer.
pub(crate) const JANE: &str =
    "{\n  \"id\": \"c-42\",\n  \"name\": \"Jane Doe\",\n  \"tier\": \"gold\"\n}\n";

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A folder after `tollgate init`.
pub(crate) fn initialized() -> TempDir {
    let folder = folder();
    assert_eq!(run(folder.path(), &["init"]).code, Some(0));
    folder
}

/// The command ended with `code`, said `stderr` and printed no answer.
#[track_caller]
pub(crate) fn fails(finished: &Finished, code: i32, stderr: &str) {
    assert_eq!(finished.code, Some(code), "{finished:?}");
    assert!(finished.stderr.contains(stderr), "{stderr}\n{finished:?}");
    assert_eq!(finished.stdout, "");
}
