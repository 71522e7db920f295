//! The statements of proxies: a file each, with its row for the table.

pub(super) mod balance;
pub(super) mod bind;
pub(super) mod default_backend;
pub(super) mod maxconn;
pub(super) mod mode;
pub(super) mod server;
pub(super) mod source;
pub(super) mod timeout;
