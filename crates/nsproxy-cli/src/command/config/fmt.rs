//! `nsproxy config fmt`: configuration files in one style.
//!
//! A file is replaced as a whole, by one that has been written beside it: whoever reads it meanwhile sees the old text
//! or the new one.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use nsproxy_config::{Source, format};

use crate::args::Fmt;
use crate::command::check;
use crate::log;

pub(super) fn fmt(args: &Fmt) -> anyhow::Result<ExitCode> {
    let mut good = true;
    for path in &args.files {
        good &= one(path, args.check)?;
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Formats one file; false when it cannot be read as a configuration, or is not in the style and stays so.
fn one(path: &Path, check: bool) -> anyhow::Result<bool> {
    let is_input = path.as_os_str() == "-";
    let written = if is_input {
        let mut text = Vec::new();
        io::stdin().read_to_end(&mut text).map(|_| text)
    } else {
        fs::read(path)
    };
    let written = written.with_context(|| format!("cannot read {}", path.display()))?;
    let name = if is_input {
        "<stdin>".to_owned()
    } else {
        path.display().to_string()
    };
    let formatted = match format(Source::new(&*name, &*written)) {
        Ok(formatted) => formatted,
        Err(report) => {
            check::show(&report);
            return Ok(false);
        }
    };
    let is_in_style = formatted.as_bytes() == written;
    if check {
        if !is_in_style {
            log::complain(&format!(
                "nsproxy: {name} is not in the style of `nsproxy config fmt`"
            ));
        }
        return Ok(is_in_style);
    }
    if is_input {
        io::stdout().write_all(formatted.as_bytes())?;
    } else if !is_in_style {
        replace(path, &formatted).with_context(|| format!("cannot write {name}"))?;
    }
    Ok(true)
}

/// Replaces a file by one with the same owner and mode. Of a symbolic link, the file that it leads to.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let path = path.canonicalize()?;
    let old = fs::metadata(&path)?;
    let mut name = path.file_name().context("it is no file")?.to_owned();
    name.push(format!(".nsproxy-{}", std::process::id()));
    let new = path.with_file_name(name);
    let mut file = File::create_new(&new)?;
    let new = Unfinished(new);
    chown(&new.0, Some(old.uid()), Some(old.gid()))?;
    file.set_permissions(old.permissions())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new.0, &path)?;
    Ok(())
}

/// A file that goes away, unless it has another name by then.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        // It may have been renamed. Otherwise the reason for giving up is reported, and this is only left behind.
        let _ = fs::remove_file(&self.0);
    }
}
