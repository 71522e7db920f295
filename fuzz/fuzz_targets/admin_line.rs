//! A line of the admin socket: no panic, and what is written with escapes is read as it was.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nsproxy_fuzz::admin::line(data));
