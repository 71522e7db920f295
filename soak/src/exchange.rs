//! Sessions in which both ends compare every byte. The client orders what each of them sends; both send at the same time, and
//! at the end the server says whether what came was right, and who it is.

use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::panic::resume_unwind;
use std::thread;

use nsproxy_testkit::{Listener, Pattern, Peer, Rng, Service};

/// What a server says of what came, before its name: it was what the order says, or it was not.
const RIGHT: &str = "right bytes at ";
const WRONG: &str = "wrong bytes at ";

/// What the two ends send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    /// Where the bytes to the server follow from; those to the client follow from its complement.
    seed: u64,
    up: u64,
    down: u64,
}

impl Order {
    /// Bytes to the server, and bytes to the client.
    pub(crate) fn new(rng: &mut Rng, up: u64, down: u64) -> Self {
        let seed = rng.next_u64();
        Self { seed, up, down }
    }

    /// Of any lengths: mostly short, at times long enough to be spliced.
    pub(crate) fn any(rng: &mut Rng) -> Self {
        let mut length = || {
            let most = match rng.between(0, 15) {
                0..8 => 4 << 10,
                8..15 => 256 << 10,
                _ => 4 << 20,
            };
            rng.between(0, most) as u64
        };
        let (up, down) = (length(), length());
        Self::new(rng, up, down)
    }

    /// Bytes in both directions.
    pub(crate) fn bytes(&self) -> u64 {
        self.up + self.down
    }

    pub(crate) fn encode(&self) -> [u8; 24] {
        let mut text = [0; 24];
        for (slot, number) in text.chunks_mut(8).zip([self.seed, self.up, self.down]) {
            slot.copy_from_slice(&number.to_be_bytes());
        }
        text
    }

    fn decode(text: [u8; 24]) -> Self {
        let [seed, up, down] = [0, 8, 16].map(|at| {
            let bytes: [u8; 8] = std::array::from_fn(|index| text[at + index]);
            u64::from_be_bytes(bytes)
        });
        Self { seed, up, down }
    }
}

/// A server that carries orders out until it is dropped, and calls itself `name`. Clients that leave are their own business.
pub(crate) fn serve(listener: Listener, name: String) -> Service {
    Service::start(listener, move |peer| {
        // Whoever ordered looks at what came of it.
        let _ = carry_out(&peer, &name);
    })
}

/// Carries an order out with a server that calls itself `name`.
///
/// # Panics
///
/// Some byte is not as ordered, in either direction, or another server has answered.
pub(crate) fn exchange(peer: &Peer, order: &Order, name: &str) {
    peer.send(order.encode());
    thread::scope(|scope| {
        let sending = scope.spawn(|| {
            peer.send_pattern(order.seed, order.up);
            peer.half_close();
        });
        peer.expect_pattern(!order.seed, order.down);
        peer.expect(format!("{RIGHT}{name}"));
        peer.expect_eof();
        sending.join().unwrap_or_else(|payload| resume_unwind(payload));
    });
}

/// Begins an exchange: what the server sends has come, and it waits for what this end has not sent.
///
/// # Panics
///
/// As [`exchange`].
pub(crate) fn begin(peer: &Peer, order: &Order) {
    peer.send(order.encode());
    peer.expect_pattern(!order.seed, order.down);
}

fn carry_out(peer: &Peer, name: &str) -> io::Result<()> {
    let mut text = [0; 24];
    receive_exact(peer, &mut text)?;
    let order = Order::decode(text);
    let is_right = thread::scope(|scope| {
        let sending = scope.spawn(|| send(peer, !order.seed, order.down));
        let received = receive(peer, order.seed, order.up);
        if received.is_err() {
            // Nobody takes the rest.
            let _ = peer.socket().shutdown(Shutdown::Both);
        }
        sending.join().unwrap_or_else(|payload| resume_unwind(payload))?;
        received
    })?;
    let verdict = if is_right { RIGHT } else { WRONG };
    peer.try_send(format!("{verdict}{name}"))?;
    peer.socket().shutdown(Shutdown::Write)?;
    // The client's end; what it sent has all come.
    while peer.try_receive(&mut text)? > 0 {}
    Ok(())
}

fn send(peer: &Peer, seed: u64, length: u64) -> io::Result<()> {
    let mut pattern = Pattern::new(seed, length);
    while let Some(piece) = pattern.next_piece() {
        peer.try_send(piece)?;
    }
    Ok(())
}

/// Whether what comes is what was ordered.
fn receive(peer: &Peer, seed: u64, length: u64) -> io::Result<bool> {
    let mut pattern = Pattern::new(seed, length);
    let mut came = Vec::new();
    while let Some(piece) = pattern.next_piece() {
        came.resize(piece.len(), 0);
        receive_exact(peer, &mut came)?;
        if came != piece {
            return Ok(false);
        }
    }
    Ok(true)
}

fn receive_exact(peer: &Peer, buffer: &mut [u8]) -> io::Result<()> {
    let mut received = 0;
    while received < buffer.len() {
        match peer.try_receive(&mut buffer[received..])? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => received += count,
        }
    }
    Ok(())
}
