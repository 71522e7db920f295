//! One client of the admin socket, served by a thread of its own: it reads lines and writes answers, and neither for longer
//! than the client may be inactive.

use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use nsproxy_config::model::AdminLevel;
use socket2::Socket;

use super::Context;
use super::command::{self, Outcome};
use super::line::{self, LONGEST};

/// What is kept of one client.
pub(super) struct Client<'c> {
    context: &'c Context,
    pub(super) level: AdminLevel,
    pub(super) is_interactive: bool,
    pub(super) timeout: Duration,
}

/// Serves a client until it has had its answers, leaves, or is too slow.
pub(super) fn serve(socket: &Socket, level: AdminLevel, timeout: Duration, context: &Context) {
    let mut client = Client {
        context,
        level,
        is_interactive: false,
        timeout,
    };
    // Whoever has gone is told nothing.
    let _ = client.converse(socket);
}

impl Client<'_> {
    pub(super) fn context(&self) -> &Context {
        self.context
    }

    fn converse(&mut self, socket: &Socket) -> io::Result<()> {
        let mut lines = Lines::new(socket);
        loop {
            let line = match lines.next(self.timeout)? {
                Next::Line(line) => line,
                Next::End => return Ok(()),
                Next::TooLong => {
                    let mut socket = socket;
                    return socket.write_all(format!("A line has at most {LONGEST} bytes.\n\n").as_bytes());
                }
            };
            socket.set_write_timeout(Some(self.timeout))?;
            let mut out = BufWriter::new(socket);
            for words in line::commands(&line) {
                if let Outcome::Quit = command::run(&words, self, &mut out)? {
                    return out.flush();
                }
                out.write_all(if self.is_interactive { b"\n> " } else { b"\n" })?;
            }
            out.flush()?;
            // What has come already is answered, too.
            if !self.is_interactive && !lines.has_another() {
                return Ok(());
            }
        }
    }
}

/// What a client has sent, line by line.
struct Lines<'s> {
    socket: &'s Socket,
    received: Vec<u8>,
}

enum Next {
    Line(String),
    /// The client has no more to say. What it has left unfinished is no line.
    End,
    TooLong,
}

impl<'s> Lines<'s> {
    fn new(socket: &'s Socket) -> Self {
        Self {
            socket,
            received: Vec::new(),
        }
    }

    fn has_another(&self) -> bool {
        self.received.contains(&b'\n')
    }

    /// The next line, which has to be complete within `timeout`, however slowly it comes.
    fn next(&mut self, timeout: Duration) -> io::Result<Next> {
        let deadline = Instant::now() + timeout;
        let mut searched = 0;
        loop {
            if let Some(end) = self.received[searched..].iter().position(|byte| *byte == b'\n') {
                let rest = self.received.split_off(searched + end + 1);
                let mut line = std::mem::replace(&mut self.received, rest);
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                if line.len() > LONGEST {
                    return Ok(Next::TooLong);
                }
                return Ok(Next::Line(String::from_utf8_lossy(&line).into_owned()));
            }
            searched = self.received.len();
            if searched > LONGEST {
                return Ok(Next::TooLong);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Next::End);
            }
            self.socket.set_read_timeout(Some(left))?;
            let mut piece = [0; 4096];
            let mut socket = self.socket;
            match socket.read(&mut piece) {
                Ok(0) => return Ok(Next::End),
                Ok(bytes) => self.received.extend_from_slice(&piece[..bytes]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Ok(Next::End);
                }
                Err(error) => return Err(error),
            }
        }
    }
}
