//! The built `nsproxy` between real namespaces, next to real programs: one file for each subject.
//!
//! One test binary rather than one for each file, so that what they share is compiled and linked once. What a library does
//! by itself is tested there; here is only what the whole program promises.

mod addresses;
mod admin;
mod asking;
mod background;
mod balance;
mod check;
mod checks;
mod common;
mod debian;
mod demo;
mod faults;
mod forward;
mod headers;
mod identity;
mod lifecycle;
mod live;
mod load;
mod logs;
mod memory;
mod names;
mod netns_tlv;
mod peers;
mod refusals;
mod reload;
mod rules;
mod rules_of_defaults;
mod sections;
mod seeds;
mod sockets;
mod source_ports;
mod syslog;
mod systemd;
mod tenants;
mod timeouts;
mod transfer;
mod upgrade;
mod use_server;
