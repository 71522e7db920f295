//! Tells a service manager how the process fares (`sd_notify(3)`): one datagram for each word.
//!
//! Small enough to be our own, and with a socket that is connected at the start: behind `chroot(2)`, the path of the manager's
//! socket leads nowhere.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::LazyLock;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;
use std::{fmt, process};

use nix::time::{ClockId, clock_gettime};
use nsproxy_engine::Handle;

/// How long a manager that does not read may hold the process up.
const PATIENCE: Duration = Duration::from_millis(500);

/// The way to the service manager, if there is one.
#[derive(Debug)]
pub(crate) struct Notifier {
    socket: Option<UnixDatagram>,
    /// How often it wants to hear that the process is well.
    watchdog: Option<Duration>,
    /// Dropped, no such word is sent any more.
    watching: Option<Sender<()>>,
}

impl Notifier {
    /// What the environment speaks of. A manager that cannot be reached is none, and that is said.
    pub(crate) fn of_this_process() -> Self {
        let socket = connect().unwrap_or_else(|error| {
            crate::log::complain(&format!(
                "nsproxy: warning: cannot reach the service manager: {error}"
            ));
            None
        });
        Self {
            watchdog: (*BETWEEN_WORDS).filter(|_| socket.is_some()),
            socket,
            watching: None,
        }
    }

    /// The process relays; `status` says what.
    pub(crate) fn ready(&self, status: impl fmt::Display) {
        self.tell(format_args!("READY=1\nSTATUS={status}"));
    }

    /// The configuration is read again; [`Notifier::ready`] ends that.
    pub(crate) fn reloading(&self) {
        // The manager compares it with its own clock, to tell this from an earlier one.
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from);
        let micros = now.unwrap_or_default().as_micros();
        self.tell(format_args!(
            "RELOADING=1\nMONOTONIC_USEC={micros}\nSTATUS=reading the configuration again"
        ));
    }

    /// The process is about to end.
    pub(crate) fn stopping(&self, status: impl fmt::Display) {
        self.tell(format_args!("STOPPING=1\nSTATUS={status}"));
    }

    /// Something that people read.
    pub(crate) fn status(&self, status: impl fmt::Display) {
        self.tell(format_args!("STATUS={status}"));
    }

    /// Another process is the service from now on, and speaks for it.
    pub(crate) fn hand_over(&mut self, pid: u32) {
        self.tell(format_args!("MAINPID={pid}"));
        self.watching = None;
        self.socket = None;
    }

    /// From now on the manager hears twice in its time that the process is well: while every worker of the engine comes round.
    ///
    /// # Errors
    ///
    /// There is no thread or descriptor to be had.
    pub(crate) fn watch(&mut self, engine: Handle) -> io::Result<()> {
        let (Some(socket), Some(time)) = (&self.socket, self.watchdog) else {
            return Ok(());
        };
        let socket = socket.try_clone()?;
        let (watching, ends) = channel::<()>();
        thread::Builder::new()
            .name("nsproxy-watchdog".to_owned())
            .spawn(move || {
                while ends.recv_timeout(time / 2) == Err(RecvTimeoutError::Timeout) {
                    if engine.comes_round(time / 4) {
                        // A manager that does not read it will do as it sees fit.
                        let _ = socket.send(b"WATCHDOG=1");
                    }
                }
            })?;
        self.watching = Some(watching);
        Ok(())
    }

    fn tell(&self, words: fmt::Arguments<'_>) {
        if let Some(socket) = &self.socket {
            // The process does what it does whether somebody hears of it or not.
            let _ = socket.send(words.to_string().as_bytes());
        }
    }
}

fn connect() -> io::Result<Option<UnixDatagram>> {
    let Some(place) = env::var_os("NOTIFY_SOCKET") else {
        return Ok(None);
    };
    let address = match place.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        [b'/', ..] => SocketAddr::from_pathname(&place)?,
        _ => {
            return Err(io::Error::other(
                "NOTIFY_SOCKET is of a kind that nsproxy does not know",
            ));
        }
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(Some(socket))
}

/// Where a watchdog is told of: how often it wants to hear, and from which process, if not from any that reads this.
const WATCHDOG: [&str; 2] = ["WATCHDOG_USEC", "WATCHDOG_PID"];

/// How often the manager wants to hear from this process. Worked out once: a daemon has another number than the process that was
/// meant.
static BETWEEN_WORDS: LazyLock<Option<Duration>> = LazyLock::new(|| {
    let number = |name: &str| env::var(name).ok()?.parse::<u64>().ok();
    let is_ours = number(WATCHDOG[1]).is_none_or(|pid| pid == u64::from(process::id()));
    let micros = number(WATCHDOG[0]).filter(|micros| *micros > 0 && is_ours)?;
    Some(Duration::from_micros(micros))
});

/// Variables that are not for the process that takes over from this one: the number of this process, since the watchdog wants to hear
/// from the other one then; and all of it where this process was not meant.
pub(crate) fn not_for_successor() -> &'static [&'static str] {
    if BETWEEN_WORDS.is_some() {
        &WATCHDOG[1..]
    } else {
        &WATCHDOG
    }
}
