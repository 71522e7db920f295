//! `SocketPool`: sockets in stock, for a thread that needs one after the other in foreign namespaces.
//!
//! Entering a namespace and coming home costs more than a socket. So a visit makes several at once, and the
//! next requests are served from the shelf. Nothing but `socket(2)` happens ahead of time: a socket in stock
//! is bound to nothing and connected to nothing. The first visit to a namespace makes one socket, and each
//! further one twice as many as the one before: only who asks often has a stock.
//!
//! A socket keeps its namespace alive, and a name may lead to another namespace tomorrow. So before one is
//! given out the name is looked up, and what lies on its shelf for another namespace is thrown away. And
//! [`SocketPool::release_unused`], called at intervals, throws away what nobody has asked for since. The look is one
//! `stat(2)`: the file's device and inode are enough here, since the sockets on the shelf hold their
//! namespace, so that no other one can have its number.

use std::collections::HashMap;
use std::io;
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
/// // Who asks often is served by one visit in sixteen calls.
/// let socket = pool.socket(&blue, Domain::IPV4, Type::STREAM, None)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SocketPool {
    home: Home,
    batch: usize,
    limit: usize,
    shelves: HashMap<NetnsSpec, Shelf>,
    /// Sockets on all shelves.
    idle: usize,
}

/// What is in stock for one name.
#[derive(Debug)]
struct Shelf {
    /// Where the name leads.
    path: PathBuf,
    /// Which namespace the sockets are in.
    netns: FileId,
    stock: Vec<(Make, Vec<Socket>)>,
    /// How many sockets the last visit has made.
    batch: usize,
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
        Ok(Self {
            home: Home::of_this_thread()?,
            batch: batch.get(),
            limit,
            shelves: HashMap::new(),
            idle: 0,
        })
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
        let make = Make {
            domain,
            kind,
            protocol,
        };
        if let Some(shelf) = self.shelves.get_mut(spec) {
            shelf.is_used = true;
            if shelf.len() > 0 && !shelf.is_current() {
                self.idle -= shelf.clear();
            }
            if let Some(socket) = shelf.take(make) {
                self.idle -= 1;
                return Ok(socket);
            }
        }
        let demand = self.shelves.get(spec).map_or(1, |shelf| shelf.batch * 2);
        let batch = demand.min(self.batch).min(self.limit - self.idle + 1);
        let Visit { netns, first, more } = self.visit(spec, make, batch)?;
        let shelf = self.shelves.entry(spec.clone()).or_insert_with(|| Shelf {
            path: path_of(spec),
            netns,
            stock: Vec::new(),
            batch: 0,
            is_used: true,
        });
        // What is left of other kinds may be of another namespace: the name has been looked up again.
        if shelf.netns != netns {
            self.idle -= shelf.clear();
            shelf.netns = netns;
        }
        shelf.batch = batch;
        self.idle += more.len();
        shelf.put(make, more);
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
        let make = Make {
            domain,
            kind,
            protocol,
        };
        Ok(self.visit(spec, make, 1)?.first)
    }

    /// Throws away what is in stock for names that nobody has asked for since the last call. So a pool for which this
    /// is called every 100 ms keeps no namespace alive for longer than 200 ms after its last use.
    pub fn release_unused(&mut self) {
        let idle = &mut self.idle;
        self.shelves.retain(|_, shelf| {
            let is_used = std::mem::take(&mut shelf.is_used);
            if !is_used {
                *idle -= shelf.len();
            }
            is_used
        });
    }

    /// Throws away what is in stock for names that are gone or lead to another namespace now. It is for the moment when
    /// a [`Watch`](crate::Watch) reports a change. The answer is how many sockets that were.
    pub fn sweep(&mut self) -> usize {
        let before = self.idle;
        self.shelves
            .retain(|_, shelf| shelf.len() > 0 && shelf.is_current());
        self.idle = self.shelves.values().map(Shelf::len).sum();
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

    /// Makes `batch` sockets, or as many as can be had.
    fn visit(&mut self, spec: &NetnsSpec, make: Make, batch: usize) -> Result<Visit, PoolError> {
        let netns = Netns::open(spec)?;
        let id = netns.file_id()?;
        loop {
            let made = self.home.visit(&netns, || {
                let first = make.socket()?;
                // If the descriptors run out, the first is there all the same.
                let more = (1..batch).map_while(|_| make.socket().ok()).collect();
                Ok((first, more))
            });
            return match made.map_err(SocketError::Enter)? {
                Ok((first, more)) => Ok(Visit {
                    netns: id,
                    first,
                    more,
                }),
                Err(error) if self.idle > 0 && is_out_of_descriptors(&error) => {
                    self.clear();
                    continue;
                }
                Err(source) => Err(SocketError::System {
                    operation: SocketOperation::Create,
                    source,
                }
                .into()),
            };
        }
    }
}

/// What a visit has brought.
struct Visit {
    netns: FileId,
    first: Socket,
    more: Vec<Socket>,
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

    fn clear(&mut self) -> usize {
        let before = self.len();
        self.stock.clear();
        before
    }

    /// Whether the name still leads to the namespace of the sockets, which must be there to hold it.
    fn is_current(&self) -> bool {
        FileId::at(&self.path).is_ok_and(|id| id == self.netns)
    }
}

impl Make {
    fn socket(self) -> io::Result<Socket> {
        Socket::new(self.domain, self.kind, self.protocol)
    }
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

fn path_of(spec: &NetnsSpec) -> PathBuf {
    match spec.form() {
        Form::Name(name) => Registry::system().path().join(name),
        Form::Path(path) => path.clone(),
        Form::Pid(pid) => PathBuf::from(format!("/proc/{pid}/ns/net")),
    }
}
