//! The files of the configuration: where they are found, also by a process that has left its root directory.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use netns_core::Root;
use nix::dir::Dir;
use nsproxy_config::{FileKind, Loaded, Report};

use crate::args::Files;

/// Where the configuration is, for as long as the process lives.
#[derive(Debug)]
pub(crate) struct ConfigFiles {
    paths: Vec<PathBuf>,
    /// What the process will have left.
    left: Option<Left>,
}

/// A root directory, and a directory in it that relative paths begin at.
#[derive(Debug)]
struct Left {
    root: Arc<Root>,
    start: PathBuf,
}

impl ConfigFiles {
    pub(crate) fn of(files: &Files) -> Self {
        let paths = files.paths().into_iter().map(Path::to_owned);
        Self {
            paths: paths.collect(),
            left: None,
        }
    }

    /// From now on, paths are those of this root directory, and relative ones begin at the directory of now.
    ///
    /// # Errors
    ///
    /// The directory of now cannot be named.
    pub(crate) fn keep(&mut self, root: Arc<Root>) -> io::Result<()> {
        let start = env::current_dir()?;
        self.left = Some(Left { root, start });
        Ok(())
    }

    /// Reads the configuration.
    ///
    /// # Errors
    ///
    /// All that is wrong with it.
    pub(crate) fn load(&self) -> Result<Loaded, Report> {
        match &self.left {
            None => nsproxy_config::load(&self.paths),
            Some(left) => nsproxy_config::load_from(left, &self.paths, &|name| env::var_os(name)),
        }
    }
}

impl nsproxy_config::Files for Left {
    fn open(&self, path: &Path) -> io::Result<File> {
        self.root.open_file(&self.start.join(path))
    }

    fn kind(&self, path: &Path) -> io::Result<FileKind> {
        let path = self.start.join(path);
        let metadata = self.root.metadata(&path)?;
        if !metadata.is_dir() {
            return Ok(if metadata.is_file() {
                FileKind::Regular
            } else {
                FileKind::Other
            });
        }
        names(self.root.open_file(&path)?).map(FileKind::Directory)
    }
}

/// The names in an open directory.
fn names(directory: File) -> io::Result<Vec<OsString>> {
    let mut directory = Dir::from_fd(directory.into())?;
    let names = directory.iter().map(|entry| {
        let name = entry?.file_name().to_bytes().to_owned();
        Ok(OsStr::from_bytes(&name).to_owned())
    });
    names.collect()
}
