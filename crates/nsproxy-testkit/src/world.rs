//! A private world for one test: its own mount and network namespaces, links and `/run`.
//!
//! The body of the test runs on a thread that has unshared its mount and network namespaces. Everything
//! that thread starts, threads and processes, inherits them. The mounts are private, so nothing that is
//! mounted in the world is seen outside, and all of it goes when the last thread of the world ends.
//! `/run` is an empty tmpfs: `ip netns` and everything else that looks at `/run/netns` sees the
//! world's namespaces only.
//!
//! This file makes and takes down the world. What can be done in one namespace is in `netns.rs`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::{panic, thread};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::leftovers::Identity;
use crate::rootless;
use crate::spawner::Spawner;
use crate::{Netns, Program, skip};

/// A directory of the world's own for configuration files, sockets and what else a test writes.
const DIRECTORY: &str = "/run/world";
/// Where iproute2 and nsproxy look for names (ip-netns(8)).
const REGISTRY: &str = "/run/netns";

/// The private world of one test; see [`world`].
#[derive(Debug)]
pub struct World {
    home: Netns,
    named: Mutex<BTreeMap<String, Netns>>,
    spawner: Arc<Spawner>,
}

/// Runs `body` in a private world, and then makes sure that nothing of it is left.
///
/// As root the world is made in place. As another user the test runs again in a user namespace of its
/// own, and only there with this body: what a test does outside of the body it then does twice. Where the
/// system forbids user namespaces the test is [skipped](skip). `ip` must be installed.
///
/// # Panics
///
/// When the body does, or when it leaves a process, a thread, or a descriptor behind that
/// holds one of the world's namespaces. Such processes are killed.
#[track_caller]
pub fn world(name: &str, body: impl FnOnce(&World) + Send) {
    if let Err(missing) = Program::find("ip") {
        return skip(&missing.to_string());
    }
    match privileges() {
        Ok(()) => in_thread(name, || live(body)),
        Err(Errno::EPERM) => rootless::run_again(),
        Err(errno) => skip(&format!("namespaces cannot be made: {errno}")),
    }
}

impl World {
    /// The namespace the body runs in: it has a loopback link that is up, and no name.
    pub fn home(&self) -> &Netns {
        &self.home
    }

    /// Makes a network namespace that `ip netns` knows by this name, with its loopback link up.
    ///
    /// # Panics
    ///
    /// When there is one of this name.
    #[track_caller]
    pub fn add_netns(&self, name: &str) -> Netns {
        self.home.ip(&format!("netns add {name}"));
        let path = Path::new(REGISTRY).join(name);
        let handle = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let netns = Netns::new(name, handle.into(), &self.spawner);
        netns.ip("link set lo up");
        self.named().insert(name.to_owned(), netns.clone());
        netns
    }

    /// Removes the name. The namespace itself dies when nothing holds it any longer: handles that the
    /// test still has are the test's own business.
    #[track_caller]
    pub fn remove_netns(&self, name: &str) {
        self.home.ip(&format!("netns delete {name}"));
        self.named().remove(name);
    }

    /// The namespace that [`World::add_netns`] made.
    ///
    /// # Panics
    ///
    /// When there is none of this name.
    #[track_caller]
    pub fn netns(&self, name: &str) -> Netns {
        match self.named().get(name) {
            Some(netns) => netns.clone(),
            None => panic!("this world has no netns {name:?}"),
        }
    }

    /// Runs `body` on a thread in the namespace of this name; see [`Netns::run`].
    #[track_caller]
    pub fn run_in<T: Send>(&self, name: &str, body: impl FnOnce() -> T + Send) -> T {
        self.netns(name).run(body)
    }

    /// Joins two namespaces with a pair of virtual Ethernet links, each with an address, both up.
    ///
    /// The addresses are usable at once: IPv6 duplicate address detection is off for them.
    #[track_caller]
    pub fn veth<'a>(&self, one: impl Into<LinkEnd<'a>>, other: impl Into<LinkEnd<'a>>) {
        let (one, other) = (one.into(), other.into());
        let (here, there) = (self.netns(one.netns), self.netns(other.netns));
        here.ip(&format!(
            "link add {} type veth peer name {} netns {}",
            one.link, other.link, other.netns
        ));
        for (netns, end) in [(here, &one), (there, &other)] {
            netns.ip(&format!("link set {} up", end.link));
            let nodad = if end.address.contains(':') { "nodad" } else { "" };
            netns.ip(&format!("address add {} dev {} {nodad}", end.address, end.link));
        }
    }

    /// A path in a directory that only this world sees and that goes with it.
    pub fn path(&self, name: &str) -> PathBuf {
        Path::new(DIRECTORY).join(name)
    }

    /// Writes a file at [`World::path`] and returns that path.
    #[track_caller]
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, contents).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        path
    }

    fn create() -> io::Result<Self> {
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)?;
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some("tmpfs"), "/run", Some("tmpfs"), flags, Some("mode=0755"))?;
        fs::create_dir(DIRECTORY)?;
        fs::create_dir(REGISTRY)?;
        let spawner = Arc::new(Spawner::start()?);
        let home = Netns::new("home", File::open("/proc/thread-self/ns/net")?.into(), &spawner);
        home.ip("link set lo up");
        Ok(Self {
            home,
            named: Mutex::default(),
            spawner,
        })
    }

    fn named(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Netns>> {
        // A panic elsewhere leaves the map as it was.
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn identity(&self) -> Identity {
        let mut all: Vec<Netns> = self.named().values().cloned().collect();
        all.push(self.home.clone());
        Identity::of(&all)
    }
}

/// One end of [`World::veth`]: a namespace, the link's name there, and its address with prefix length.
#[derive(Clone, Copy, Debug)]
pub struct LinkEnd<'a> {
    netns: &'a str,
    link: &'a str,
    address: &'a str,
}

impl<'a> From<(&'a str, &'a str, &'a str)> for LinkEnd<'a> {
    fn from((netns, link, address): (&'a str, &'a str, &'a str)) -> Self {
        Self { netns, link, address }
    }
}

/// Makes the world on the calling thread, which is never used for anything else.
fn live(body: impl FnOnce(&World)) {
    let world = World::create().unwrap_or_else(|error| panic!("cannot make a private world: {error}"));
    // The body's borrow ends with it, and the world is not looked at again after a panic but to take
    // it down.
    let outcome = panic::catch_unwind(panic::AssertUnwindSafe(|| body(&world)));
    let identity = world.identity();
    drop(world);
    let left = identity.await_release();
    if let Err(payload) = outcome {
        panic::resume_unwind(payload);
    }
    assert!(
        left.is_empty(),
        "the test left behind what holds its namespaces: {}",
        left.join(", ")
    );
}

/// Whether this process may make namespaces, tried on a thread that ends at once.
fn privileges() -> Result<(), Errno> {
    in_thread("privileges", || {
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)
    })
}

fn in_thread<T: Send>(name: &str, body: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        thread::Builder::new()
            .name(name.to_owned())
            .spawn_scoped(scope, body)
            .expect("a thread can be started")
            .join()
            .unwrap_or_else(|payload| panic::resume_unwind(payload))
    })
}
