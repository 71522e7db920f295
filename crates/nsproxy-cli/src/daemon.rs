//! In the background: `daemon` and `pidfile` of the `global` section.
//!
//! The process that was started waits until its child relays, so that its exit code says whether it does: a port that is
//! taken is an error of the command, with its reason on standard error, and not one of a process that nobody watches.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process;

use nix::unistd::{AccessFlags, dup2_stderr, dup2_stdin, dup2_stdout, eaccess, setsid};

use crate::sys::{Fork, fork};

/// What the child says when it relays.
const READY: &[u8] = b"ready";

/// A process in the background that does not relay yet.
#[derive(Debug)]
pub(crate) struct Daemon {
    /// Where the process that was started listens.
    starter: io::PipeWriter,
    /// `/dev/null`, which a new root directory has not.
    null: File,
}

impl Daemon {
    /// Goes on in a child process, in a session of its own. The process that was started ends here, once the child has
    /// said that it relays, or has ended: with 0 or 1.
    ///
    /// # Errors
    ///
    /// There can be no child, or `/dev/null` cannot be opened.
    pub(crate) fn start() -> io::Result<Self> {
        let (mut said, starter) = io::pipe()?;
        match fork()? {
            Fork::Parent => {
                drop(starter);
                let mut answer = Vec::new();
                let is_ready = said.read_to_end(&mut answer).is_ok() && answer == READY;
                process::exit(i32::from(!is_ready));
            }
            Fork::Child => {
                setsid()?;
                let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
                Ok(Self { starter, null })
            }
        }
    }

    /// It relays: lets go of the terminal, and of whoever started it.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub(crate) fn ready(mut self) -> io::Result<()> {
        dup2_stdin(&self.null)?;
        dup2_stdout(&self.null)?;
        dup2_stderr(&self.null)?;
        // Nobody to hear it is no reason to stop.
        let _ = self.starter.write_all(READY);
        Ok(())
    }
}

/// A file with the number of this process in it, for as long as this lives.
#[derive(Debug)]
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Whether it could be written, as far as that can be told beforehand: by a process that takes over from the one whose
    /// file it is.
    ///
    /// # Errors
    ///
    /// It could not.
    pub(crate) fn check(path: &Path) -> io::Result<()> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or_else(|| Path::new("."));
        Ok(eaccess(directory, AccessFlags::W_OK | AccessFlags::X_OK)?)
    }

    /// Writes it; one that is there already is replaced.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub(crate) fn write(path: &Path) -> io::Result<Self> {
        // Not through a link that somebody has left there.
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(path)?;
        writeln!(file, "{}", process::id())?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Another process may have put its own there in the meantime.
        if fs::read_to_string(&self.0).is_ok_and(|text| text.trim() == process::id().to_string()) {
            let _ = fs::remove_file(&self.0);
        }
    }
}
