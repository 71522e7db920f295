//! The engine's own opener, for listeners: a thread of its own, since an opener belongs to the thread that made it.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};
use netns_core::{NetnsId, NetnsSpec};
use socket2::Socket;

use crate::error::ApplyError;
use crate::opener::SocketRequest;
use crate::opener::{
    Family, OpenAnswer, OpenError, OpenToken, OpenerFactory, Operation, SocketKind, SocketOpener,
};
use crate::plan::{ListenerPlan, RelayPlan};

/// How long the opener may take to answer about a plan's listeners.
const PATIENCE: Duration = Duration::from_secs(10);

/// A socket for each request, in order; `None` where no answer came in time.
pub(crate) type Opened = Vec<Option<Result<Socket, OpenError>>>;

#[derive(Debug)]
struct Job {
    requests: Vec<SocketRequest>,
    reply: Sender<Opened>,
}

/// The way to that thread. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Control {
    jobs: Sender<Job>,
}

impl Control {
    pub(crate) fn start(factory: Arc<dyn OpenerFactory>) -> io::Result<Self> {
        let (jobs, received) = channel();
        let (ready, readiness) = channel();
        thread::Builder::new()
            .name("nsproxy-control".to_owned())
            .spawn(move || {
                let made = ControlThread::new(&*factory);
                match made {
                    Ok(opener) => {
                        // Whoever started this thread waits for the word.
                        let _ = ready.send(Ok(()));
                        opener.run(&received);
                    }
                    Err(error) => drop(ready.send(Err(error))),
                }
            })?;
        readiness
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("the control thread ended at its start")))?;
        Ok(Self { jobs })
    }

    /// Which namespace each of these leads to now; `None` is the one that the engine was started in.
    pub(crate) fn identify(&self, places: &[Option<&NetnsSpec>]) -> Vec<Result<NetnsId, OpenError>> {
        let opened = self.open(places.iter().map(|netns| probe(*netns)).collect());
        let identified = places.iter().zip(opened).map(|(netns, opened)| {
            let failed = |source| OpenError {
                operation: Operation::EnterNetns,
                netns: netns.cloned().map(Arc::new),
                source,
            };
            let socket = opened.unwrap_or_else(|| Err(failed(io::ErrorKind::TimedOut.into())))?;
            NetnsId::of_socket(&socket).map_err(|error| failed(io::Error::other(error)))
        });
        identified.collect()
    }

    /// Has sockets opened, and waits for them.
    pub(crate) fn open(&self, requests: Vec<SocketRequest>) -> Opened {
        let count = requests.len();
        let (reply, answer) = channel();
        let none = || (0..count).map(|_| None).collect();
        if self.jobs.send(Job { requests, reply }).is_err() {
            return none();
        }
        answer.recv().unwrap_or_else(|_| none())
    }
}

/// What to ask for to know a namespace by its socket. Any socket tells; one of the unix family needs no address.
pub(crate) fn probe(netns: Option<&NetnsSpec>) -> SocketRequest {
    SocketRequest {
        netns: netns.cloned().map(Arc::new),
        kind: SocketKind::Upstream {
            family: Family::Unix,
            source: None,
            interface: None,
        },
    }
}

pub(crate) fn refused(relay: &RelayPlan, listener: &ListenerPlan, source: OpenError) -> ApplyError {
    ApplyError::Listen {
        relay: relay.name.clone(),
        address: listener.address.clone(),
        source,
    }
}

pub(crate) fn silent(relay: &RelayPlan, listener: &ListenerPlan) -> ApplyError {
    ApplyError::OpenerSilent {
        relay: relay.name.clone(),
        address: listener.address.clone(),
        seconds: PATIENCE.as_secs(),
    }
}

/// What the thread owns.
pub(crate) struct ControlThread {
    poll: Poll,
    opener: Box<dyn SocketOpener>,
    /// Tells answers of this job from late ones of the job before.
    job: u32,
}

impl ControlThread {
    pub(crate) fn new(factory: &dyn OpenerFactory) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut opener = factory.opener(0)?;
        opener.register(poll.registry(), Token(0))?;
        Ok(Self { poll, opener, job: 0 })
    }

    fn run(mut self, jobs: &Receiver<Job>) {
        for Job { requests, reply } in jobs {
            // Whoever asked may have given up; the sockets are closed then.
            let _ = reply.send(self.open(requests));
        }
    }

    pub(crate) fn open(&mut self, requests: Vec<SocketRequest>) -> Opened {
        self.job = self.job.wrapping_add(1);
        let base = u64::from(self.job) << 32;
        let mut opened: Opened = requests.iter().map(|_| None).collect();
        let mut missing = requests.len();
        for (index, request) in (0..).zip(requests) {
            self.opener.request(OpenToken(base | index), request);
        }
        let deadline = Instant::now() + PATIENCE;
        let mut answers = Vec::new();
        let mut events = Events::with_capacity(8);
        loop {
            self.opener.answers(&mut answers);
            for OpenAnswer { token, result } in answers.drain(..) {
                let index = token
                    .0
                    .checked_sub(base)
                    .and_then(|index| usize::try_from(index).ok());
                if let Some(place) = index
                    .and_then(|index| opened.get_mut(index))
                    .filter(|place| place.is_none())
                {
                    *place = Some(result);
                    missing -= 1;
                }
            }
            let patience = deadline.saturating_duration_since(Instant::now());
            if missing == 0 || patience.is_zero() {
                return opened;
            }
            if let Err(error) = self.poll.poll(&mut events, Some(patience))
                && error.kind() != io::ErrorKind::Interrupted
            {
                return opened;
            }
        }
    }
}
