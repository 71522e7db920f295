//! The process that takes over from this one.

use std::convert::Infallible;
use std::env;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use nix::sys::socket::{
    AddressFamily, Shutdown, SockFlag, SockType, setsockopt, shutdown, socketpair, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike as _};
use nsproxy_engine::{HandedOver, Handle};

use super::{ALL, CHANNEL, FAILED, READY, SOCKETS, VERSION};
use crate::sys::handover;
use crate::{activation, notify};

/// How long is waited for the engine to let go of its listeners.
const RELEASE: Duration = Duration::from_secs(10);

/// How this process was started.
#[derive(Debug, Clone)]
pub(crate) struct Invocation {
    program: OsString,
    arguments: Vec<OsString>,
    directory: PathBuf,
}

impl Invocation {
    /// As it is now: to be asked for before the process changes its directory.
    pub(crate) fn of_this_process() -> Self {
        let mut arguments = env::args_os();
        Self {
            program: arguments.next().unwrap_or_default(),
            arguments: arguments.collect(),
            // One without a name is not there any more: relative paths have led nowhere then, and lead nowhere still.
            directory: env::current_dir().unwrap_or_default(),
        }
    }

    /// The same program with the same arguments. Where it is named without a slash, it is looked for in `PATH` again.
    fn command(&self) -> Command {
        let mut command = if self.program.as_encoded_bytes().contains(&b'/') {
            Command::new(self.directory.join(&self.program))
        } else {
            Command::new(&self.program)
        };
        command.arg0(&self.program).args(&self.arguments);
        if !self.directory.as_os_str().is_empty() {
            command.current_dir(&self.directory);
        }
        command
    }
}

/// A new process, and whether it takes over.
#[derive(Debug)]
pub(crate) struct Successor {
    child: Arc<Mutex<Child>>,
    channel: Arc<OwnedFd>,
    handed: Arc<HandedOver>,
}

/// Why it does not take over, in its own words.
#[derive(Debug)]
struct Told(String);

impl std::error::Error for Told {}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What has become of it.
#[derive(Debug)]
pub(crate) enum Succession {
    /// It relays.
    Done {
        /// Its number.
        pid: u32,
        /// Dropped once the engine of this process was told to let go of its listeners.
        telling: Sender<Infallible>,
    },
    /// It has ended, and why.
    Failed(anyhow::Error),
}

impl Successor {
    /// Starts it, and tells later what has become of it. It has this long.
    ///
    /// # Errors
    ///
    /// There can be no such process.
    pub(crate) fn start(
        invocation: &Invocation,
        engine: Handle,
        patience: Duration,
        tell: impl FnOnce(Succession) + Send + 'static,
    ) -> anyhow::Result<Self> {
        let handed = Arc::new(engine.hand_over());
        let started = start(invocation.command(), patience);
        let (child, channel) = match started {
            Ok(started) => started,
            Err(error) => {
                handed.take_back();
                return Err(error);
            }
        };
        let (child, channel) = (Arc::new(Mutex::new(child)), Arc::new(channel));
        let its_child = Arc::clone(&child);
        let (its_channel, its_handed) = (Arc::clone(&channel), Arc::clone(&handed));
        let spawned = thread::Builder::new()
            .name("nsproxy-upgrade".to_owned())
            .spawn(move || {
                if accompany(&its_child, &its_channel, &its_handed, patience, tell) {
                    // Whoever has come round has done what it was told before.
                    engine.comes_round(RELEASE);
                }
                // The end of the channel tells the new process that no connection is kept from it any more.
                drop(its_channel);
            });
        if let Err(error) = spawned {
            // The new process sees the end of the channel before it was given anything.
            handed.take_back();
            return Err(error).context("cannot wait for the new process");
        }
        Ok(Self {
            child,
            channel,
            handed,
        })
    }

    /// It is not wanted any more, whatever it has said by now: its listeners end with this process's.
    pub(crate) fn abandon(&self) {
        // One that has ended by itself needs no more.
        let _ = lock(&self.child).kill();
        self.handed.take_back();
        // Whoever waits for a word of it sees an end.
        let _ = shutdown(self.channel.as_raw_fd(), Shutdown::Both);
    }
}

fn lock(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    // Each use is one system call.
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(mut command: Command, patience: Duration) -> anyhow::Result<(Child, OwnedFd)> {
    let pair = socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    );
    let (ours, theirs) = pair.context("cannot make a channel to the new process")?;
    // A program that is something else reads nothing.
    let limit = TimeVal::milliseconds(i64::try_from(patience.as_millis()).unwrap_or(i64::MAX));
    setsockopt(&ours, sockopt::SendTimeout, &limit).context("cannot limit a channel")?;
    setsockopt(&ours, sockopt::ReceiveTimeout, &limit).context("cannot limit a channel")?;
    for variable in activation::not_ours().iter().chain(notify::not_for_successor()) {
        command.env_remove(variable);
    }
    command.env(CHANNEL, theirs.as_raw_fd().to_string());
    handover::pass_on(&mut command, theirs.as_fd());
    let child = command
        .spawn()
        .with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
    Ok((child, ours))
}

/// Gives the new process the sockets, waits for its word, and tells what it was. `true`: it has taken over, and the engine was told
/// to let go of the sockets.
fn accompany(
    child: &Mutex<Child>,
    channel: &OwnedFd,
    handed: &HandedOver,
    patience: Duration,
    tell: impl FnOnce(Succession),
) -> bool {
    match converse(channel, handed, patience) {
        Ok(()) => {
            let pid = lock(child).id();
            let (telling, told) = mpsc::channel();
            tell(Succession::Done { pid, telling });
            // Nothing is ever sent.
            let _ = told.recv_timeout(RELEASE);
            true
        }
        Err(error) => {
            // It may have ended by itself, and that is what is to be told if it has said nothing else.
            let ended = {
                let mut child = lock(child);
                let _ = child.kill();
                child.wait()
            };
            let error = match ended {
                Ok(status) if status.code().is_some() && !error.is::<Told>() => {
                    error.context(format!("it ended with {status}"))
                }
                _ => error,
            };
            handed.take_back();
            tell(Succession::Failed(error));
            false
        }
    }
}

/// Hands the sockets over, and waits for the word that the new process relays.
fn converse(channel: &OwnedFd, handed: &HandedOver, patience: Duration) -> anyhow::Result<()> {
    match send(channel, handed) {
        // One that has ended may have said why.
        Err(error) if is_gone(&error) => {}
        sent => sent.context("cannot hand the listeners over")?,
    }
    let mut received = handover::receive(channel);
    if received.as_ref().is_err_and(is_gone) {
        // The same is told first here, too, and once.
        received = handover::receive(channel);
    }
    let (text, _) = match received {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            bail!(
                "it has not said within {} that it relays",
                humantime::format_duration(patience)
            )
        }
        received => received.context("cannot hear the new process")?,
    };
    match text.strip_prefix(FAILED) {
        _ if text == READY => Ok(()),
        Some(why) => Err(Told(String::from_utf8_lossy(why).into_owned()).into()),
        None if text.is_empty() => bail!("it has not said that it relays"),
        None => bail!("it says `{}`", text.escape_ascii()),
    }
}

fn send(channel: &OwnedFd, handed: &HandedOver) -> io::Result<()> {
    let sockets: Vec<BorrowedFd<'_>> = handed.sockets().collect();
    handover::send(channel, VERSION, &[])?;
    for some in sockets.chunks(handover::MOST_AT_A_TIME) {
        handover::send(channel, SOCKETS, some)?;
    }
    handover::send(channel, ALL, &[])
}

/// Whether the process at the other end has ended.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc::channel;

    use nsproxy_engine::{Engine, InProcess, Settings, Silent};
    use nsproxy_testkit::{Program, require};

    use super::*;

    /// Starts this program in the place of an engine's process, and returns what has become of it.
    fn succeed(program: &Path, arguments: &[&str], patience: Duration) -> (Successor, Succession) {
        let settings = Settings {
            workers: std::num::NonZeroUsize::new(1),
            ..Settings::default()
        };
        let engine = Engine::start(&settings, Arc::new(InProcess), Arc::new(Silent));
        let engine = engine.unwrap_or_else(|error| panic!("{error}"));
        let invocation = Invocation {
            program: program.into(),
            arguments: arguments.iter().map(Into::into).collect(),
            directory: PathBuf::new(),
        };
        let (told, outcome) = channel();
        let successor = Successor::start(&invocation, engine.handle(), patience, move |outcome| {
            drop(told.send(outcome));
        });
        let successor = successor.unwrap_or_else(|error| panic!("{error:#}"));
        let outcome = outcome.recv_timeout(Duration::from_secs(10));
        (successor, outcome.unwrap_or_else(|error| panic!("{error}")))
    }

    #[test]
    fn a_program_that_says_nothing_is_ended_when_patience_is() {
        match succeed(Path::new("sleep"), &["1000"], Duration::from_millis(50)) {
            (_, Succession::Failed(error)) => {
                let text = format!("{error:#}");
                assert!(
                    text.contains("it has not said within 50ms that it relays"),
                    "{text}"
                );
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_process_that_is_not_wanted_any_more_ends_also_when_it_has_taken_over() {
        // Others know no descriptors of two digits.
        let bash = require!(Program::find("bash"));
        let script = format!("printf ready >&${CHANNEL}; exec sleep 1000");
        let (successor, outcome) = succeed(bash.path(), &["-c", &script], Duration::from_secs(10));
        assert!(matches!(outcome, Succession::Done { .. }), "{outcome:?}");
        successor.abandon();
        let ended = lock(&successor.child).wait();
        let ended = ended.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(ended.code(), None, "{ended}");
    }
}
