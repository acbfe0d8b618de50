//! A folder as Kubernetes mounts a Secret: each name is a link to `..data/name`, `..data` a link to a
//! folder, and an update is a new folder and one rename, after which the folder before goes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The folder, and what its files are to hold.
pub(crate) struct Mounted {
    pub(crate) files: BTreeMap<&'static str, String>,
    version: usize,
    folder: PathBuf,
}

impl Mounted {
    pub(crate) fn new(above: &Path, files: BTreeMap<&'static str, String>) -> Self {
        let folder = above.join("mounted");
        fs::create_dir(&folder).expect("a folder");
        for name in files.keys() {
            symlink(format!("..data/{name}"), folder.join(name)).expect("a link");
        }
        let mut mounted = Self {
            files,
            version: 0,
            folder,
        };
        mounted.publish();
        mounted
    }

    /// All files in one step.
    pub(crate) fn publish(&mut self) {
        let before = self.folder.join(format!("..{}", self.version));
        self.version += 1;
        let name = format!("..{}", self.version);
        let folder = self.folder.join(&name);
        fs::create_dir(&folder).expect("a folder");
        for (name, text) in &self.files {
            fs::write(folder.join(name), text).expect("a file");
        }
        symlink(name, self.folder.join("..data_tmp")).expect("a link");
        fs::rename(self.folder.join("..data_tmp"), self.folder.join("..data")).expect("moved");
        if self.version > 1 {
            fs::remove_dir_all(before).expect("the folder before");
        }
    }
}
