//! A place that lines go to: who logs puts them into a queue, and a thread of the target's own takes them out.
//!
//! A thread for each target, because writing to a pipe that nobody reads blocks, and there is no way to ask a descriptor
//! that is shared with other programs not to: `O_NONBLOCK` would be set for all of them. So a stuck target holds up
//! itself alone.

mod queue;
mod sink;

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime};

use self::queue::Queue;
use self::sink::Sink;
use crate::clock::Clock;
use crate::framing::{Frame, Framing, Identity, Message};
use crate::severity::{Facility, Level};

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// Standard output, as it is when a line is written.
    Stdout,
    /// Standard error, as it is when a line is written.
    Stderr,
    /// A descriptor that the process was started with.
    Fd(RawFd),
    /// A syslog server: one line, one datagram.
    Udp(SocketAddr),
    /// A syslog server's unix socket: of datagrams, or of a stream when it is one.
    Unix(PathBuf),
}

/// What a target is, and which messages it gets.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where lines go.
    pub address: Address,
    /// What is put around a message.
    pub framing: Framing,
    /// Bytes of a line at most, its header included and its newline not.
    pub max_len: usize,
    /// Who messages are from, to syslog.
    pub facility: Facility,
    /// Less severe messages are left out.
    pub level: Level,
    /// More severe messages are sent as this one.
    pub min_level: Level,
    /// Who logs.
    pub identity: Identity,
    /// Counts the lines that the target has not got. Several targets may share it.
    pub losses: Arc<AtomicU64>,
}

/// A place that lines go to. It may be shared by any number of threads.
#[derive(Debug)]
pub struct Target {
    queue: Arc<Queue>,
    frame: Frame,
    level: Level,
    min_level: Level,
    losses: Arc<AtomicU64>,
    /// Closed when the last line was written.
    done: std::sync::Mutex<Receiver<()>>,
}

thread_local! {
    static SCRATCH: RefCell<(Clock, Vec<u8>)> = RefCell::default();
}

impl Target {
    /// Starts the target's thread. A socket need not be there yet.
    ///
    /// # Errors
    ///
    /// The descriptor is not open, or there is no socket or thread to be had.
    pub fn start(settings: Settings) -> io::Result<Self> {
        let Settings {
            address,
            framing,
            max_len,
            facility,
            level,
            min_level,
            identity,
            losses,
        } = settings;
        let sink = Sink::open(&address)?;
        let frame = Frame {
            framing,
            facility,
            max_len,
            identity,
        };
        let queue = Arc::<Queue>::default();
        let (busy, done) = sync_channel(0);
        let work = Writer {
            queue: Arc::clone(&queue),
            sink,
            frame: frame.clone(),
            lost: 0,
            losses: Arc::clone(&losses),
        };
        thread::Builder::new()
            .name("nsproxy-log".to_owned())
            .spawn(move || {
                work.run();
                drop(busy);
            })?;
        Ok(Self {
            queue,
            frame,
            level,
            min_level,
            losses,
            done: done.into(),
        })
    }

    /// Puts a message into the queue, or drops and counts it. Never waits for the target. `data` is the structured data of
    /// RFC 5424, and may be empty.
    pub fn log(&self, level: Level, data: &[u8], text: &[u8]) {
        if level > self.level {
            return;
        }
        let message = Message {
            level: level.max(self.min_level),
            time: SystemTime::now(),
            data,
            text,
        };
        SCRATCH.with_borrow_mut(|(clock, line)| {
            line.clear();
            self.frame.write(&message, clock, line);
            if !self.queue.put(line) {
                self.losses.fetch_add(1, Ordering::Relaxed);
            }
        });
    }

    /// Takes no more lines, and waits for `patience` at most until the last one is written. `true` when it was.
    pub fn finish(&self, patience: Duration) -> bool {
        self.queue.close();
        let done = self
            .done
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        matches!(done.recv_timeout(patience), Err(RecvTimeoutError::Disconnected))
    }
}

impl Drop for Target {
    /// Takes no more lines. Its thread ends with the last one, for which nobody waits.
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// The thread of a target.
struct Writer {
    queue: Arc<Queue>,
    sink: Sink,
    frame: Frame,
    /// Lines that the target has not got, and has not been told of.
    lost: u64,
    losses: Arc<AtomicU64>,
}

impl Writer {
    fn run(mut self) {
        let mut batch = queue::Batch::default();
        while self.queue.take(&mut batch) {
            self.lost += batch.dropped;
            for line in batch.lines() {
                let told = self.lost == 0 || self.report().is_ok();
                if !told || self.sink.write(line).is_err() {
                    self.lost += 1;
                    self.losses.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        if self.lost > 0 {
            // The last words; with the target gone there is nobody to tell.
            let _ = self.report();
        }
    }

    /// Says how many lines are missing.
    fn report(&mut self) -> io::Result<()> {
        let text = format!("log dropped={}", self.lost);
        let message = Message {
            level: Level::Warning,
            time: SystemTime::now(),
            data: b"",
            text: text.as_bytes(),
        };
        let mut line = Vec::new();
        self.frame.write(&message, &mut Clock::default(), &mut line);
        self.sink.write(&line)?;
        self.lost = 0;
        Ok(())
    }
}
