//! Configuration files from disk. Reading is all that happens here; the texts go to [`parse`](crate::parse).

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::report::{Collector, Diagnostic};
use crate::{Loaded, Report, Source, parse_after};

/// Reads configuration files, in order, as one configuration, with this process's environment variables.
///
/// Of a directory all files whose names end in `.cfg` and do not begin with a dot are read, in the order of
/// their names.
///
/// # Errors
///
/// Every error, and every warning, of all files. A file that cannot be read is one of the errors.
pub fn load<P: AsRef<Path>>(paths: &[P]) -> Result<Loaded, Report> {
    load_with_env(paths, &|name| std::env::var_os(name))
}

/// [`load`], with other environment variables.
///
/// # Errors
///
/// Those of [`load`].
pub fn load_with_env<P: AsRef<Path>>(
    paths: &[P],
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Loaded, Report> {
    let mut diagnostics = Collector::default();
    let mut sources = Vec::new();
    for path in paths {
        let path = path.as_ref();
        match files(path) {
            Ok(files) => sources.extend(files.iter().filter_map(|file| read(file, &mut diagnostics))),
            Err(error) => diagnostics.push(unreadable(path, &error)),
        }
    }
    parse_after(diagnostics, sources, env, &read_patterns)
}

/// The file itself, or the configuration files of a directory.
fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        let bytes = name.as_encoded_bytes();
        if bytes.ends_with(b".cfg") && !bytes.starts_with(b".") {
            files.push(path.join(name));
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path, diagnostics: &mut Collector) -> Option<Source> {
    match fs::read(path) {
        Ok(text) => Some(Source::new(path.display().to_string(), text)),
        Err(error) => {
            diagnostics.push(unreadable(path, &error));
            None
        }
    }
}

/// The longest file of patterns.
const LONGEST_PATTERNS: u64 = 256 << 20;

/// A file that the configuration names. One that never ends, such as a device, is not read.
fn read_patterns(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if metadata.len() > LONGEST_PATTERNS {
        return Err(io::Error::other(format!(
            "it is larger than {} MiB",
            LONGEST_PATTERNS >> 20
        )));
    }
    fs::read(path)
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::error_without_place(format!("{}: {error}", path.display()))
}
