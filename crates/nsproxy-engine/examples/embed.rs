//! Embeds the engine in another program: with an opener of its own, which counts what is asked of it before it lets
//! [`InProcess`] do the work, and with an observer of its own, which hears how each session ended.
//!
//! It needs no set-up and no privilege: a small server and a client of it run in here, on loopback.
//!
//! ```text
//! cargo run -p nsproxy-engine --example embed
//! ```

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use nsproxy_engine::{
    Endpoint, Engine, InProcess, ListenerPlan, Observer, OpenAnswer, OpenToken, OpenerFactory, Plan,
    ServerPlan, SessionSummary, Settings, SocketKind, SocketOpener, SocketRequest, Target, UpstreamNetns,
};

/// Sessions that the example makes.
const SESSIONS: usize = 3;

/// Makes an opener for each thread of the engine; all of them count in one place.
struct Counting {
    listeners: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl OpenerFactory for Counting {
    fn opener(&self, stock: usize) -> io::Result<Box<dyn SocketOpener>> {
        Ok(Box::new(CountingOpener {
            inner: InProcess.opener(stock)?,
            listeners: Arc::clone(&self.listeners),
            connections: Arc::clone(&self.connections),
        }))
    }
}

/// A program could as well ask another process here, and answer when that has answered.
struct CountingOpener {
    inner: Box<dyn SocketOpener>,
    listeners: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl SocketOpener for CountingOpener {
    fn request(&mut self, token: OpenToken, request: SocketRequest) {
        match request.kind {
            SocketKind::Listener { .. } => &self.listeners,
            SocketKind::Upstream { .. } | SocketKind::Datagram { .. } | SocketKind::Routes => {
                &self.connections
            }
        }
        .fetch_add(1, Ordering::Relaxed);
        self.inner.request(token, request);
    }

    fn answers(&mut self, answers: &mut Vec<OpenAnswer>) {
        self.inner.answers(answers);
    }

    fn stock(&self) -> usize {
        self.inner.stock()
    }

    fn release_unused(&mut self) {
        self.inner.release_unused();
    }
}

/// Passes a line about each session on to the main thread: an observer must not block.
struct Reporter(Sender<String>);

impl Observer for Reporter {
    fn session_ended(&self, session: &SessionSummary<'_>) {
        let client = session
            .client
            .map_or_else(|| "a unix socket".to_owned(), |client| client.to_string());
        let line = format!(
            "session from {client} to {}: {} bytes up, {} bytes down, {}",
            session.server.unwrap_or("nobody"),
            session.bytes_up,
            session.bytes_down,
            session.reason
        );
        // The main thread may have ended.
        let _ = self.0.send(line);
    }
}

#[expect(clippy::print_stdout, reason = "an example shows what happens")]
fn main() -> Result<(), Box<dyn Error>> {
    let server = TcpListener::bind("127.0.0.1:0")?;
    let server_address = server.local_addr()?;
    let serving = thread::spawn(move || serve(&server));

    let opener = Counting {
        listeners: Arc::default(),
        connections: Arc::default(),
    };
    let (listeners, connections) = (Arc::clone(&opener.listeners), Arc::clone(&opener.connections));
    let (lines, reported) = channel();
    let engine = Engine::start(&Settings::default(), Arc::new(opener), Arc::new(Reporter(lines)))?;

    let listener = ListenerPlan::at(Endpoint::Ip(([127, 0, 0, 1], 0).into()));
    let upstream = ServerPlan {
        source: None,
        name: "shouter".to_owned(),
        target: Target::Ip {
            address: server_address.ip(),
            port: Some(server_address.port()),
        },
        // With UpstreamNetns::Named("tenant1".parse()?) it would be looked for in that namespace.
        netns: UpstreamNetns::Default,
        send_header: None,
        share: nsproxy_engine::Share::default(),
        health: nsproxy_engine::HealthPlan::default(),
    };
    let listening = engine.handle().apply(&Plan::forward(listener, upstream, None))?;
    let Endpoint::Ip(address) = &listening[0].address else {
        return Err("not an IP address".into());
    };
    println!("relaying from {address} to {server_address}");

    for session in 0..SESSIONS {
        let mut client = TcpStream::connect(address)?;
        client.write_all(format!("hello number {session}").as_bytes())?;
        client.shutdown(Shutdown::Write)?;
        let mut answer = String::new();
        client.read_to_string(&mut answer)?;
        println!("the server said: {answer}");
    }
    for _ in 0..SESSIONS {
        println!("{}", reported.recv_timeout(Duration::from_secs(10))?);
    }

    engine.handle().drain(Duration::from_secs(10));
    let stats = engine.wait()?;
    serving.join().map_err(|_| "the server panicked")??;
    println!(
        "{} sessions, {} of them whole; the opener was asked for {} listener and {} other sockets",
        stats.accepted,
        stats.finished,
        listeners.load(Ordering::Relaxed),
        connections.load(Ordering::Relaxed)
    );
    Ok(())
}

/// Answers each connection with what it sent, in capitals.
fn serve(listener: &TcpListener) -> io::Result<()> {
    for _ in 0..SESSIONS {
        let (mut connection, _) = listener.accept()?;
        let mut request = String::new();
        connection.read_to_string(&mut request)?;
        connection.write_all(request.to_uppercase().as_bytes())?;
    }
    Ok(())
}
