//! What a line can say of a session. Whoever logs fills it in; nothing in here is asked for twice.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

/// What a session was, or is so far.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Name of the frontend.
    pub frontend: &'a str,
    /// Name of the backend.
    pub backend: &'a str,
    /// Name of the server; `None` when none was chosen.
    pub server: Option<&'a str>,
    /// The client, the PROXY header's if there was one; `None` on a unix socket.
    pub client: Option<SocketAddr>,
    /// Where the client had connected to; `None` on a unix socket.
    pub frontend_address: Option<SocketAddr>,
    /// Where the connection to the server comes from; `None` without one.
    pub backend_address: Option<SocketAddr>,
    /// Where the server is; `None` when there was none, or on a unix socket.
    pub server_address: Option<SocketAddr>,
    /// When the client's connection was accepted.
    pub accepted: SystemTime,
    /// From accept to the end of a PROXY header.
    pub handshake: Duration,
    /// In the queue; `None` when it did not come to choosing a server.
    pub queued: Option<Duration>,
    /// To connect; `None` without a connection.
    pub connect: Option<Duration>,
    /// From accept until now.
    pub total: Duration,
    /// Bytes from the client to the server.
    pub bytes_up: u64,
    /// Bytes from the server to the client.
    pub bytes_down: u64,
    /// How it ended: cause and state, each a letter of HAProxy's.
    pub termination: [u8; 2],
    /// Its line is written as soon as possible (`option logasap`): the total time and the bytes get a `+` before them.
    pub is_early: bool,
    /// Sessions of the process, itself among them.
    pub process_sessions: usize,
    /// Sessions of the frontend, itself among them.
    pub frontend_sessions: usize,
    /// Sessions of the backend.
    pub backend_sessions: usize,
    /// Sessions of the server.
    pub server_sessions: usize,
    /// Connection attempts beyond the first.
    pub retries: u32,
    /// One of them went to another server.
    pub redispatched: bool,
    /// Its number in the server's queue, from 1; 0 without waiting there.
    pub server_queue: u32,
    /// Its number in the backend's queue, from 1; 0 without waiting there.
    pub backend_queue: u32,
    /// Its identifier, where it has one.
    pub unique_id: Option<&'a str>,
    /// Its number.
    pub number: u64,
    /// The host's name.
    pub host: &'a str,
    /// Lines of the frontend before this one.
    pub lines: u64,
}
