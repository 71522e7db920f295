//! The target of the log: it counts how sessions end, by the two letters of HAProxy's `%ts`, and keeps nothing.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nsproxy_testkit::World;

/// How long nothing comes before it is looked whether more is to be expected.
const SILENCE: Duration = Duration::from_millis(100);

/// Where the log goes.
pub(crate) fn path(w: &World) -> PathBuf {
    w.path("log")
}

/// What was logged.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    /// Sessions, by how they ended.
    pub(crate) endings: BTreeMap<String, u64>,
    /// Lines that nsproxy says it has dropped: this target was too slow for it.
    pub(crate) dropped: u64,
}

/// A thread that reads the log.
#[derive(Debug)]
pub(crate) struct Target {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Counted>,
}

impl Target {
    pub(crate) fn start(w: &World) -> io::Result<Self> {
        let socket = UnixDatagram::bind(path(w))?;
        socket.set_read_timeout(Some(SILENCE))?;
        let is_over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&is_over);
        let thread = thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || count(&socket, &until))?;
        Ok(Self { is_over, thread })
    }

    /// What has come, once nothing more comes.
    pub(crate) fn end(self) -> Counted {
        self.is_over.store(true, Ordering::Relaxed);
        // It has nothing in it that panics.
        self.thread.join().unwrap_or_default()
    }
}

fn count(socket: &UnixDatagram, is_over: &AtomicBool) -> Counted {
    let mut counted = Counted::default();
    let mut line = [0; 8192];
    loop {
        match socket.recv(&mut line) {
            Ok(length) => counted.take(&String::from_utf8_lossy(&line[..length])),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) if is_over.load(Ordering::Relaxed) => return counted,
            Err(_) => {}
        }
    }
}

impl Counted {
    fn take(&mut self, line: &str) {
        if let Some((_, number)) = line.rsplit_once("log dropped=") {
            self.dropped += number.trim().parse::<u64>().unwrap_or(1);
        }
        // As in `option tcplog`: letters, connections, queues.
        let mut words = line.split_whitespace().rev();
        let is_counts =
            |word: Option<&str>, slashes| word.is_some_and(|word| word.matches('/').count() == slashes);
        if is_counts(words.next(), 1)
            && is_counts(words.next(), 4)
            && let Some(letters) = words.next().filter(|word| word.len() == 2)
        {
            *self.endings.entry(letters.to_owned()).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_counted_by_their_letters_and_nothing_else_is() {
        let mut counted = Counted::default();
        for line in [
            "<134>Nov 30 17:00:00 nsproxy[7]: 127.0.0.1:1 [30/Nov/2026:17:00:00.000] near near/s 1/0/5 12 -- 1/1/0/0/0 0/0\n",
            "<134>Nov 30 17:00:00 nsproxy[7]: 127.0.0.1:2 [30/Nov/2026:17:00:00.000] near near/s 1/0/5 12 CD 1/1/0/0/0 0/0\n",
            "<133>Nov 30 17:00:00 nsproxy[7]: reloaded listeners=7 opened=0 closed=0 pending=0\n",
            "<132>Nov 30 17:00:00 nsproxy[7]: log dropped=3\n",
        ] {
            counted.take(line);
        }
        let expected = [("--".to_owned(), 1), ("CD".to_owned(), 1)];
        assert_eq!(counted.endings, BTreeMap::from(expected));
        assert_eq!(counted.dropped, 3);
    }
}
