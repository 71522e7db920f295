//! Lines that wait to be written: two buffers that change places, so that the lock is held for a copy and not for a write,
//! and nothing is allocated once they have grown.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes that may wait: some thousand lines.
const CAPACITY: usize = 512 * 1024;

/// Lines that wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Something has come, or nothing will come any more.
    news: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whole lines, each with its newline.
    bytes: Vec<u8>,
    dropped: u64,
    closed: bool,
}

/// Lines that are taken out together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// Lines for which there was no room since the batch before.
    pub(super) dropped: u64,
}

impl Queue {
    /// Puts in one line, which ends in its only newline; `false` when there is no room for it.
    pub(super) fn put(&self, line: &[u8]) -> bool {
        let mut state = self.lock();
        if state.closed || state.bytes.len() + line.len() > CAPACITY {
            state.dropped += 1;
            return false;
        }
        let was_empty = state.bytes.is_empty();
        state.bytes.extend_from_slice(line);
        drop(state);
        if was_empty {
            self.news.notify_one();
        }
        true
    }

    /// Waits for lines; `false` when there will be none.
    pub(super) fn take(&self, batch: &mut Batch) -> bool {
        batch.bytes.clear();
        let mut state = self.lock();
        while state.bytes.is_empty() && !state.closed {
            state = self.news.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut state.bytes, &mut batch.bytes);
        batch.dropped = std::mem::take(&mut state.dropped);
        !batch.bytes.is_empty() || batch.dropped > 0
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.news.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch {
    pub(super) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.split_inclusive(|&byte| byte == b'\n')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_dropped_and_counted() {
        let queue = Queue::default();
        let line = [vec![b'x'; 1023], vec![b'\n']].concat();
        let fitting = (0..CAPACITY / 1024 + 7).filter(|_| queue.put(&line)).count();
        assert_eq!(fitting, CAPACITY / 1024);
        let mut batch = Batch::default();
        assert!(queue.take(&mut batch));
        assert_eq!((batch.lines().count(), batch.dropped), (CAPACITY / 1024, 7));
        assert!(queue.put(b"again\n"));
        assert!(queue.take(&mut batch));
        assert_eq!((batch.lines().count(), batch.dropped), (1, 0));
    }

    #[test]
    fn a_closed_queue_gives_what_it_has_and_then_nothing() {
        let queue = Queue::default();
        assert!(queue.put(b"last\n"));
        queue.close();
        let mut batch = Batch::default();
        assert!(queue.take(&mut batch));
        assert_eq!(batch.lines().next(), Some(&b"last\n"[..]));
        assert!(!queue.take(&mut batch));
    }
}
