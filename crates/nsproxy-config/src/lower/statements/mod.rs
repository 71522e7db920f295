//! The statements of proxies: a file each, with its row for the table.

pub(super) mod acl;
pub(super) mod backlog;
pub(super) mod balance;
pub(super) mod bind;
mod bind_socket;
pub(super) mod default_backend;
pub(super) mod default_namespace;
pub(super) mod default_server;
pub(super) mod fullconn;
pub(super) mod hash_type;
pub(super) mod keep_alive;
pub(super) mod log;
pub(super) mod maxconn;
pub(super) mod mode;
pub(super) mod netns_tlv;
pub(super) mod option;
mod proxy_header;
pub(super) mod rate_limit;
pub(super) mod retries;
pub(super) mod server;
pub(super) mod server_checks;
mod server_names;
pub(super) mod source;
pub(super) mod tcp_check;
pub(super) mod tcp_request;
pub(super) mod timeout;
pub(super) mod use_backend;
