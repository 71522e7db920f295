//! `nsproxy netns apply FILE [--delete]`: brings a topology into being, or takes it away.
//!
//! A file has one step a line, in the words of the commands: `add`, `set`, `link add`, `link set`, `address add`,
//! `route add`, each with `-n NETNS` before it where it acts elsewhere. Everything that is wrong with the file is said at
//! once, before anything is done. A step that is done already is left alone, so a file can be applied again. `--delete`
//! goes through the steps backwards. A step that fails ends the work; what was made before it stays, to be completed or
//! deleted.

mod file;
mod make;
mod part;
mod place;
mod same;
mod step;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use netns_core::NetnsSpec;
use netns_core::links::Links;

use super::context::Context;
use super::failure::{FAILED, Failure, Result, USAGE};
use super::words::Words;
use crate::log;
use file::Line;
use make::Maker;
use step::Step;

pub(super) fn run(context: &Context, words: &mut Words<'_>) -> Result {
    let path = words.require("Command line is not complete: apply FILE (- is standard input)")?;
    words.end()?;
    let path = Path::new(&path.text);
    let text = read(path)
        .map_err(|error| Failure::new(FAILED, format_args!("cannot read {}: {error}", path.display())))?;
    let steps = check(path, &text)?;
    if context.options.delete {
        let mut links = OpenLinks::default();
        for (line, step) in steps.iter().rev() {
            step.unmake(context, &mut links)
                .map_err(|failure| failed(path, line, &failure))?;
        }
        return Ok(());
    }
    let mut maker = Maker::new(context, &steps);
    for (at, (line, _)) in steps.iter().enumerate() {
        maker.make(at).map_err(|failure| failed(path, line, &failure))?;
    }
    Ok(())
}

/// The largest file that is read, in bytes: some hundred thousand lines.
const LARGEST: u64 = 16 << 20;

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path)?)
    };
    let mut text = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length <= LARGEST) {
        return Ok(text);
    }
    Err(io::Error::other(
        "it is longer than 16 MiB, and so hardly a topology",
    ))
}

/// The steps of the file, if all of them are right.
fn check<'a>(path: &Path, text: &'a [u8]) -> Result<Vec<(Line<'a>, Step)>> {
    if let Some(at) = text.iter().position(|&byte| byte == 0) {
        let line = text[..at].split(|&byte| byte == b'\n').count();
        return Err(Failure::new(
            USAGE,
            format_args!(
                "{}:{line}: a NUL byte: this file is no text, and nothing was done",
                path.display()
            ),
        ));
    }
    let mut steps = Vec::new();
    let mut errors = 0_usize;
    for line in file::lines(text) {
        let step = line.words().and_then(|words| Step::parse(&words));
        match step {
            Ok(Some(step)) => steps.push((line, step)),
            Ok(None) => {}
            Err(failure) => {
                errors += 1;
                log::complain(&line.complaint(path, &failure));
            }
        }
    }
    match errors {
        0 => Ok(steps),
        1 => Err(Failure::new(USAGE, "nothing was done: the file has 1 error")),
        _ => Err(Failure::new(
            USAGE,
            format_args!("nothing was done: the file has {errors} errors"),
        )),
    }
}

/// The failure of one line, with the line.
fn failed(path: &Path, line: &Line<'_>, failure: &Failure) -> Failure {
    Failure::new(failure.code(), line.complaint(path, failure))
}

/// The interfaces of the namespaces that were used so far: a topology has many lines for each.
#[derive(Debug, Default)]
struct OpenLinks(BTreeMap<Option<NetnsSpec>, Links>);

impl OpenLinks {
    /// Those of the namespace that `spec` names, or of this one.
    fn of(&mut self, context: &Context, spec: Option<&NetnsSpec>) -> Result<&mut Links> {
        let key = spec.cloned();
        if !self.0.contains_key(&key) {
            self.0.insert(key.clone(), context.links(spec)?);
        }
        self.0
            .get_mut(&key)
            .ok_or_else(|| Failure::new(FAILED, "the interfaces cannot be had"))
    }

    /// Lets go of every namespace: one whose name is taken away is to die at once.
    fn close(&mut self) {
        self.0.clear();
    }
}
