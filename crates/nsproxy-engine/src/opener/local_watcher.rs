//! Watches the namespaces of this host: the registry of `ip netns`, other directories with namespaces in them, and processes.
//!
//! A directory is one watch, however many names are in it. A process is watched by a descriptor, which stays that process's
//! when its number is used again; what is written as a path below `/proc/N` is that of process N, too.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mio::unix::SourceFd;
use mio::{Interest, Token};
use netns_core::{NetnsName, NetnsSpec, Process, Registry, Root, Watch, WatchEvent};
use slab::Slab;

use super::watcher::{NetnsChange, NetnsInterest, NetnsWatcher, Presence};

/// Watches what is of interest.
pub(super) struct LocalWatcher {
    /// Where paths begin, if not at the root directory of the process.
    root: Option<Arc<Root>>,
    registry: Option<(mio::Registry, usize)>,
    /// By the place behind the first token.
    sources: Slab<Source>,
    directories: BTreeMap<PathBuf, usize>,
    processes: BTreeMap<u32, usize>,
    /// Processes that have ended, or were not there: their numbers mean nothing to this plan any more.
    ended: BTreeSet<u32>,
    interest: NetnsInterest,
    /// What of it is watched, or known to have ended.
    watched: BTreeSet<NetnsSpec>,
    /// Directories of which something was not read.
    unread: BTreeSet<usize>,
}

enum Source {
    Directory(Directory),
    Process(OneProcess),
}

struct Directory {
    watch: Watch,
    /// Whether its names are those of `ip netns`.
    is_system: bool,
    /// What is of interest in it, by the names of its files.
    names: BTreeMap<NetnsName, BTreeSet<NetnsSpec>>,
}

struct OneProcess {
    pid: u32,
    /// Registered with the poller, which it leaves when it is dropped.
    _process: Process,
    specs: BTreeSet<NetnsSpec>,
}

/// What a spec is watched by.
enum Place {
    /// A name in a directory.
    Name(PathBuf, NetnsName),
    Process(u32),
    /// Nothing: it is of this process, or a place that no name can be in.
    Nowhere,
}

impl LocalWatcher {
    pub(super) fn new(root: Option<Arc<Root>>) -> Self {
        Self {
            root,
            registry: None,
            sources: Slab::new(),
            directories: BTreeMap::new(),
            processes: BTreeMap::new(),
            ended: BTreeSet::new(),
            interest: NetnsInterest::default(),
            watched: BTreeSet::new(),
            unread: BTreeSet::new(),
        }
    }

    /// Watches what is of interest and not watched yet.
    fn add_missing(&mut self, changes: &mut Vec<NetnsChange>) -> io::Result<()> {
        let mut result = Ok(());
        if self.interest.all_names {
            result = self.directory(Registry::system().path(), changes).map(drop);
        }
        let missing: Vec<_> = self.interest.specs.difference(&self.watched).cloned().collect();
        for spec in missing {
            match self.add(&spec, changes) {
                Ok(()) => drop(self.watched.insert(spec)),
                Err(error) => result = result.and(Err(error)),
            }
        }
        result
    }

    fn forget(&mut self, spec: &NetnsSpec) {
        match place(spec) {
            Place::Name(path, name) => {
                if let Some(key) = self.directories.get(&path)
                    && let Some(Source::Directory(directory)) = self.sources.get_mut(*key)
                    && let Some(specs) = directory.names.get_mut(&name)
                {
                    specs.remove(spec);
                    if specs.is_empty() {
                        directory.names.remove(&name);
                    }
                }
            }
            Place::Process(pid) => {
                if let Some(key) = self.processes.get(&pid)
                    && let Some(Source::Process(process)) = self.sources.get_mut(*key)
                {
                    process.specs.remove(spec);
                }
            }
            Place::Nowhere => {}
        }
    }

    /// Gives up what nothing of interest is in.
    fn clear_away(&mut self) {
        let all_names = self.interest.all_names;
        let unused: Vec<_> = self
            .sources
            .iter()
            .filter(|(_, source)| match source {
                Source::Directory(directory) => {
                    directory.names.is_empty() && !(directory.is_system && all_names)
                }
                Source::Process(process) => process.specs.is_empty(),
            })
            .map(|(key, _)| key)
            .collect();
        for key in unused {
            self.remove(key);
        }
    }

    fn remove(&mut self, key: usize) {
        // Its descriptor leaves the poller when it is closed.
        self.unread.remove(&key);
        if let Source::Process(process) = self.sources.remove(key) {
            self.processes.remove(&process.pid);
        } else {
            self.directories.retain(|_, directory| *directory != key);
        }
    }

    fn add(&mut self, spec: &NetnsSpec, changes: &mut Vec<NetnsChange>) -> io::Result<()> {
        match place(spec) {
            Place::Name(path, name) => {
                let directory = self.directory(&path, changes)?;
                directory
                    .names
                    .entry(name.clone())
                    .or_default()
                    .insert(spec.clone());
                let presence = directory.presence(&name);
                changes.push(change(spec, presence));
            }
            Place::Process(pid) => {
                let presence = match self.process(pid)? {
                    Some(process) => {
                        process.specs.insert(spec.clone());
                        Presence::There
                    }
                    None => Presence::Ended,
                };
                changes.push(change(spec, presence));
            }
            Place::Nowhere => {}
        }
        Ok(())
    }

    /// Tells what has changed in a directory.
    fn read(&mut self, key: usize, changes: &mut Vec<NetnsChange>) -> io::Result<()> {
        let Some(Source::Directory(directory)) = self.sources.get_mut(key) else {
            return Ok(());
        };
        let result = directory.read(changes);
        if result.is_err() {
            self.unread.insert(key);
        }
        result
    }

    fn directory(&mut self, path: &Path, changes: &mut Vec<NetnsChange>) -> io::Result<&mut Directory> {
        let key = if let Some(key) = self.directories.get(path) {
            *key
        } else {
            let key = self.open_directory(path, changes)?;
            self.directories.insert(path.to_owned(), key);
            key
        };
        match self.sources.get_mut(key) {
            Some(Source::Directory(directory)) => Ok(directory),
            _ => Err(io::Error::other("a directory that is not watched")),
        }
    }

    fn open_directory(&mut self, path: &Path, changes: &mut Vec<NetnsChange>) -> io::Result<usize> {
        let watched = Registry::at(path);
        let watch = match &self.root {
            None => watched.watch(),
            Some(root) => root.watch(&watched),
        };
        let mut watch = watch.map_err(io::Error::other)?;
        let is_system = path == Registry::system().path();
        let slot = self.sources.vacant_entry();
        if let Some((registry, first)) = &self.registry {
            registry.register(&mut watch, Token(first + slot.key()), Interest::READABLE)?;
        }
        let directory = Directory {
            watch,
            is_system,
            names: BTreeMap::new(),
        };
        if is_system {
            changes.extend(directory.all_names());
        }
        let key = slot.key();
        slot.insert(Source::Directory(directory));
        Ok(key)
    }

    /// The process with this number, if that is the one that had it when it was first of interest.
    fn process(&mut self, pid: u32) -> io::Result<Option<&mut OneProcess>> {
        if self.ended.contains(&pid) {
            return Ok(None);
        }
        let key = match self.processes.get(&pid) {
            Some(key) => Some(*key),
            None => self.open_process(pid)?,
        };
        let Some(key) = key else {
            self.ended.insert(pid);
            return Ok(None);
        };
        match self.sources.get_mut(key) {
            Some(Source::Process(process)) => Ok(Some(process)),
            _ => Err(io::Error::other("a process that is not watched")),
        }
    }

    /// `None` when there is no such process.
    fn open_process(&mut self, pid: u32) -> io::Result<Option<usize>> {
        let process = match Process::open(pid) {
            Ok(process) => process,
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(None),
            Err(error) => return Err(error),
        };
        let slot = self.sources.vacant_entry();
        let key = slot.key();
        if let Some((registry, first)) = &self.registry {
            let fd = process.as_fd().as_raw_fd();
            registry.register(&mut SourceFd(&fd), Token(first + key), Interest::READABLE)?;
        }
        slot.insert(Source::Process(OneProcess {
            pid,
            _process: process,
            specs: BTreeSet::new(),
        }));
        self.processes.insert(pid, key);
        Ok(Some(key))
    }
}

impl NetnsWatcher for LocalWatcher {
    fn register(&mut self, registry: mio::Registry, first: usize) {
        self.registry = Some((registry, first));
    }

    fn watch(&mut self, interest: &NetnsInterest, changes: &mut Vec<NetnsChange>) -> io::Result<()> {
        // A number in a new plan means whoever has it now.
        let ended = std::mem::take(&mut self.ended);
        let has_ended = |spec: &NetnsSpec| matches!(place(spec), Place::Process(pid) if ended.contains(&pid));
        let no_more = |spec: &&NetnsSpec| !interest.specs.contains(*spec) || has_ended(spec);
        let no_more: Vec<_> = self.watched.iter().filter(no_more).cloned().collect();
        for spec in &no_more {
            self.watched.remove(spec);
            self.forget(spec);
        }
        self.interest = interest.clone();
        let result = self.add_missing(changes);
        self.clear_away();
        result
    }

    fn retry(&mut self, changes: &mut Vec<NetnsChange>) -> io::Result<()> {
        let mut result = Ok(());
        for key in std::mem::take(&mut self.unread) {
            let read = self.read(key, changes);
            result = result.and(read);
        }
        let added = self.add_missing(changes);
        result.and(added)
    }

    fn on_ready(&mut self, token: Token, changes: &mut Vec<NetnsChange>) -> io::Result<()> {
        let first = self.registry.as_ref().map_or(0, |(_, first)| *first);
        let key = token.0.wrapping_sub(first);
        match self.sources.get_mut(key) {
            Some(Source::Directory(_)) => self.read(key, changes),
            Some(Source::Process(process)) => {
                changes.extend(process.specs.iter().map(|spec| change(spec, Presence::Ended)));
                self.ended.insert(process.pid);
                self.remove(key);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Directory {
    /// Tells what has changed.
    fn read(&mut self, changes: &mut Vec<NetnsChange>) -> io::Result<()> {
        for event in self.watch.events().map_err(io::Error::other)? {
            let (name, presence) = match event {
                WatchEvent::Ready { name, .. } | WatchEvent::Replaced { name, .. } => (name, Presence::There),
                WatchEvent::Unmounted { name } | WatchEvent::Removed { name } => (name, Presence::Missing),
                // It is of no use yet.
                _ => continue,
            };
            match self.names.get(&name) {
                Some(specs) => changes.extend(specs.iter().map(|spec| change(spec, presence))),
                None if self.is_system => changes.extend(of_name(&name, presence)),
                None => {}
            }
        }
        Ok(())
    }

    /// Every name that can be used.
    fn all_names(&self) -> impl Iterator<Item = NetnsChange> {
        let usable = self.watch.known().filter(|(_, id)| id.is_some());
        usable.filter_map(|(name, _)| of_name(name, Presence::There))
    }

    fn presence(&self, name: &NetnsName) -> Presence {
        match self.watch.find(name) {
            Some(_) => Presence::There,
            None => Presence::Missing,
        }
    }
}

/// Of a name that no plan has to write for a pattern to match it. One that reads as a process cannot be written.
fn of_name(name: &NetnsName, presence: Presence) -> Option<NetnsChange> {
    let netns = NetnsSpec::try_from(name.clone()).ok()?;
    Some(NetnsChange { netns, presence })
}

fn change(spec: &NetnsSpec, presence: Presence) -> NetnsChange {
    NetnsChange {
        netns: spec.clone(),
        presence,
    }
}

fn place(spec: &NetnsSpec) -> Place {
    if let Some(name) = spec.name() {
        return Place::Name(Registry::system().path().to_owned(), name.clone());
    }
    if let Some(pid) = spec.pid() {
        return Place::Process(pid);
    }
    let Some(path) = spec.path() else {
        return Place::Nowhere;
    };
    if let Ok(below) = path.strip_prefix("/proc") {
        let first = below.components().next();
        let pid = first.and_then(|first| first.as_os_str().to_str()?.parse().ok());
        return pid.map_or(Place::Nowhere, Place::Process);
    }
    let name = path.file_name().and_then(|name| NetnsName::new(name).ok());
    match (path.parent(), name) {
        (Some(directory), Some(name)) => Place::Name(directory.to_owned(), name),
        _ => Place::Nowhere,
    }
}
