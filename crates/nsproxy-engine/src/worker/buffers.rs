//! Bytes that have to wait in user space: the rest after a short write, a split PROXY header, a preface. A session holds
//! such a buffer only while bytes wait in it, so an idle session holds none.

/// Size of the scratch buffer, and so of the largest rest.
pub(super) const SCRATCH: usize = 64 * 1024;
/// Rests up to this size get a buffer that fits; larger ones one of `SCRATCH` bytes from the pool.
const SMALL: usize = 4 * 1024;
/// Large buffers out at a time. Beyond, fills are limited to `SMALL` bytes, so that memory stays bounded whatever the
/// number of slow receivers is.
const LARGE_OUT: usize = 1024;
/// Buffers of each size kept for later.
const IDLE: usize = 64;

/// Bytes that wait, in order.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    bytes: Vec<u8>,
    /// Those before are gone. What waits is a header and a scratch buffer at most, far below 4 GiB.
    start: u32,
    /// Whether it counts as a large one.
    large: bool,
    /// Bytes that were searched in it.
    searched: u32,
}

/// Bytes that are searched of one side. Each segment has what waits searched anew, so that a client that sends single bytes would
/// have others wait for a search of hundreds of MiB: 4 MiB are 2,900 segments of a byte each, or 16 KiB in segments of 32.
const MOST_SEARCHED: u32 = 4 << 20;

impl Waiting {
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(self.start()..).unwrap_or_default()
    }

    pub(super) fn consume(&mut self, bytes: usize) {
        let start = (self.start() + bytes).min(self.bytes.len());
        debug_assert!(u32::try_from(start).is_ok(), "{start} bytes have waited");
        self.start = u32::try_from(start).unwrap_or(u32::MAX);
    }

    /// Adds `bytes`. The buffer grows to twice its size where it has to, but no further than to `most` bytes unless what it
    /// holds needs them: many may wait for what comes in small pieces.
    pub(super) fn extend(&mut self, bytes: &[u8], most: usize) {
        let needed = self.bytes.len() + bytes.len();
        let grown = (self.bytes.capacity() * 2).min(most).max(needed);
        if needed > self.bytes.capacity() {
            self.bytes.reserve_exact(grown - self.bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// What waits is searched once more. Whether it may be again, with what follows.
    pub(super) fn search(&mut self) -> bool {
        let length = u32::try_from(self.bytes().len()).unwrap_or(u32::MAX);
        self.searched = self.searched.saturating_add(length);
        self.searched < MOST_SEARCHED
    }

    /// Puts `bytes` before what waits.
    pub(super) fn prepend(&mut self, bytes: &[u8]) {
        self.bytes.splice(..self.start(), bytes.iter().copied());
        self.start = 0;
    }

    const fn start(&self) -> usize {
        self.start as usize
    }
}

/// The buffers of one worker.
#[derive(Debug, Default)]
pub(super) struct BufferPool {
    /// Empty ones: small, large.
    #[expect(clippy::vec_box, reason = "the pointers are what is asked for")]
    idle: [Vec<Box<Waiting>>; 2],
    large_out: usize,
    out: usize,
}

impl BufferPool {
    /// How much may be read at once, given that all of it may have to wait.
    #[inline]
    pub(super) fn fill_limit(&self) -> usize {
        if self.large_out < LARGE_OUT {
            SCRATCH
        } else {
            SMALL
        }
    }

    /// Holds `bytes`.
    #[expect(
        clippy::unnecessary_box_returns,
        reason = "a session has room for a pointer only"
    )]
    pub(super) fn hold(&mut self, bytes: &[u8]) -> Box<Waiting> {
        let large = bytes.len() > SMALL;
        self.large_out += usize::from(large);
        let room = if large { SCRATCH } else { bytes.len() };
        self.fill(bytes, large, room)
    }

    /// Holds `bytes` that others may follow, in a buffer that is as large as they are: as [`Waiting::extend`] lets it grow.
    #[expect(
        clippy::unnecessary_box_returns,
        reason = "a session has room for a pointer only"
    )]
    pub(super) fn collect(&mut self, bytes: &[u8]) -> Box<Waiting> {
        self.fill(bytes, false, bytes.len())
    }

    #[expect(
        clippy::unnecessary_box_returns,
        reason = "a session has room for a pointer only"
    )]
    fn fill(&mut self, bytes: &[u8], large: bool, room: usize) -> Box<Waiting> {
        self.out += 1;
        let mut waiting = self.idle[usize::from(large)].pop().unwrap_or_default();
        waiting.bytes.reserve_exact(room);
        waiting.bytes.extend_from_slice(bytes);
        waiting.large = large;
        waiting
    }

    /// Takes a buffer back, whatever is left in it.
    pub(super) fn take_back(&mut self, mut waiting: Box<Waiting>) {
        let large = waiting.large;
        self.out -= 1;
        self.large_out -= usize::from(large);
        let (idle, most) = (
            &mut self.idle[usize::from(large)],
            if large { SCRATCH } else { SMALL },
        );
        // One that has grown is not kept, so that the pool's memory stays what it says.
        if idle.len() < IDLE && waiting.bytes.capacity() <= most {
            waiting.bytes.clear();
            waiting.start = 0;
            waiting.searched = 0;
            idle.push(waiting);
        }
    }

    /// Number of buffers that hold bytes.
    pub(super) fn out(&self) -> usize {
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_comes_out_in_order() {
        let mut pool = BufferPool::default();
        let mut waiting = pool.hold(b"lo world");
        waiting.consume(2);
        waiting.prepend(b"hello");
        assert_eq!(waiting.bytes(), b"hello world");
        waiting.consume(6);
        assert_eq!(waiting.bytes(), b"world");
        pool.take_back(waiting);
        assert_eq!(pool.out(), 0);
    }

    #[test]
    fn what_was_held_before_is_not_seen_again_and_takes_no_new_memory() {
        let mut pool = BufferPool::default();
        for size in [SMALL, SMALL + 1] {
            let mut waiting = pool.hold(&vec![1; size]);
            waiting.consume(1);
            let at = waiting.bytes.as_ptr();
            pool.take_back(waiting);
            let waiting = pool.hold(&vec![2; size]);
            assert_eq!(waiting.bytes(), vec![2; size]);
            assert_eq!(waiting.bytes.as_ptr(), at);
            pool.take_back(waiting);
        }
    }

    #[test]
    fn what_is_collected_takes_no_more_than_it_may() {
        const MOST: usize = 16 * 1024;
        let mut pool = BufferPool::default();
        let mut waiting = pool.collect(&[1; SMALL + 1]);
        assert_eq!(waiting.bytes.capacity(), SMALL + 1);
        for _ in SMALL + 1..MOST {
            waiting.extend(&[2], MOST);
            assert!(waiting.bytes.capacity() <= MOST, "{}", waiting.bytes.capacity());
        }
        assert_eq!(waiting.bytes().len(), MOST);
        assert_eq!(pool.fill_limit(), SCRATCH);
        pool.take_back(waiting);
        assert_eq!((pool.out(), pool.idle[0].len()), (0, 0));
    }

    #[test]
    fn searching_in_ever_smaller_pieces_comes_to_an_end() {
        let pieces = |size: usize| {
            let mut waiting = BufferPool::default().collect(&vec![0; size]);
            let mut looks = 1;
            while waiting.search() && waiting.bytes().len() < 16 * 1024 {
                waiting.extend(&vec![0; size], 16 * 1024);
                looks += 1;
            }
            (looks, waiting.bytes().len())
        };
        assert_eq!(pieces(64), (256, 16 * 1024));
        let (looks, length) = pieces(1);
        assert_eq!(looks, length);
        assert!((2_000..4_000).contains(&looks), "{looks}");
    }

    #[test]
    fn fills_shrink_when_many_large_buffers_are_out() {
        let mut pool = BufferPool::default();
        let held: Vec<_> = (0..LARGE_OUT).map(|_| pool.hold(&[0; SMALL + 1])).collect();
        assert_eq!(pool.fill_limit(), SMALL);
        for waiting in held {
            pool.take_back(waiting);
        }
        assert_eq!(pool.fill_limit(), SCRATCH);
        assert_eq!(pool.out(), 0);
    }
}
