//! The private world of a run, which goes with the process, and what is asked of it between two turns.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use netns_core::{Links, Netns, Registry};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::expect_same;
use crate::private;

/// How long the kernel may take to take namespaces down.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct World {
    registry: Registry,
}

impl World {
    /// Moves this process into a world of its own. To be called before any thread is started: those stay where they are.
    pub(super) fn create() -> anyhow::Result<Self> {
        private::enter()?;
        // For [`World::hold`].
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
        setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
        Ok(Self {
            registry: Registry::system(),
        })
    }

    /// These names are in the registry, each with a namespace, and nothing else.
    pub(super) fn expect_names(&self, names: &[String]) -> anyhow::Result<()> {
        let entries = self.registry.list()?;
        let live = entries
            .iter()
            .filter(|entry| matches!(entry.state, netns_core::EntryState::Live { .. }));
        let mut found: Vec<_> = live.map(|entry| entry.name.to_string()).collect();
        let mut expected = names.to_vec();
        found.sort_unstable();
        expected.sort_unstable();
        expect_same(&found, &expected)?;
        if entries.len() != names.len() {
            bail!("{} entries that are no namespaces", entries.len() - names.len());
        }
        Ok(())
    }

    /// Opens all these, so that they outlive their names: what the kernel does when a namespace dies, it does in the
    /// background, at the expense of whoever is measured just then.
    pub(super) fn hold(&self, names: &[String]) -> anyhow::Result<Vec<Netns>> {
        names
            .iter()
            .map(|name| Ok(self.registry.open(&name.parse()?)?))
            .collect()
    }

    /// Waits until the kernel has taken down what was deleted so far. It does so in order, so one more namespace is
    /// deleted, whose end shows: a pair of links goes with it.
    pub(super) fn settle(&self) -> anyhow::Result<()> {
        let mark = "mark".parse()?;
        let mut links = Links::here()?;
        links.create_veth("mark", "end", Some(&self.registry.add(&mark)?))?;
        self.registry.remove(&mark)?;
        let begun = Instant::now();
        while links.list()?.iter().any(|link| link.name == "mark") {
            if begun.elapsed() > PATIENCE {
                bail!("the kernel does not take deleted namespaces down");
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }
}
