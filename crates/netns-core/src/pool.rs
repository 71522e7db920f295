//! `SocketPool`: sockets in stock, for a thread that needs one after the other in foreign namespaces.
//!
//! Entering a namespace and coming home costs more than a socket. So a visit makes several at once, and the
//! next requests are served from the shelf. Nothing but `socket(2)` happens ahead of time: a socket in stock
//! is bound to nothing and connected to nothing.
//!
//! A socket keeps its namespace alive, and a name may lead to another namespace tomorrow. So before one is
//! given out the name is looked up, and what lies on its shelf for another namespace is thrown away; and
//! [`SocketPool::sweep`] does that for all names. The look is one `stat(2)`: the file's device and inode are
//! enough here, since the sockets on the shelf hold their namespace, so that no other one can have its number.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use socket2::{Domain, Protocol, Socket, Type};

use crate::error::{EnterError, OpenError, SocketError, SocketOperation};
use crate::file_id::FileId;
use crate::spec::Form;
use crate::{Home, Netns, NetnsSpec, Registry};

/// Sockets in stock, by namespace. It belongs to the thread that made it, which it moves for each visit.
///
/// ```no_run
/// use std::num::NonZeroUsize;
/// use netns_core::{NetnsSpec, SocketPool};
/// use socket2::{Domain, Type};
///
/// let mut pool = SocketPool::of_this_thread(NonZeroUsize::new(16).unwrap(), 256)?;
/// let blue: NetnsSpec = "blue".parse()?;
/// // One visit; the other fifteen sockets wait for the next calls.
/// let socket = pool.socket(&blue, Domain::IPV4, Type::STREAM, None)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SocketPool {
    home: Home,
    batch: NonZeroUsize,
    limit: usize,
    shelves: HashMap<NetnsSpec, Shelf>,
    /// Counts the requests, to tell which shelf was used longest ago.
    now: u64,
}

/// What is in stock for one name.
#[derive(Debug)]
struct Shelf {
    /// Where the name leads.
    path: PathBuf,
    /// Which namespace the sockets are in.
    netns: FileId,
    stock: Vec<(Make, Vec<Socket>)>,
    last_used: u64,
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
    /// An empty pool for the calling thread, whose home is where it is now. A visit makes `batch` sockets, and
    /// never more than `limit` are in stock.
    ///
    /// # Errors
    ///
    /// As [`Home::of_this_thread`].
    pub fn of_this_thread(batch: NonZeroUsize, limit: usize) -> Result<Self, EnterError> {
        Ok(Self {
            home: Home::of_this_thread()?,
            batch,
            limit,
            shelves: HashMap::new(),
            now: 0,
        })
    }

    /// A socket in the namespace that `spec` names now. It is close-on-exec, and blocking unless `kind` says
    /// otherwise.
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
        let make = Make {
            domain,
            kind,
            protocol,
        };
        self.now += 1;
        if let Some(shelf) = self.shelves.get_mut(spec) {
            shelf.last_used = self.now;
            if shelf.is_current() {
                if let Some(socket) = shelf.take(make) {
                    return Ok(socket);
                }
            } else {
                self.shelves.remove(spec);
            }
        }
        let netns = Netns::open(spec)?;
        let id = netns.file_id()?;
        self.refill(spec, &netns, id, make)
    }

    /// Throws away what is in stock for names that are gone or lead to another namespace now, so that nothing
    /// here keeps a namespace alive that has lost its name. The answer is how many sockets that were.
    ///
    /// It is for the moment when a [`Watch`](crate::Watch) reports a change, or for a timer. In between, a
    /// visit looks after the shelf that was used longest ago.
    pub fn sweep(&mut self) -> usize {
        let before = self.idle();
        self.shelves.retain(|_, shelf| shelf.is_current());
        before - self.idle()
    }

    /// How many sockets are in stock.
    pub fn idle(&self) -> usize {
        self.shelves.values().map(Shelf::len).sum()
    }

    /// Makes a socket to give out, and as many more as there is room for.
    fn refill(
        &mut self,
        spec: &NetnsSpec,
        netns: &Netns,
        id: FileId,
        make: Make,
    ) -> Result<Socket, PoolError> {
        let more = self.make_room(spec, self.batch.get() - 1);
        let visited = self.home.visit(netns, || {
            let first = make.socket()?;
            // If the descriptors run out, the first is there all the same.
            let stock: Vec<_> = (0..more).map_while(|_| make.socket().ok()).collect();
            Ok((first, stock))
        });
        let (first, stock) = visited
            .map_err(SocketError::Enter)?
            .map_err(|source| SocketError::System {
                operation: SocketOperation::Create,
                source,
            })?;
        if !stock.is_empty() {
            let last_used = self.now;
            let shelf = self.shelves.entry(spec.clone()).or_insert_with(|| Shelf {
                path: path_of(spec),
                netns: id,
                stock: Vec::new(),
                last_used,
            });
            // What is left of other kinds may be of another namespace: the name has been looked up again.
            if shelf.netns != id {
                shelf.stock.clear();
                shelf.netns = id;
            }
            shelf.put(make, stock);
        }
        Ok(first)
    }

    /// Room for at most `wanted` sockets, for which the shelf that was used longest ago is looked after, and
    /// cleared if need be.
    fn make_room(&mut self, spec: &NetnsSpec, wanted: usize) -> usize {
        let oldest = self
            .shelves
            .iter()
            .filter(|(other, _)| *other != spec)
            .min_by_key(|(_, shelf)| shelf.last_used)
            .map(|(other, shelf)| (other.clone(), shelf.is_current()));
        let is_full = self.idle() >= self.limit;
        if let Some((other, is_current)) = oldest
            && (is_full || !is_current)
        {
            self.shelves.remove(&other);
        }
        wanted.min(self.limit.saturating_sub(self.idle()))
    }
}

impl Shelf {
    fn len(&self) -> usize {
        self.stock.iter().map(|(_, sockets)| sockets.len()).sum()
    }

    fn take(&mut self, make: Make) -> Option<Socket> {
        let (_, sockets) = self.stock.iter_mut().find(|(other, _)| *other == make)?;
        sockets.pop()
    }

    fn put(&mut self, make: Make, sockets: Vec<Socket>) {
        match self.stock.iter_mut().find(|(other, _)| *other == make) {
            Some((_, stock)) => stock.extend(sockets),
            None => self.stock.push((make, sockets)),
        }
    }

    /// Whether the name still leads to the namespace of the sockets. Without sockets there is nothing to keep,
    /// and nothing that holds the namespace.
    fn is_current(&self) -> bool {
        self.len() > 0 && FileId::at(&self.path).is_ok_and(|id| id == self.netns)
    }
}

impl Make {
    fn socket(self) -> std::io::Result<Socket> {
        Socket::new(self.domain, self.kind, self.protocol)
    }
}

fn path_of(spec: &NetnsSpec) -> PathBuf {
    match spec.form() {
        Form::Name(name) => Registry::system().path().join(name),
        Form::Path(path) => path.clone(),
        Form::Pid(pid) => PathBuf::from(format!("/proc/{pid}/ns/net")),
    }
}
