//! Changing interfaces: up, down, name, size, master, namespace; and deleting them.

use std::io;

use super::operation::LinkOperation;
use super::{LinkError, Links, check_name, client, message};
use crate::Netns;

impl Links {
    /// Sets the interface `name` up.
    ///
    /// # Errors
    ///
    /// There is none, or the kernel refuses.
    pub fn set_up(&mut self, name: &str) -> Result<(), LinkError> {
        check_name(name)?;
        self.client
            .change(&message::link::set_up(name, true), client::MODIFY)
            .map_err(LinkError::during(LinkOperation::SetUp, name))
    }

    /// Sets the interface `name` down. The kernel removes its routes, and its IPv6 addresses.
    ///
    /// # Errors
    ///
    /// There is none, or the kernel refuses.
    pub fn set_down(&mut self, name: &str) -> Result<(), LinkError> {
        check_name(name)?;
        self.client
            .change(&message::link::set_up(name, false), client::MODIFY)
            .map_err(LinkError::during(LinkOperation::SetDown, name))
    }

    /// Sets the size of the largest packet of the interface `name`, in bytes.
    ///
    /// # Errors
    ///
    /// There is none, it cannot have that size, or the kernel refuses.
    pub fn set_mtu(&mut self, name: &str, mtu: u32) -> Result<(), LinkError> {
        check_name(name)?;
        self.client
            .change(&message::link::set_mtu(name, mtu), client::MODIFY)
            .map_err(LinkError::during(LinkOperation::SetMtu { mtu }, name))
    }

    /// Makes the interface `name` a port of the bridge `master` (or of another kind of master), or of none.
    ///
    /// # Errors
    ///
    /// There is no such interface or master, or the kernel refuses.
    pub fn set_master(&mut self, name: &str, master: Option<&str>) -> Result<(), LinkError> {
        let operation = LinkOperation::SetMaster {
            master: master.map(ToOwned::to_owned),
        };
        check_name(name)?;
        let index = match master {
            Some(master) => Some(self.index_of(master, &operation, name)?),
            None => None,
        };
        self.client
            .change(&message::link::set_master(name, index), client::MODIFY)
            .map_err(LinkError::during(operation, name))
    }

    /// Gives the interface `name` another name.
    ///
    /// # Errors
    ///
    /// There is none, the new name is taken or is not one of an interface, or the kernel refuses: before
    /// Linux 6.2, an interface that is up.
    pub fn rename(&mut self, name: &str, new_name: &str) -> Result<(), LinkError> {
        let operation = LinkOperation::Rename {
            to: new_name.to_owned(),
        };
        check_name(new_name)?;
        let index = self.index_of(name, &operation, name)?;
        self.client
            .change(&message::link::rename(index, new_name), client::MODIFY)
            .map_err(LinkError::during(operation, name))
    }

    /// Moves the interface `name` to `netns`, where it is called `new_name` or as before.
    ///
    /// The kernel sets it down and takes its addresses and routes away. It may have another index there.
    ///
    /// # Errors
    ///
    /// There is none, it cannot be moved (`lo`, a bridge), the name is taken there, or the kernel refuses.
    /// Then it is here as before. (If someone takes the new name at the very moment of the move, it is here,
    /// but down.)
    pub fn move_to(&mut self, name: &str, netns: &Netns, new_name: Option<&str>) -> Result<(), LinkError> {
        let operation = LinkOperation::Move {
            new_name: new_name.map(ToOwned::to_owned),
        };
        // The kernel finds a taken new name only after the move, and does not undo it.
        let there = match new_name {
            Some(new_name) => Self::refuse_taken(new_name, netns, &operation, name)?,
            None => None,
        };
        let index = self.index_of(name, &operation, name)?;
        let moved = self
            .client
            .change(&message::link::move_to(index, netns, new_name), client::MODIFY);
        if moved.is_err()
            && let Some(there) = there
            && self.find(name).is_err()
        {
            // The error that led here is the one to report.
            let _ = Netns::of_socket(&self.client).map(|here| there.take_back(name, &here));
        }
        moved.map_err(LinkError::during(operation, name))
    }

    /// Refuses the move of `link` under `new_name` if that is taken in `netns`, of which it gives back the
    /// interfaces. Who may move an interface there need not have the right to enter: then there is nothing.
    fn refuse_taken(
        new_name: &str,
        netns: &Netns,
        operation: &LinkOperation,
        link: &str,
    ) -> Result<Option<Self>, LinkError> {
        check_name(new_name)?;
        let Ok(mut there) = Self::in_netns(netns) else {
            return Ok(None);
        };
        match there.find(new_name) {
            Ok(_) => Err(LinkError::Refused {
                operation: operation.clone(),
                link: link.to_owned(),
                message: Some("An interface with the same name exists in the target netns".to_owned()),
                source: io::Error::from_raw_os_error(libc::EEXIST),
            }),
            _ => Ok(Some(there)),
        }
    }

    fn take_back(mut self, name: &str, netns: &Netns) -> Result<(), LinkError> {
        self.move_to(name, netns, None)
    }

    /// Deletes the interface `name`, and with it the other end, if it is one of a pair.
    ///
    /// # Errors
    ///
    /// There is none, it cannot be deleted (`lo`, a physical one), or the kernel refuses.
    pub fn delete(&mut self, name: &str) -> Result<(), LinkError> {
        check_name(name)?;
        self.client
            .change(&message::link::delete(name), client::MODIFY)
            .map_err(LinkError::during(LinkOperation::Delete, name))
    }
}
