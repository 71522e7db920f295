//! Counters: plain per worker, summed when read. A counter has one writer, its worker, so counting is a load and a store
//! without a lock or a locked instruction.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number with one writer and any readers.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Only the owning worker may call this.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.put(self.get().wrapping_add(n));
    }

    /// Only the owning worker may call this.
    #[inline]
    pub(crate) fn set(&self, n: usize) {
        self.put(n as u64);
    }

    /// Only the owning worker may call this.
    #[inline]
    pub(crate) fn put(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A struct of counters for each worker, and one of what they come to.
macro_rules! counters {
    (
        $(#[$cell_meta:meta])* $cell:ident,
        $(#[$sum_meta:meta])* $sum:ident,
        $($(#[$doc:meta])* $name:ident,)*
    ) => {
        $(#[$cell_meta])*
        #[derive(Debug, Default)]
        pub(crate) struct $cell {
            $(pub(crate) $name: $crate::stats::Counter,)*
        }

        $(#[$sum_meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[non_exhaustive]
        pub struct $sum {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl $sum {
            /// Each of them, by the name of its field.
            pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }

            /// Adds what a worker has counted so far.
            pub(crate) fn add(&mut self, cell: &$cell) {
                $(self.$name = self.$name.wrapping_add(cell.$name.get());)*
            }
        }
    };
}

pub(crate) use counters;

counters! {
    /// The counters of one worker.
    WorkerStats,
    /// The counters of all workers, summed at one moment.
    Stats,
    /// Connections accepted.
    accepted,
    /// Sessions that ended with every byte delivered.
    finished,
    /// Sessions that ended in any other way.
    failed,
    /// Of those: for what the client sent as a PROXY header, or did not send.
    header_refused,
    /// PROXY headers that name a namespace which may not be selected.
    netns_unlisted,
    /// Of those: sessions closed for it.
    netns_refused,
    /// Sessions for which no upstream connection came about.
    upstream_failed,
    /// Of those: because the connection would have led back to a listener of ours.
    loops_refused,
    /// Sessions that had to wait for a server to have room.
    queued,
    /// Connection attempts after a first one that failed.
    retries,
    /// Of those: at another server.
    redispatches,
    /// Of the failed ones: sessions that were reset because a namespace of theirs was removed.
    netns_removed_sessions,
    /// Namespaces that came while a plan waited for them.
    netns_ready,
    /// Namespaces that went.
    netns_removed,
    /// Names that came to mean another namespace at once.
    netns_replaced,
    /// Listeners opened because their namespace came.
    listeners_opened,
    /// Attempts at that which failed.
    listeners_failed,
    /// Bytes delivered to servers by ended sessions.
    bytes_up,
    /// Bytes delivered to clients by ended sessions.
    bytes_down,
    /// Flows that were to be spliced and went on by copying: no pipe was to be had, or the kernel granted only a small one.
    pipes_denied,
    /// Listeners that are open right now.
    listeners,
    /// Namespaces that a name of the plan leads to right now.
    netns_live,
    /// Of the listeners: those in these.
    listeners_in_netns,
    /// Listeners that wait for a namespace, or could not be opened in it.
    listeners_pending,
    /// Sessions right now.
    sessions,
    /// Pipes attached to flows right now.
    pipes_in_use,
    /// Buffers that hold bytes right now.
    buffers_in_use,
    /// Timers armed right now.
    timers_armed,
    /// Sockets made ahead of time, for connections to come.
    sockets_in_stock,
}

impl Stats {
    /// Sums what the workers have counted so far.
    pub(crate) fn sum<'w>(workers: impl Iterator<Item = &'w WorkerStats>) -> Self {
        let mut sum = Self::default();
        workers.for_each(|worker| sum.add(worker));
        sum
    }
}
