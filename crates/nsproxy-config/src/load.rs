//! Configuration files from disk. Reading is all that happens here; the texts go to [`parse`](crate::parse).

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
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
    load_from(&FileSystem, paths, env)
}

/// Where the files are that a configuration is read from, and those that it names.
pub trait Files {
    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// As [`File::open`].
    fn open(&self, path: &Path) -> io::Result<File>;

    /// What is there, without opening what is no directory: that may wait for somebody.
    ///
    /// # Errors
    ///
    /// There is nothing, or it may not be read.
    fn kind(&self, path: &Path) -> io::Result<FileKind>;
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory, with the names in it.
    Directory(Vec<OsString>),
    /// Something else: a pipe, a device.
    Other,
}

/// [`load_with_env`], from elsewhere than where this process finds files: it may have left its root directory.
///
/// # Errors
///
/// Those of [`load`].
pub fn load_from<P: AsRef<Path>>(
    place: &dyn Files,
    paths: &[P],
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Loaded, Report> {
    let mut diagnostics = Collector::default();
    let mut sources = Vec::new();
    for path in paths {
        let path = path.as_ref();
        match files(place, path) {
            Ok(files) => sources.extend(
                files
                    .iter()
                    .filter_map(|file| read(place, file, &mut diagnostics)),
            ),
            Err(error) => diagnostics.push(unreadable(path, &error)),
        }
    }
    parse_after(diagnostics, sources, env, &|path| read_patterns(place, path))
}

/// Where this process finds files.
struct FileSystem;

impl Files for FileSystem {
    fn open(&self, path: &Path) -> io::Result<File> {
        File::open(path)
    }

    fn kind(&self, path: &Path) -> io::Result<FileKind> {
        let metadata = fs::metadata(path)?;
        if !metadata.is_dir() {
            return Ok(if metadata.is_file() {
                FileKind::Regular
            } else {
                FileKind::Other
            });
        }
        let names = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name()));
        names.collect::<io::Result<_>>().map(FileKind::Directory)
    }
}

/// The file itself, or the configuration files of a directory.
fn files(place: &dyn Files, path: &Path) -> io::Result<Vec<PathBuf>> {
    let FileKind::Directory(names) = place.kind(path)? else {
        return Ok(vec![path.to_owned()]);
    };
    let is_configuration = |name: &OsString| {
        let bytes = name.as_encoded_bytes();
        bytes.ends_with(b".cfg") && !bytes.starts_with(b".")
    };
    let names = names.into_iter().filter(is_configuration);
    let mut files: Vec<_> = names.map(|name| path.join(name)).collect();
    files.sort();
    Ok(files)
}

fn read(place: &dyn Files, path: &Path, diagnostics: &mut Collector) -> Option<Source> {
    match place.open(path).and_then(whole) {
        Ok(text) => Some(Source::new(path.display().to_string(), text)),
        Err(error) => {
            diagnostics.push(unreadable(path, &error));
            None
        }
    }
}

fn whole(mut file: File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(text)
}

/// The longest file of patterns.
const LONGEST_PATTERNS: u64 = 256 << 20;

/// A file that the configuration names. One that never ends, such as a device, is not read.
fn read_patterns(place: &dyn Files, path: &Path) -> io::Result<Vec<u8>> {
    if place.kind(path)? != FileKind::Regular {
        return Err(io::Error::other("it is not a regular file"));
    }
    let file = place.open(path)?;
    if file.metadata()?.len() > LONGEST_PATTERNS {
        return Err(io::Error::other(format!(
            "it is larger than {} MiB",
            LONGEST_PATTERNS >> 20
        )));
    }
    whole(file)
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::error_without_place(format!("{}: {error}", path.display()))
}
