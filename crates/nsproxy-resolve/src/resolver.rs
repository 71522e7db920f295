//! The thread that asks, and the handle to it.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use netns_core::Root;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::Failure;
use crate::files::Files;
use crate::lookup::{Ids, Lookup, Surroundings};
use crate::settings::{Source, Target};
use crate::sockets::Sockets;
use crate::subject::{Claim, Question, Subject, Waiting};

/// With so many sockets no further lookup is begun: it waits its turn.
const ENOUGH_SOCKETS: usize = 64;

/// How long somebody who waits may have lost interest before that is noticed.
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(50);

/// Watches the addresses of names. When it is dropped, its thread ends.
#[derive(Debug)]
pub struct Resolver {
    commands: Sender<Command>,
    wake: Arc<EventFd>,
}

/// The first addresses of targets, while they are being looked for.
#[derive(Debug)]
pub struct First {
    targets: Vec<Target>,
    /// By index, with the reason if no way has led to an address.
    answers: Receiver<(usize, Option<Failure>)>,
}

/// Targets whose first address is not decided, or that have none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing {
    /// No way has led to an address.
    pub failed: Vec<(Target, Failure)>,
    /// The lookup has not ended.
    pub undecided: Vec<Target>,
}

#[derive(Debug)]
struct Command {
    targets: Vec<Target>,
    first: Sender<(usize, Option<Failure>)>,
}

/// Told of each target whose address has changed, and why it has none.
type Tell = Box<dyn FnMut(&Target, Option<IpAddr>, Option<Failure>) + Send>;

impl Resolver {
    /// Starts the thread. It calls `tell` when a target has another address than before, or has lost it; a target begins
    /// without, and that its first lookup finds none is told, too. `root` is where `/etc` is, if the process leaves its root
    /// directory.
    ///
    /// # Errors
    ///
    /// The thread cannot be started.
    pub fn start(
        sockets: Box<dyn Sockets>,
        root: Option<Arc<Root>>,
        tell: impl FnMut(&Target, Option<IpAddr>, Option<Failure>) + Send + 'static,
    ) -> io::Result<Self> {
        let (commands, received) = channel();
        let wake = Arc::new(EventFd::from_value_and_flags(
            0,
            EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK,
        )?);
        let thread = Thread {
            commands: received,
            wake: Arc::clone(&wake),
            around: Surroundings {
                files: Files::of_the_system(root),
                sockets,
                ids: Ids::default(),
            },
            tell: Box::new(tell),
            subjects: Vec::new(),
            due: BTreeSet::new(),
            running: Vec::new(),
        };
        thread::Builder::new()
            .name("nsproxy-resolve".to_owned())
            .spawn(move || thread.run())?;
        Ok(Self { commands, wake })
    }

    /// Watches these from now on, instead of those before. One that was there before, by group, name, host and namespace,
    /// keeps what is known of it. Each name is asked for at once.
    pub fn watch(&self, targets: Vec<Target>) -> First {
        let (first, answers) = channel();
        // A thread that has ended answers nothing, and whoever waits is told so.
        let _ = self.commands.send(Command {
            targets: targets.clone(),
            first,
        });
        let _ = self.wake.write(1);
        First { targets, answers }
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        let (commands, _) = channel();
        drop(std::mem::replace(&mut self.commands, commands));
        let _ = self.wake.write(1);
    }
}

impl First {
    /// Waits until the first address of each target is decided, but for no longer than this. Answers with the targets for
    /// which no way has led to one, and those that are not decided.
    pub fn wait(self, patience: Duration) -> Missing {
        self.wait_while(patience, || true)
    }

    /// The same for somebody who may lose interest on the way: `goes_on` is asked every now and then.
    pub fn wait_while(self, patience: Duration, goes_on: impl Fn() -> bool) -> Missing {
        let deadline = Instant::now() + patience;
        let mut left: Vec<_> = self.targets.into_iter().map(Some).collect();
        let mut failed = Vec::new();
        loop {
            let rest = deadline.saturating_duration_since(Instant::now());
            match self.answers.recv_timeout(rest.min(BETWEEN_QUESTIONS)) {
                Ok((index, failure)) => {
                    let target = left.get_mut(index).and_then(Option::take);
                    failed.extend(target.zip(failure));
                }
                Err(RecvTimeoutError::Timeout) if !rest.is_zero() && goes_on() => {}
                // Each is decided, too, when nobody is left to say something.
                Err(_) => break,
            }
        }
        Missing {
            failed,
            undecided: left.into_iter().flatten().collect(),
        }
    }
}

/// What the thread owns.
struct Thread {
    commands: Receiver<Command>,
    wake: Arc<EventFd>,
    around: Surroundings,
    tell: Tell,
    subjects: Vec<Subject>,
    /// When each subject without a lookup is to have one.
    due: BTreeSet<(Instant, usize)>,
    /// The subjects with a lookup.
    running: Vec<usize>,
}

impl Thread {
    fn run(mut self) {
        loop {
            loop {
                match self.commands.try_recv() {
                    Ok(command) => self.watch(command),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            let now = Instant::now();
            self.turn(now);
            self.begin(now);
            self.wait();
        }
    }

    /// Takes another list of targets over.
    fn watch(&mut self, Command { targets, first }: Command) {
        let now = Instant::now();
        let mut known = HashMap::new();
        let mut before = HashMap::new();
        for mut subject in std::mem::take(&mut self.subjects) {
            for claim in subject.take_claims() {
                let Target { group, name, .. } = claim.target;
                before.insert((group, name, subject.question.clone()), claim.address);
            }
            known.insert((subject.question.clone(), subject.source.clone()), subject);
        }
        let mut indices: HashMap<(Question, Source), usize> = HashMap::new();
        for (index, target) in targets.into_iter().enumerate() {
            let answers = first.clone();
            let waiting = Waiting { index, answers };
            let question = Question {
                host: target.host.clone(),
                netns: target.netns.clone(),
            };
            let address = before.remove(&(target.group.clone(), target.name.clone(), question.clone()));
            let key = (question, target.source.clone());
            let index = *indices.entry(key).or_insert_with_key(|key| {
                let subject = known.remove(key);
                let fresh = || Subject::new(key.0.clone(), key.1.clone(), now);
                self.subjects.push(subject.unwrap_or_else(fresh));
                self.subjects.len() - 1
            });
            let had = address.flatten();
            let claim = Claim::new(target, had, waiting);
            self.subjects[index].add(claim);
            let claim = self.subjects[index].claims().last();
            if let Some(claim) = claim.filter(|claim| claim.address != had) {
                (self.tell)(&claim.target, claim.address, None);
            }
        }
        self.due.clear();
        self.running.clear();
        for (index, subject) in self.subjects.iter_mut().enumerate() {
            // One that is under way may have asked others.
            subject.lookup = None;
            subject.release();
            self.due.insert((now, index));
        }
    }

    /// Lets lookups go on that have a reason to, and takes their outcomes.
    fn turn(&mut self, now: Instant) {
        let mut ended = Vec::new();
        for index in std::mem::take(&mut self.running) {
            let lookup = self.subjects[index].lookup.as_mut();
            match lookup.and_then(|lookup| lookup.turn(&mut self.around, now)) {
                None => self.running.push(index),
                Some(outcome) => ended.push((index, outcome)),
            }
        }
        for (index, outcome) in ended {
            self.learn(index, &outcome, now);
        }
    }

    fn learn(&mut self, index: usize, outcome: &crate::lookup::Outcome, now: Instant) {
        let subject = &mut self.subjects[index];
        let (changes, again) = subject.learn(outcome, now);
        for change in changes {
            let claim = &subject.claims()[change.claim];
            (self.tell)(&claim.target, claim.address, change.failure);
        }
        subject.release();
        self.due.insert((now + again, index));
    }

    /// Begins the lookups that are due.
    fn begin(&mut self, now: Instant) {
        let lookups = self
            .running
            .iter()
            .filter_map(|index| self.subjects[*index].lookup.as_ref());
        let mut sockets: usize = lookups.map(Lookup::sockets).sum();
        while sockets < ENOUGH_SOCKETS
            && let Some(&(when, index)) = self.due.first()
            && when <= now
        {
            self.due.pop_first();
            let subject = &mut self.subjects[index];
            let source = subject.next_source();
            match Lookup::start(subject.question.clone(), &source, &mut self.around, now) {
                Ok(lookup) => {
                    sockets += lookup.sockets();
                    subject.lookup = Some(lookup);
                    self.running.push(index);
                }
                Err(outcome) => self.learn(index, &outcome, now),
            }
        }
    }

    /// Waits for whatever comes first: an answer, a deadline, a word from the handle.
    fn wait(&mut self) {
        let deadlines = self
            .running
            .iter()
            .filter_map(|index| self.subjects[*index].lookup.as_ref());
        let next_lookup = self.due.first().map(|(when, _)| *when);
        // With all sockets in use, the next lookup waits for one of them.
        let next_lookup = next_lookup.filter(|when| self.running.is_empty() || *when > Instant::now());
        let next = deadlines.map(Lookup::deadline).chain(next_lookup).min();
        let timeout = next.map_or(PollTimeout::NONE, |next| {
            // Up to the next millisecond: a wait that ends too early would be one in vain.
            let left = next.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        let wake = Arc::clone(&self.wake);
        let mut fds = vec![PollFd::new(wake.as_fd(), PollFlags::POLLIN)];
        for index in &self.running {
            fds.extend(self.subjects[*index].lookup.iter().flat_map(Lookup::awaited));
        }
        // Interrupted, or out of memory: the next turn looks again.
        let _ = poll(&mut fds, timeout);
        let ready: Vec<_> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        if ready[0] {
            let _ = wake.read();
        }
        let mut ready = &ready[1..];
        let now = Instant::now();
        for index in &self.running {
            if let Some(lookup) = &mut self.subjects[*index].lookup {
                let (its, others) = ready.split_at(lookup.sockets());
                ready = others;
                if its.contains(&true) {
                    lookup.on_ready(its, &mut self.around, now);
                }
            }
        }
    }
}
