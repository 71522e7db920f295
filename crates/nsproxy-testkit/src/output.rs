//! What a program has printed so far, collected by two threads and waited for by a test.

use std::io::Read;
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::Deadline;
use crate::deadline::pause;

/// How long to wait for the end of the output after the program's end: longer means that something
/// it started still holds the pipe.
const PATIENCE: Duration = Duration::from_secs(2);

/// The captured output of one program.
#[derive(Debug)]
pub(crate) struct Output {
    shared: Arc<Shared>,
    readers: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    text: Mutex<Text>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Text {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// Streams that have not reached their end.
    open: usize,
}

#[derive(Clone, Copy)]
enum Stream {
    Stdout,
    Stderr,
}

impl Output {
    /// Takes the pipes of `child` and starts to read them.
    pub(crate) fn capture(child: &mut Child) -> Self {
        let shared = Arc::new(Shared::default());
        let mut readers = Vec::new();
        if let Some(pipe) = child.stdout.take() {
            readers.push(read(&shared, Stream::Stdout, pipe));
        }
        if let Some(pipe) = child.stderr.take() {
            readers.push(read(&shared, Stream::Stderr, pipe));
        }
        Self { shared, readers }
    }

    /// Waits for `text` on either stream; false when both have ended, or the deadline has passed,
    /// without it.
    pub(crate) fn wait_for(&self, text: &str, deadline: Deadline) -> bool {
        let mut state = self.shared.lock();
        loop {
            if contains(&state.stdout, text) || contains(&state.stderr, text) {
                return true;
            }
            if state.open == 0 || deadline.passed() {
                return false;
            }
            let waited = self.shared.changed.wait_timeout(state, deadline.remaining());
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.shared.lock().stdout).into_owned()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.shared.lock().stderr).into_owned()
    }

    /// Waits a little for the end of both streams. To be called once the program has ended.
    pub(crate) fn finish(&mut self) {
        let deadline = Deadline::after(PATIENCE);
        for reader in self.readers.drain(..) {
            while !reader.is_finished() && !deadline.passed() {
                pause();
            }
            if reader.is_finished() {
                // A reader only reads and locks; if it panicked, what it had read is still there.
                let _ = reader.join();
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Text> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(shared: &Arc<Shared>, stream: Stream, mut pipe: impl Read + Send + 'static) -> JoinHandle<()> {
    shared.lock().open += 1;
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            let mut text = shared.lock();
            match stream {
                Stream::Stdout => text.stdout.extend_from_slice(&buffer[..count]),
                Stream::Stderr => text.stderr.extend_from_slice(&buffer[..count]),
            }
            drop(text);
            shared.changed.notify_all();
        }
        shared.lock().open -= 1;
        shared.changed.notify_all();
    })
}

fn contains(printed: &[u8], text: &str) -> bool {
    text.is_empty()
        || printed
            .windows(text.len())
            .any(|window| window == text.as_bytes())
}
