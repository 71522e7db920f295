//! Where a server is, as far as that changes while the engine runs: the address of one that is known by the name of its host, and
//! what an administrator has said. Shared by every plan that has the server. A session has the address of the moment at which it
//! chose, and keeps it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::plan::Target;

/// An address that may change, or not be known.
#[derive(Debug, Default)]
pub(crate) struct Whereabouts(Mutex<Option<IpAddr>>);

impl Whereabouts {
    pub(crate) fn new(address: Option<IpAddr>) -> Self {
        Self(Mutex::new(address))
    }

    pub(crate) fn get(&self) -> Option<IpAddr> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, address: Option<IpAddr>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }
}

/// Where an administrator has put a server. While nobody has, asking costs a look at a flag that nobody writes.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    has_moved: AtomicBool,
    to: Mutex<Option<Target>>,
}

impl Moved {
    #[inline]
    pub(crate) fn get(&self) -> Option<Target> {
        if self.has_moved.load(Ordering::Relaxed) {
            self.to.lock().unwrap_or_else(PoisonError::into_inner).clone()
        } else {
            None
        }
    }

    pub(crate) fn set(&self, target: Target) {
        *self.to.lock().unwrap_or_else(PoisonError::into_inner) = Some(target);
        self.has_moved.store(true, Ordering::Relaxed);
    }
}
