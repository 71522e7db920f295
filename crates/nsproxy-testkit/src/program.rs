//! Real programs: found on this machine, started with their output captured, and always reaped.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::{env, thread};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::output::Output;
use crate::{DEFAULT_DEADLINE, Deadline, eventually, sys};

/// Where servers are installed, and where an ordinary user's `PATH` does not look.
const MORE_PLACES: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// An executable file.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
}

impl Program {
    /// Looks for `name` in `PATH` and in the places of system programs.
    ///
    /// # Errors
    ///
    /// When there is none; give the result to [`require!`](crate::require).
    pub fn find(name: &str) -> Result<Self, MissingProgram> {
        let path = env::var_os("PATH").unwrap_or_default();
        env::split_paths(&path)
            .chain(MORE_PLACES.map(PathBuf::from))
            .map(|place| place.join(name))
            .find(|file| file.is_file())
            .map(Self::at)
            .ok_or_else(|| MissingProgram {
                name: name.to_owned(),
            })
    }

    /// The program at `path`, such as the one `CARGO_BIN_EXE_nsproxy` names.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A command without arguments, to be completed and given to [`Netns::spawn`](crate::Netns::spawn).
    pub fn command(&self) -> Command {
        Command::new(&self.path)
    }
}

/// A program that a test needs is not installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingProgram {
    name: String,
}

impl fmt::Display for MissingProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the program `{}` is not installed", self.name)
    }
}

impl std::error::Error for MissingProgram {}

/// A started program. Dropped, it and its process group are killed and it is reaped; if the test is
/// failing, its output is printed.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    output: Output,
    status: Option<ExitStatus>,
}

impl Running {
    /// Starts a program in the namespaces of the calling thread. It dies with that thread.
    ///
    /// [`Netns::spawn`](crate::Netns::spawn) starts one in a namespace of a world.
    #[track_caller]
    pub fn spawn(mut command: Command) -> Self {
        Self::start(&mut command, None, |mut command| command.spawn())
    }

    #[track_caller]
    pub(crate) fn start(
        command: &mut Command,
        netns: Option<OwnedFd>,
        spawn: impl FnOnce(Command) -> io::Result<Child>,
    ) -> Self {
        let program = Path::new(command.get_program());
        let name = program
            .file_name()
            .unwrap_or(program.as_os_str())
            .to_string_lossy()
            .into_owned();
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        sys::prepare(command, netns);
        let command = std::mem::replace(command, Command::new(""));
        let mut child = spawn(command).unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let output = Output::capture(&mut child);
        Self {
            name,
            child,
            output,
            status: None,
        }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed on standard output so far.
    pub fn stdout(&self) -> String {
        self.output.stdout()
    }

    /// What it has printed on standard error so far.
    pub fn stderr(&self) -> String {
        self.output.stderr()
    }

    /// Waits until `text` has been printed on either stream.
    ///
    /// # Panics
    ///
    /// When it was not by the deadline, or the program closed its output before.
    #[track_caller]
    pub fn wait_for_output(&self, text: &str, deadline: Deadline) {
        assert!(
            self.output.wait_for(text, deadline),
            "{} did not print {text:?}",
            self.name
        );
    }

    /// Sends `signal` to the program alone.
    ///
    /// # Panics
    ///
    /// When it has ended.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        assert!(self.status.is_none(), "{} has ended before {signal}", self.name);
        nix::sys::signal::kill(self.group(), signal)
            .unwrap_or_else(|errno| panic!("cannot send {signal} to {}: {errno}", self.name));
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.poll_status().is_none()
    }

    /// Waits for its end within [`DEFAULT_DEADLINE`].
    #[track_caller]
    pub fn wait(self) -> Finished {
        self.wait_until(Deadline::after(DEFAULT_DEADLINE))
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// When it still runs at the deadline.
    #[track_caller]
    pub fn wait_until(mut self, deadline: Deadline) -> Finished {
        let what = format!("the end of {}", self.name);
        let status = eventually(deadline.remaining(), &what, || self.poll_status());
        self.output.finish();
        Finished {
            name: self.name.clone(),
            status,
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }

    fn poll_status(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().expect("a child of ours can be waited for");
        }
        self.status
    }

    fn group(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }
}

impl Drop for Running {
    #[expect(
        clippy::print_stderr,
        reason = "a failing test's reader needs the program's own words"
    )]
    fn drop(&mut self) {
        // Once it is reaped, its number may be somebody else's.
        if self.status.is_none() {
            // First the leader, which exists until it is reaped: a group that is not there yet, as
            // between fork and exec, would leave it running.
            let _ = self.child.kill();
            if let Err(errno) = killpg(self.group(), Signal::SIGKILL)
                && errno != Errno::ESRCH
                && thread::panicking()
            {
                eprintln!("cannot kill the group of {}: {errno}", self.name);
            }
            let _ = self.child.wait();
        }
        self.output.finish();
        if thread::panicking() {
            eprintln!(
                "--- {} printed on standard output:\n{}",
                self.name,
                self.output.stdout()
            );
            eprintln!(
                "--- {} printed on standard error:\n{}---",
                self.name,
                self.output.stderr()
            );
        }
    }
}

/// A program that has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    name: String,
    /// How it ended.
    pub status: ExitStatus,
    /// All that it printed on standard output; what is not UTF-8 is replaced.
    pub stdout: String,
    /// All that it printed on standard error; what is not UTF-8 is replaced.
    pub stderr: String,
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            status,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "{name} ended with {status}\n--- output:\n{stdout}\n--- errors:\n{stderr}"
        )
    }
}

impl Finished {
    /// The standard output of a program that succeeded.
    ///
    /// # Panics
    ///
    /// When it failed; the message has all its output.
    #[track_caller]
    pub fn expect_success(self) -> String {
        assert!(self.status.success(), "{self}");
        self.stdout
    }

    /// The standard error of a program that ended with this exit code.
    ///
    /// # Panics
    ///
    /// When it ended otherwise; the message has all its output.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> String {
        assert_eq!(self.status.code(), Some(code), "{self}");
        self.stderr
    }
}
