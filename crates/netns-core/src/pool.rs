//! `SocketPool`: sockets in stock, for a thread that needs one after the other in foreign namespaces.
//!
//! To open a namespace, enter it and come home costs more than a `stat(2)`. So a visit makes several sockets at once, and
//! the next requests are served from the shelf. Nothing but `socket(2)` happens ahead of time: a socket in stock is bound
//! to nothing and connected to nothing. It has the settings that its namespace had when it was made (congestion control
//! and buffer sizes, for example), so a changed sysctl reaches connections a moment later.
//!
//! The first visit to a namespace makes one socket, and each further one twice as many as the one before, if that was
//! shortly before: only who asks often has a stock.
//!
//! A socket keeps its namespace alive, and a name may lead to another namespace tomorrow. So before one is
//! given out the name is looked up, once for all requests of a [`PoolTurn`], and what lies on its shelf for another namespace is
//! thrown away. And
//! [`SocketPool::release_unused`], called at intervals, throws away what nobody has asked for since. The look is one
//! `stat(2)`: the file's device and inode are enough here, since the sockets on the shelf hold their
//! namespace, so that no other one can have its number.

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::error::{EnterError, OpenError, SocketError, SocketOperation};
use crate::file_id::FileId;
use crate::{Home, Netns, NetnsSpec, Root};

/// A visit that follows the one before within this time makes twice as many sockets.
const SHORTLY: Duration = Duration::from_millis(100);
/// Names whose shelves are kept although they are empty, to remember when the last visit was.
const REMEMBERED: usize = 1024;

/// Sockets in stock, by namespace. It belongs to the thread that made it, which it moves for each visit.
///
/// Whoever has a pool calls [`release_unused`](Self::release_unused) at intervals: nothing else lets go of a namespace
/// from which no more sockets are wanted.
///
/// ```no_run
/// use std::num::NonZeroUsize;
/// use netns_core::{NetnsSpec, SocketPool};
/// use socket2::{Domain, Type};
///
/// let mut pool = SocketPool::of_this_thread(NonZeroUsize::new(16).unwrap(), 256)?;
/// let blue: NetnsSpec = "blue".parse()?;
/// // Who asks often is served by one visit in sixteen calls.
/// let socket = pool.socket(&blue, Domain::IPV4, Type::STREAM, None)?;
/// // Every 100 ms:
/// pool.release_unused();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SocketPool {
    home: Home,
    /// Where paths begin, if not at the root of the process.
    root: Option<Arc<Root>>,
    batch: usize,
    limit: usize,
    shelves: HashMap<NetnsSpec, Shelf>,
    /// Sockets on all shelves.
    idle: usize,
    /// How many turns have begun.
    turns: u64,
}

/// Requests that are carried out together: [`SocketPool::socket_of_turn`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PoolTurn(u64);

/// What is in stock for one name.
#[derive(Debug)]
struct Shelf {
    /// Where the name leads.
    path: PathBuf,
    /// Which namespace the sockets are in.
    netns: FileId,
    /// The turn in which the name was last seen to lead there.
    seen: PoolTurn,
    kinds: Vec<Kind>,
}

/// Sockets of one kind.
#[derive(Debug)]
struct Kind {
    make: Make,
    stock: Vec<Socket>,
    /// How many sockets the last visit was to make, and when it was.
    demand: usize,
    visited: Instant,
    /// Since [`SocketPool::release_unused`].
    is_used: bool,
}

/// The arguments of `socket(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Make {
    domain: Domain,
    kind: Type,
    protocol: Option<Protocol>,
}

/// No socket could be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// The namespace could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The namespace could not be entered, or the socket not be made.
    #[error(transparent)]
    Socket(#[from] SocketError),
}

impl SocketPool {
    /// An empty pool for the calling thread, whose home is where it is now. A visit makes at most `batch` sockets,
    /// and never more than `limit` are in stock.
    ///
    /// # Errors
    ///
    /// As [`Home::of_this_thread`].
    pub fn of_this_thread(batch: NonZeroUsize, limit: usize) -> Result<Self, EnterError> {
        Ok(Self::new(Home::of_this_thread()?, None, batch, limit))
    }

    /// As [`SocketPool::of_this_thread`], in a process that has left `root` by `chroot(2)`.
    ///
    /// # Errors
    ///
    /// As [`Home::of_this_thread_from`].
    pub fn of_this_thread_from(
        root: Arc<Root>,
        batch: NonZeroUsize,
        limit: usize,
    ) -> Result<Self, EnterError> {
        Ok(Self::new(
            Home::of_this_thread_from(&root)?,
            Some(root),
            batch,
            limit,
        ))
    }

    fn new(home: Home, root: Option<Arc<Root>>, batch: NonZeroUsize, limit: usize) -> Self {
        Self {
            home,
            root,
            batch: batch.get(),
            limit,
            shelves: HashMap::new(),
            idle: 0,
            turns: 0,
        }
    }

    /// Begins a turn: names are looked up again.
    pub fn begin_turn(&mut self) -> PoolTurn {
        self.turns += 1;
        PoolTurn(self.turns)
    }

    /// A socket in the namespace that `spec` names now. It is close-on-exec, and blocking unless `kind` says
    /// otherwise. When descriptors run out, the stock is given up for it.
    ///
    /// # Errors
    ///
    /// There is no such namespace, it cannot be entered, or the socket cannot be made. **If the thread cannot
    /// come home from a visit, the process aborts**, as with [`Home::visit`].
    pub fn socket(
        &mut self,
        spec: &NetnsSpec,
        domain: Domain,
        kind: Type,
        protocol: Option<Protocol>,
    ) -> Result<Socket, PoolError> {
        let turn = self.begin_turn();
        self.socket_of_turn(turn, spec, domain, kind, protocol)
    }

    /// As [`SocketPool::socket`], for one of several requests at a time: a name is looked up once in a turn, so the socket is in
    /// a namespace that `spec` has named since the turn began.
    ///
    /// ```no_run
    /// # use std::num::NonZeroUsize;
    /// # use netns_core::{NetnsSpec, SocketPool};
    /// # use socket2::{Domain, Type};
    /// # let mut pool = SocketPool::of_this_thread(NonZeroUsize::new(16).unwrap(), 256)?;
    /// # let requested: Vec<NetnsSpec> = Vec::new();
    /// let turn = pool.begin_turn();
    /// for spec in &requested {
    ///     let socket = pool.socket_of_turn(turn, spec, Domain::IPV4, Type::STREAM, None)?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`SocketPool::socket`].
    pub fn socket_of_turn(
        &mut self,
        turn: PoolTurn,
        spec: &NetnsSpec,
        domain: Domain,
        kind: Type,
        protocol: Option<Protocol>,
    ) -> Result<Socket, PoolError> {
        let make = Make::of(domain, kind, protocol);
        if let Some(socket) = self.take(turn, spec, make) {
            return Ok(socket);
        }
        let now = Instant::now();
        let demand = self.demand(spec, make, now);
        let batch = demand.min((self.limit - self.idle).saturating_add(1));
        let Visit { netns, first, more } = self.visit(spec, make, batch)?;
        if self.limit > 0 {
            self.put(turn, spec, netns, Kind::new(make, more, demand, now));
        }
        Ok(first)
    }

    /// As [`SocketPool::socket`], with a visit of its own: for one that is wanted once, a listener for example.
    ///
    /// # Errors
    ///
    /// As [`SocketPool::socket`].
    pub fn lone_socket(
        &mut self,
        spec: &NetnsSpec,
        domain: Domain,
        kind: Type,
        protocol: Option<Protocol>,
    ) -> Result<Socket, PoolError> {
        let make = Make::of(domain, kind, protocol);
        Ok(self.visit(spec, make, 1)?.first)
    }

    /// Throws away what is in stock and was not asked for since the last call. So a pool for which this is called every
    /// 100 ms keeps no namespace alive for longer than 200 ms after its last use.
    pub fn release_unused(&mut self) {
        self.retain(|shelf| {
            shelf.kinds.retain_mut(|kind| std::mem::take(&mut kind.is_used));
        });
    }

    /// Throws away what is in stock for names that are gone or lead to another namespace now. It is for the moment when
    /// a [`Watch`](crate::Watch) reports a change. The answer is how many sockets that were.
    pub fn sweep(&mut self) -> usize {
        let before = self.idle;
        let root = self.root.clone();
        self.retain(|shelf| {
            if !shelf.is_current(root.as_deref()) {
                shelf.kinds.clear();
            }
        });
        before - self.idle
    }

    /// Throws everything away.
    pub fn clear(&mut self) {
        self.shelves.clear();
        self.idle = 0;
    }

    /// How many sockets are in stock.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.idle
    }

    /// How many sockets are in stock for each name that has some.
    pub fn stock(&self) -> impl Iterator<Item = (&NetnsSpec, usize)> {
        let shelves = self.shelves.iter().map(|(spec, shelf)| (spec, shelf.len()));
        shelves.filter(|(_, sockets)| *sockets > 0)
    }

    /// One from the shelf. What lies there for another namespace than the name means now is thrown away.
    fn take(&mut self, turn: PoolTurn, spec: &NetnsSpec, make: Make) -> Option<Socket> {
        let shelf = self.shelves.get_mut(spec)?;
        if shelf.seen < turn && shelf.len() > 0 {
            if shelf.is_current(self.root.as_deref()) {
                shelf.seen = turn;
            } else {
                self.idle -= shelf.len();
                shelf.kinds.clear();
            }
        }
        let kind = shelf.kind(make)?;
        kind.is_used = true;
        let socket = kind.stock.pop()?;
        self.idle -= 1;
        Some(socket)
    }

    /// How many sockets a visit now had better make.
    fn demand(&mut self, spec: &NetnsSpec, make: Make, now: Instant) -> usize {
        let last = self.shelves.get_mut(spec).and_then(|shelf| shelf.kind(make));
        match last {
            Some(kind) if now.duration_since(kind.visited) < SHORTLY => {
                kind.demand.saturating_mul(2).min(self.batch)
            }
            _ => 1,
        }
    }

    fn put(&mut self, turn: PoolTurn, spec: &NetnsSpec, netns: FileId, kind: Kind) {
        self.idle += kind.stock.len();
        if let Some(shelf) = self.shelves.get_mut(spec) {
            shelf.seen = turn;
            if shelf.netns == netns {
                shelf.kinds.retain(|other| other.make != kind.make);
            } else {
                // What is left of other kinds is of another namespace: the name has been looked up again.
                self.idle -= shelf.len();
                shelf.kinds.clear();
                shelf.netns = netns;
            }
            shelf.kinds.push(kind);
            return;
        }
        if self.shelves.len() >= REMEMBERED {
            self.shelves.retain(|_, shelf| shelf.len() > 0);
        }
        let shelf = Shelf {
            path: spec.file(),
            netns,
            seen: turn,
            kinds: vec![kind],
        };
        self.shelves.insert(spec.clone(), shelf);
    }

    /// Lets `clear` do so with each shelf, and forgets those on which nothing is left.
    fn retain(&mut self, clear: impl Fn(&mut Shelf)) {
        self.shelves.retain(|_, shelf| {
            clear(shelf);
            !shelf.kinds.is_empty()
        });
        self.idle = self.shelves.values().map(Shelf::len).sum();
    }

    /// Makes `batch` sockets, or as many as can be had.
    fn visit(&mut self, spec: &NetnsSpec, make: Make, batch: usize) -> Result<Visit, PoolError> {
        match self.try_visit(spec, make, batch) {
            Err(error) if self.idle > 0 && is_out_of_descriptors(&error) => {
                self.clear();
                self.try_visit(spec, make, 1)
            }
            result => result,
        }
    }

    fn try_visit(&self, spec: &NetnsSpec, make: Make, batch: usize) -> Result<Visit, PoolError> {
        let netns = match &self.root {
            None => Netns::open(spec)?,
            Some(root) => root.open(spec)?,
        };
        let id = netns.file_id()?;
        let made = self.home.visit(&netns, || {
            let first = make.socket()?;
            // If the descriptors run out, the first is there all the same.
            let more = (1..batch).map_while(|_| make.socket().ok()).collect();
            Ok(Visit {
                netns: id,
                first,
                more,
            })
        });
        made.map_err(SocketError::Enter)?.map_err(|source| {
            PoolError::Socket(SocketError::System {
                operation: SocketOperation::Create,
                source,
            })
        })
    }
}

/// What a visit has brought.
struct Visit {
    netns: FileId,
    first: Socket,
    more: Vec<Socket>,
}

impl Kind {
    fn new(make: Make, stock: Vec<Socket>, demand: usize, visited: Instant) -> Self {
        Self {
            make,
            stock,
            demand,
            visited,
            is_used: true,
        }
    }
}

impl Shelf {
    fn len(&self) -> usize {
        self.kinds.iter().map(|kind| kind.stock.len()).sum()
    }

    fn kind(&mut self, make: Make) -> Option<&mut Kind> {
        self.kinds.iter_mut().find(|kind| kind.make == make)
    }

    /// Whether the name still leads to the namespace of the sockets, which must be there to hold it.
    fn is_current(&self, root: Option<&Root>) -> bool {
        let now = match root {
            None => FileId::at(&self.path),
            Some(root) => FileId::beneath(root, &self.path),
        };
        now.is_ok_and(|id| id == self.netns)
    }
}

impl Make {
    const fn of(domain: Domain, kind: Type, protocol: Option<Protocol>) -> Self {
        Self {
            domain,
            kind,
            protocol,
        }
    }

    fn socket(self) -> io::Result<Socket> {
        Socket::new(self.domain, self.kind, self.protocol)
    }
}

/// Whether the cause is the limit of descriptors, of this process or of the system.
fn is_out_of_descriptors(error: &PoolError) -> bool {
    let causes = std::iter::successors(Some(error as &(dyn Error + 'static)), |error| (*error).source());
    causes
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)))
}
