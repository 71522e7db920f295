//! The address of a server that is known by the name of its host: shared by every plan that has the server, and changed while
//! sessions choose. A session has the address of the moment at which it chose, and keeps it.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

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
