//! The server thread: any number of listeners, each with one service, in one poll.

use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use anyhow::Context as _;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use nix::unistd::gettid;

use super::answer::{Cause, Connection, Next};
use super::pattern::WINDOW;

const EVENTS: usize = 256;
const WAKE: Token = Token(usize::MAX);

/// What a listener's connections get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::relay) enum Service {
    /// Every byte back.
    Echo,
    /// First a PROXY v2 header with the addresses of [`super::HEADER`], then every byte back.
    EchoAfterHeader,
    /// Every byte back, if the connection comes from one of these addresses.
    EchoFrom(&'static [IpAddr]),
    /// The pattern is taken in and checked.
    Sink,
    /// The pattern, until the client sends anything or ends.
    Source,
}

/// What the server's thread has counted, for others to read.
#[derive(Debug, Default)]
pub(in crate::relay) struct Counters {
    /// Bytes that sinks have taken in.
    received: AtomicU64,
    /// Bytes that sources have written on connections that have ended.
    sent: AtomicU64,
    /// Connections whose bytes were wrong, and what was wrong first.
    fault: Mutex<Option<String>>,
}

impl Counters {
    pub(in crate::relay) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(in crate::relay) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// What was wrong first since the last call.
    pub(in crate::relay) fn take_fault(&self) -> Option<String> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// For the sinks.
    pub(super) fn add_received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    fn fault(&self, what: String) {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        fault.get_or_insert(what);
    }
}

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub(in crate::relay) struct Server {
    thread: Option<JoinHandle<()>>,
    waker: Waker,
    counters: Arc<Counters>,
    thread_id: i32,
}

impl Server {
    /// Serves these listeners, which are already listening.
    pub(in crate::relay) fn start(listeners: Vec<(std::net::TcpListener, Service)>) -> anyhow::Result<Self> {
        let poll = Poll::new().context("epoll")?;
        let waker = Waker::new(poll.registry(), WAKE).context("eventfd")?;
        let counters = Arc::new(Counters::default());
        let mut serving = Serving {
            poll,
            listeners: Vec::with_capacity(listeners.len()),
            connections: Vec::new(),
            free: Vec::new(),
            again: Vec::new(),
            scratch: vec![0; WINDOW].into_boxed_slice(),
            counters: Arc::clone(&counters),
        };
        for (index, (listener, service)) in listeners.into_iter().enumerate() {
            listener.set_nonblocking(true)?;
            let mut listener = TcpListener::from_std(listener);
            let registry = serving.poll.registry();
            registry.register(&mut listener, Token(index), Interest::READABLE)?;
            serving.listeners.push((listener, service));
        }
        let (tell, told) = mpsc::channel();
        let thread = thread::Builder::new().name("server".to_owned()).spawn(move || {
            // The one who started the thread waits for this.
            let _ = tell.send(gettid().as_raw());
            if let Err(error) = serving.run() {
                serving.counters.fault(format!("the server failed: {error}"));
            }
        })?;
        Ok(Self {
            thread: Some(thread),
            waker,
            counters,
            thread_id: told.recv().context("the server's thread has ended")?,
        })
    }

    pub(in crate::relay) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// For the kernel's accounts of this thread.
    pub(in crate::relay) fn thread_id(&self) -> i32 {
        self.thread_id
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.waker.wake().is_ok()
            && let Some(thread) = self.thread.take()
        {
            // What it had to say is in the counters.
            let _ = thread.join();
        }
    }
}

struct Serving {
    poll: Poll,
    listeners: Vec<(TcpListener, Service)>,
    /// By token, after the listeners' tokens.
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// Connections that stopped because of their budget.
    again: Vec<usize>,
    scratch: Box<[u8]>,
    counters: Arc<Counters>,
}

impl Serving {
    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            let timeout = (!self.again.is_empty()).then_some(std::time::Duration::ZERO);
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            for event in &events {
                match event.token() {
                    WAKE => return Ok(()),
                    Token(index) if index < self.listeners.len() => self.accept(index)?,
                    Token(index) => {
                        let index = index - self.listeners.len();
                        self.turn(index, Cause::of(event));
                    }
                }
            }
            for index in std::mem::take(&mut self.again) {
                self.turn(index, Cause::BUDGET);
            }
        }
    }

    fn accept(&mut self, listener: usize) -> io::Result<()> {
        loop {
            let (socket, service) = &self.listeners[listener];
            let (stream, peer) = match socket.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                // Gone before it was accepted (accept(2)).
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let Some(mut connection) = Connection::new(stream, *service, peer) else {
                self.counters.fault(format!("a connection from {peer}"));
                continue;
            };
            let index = self.free.pop().unwrap_or(self.connections.len());
            let token = Token(self.listeners.len() + index);
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll
                .registry()
                .register(connection.stream(), token, interest)?;
            let connection = Some(connection);
            if index == self.connections.len() {
                self.connections.push(connection);
            } else {
                self.connections[index] = connection;
            }
        }
    }

    fn turn(&mut self, index: usize, cause: Cause) {
        let Some(Some(connection)) = self.connections.get_mut(index) else {
            return;
        };
        match connection.turn(cause, &mut self.scratch, &self.counters) {
            Ok(Next::Wait) => {}
            Ok(Next::Again) => self.again.push(index),
            Ok(Next::Close) => self.close(index),
            Err(error) => {
                // A reset is how a client ends that has been stopped; it will have its own complaint if it was not.
                if error.kind() == ErrorKind::InvalidData {
                    self.counters.fault(error.to_string());
                }
                self.close(index);
            }
        }
    }

    fn close(&mut self, index: usize) {
        if let Some(connection) = self.connections[index].take() {
            self.counters.sent.fetch_add(connection.sent(), Ordering::Relaxed);
        }
        self.free.push(index);
    }
}
