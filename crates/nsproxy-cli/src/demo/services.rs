//! What the tenants run: a small HTTP service each, one that shows the PROXY header it gets, and a sink.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use proxy_proto::ParseError;

use super::network::{Network, Place, tenant};

/// No peer of the demo takes longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is sent in bulk, over and over. A prime, so that no buffer of any program holds a whole number of blocks: chunks that
/// are lost, doubled or swapped do not pass for others.
const BLOCK: usize = 65_521;

/// A running service.
struct Service {
    /// The network that it is in.
    place: &'static str,
    listener: TcpListener,
    thread: JoinHandle<()>,
}

/// The running services.
pub(super) struct Services {
    running: Vec<Service>,
    /// Each PROXY header that arrived.
    pub(super) headers: Receiver<Vec<u8>>,
    /// Each amount that arrived at the sink, or why it did not.
    pub(super) received: Receiver<io::Result<u64>>,
}

pub(super) fn start(network: &Network) -> anyhow::Result<Services> {
    let (header_arrived, headers) = channel();
    let (bytes_arrived, received) = channel();
    let Network { red, blue, .. } = network;
    let greeting = |place: &Place| {
        format!(
            "I am tenant {}, and my address is {}",
            place.name,
            tenant(80).ip()
        )
    };
    let (from_red, from_blue, also_from_blue) = (greeting(red), greeting(blue), greeting(blue));
    let running = vec![
        serve(red, 80, move |client| answer(client, &from_red))?,
        serve(blue, 80, move |client| answer(client, &from_blue))?,
        serve(blue, 81, move |mut client| {
            // Nobody waits for a header that did not come.
            let _ = header_arrived.send(take_header(&mut client)?);
            answer(client, &also_from_blue)
        })?,
        serve(red, 82, move |client| {
            let _ = bytes_arrived.send(count(client));
            Ok(())
        })?,
    ];
    Ok(Services {
        running,
        headers,
        received,
    })
}

impl Services {
    /// Serves HTTP in a network that was made just now.
    pub(super) fn add(&mut self, place: &Place) -> anyhow::Result<()> {
        let text = format!(
            "I am tenant {}, made a moment ago, and my address is {}",
            place.name,
            tenant(80).ip()
        );
        self.running
            .push(serve(place, 80, move |client| answer(client, &text))?);
        Ok(())
    }

    /// Ends those in this network.
    pub(super) fn end_in(&mut self, place: &Place) {
        let there = self.running.extract_if(.., |service| service.place == place.name);
        there.for_each(Service::end);
    }

    pub(super) fn end(self) {
        self.running.into_iter().for_each(Service::end);
    }
}

impl Service {
    fn end(self) {
        // It wakes the thread, whose accept fails then.
        let _ = socket2::SockRef::from(&self.listener).shutdown(Shutdown::Both);
        let _ = self.thread.join();
    }
}

/// Serves one connection after the other, in that namespace.
fn serve(
    place: &Place,
    port: u16,
    mut each: impl FnMut(TcpStream) -> io::Result<()> + Send + 'static,
) -> anyhow::Result<Service> {
    let listener = netns_core::tcp_listener(&place.netns, tenant(port))?;
    let accepting = listener.try_clone()?;
    let thread = thread::Builder::new()
        .name("demo-service".to_owned())
        .spawn(move || {
            while let Ok((client, _)) = accepting.accept() {
                // A client that leaves early concerns nobody but itself.
                let _ = client
                    .set_read_timeout(Some(PATIENCE))
                    .and_then(|()| each(client));
            }
        })?;
    Ok(Service {
        place: place.name,
        listener,
        thread,
    })
}

/// Answers one HTTP request, whatever it asks for.
fn answer(mut client: TcpStream, text: &str) -> io::Result<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !request.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        match client.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            bytes => request.extend_from_slice(&buffer[..bytes]),
        }
    }
    let length = text.len();
    write!(
        client,
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}"
    )
}

/// Takes a PROXY header off a connection, and nothing behind it.
fn take_header(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut header = Vec::new();
    loop {
        let wanted = match proxy_proto::parse(&header) {
            Ok(parsed) => {
                header.truncate(parsed.consumed);
                return Ok(header);
            }
            Err(ParseError::Incomplete { at_least }) => at_least.max(header.len() + 1),
            Err(ParseError::Invalid(invalid)) => return Err(io::Error::other(invalid.to_string())),
        };
        let before = header.len();
        header.resize(wanted, 0);
        client.read_exact(&mut header[before..])?;
    }
}

/// The block: each byte depends on its place in it.
pub(super) fn block() -> Vec<u8> {
    (0..BLOCK)
        .map(|index| (index ^ (index >> 8)).to_le_bytes()[0])
        .collect()
}

/// Receives until the end, and compares every byte.
fn count(mut client: TcpStream) -> io::Result<u64> {
    let expected = block();
    let mut buffer = vec![0; 4 * BLOCK];
    let mut total = 0;
    loop {
        let bytes = client.read(&mut buffer)?;
        if bytes == 0 {
            return Ok(total as u64);
        }
        let mut compared = 0;
        while compared < bytes {
            let at = (total + compared) % BLOCK;
            let next = (BLOCK - at).min(bytes - compared);
            if buffer[compared..compared + next] != expected[at..at + next] {
                return Err(io::Error::other(format!(
                    "wrong bytes after {}",
                    total + compared
                )));
            }
            compared += next;
        }
        total += bytes;
    }
}
