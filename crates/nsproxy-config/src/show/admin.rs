//! The admin socket: `stats` lines.

use std::fmt::Write as _;

use super::{Time, bind_address};
use crate::model::{Account, Admin, AdminSocket};
use crate::quote;

/// The lines of `global`.
pub(super) fn statements(admin: &Admin) -> Vec<String> {
    let mut lines: Vec<_> = admin.sockets.iter().map(socket).collect();
    if let Some(timeout) = admin.timeout {
        lines.push(format!("stats timeout {}", Time(timeout)));
    }
    if let Some(most) = admin.maxconn {
        lines.push(format!("stats maxconn {most}"));
    }
    lines
}

fn socket(socket: &AdminSocket) -> String {
    let mut line = format!("stats socket {}", bind_address(&socket.address));
    if let Some(mode) = socket.mode {
        _ = write!(line, " mode {mode:o}");
    }
    for ((by_name, by_number), account) in
        [(("user", "uid"), &socket.user), (("group", "gid"), &socket.group)]
    {
        match account {
            None => {}
            Some(Account::Name(name)) => _ = write!(line, " {by_name} {}", quote(name)),
            Some(Account::Id(number)) => _ = write!(line, " {by_number} {number}"),
        }
    }
    _ = write!(line, " level {}", socket.level.name());
    line
}
